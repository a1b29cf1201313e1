"""What kind of image this is, and why some kinds are not enhanced, by name."""

import re
from collections.abc import Sequence

from pydicom import Dataset
from pydicom.uid import (
    UID,
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MediaStorageDirectoryStorage,
    MRImageStorage,
)

__all__ = ["IMAGE_CLASSES", "component_refusal", "frame_words", "object_refusal", "words_refusal"]

IMAGE_CLASSES = {
    MRImageStorage: "classic",
    EnhancedMRImageStorage: "enhanced",
    LegacyConvertedEnhancedMRImageStorage: "legacy-converted",
}
"""Objects that hold MR images, and how they are called here."""

MAP = re.compile(
    r"e?adc([ _].*)?|diffusion_adc|(col)?fa|fractional_aniso.*|tensor(_b0)?|(?!phase)[\w* ]+[ _]map|"
    r"(asl_)?(rel_?|r)?(cbf|cbv|mtt)|ttp|tmax|[pg]bp|sub(tract(ion)?)?|stddev|t[ _-]?test|stim|"
    r"ff|fat fraction|stiffness",
    re.IGNORECASE,
)
"""A word of an image type that names a map computed from other images."""

REFORMATTED = {
    "MPR": "reformatted (MPR), not measured slices",
    "CSA RESLICED": "reformatted, not measured slices",
    "CSARESLICED": "reformatted, not measured slices",
    "RESAMPLED": "resampled, not measured slices",
    "PROJECTION IMAGE": "a projection",
    "MIP": "a maximum intensity projection",
    "MNIP": "a minimum intensity projection",
    "MINIP": "a minimum intensity projection",
    "MIN_IP": "a minimum intensity projection",
    "MAX_IP": "a maximum intensity projection",
    "SCREEN SAVE": "a screenshot",
}

LOCALIZER = re.compile(r"(?<![a-z])(locali[sz]er|scout|survey|topogram|3[ _-]?plane|loc)(?![a-z])", re.IGNORECASE)
"""A series description that names a localizer."""

COMPONENTS = {
    "ph": "a phase image: its values wrap around, and the model knows magnitudes",
    "real": "the real part of a complex image: its values have a sign, and the model knows magnitudes",
    "imag": "the imaginary part of a complex image: its values have a sign, and the model knows magnitudes",
}


def object_refusal(header: Dataset) -> str:
    """Say why nothing of an object is enhanced, in a few words, empty if it may be."""
    kind = UID(str(header.get("SOPClassUID") or header.get("MediaStorageSOPClassUID") or ""))
    if kind == MediaStorageDirectoryStorage or "DirectoryRecordSequence" in header:
        return "the index of a disc (DICOMDIR)"
    if kind not in IMAGE_CLASSES:
        return f"not an MR image: {_named(kind, header)}"
    return _layout_refusal(header) or _localizer(header) or words_refusal(_words(header.get("ImageType")))


def words_refusal(words: Sequence[str]) -> str:
    """Say why an image of this type is not enhanced, empty if it may be."""
    if "LOCALIZER" in words:
        return "a localizer"
    if "MOSAIC" in words:
        return "a mosaic: its slices are tiles of one image; export it unmosaicked, or convert it with dcm2niix"
    if named := next((word for word in words[2:] if MAP.fullmatch(word)), ""):
        return f"a derived map ({named})"
    if words[:1] == ("DERIVED",) and (named := next((word for word in words if word in REFORMATTED), "")):
        return REFORMATTED[named]
    if any(word in words for word in ("PROJECTION IMAGE", "SCREEN SAVE")):
        return REFORMATTED["PROJECTION IMAGE" if "PROJECTION IMAGE" in words else "SCREEN SAVE"]
    return "made from other images (DERIVED, SECONDARY)" if words[:2] == ("DERIVED", "SECONDARY") else ""


def component_refusal(component: str) -> str:
    """Say why a part of the complex signal is not enhanced, empty for the magnitude."""
    return COMPONENTS.get(component, "")


def frame_words(frame: Dataset, shared: Dataset) -> tuple[str, ...]:
    """Return the image type of one frame of an enhanced object, empty if it has none of its own."""
    for holder in (frame, shared):
        if kinds := holder.get("MRImageFrameTypeSequence"):
            return _words(kinds[0].get("FrameType"))
    return ()


def _layout_refusal(header: Dataset) -> str:
    if str(header.get("DimensionOrganizationType", "")).startswith("TILED") or "TotalPixelMatrixRows" in header:
        return "tiled: its frames are tiles of one image"
    if (header.get("SamplesPerPixel") or 1) != 1:
        return "a colour image"
    shown = str(header.get("PhotometricInterpretation") or "MONOCHROME2")
    return "" if shown == "MONOCHROME2" else f"stored as {shown}, not MONOCHROME2"


def _localizer(header: Dataset) -> str:
    return "a localizer" if LOCALIZER.search(str(header.get("SeriesDescription") or "")) else ""


def _named(kind: UID, header: Dataset) -> str:
    name = kind.name if kind and kind.name != kind else f"modality {header.get('Modality') or 'unknown'}"
    return name.removesuffix(" Storage")


def _words(value: object) -> tuple[str, ...]:
    if not value:
        return ()
    words = [value] if isinstance(value, str) else list(value)  # type: ignore[call-overload]
    return tuple(str(word).upper() for word in words)
