"""What vendors say in elements of their own: diffusion weighting, phase or magnitude, scaling."""

from typing import Any

from pydicom import Dataset

__all__ = ["COMPONENTS", "VENDOR_TAGS", "component_of", "diffusion_of", "scale_slope_of"]

SIEMENS, GE = "SIEMENS MR HEADER", "GEMS_PARM_01"
PHILIPS, PHILIPS_MR = "Philips Imaging DD 001", "Philips MR Imaging DD 001"

VENDOR_TAGS = (
    *((0x0019, element) for element in (*range(0x10, 0x18), 0x100C, 0x100E)),
    *((0x2001, element) for element in (*range(0x10, 0x18), 0x1003)),
    *((0x2005, element) for element in (*range(0x10, 0x20), 0x100E, 0x10B0, 0x10B1, 0x10B2)),
    *((0x0043, element) for element in (*range(0x10, 0x18), 0x102F, 0x1039)),
)
"""Private elements that are read, with the creators that say whose they are."""

COMPONENTS = {
    "P": "ph",
    "PHASE": "ph",
    "PHASE MAP": "ph",
    "R": "real",
    "REAL": "real",
    "I": "imag",
    "IMAGINARY": "imag",
    "M": "mag",
    "MAGNITUDE": "mag",
}
"""Words of an image type, after its second, for the part of the complex signal that an image shows."""

GE_COMPONENTS = ("mag", "ph", "real", "imag")


def component_of(root: Dataset, frame: Dataset, shared: Dataset) -> str:
    """Which part of the complex signal: ``mag``, ``ph``, ``real`` or ``imag``; magnitude unless told otherwise."""
    for holder in (frame, shared):
        if (kinds := holder.get("MRImageFrameTypeSequence")) and (told := _component(kinds[0], "FrameType")):
            return told
    if (coded := _private(root, 0x0043, 0x2F, GE)) in (0, 1, 2, 3):
        return GE_COMPONENTS[int(coded)]
    return _component(root, "ImageType") or "mag"


def diffusion_of(root: Dataset, frame: Dataset, shared: Dataset) -> tuple[float | None, tuple[float, ...] | None]:
    """Diffusion weighting in s/mm2 and its direction, None where there is none."""
    for holder in (frame, shared):
        if kinds := holder.get("MRDiffusionSequence"):
            directions = kinds[0].get("DiffusionGradientDirectionSequence") or [Dataset()]
            return _number(kinds[0].get("DiffusionBValue")), _vector(directions[0].get("DiffusionGradientOrientation"))
    if "DiffusionBValue" in root:
        return _number(root.DiffusionBValue), _vector(root.get("DiffusionGradientOrientation"))
    return _private_diffusion(root)


def scale_slope_of(root: Dataset, frame: Dataset) -> float | None:
    """Philips' scale slope, None if there is none.

    Signal = (stored * slope + intercept) / (slope * scale slope): Chenevert 2014, doi:10.1593/tlo.13811.
    """
    if (told := _number(_private(root, 0x2005, 0x0E, PHILIPS_MR))) is not None:
        return told or None
    inner = next((item.value for item in frame if item.tag == (0x2005, 0x140F)), None) if frame else None
    return _number(_private(inner[0], 0x2005, 0x0E, PHILIPS_MR)) or None if inner else None


def _private_diffusion(root: Dataset) -> tuple[float | None, tuple[float, ...] | None]:
    if (siemens := _private(root, 0x0019, 0x0C, SIEMENS)) is not None:
        return _number(siemens), _vector(_private(root, 0x0019, 0x0E, SIEMENS))
    if (ge := _private(root, 0x0043, 0x39, GE)) is not None:
        first = ge if isinstance(ge, str) or not hasattr(ge, "__iter__") else next(iter(ge), None)
        coded = _number(first)
        return None if coded is None else coded % 100_000, None
    if (philips := _private(root, 0x2001, 0x03, PHILIPS)) is not None:
        along = [_private(root, 0x2005, element, PHILIPS_MR) for element in (0xB0, 0xB1, 0xB2)]
        return _number(philips), _vector(along)
    return None, None


def _component(holder: Dataset, keyword: str) -> str:
    told = COMPONENTS.get(str(holder.get("ComplexImageComponent")), "")
    words = holder.get(keyword) or ()
    words = () if isinstance(words, str) else list(words)[2:]
    return told or next((COMPONENTS[word] for word in words if word in COMPONENTS), "")


def _private(holder: Dataset, group: int, element: int, creator: str) -> Any:
    """Return the value of a private element if it is that creator's, else None."""
    for block in range(0x10, 0x20):
        owner = holder.get((group, block))
        if owner is not None and str(owner.value).strip() == creator:
            found = holder.get((group, (block << 8) + element))
            return None if found is None else found.value
    return None


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _vector(value: Any) -> tuple[float, ...] | None:
    try:
        numbers = tuple(float(each) for each in value)
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == 3 and any(numbers) else None
