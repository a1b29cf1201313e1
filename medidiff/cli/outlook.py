"""What an image is, and whether it would be enhanced, told from its header and sidecar alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from medidiff.errors import AlreadySharp, InputError, MedidiffError
from medidiff.io import Header, read_header, read_sidecar
from medidiff.io.nifti import check_shape

if TYPE_CHECKING:
    from medidiff.volume import Geometry

__all__ = ["FACTS", "outlook"]

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
    return {**told, "enhance": True, "target_shape": target.shape, "target_spacing_mm": target.spacing}


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
    from medidiff.tasks import FEWEST_VOXELS, plan_geometry

    check_shape(header)
    shape = header.geometry.shape
    if min(shape) < FEWEST_VOXELS:
        what = "only one slice" if min(shape) == 1 else "too few slices"
        needed = f"{FEWEST_VOXELS} or more along each axis"
        raise InputError(what, where=str(header.path), found=f"shape {shape}", needed=needed)
    try:
        return plan_geometry(header.geometry, **wanted)
    except AlreadySharp as told:
        raise AlreadySharp(told.what, where=str(header.path), found=told.found, needed=told.needed) from None
