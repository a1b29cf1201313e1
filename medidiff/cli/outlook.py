"""What an image or a series is, and whether it would be enhanced, told from headers and sidecars alone."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medidiff.errors import AlreadySharp, InputError, MedidiffError
from medidiff.io import Header, read_header, read_sidecar
from medidiff.io.header import axis_codes, obliquity
from medidiff.io.nifti import check_shape

if TYPE_CHECKING:
    from medidiff.io.dicom import Series, Stack
    from medidiff.volume import Geometry

__all__ = ["FACTS", "SERIES_FACTS", "outlook", "outlook_of", "series_outlook"]

FACTS = (
    "path",
    "readable",
    "shape",
    "spacing_mm",
    "axes",
    "oblique_degrees",
    "dtype",
    "nifti",
    "affine_from",
    "thickness_mm",
    "enhance",
    "target_shape",
    "target_spacing_mm",
    "reason",
    "warnings",
)
"""What is told of every image, in this order."""

SERIES_FACTS = (
    "series",
    "volume",
    "description",
    "modality",
    "manufacturer",
    "kind",
    "objects",
    "copies",
    "shape",
    "spacing_mm",
    "axes",
    "oblique_degrees",
    "thickness_mm",
    "enhance",
    "target_shape",
    "target_spacing_mm",
    "reason",
    "warnings",
)
"""What is told of every volume of a DICOM series, in this order; of a series without images, one line."""


def outlook(
    path: Path,
    *,
    spacing: float | tuple[float, float, float] | None = None,
    like: "Geometry | None" = None,
    axis: str = "auto",
) -> dict[str, Any]:
    """Tell the `FACTS` of an image, and whether and on which grid it would be enhanced with these options."""
    told: dict[str, Any] = dict.fromkeys(FACTS)
    told |= {"path": str(path), "readable": False, "enhance": False, "reason": "", "warnings": ()}
    try:
        header = read_header(path)
        told |= {"readable": True, **_facts(header)}
        told["thickness_mm"] = read_sidecar(path).get("SliceThickness")
        target = _target(header, spacing=spacing, like=like, axis=axis)
    except MedidiffError as error:
        return {**told, "reason": str(error)}
    return told | _target_facts(target)


def series_outlook(
    series: "Series", why_not: Callable[["Stack"], str], *, allow_irregular: bool = False
) -> list[dict[str, Any]]:
    """Tell the `SERIES_FACTS` of the volumes of a series; ``why_not`` says which are not wanted."""
    if series.refusal or not series.stacks:
        told = dict.fromkeys(SERIES_FACTS) | _series_facts(series)
        return [told | {"volume": "", "enhance": False, "reason": series.refusal or "no image in it", "warnings": ()}]
    return [
        outlook_of(stack, reason=stack.refusal or why_not(stack), allow_irregular=allow_irregular)
        for stack in series.stacks
    ]


def outlook_of(stack: "Stack", *, reason: str = "", allow_irregular: bool = False, **wanted: Any) -> dict[str, Any]:
    """Tell the `SERIES_FACTS` of a volume, and whether and on which grid it would be enhanced with these options.

    ``reason`` says why it would not be, if that is known already.
    """
    told: dict[str, Any] = dict.fromkeys(SERIES_FACTS) | _series_facts(stack.series)
    told |= {"volume": stack.name, "enhance": False, "reason": reason, "warnings": ()}
    try:
        arranged = stack.arrangement(allow_irregular=allow_irregular)
        told |= _grid_facts(arranged.geometry)
        told |= {"thickness_mm": arranged.frames[0].thickness, "warnings": arranged.warnings}
        target = None if reason else _planned(arranged.geometry, stack.label, **wanted)
    except MedidiffError as error:
        columns, rows = stack.frames[0].shape[::-1]
        told["shape"] = told["shape"] or (columns, rows, len(stack.frames))
        return {**told, "reason": reason or str(error)}
    return told if target is None else told | _target_facts(target)


def _series_facts(series: "Series") -> dict[str, Any]:
    names = ("description", "modality", "manufacturer", "kind", "objects", "copies")
    return {"series": series.label, **{name: getattr(series, name) for name in names}}


def _grid_facts(geometry: "Geometry") -> dict[str, Any]:
    return {
        "shape": geometry.shape,
        "spacing_mm": geometry.spacing,
        "axes": axis_codes(geometry),
        "oblique_degrees": round(obliquity(geometry), 2),
    }


def _target_facts(target: "Geometry") -> dict[str, Any]:
    return {"enhance": True, "target_shape": target.shape, "target_spacing_mm": target.spacing}


def _facts(header: Header) -> dict[str, Any]:
    return {
        "shape": header.shape,
        "spacing_mm": header.geometry.spacing,
        "axes": header.axis_codes,
        "oblique_degrees": round(header.obliquity, 2),
        "dtype": header.dtype.name,
        "nifti": header.version,
        "affine_from": header.form,
        "warnings": header.warnings,
    }


def _target(header: Header, **wanted: Any) -> "Geometry":
    check_shape(header)
    return _planned(header.geometry, str(header.path), **wanted)


def _planned(geometry: "Geometry", where: str, **wanted: Any) -> "Geometry":
    """Return the grid that an image would be enhanced to, or say why it would not be."""
    from medidiff.tasks import FEWEST_VOXELS, plan_geometry

    shape = geometry.shape
    if min(shape) < FEWEST_VOXELS:
        what = "only one slice" if min(shape) == 1 else "too few slices"
        needed = f"{FEWEST_VOXELS} or more along each axis"
        raise InputError(what, where=where, found=f"shape {shape}", needed=needed)
    try:
        return plan_geometry(geometry, **wanted)
    except AlreadySharp as told:
        raise AlreadySharp(told.what, where=where, found=told.found, needed=told.needed) from None
