"""What a NIfTI header says, read without touching the voxels and checked before anything is believed."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from medidiff.errors import GeometryError, InputError
from medidiff.io.stream import damaged, opened
from medidiff.volume import Geometry

__all__ = ["Header", "axis_codes", "obliquity", "read_description", "read_header"]

FORMS_DIFFER_MM = 0.1
"""Largest distance between where sform and qform put the same voxel that passes without a warning."""

SHEAR_DEGREES = 0.1
"""Largest departure from right angles between voxel axes that passes without a warning."""

MM_PER_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
"""By NIfTI spatial unit code: unknown, metre, millimetre, micrometre."""

LAYOUTS: tuple[tuple[int, Any, int], ...] = ((1, nib.Nifti1Header, 348), (2, nib.Nifti2Header, 540))
"""Version, header class and header size, which is also the file's first number."""

NEEDED = "a .nii or .nii.gz file"


@dataclass(frozen=True, eq=False)
class Header:
    """The facts of one NIfTI file.

    Parameters
    ----------
    path
        The file.
    shape
        As stored, without singleton axes after the third.
    geometry
        Grid of the first three axes, RAS+ mm.
    dtype
        Type of the stored values.
    slope, inter
        Value = ``slope * stored + inter``.
    offset
        Bytes before the first voxel.
    version
        1 or 2.
    form, code
        Where the affine came from (``sform``, ``qform`` or ``pixdim``) and its NIfTI xform code.
    description
        The header's free text.
    warnings
        What was odd, one sentence each.
    """

    path: Path
    shape: tuple[int, ...]
    geometry: Geometry
    dtype: np.dtype[Any]
    slope: float
    inter: float
    offset: int
    version: int
    form: str
    code: int
    description: str
    warnings: tuple[str, ...]

    @property
    def axis_codes(self) -> str:
        """Where each voxel axis points, such as ``LAS``."""
        return axis_codes(self.geometry)

    @property
    def obliquity(self) -> float:
        """Largest angle between a voxel axis and the nearest patient axis, degrees."""
        return obliquity(self.geometry)


def axis_codes(geometry: Geometry) -> str:
    """Where each voxel axis points, such as ``LAS``."""
    return "".join(nib.aff2axcodes(geometry.affine))


def obliquity(geometry: Geometry) -> float:
    """Largest angle between a voxel axis and the nearest patient axis, degrees."""
    cosines = np.abs(geometry.directions).max(axis=0)
    return float(np.degrees(np.arccos(np.clip(cosines.min(), 0, 1))))


def read_header(path: Path) -> Header:
    """Read and check the header of a ``.nii`` or ``.nii.gz`` file; the voxels are not read.

    Raises
    ------
    InputError
        If the file is missing, empty, cut short, not NIfTI, not at least 3D, or holds no real numbers.
    GeometryError
        If the affine is singular or not finite.
    """
    with opened(path) as stream:
        raw, version = _parse(stream, path)
    shape = _shape(raw, path)
    affine, form, code, warnings = _affine(raw, path)
    slope, inter = _scaling(raw, path)
    return Header(
        path=path,
        shape=shape,
        geometry=_geometry(shape[:3], affine, path),
        dtype=_dtype(raw, path),
        slope=slope,
        inter=inter,
        offset=_offset(raw, path),
        version=version,
        form=form,
        code=code,
        description=_description(raw),
        warnings=(*warnings, *_shear(affine)),
    )


def read_description(path: Path) -> str:
    """Free text of a NIfTI header, whatever kind of voxels it has.

    Raises
    ------
    InputError
        If the file is missing, empty, cut short or not NIfTI.
    """
    with opened(path) as stream:
        return _description(_parse(stream, path)[0])


def _description(raw: Any) -> str:
    return bytes(raw["descrip"]).decode("utf-8", "replace").rstrip("\0 ")


def _parse(stream: BinaryIO, path: Path) -> tuple[Any, int]:
    """Return the header as nibabel holds it, and the NIfTI version."""
    start = stream.read(540)
    for version, kind, size in LAYOUTS:
        for endianness in "<>":
            if start[:4] == np.array(size, f"{endianness}i4").tobytes():
                if len(start) < size:
                    raise damaged(path, f"{len(start)} bytes of a {size}-byte header")
                raw = kind(start[:size], endianness=endianness, check=False)
                _check_magic(bytes(raw["magic"]), path)
                return raw, version
    found = "text" if start.isascii() and b"\0" not in start else "no NIfTI header"
    raise InputError("not a NIfTI file", where=str(path), found=found, needed=NEEDED, hint="convert it first")


def _check_magic(magic: bytes, path: Path) -> None:
    if magic.startswith((b"ni1", b"ni2")):
        raise InputError("header of a .hdr/.img pair", where=str(path), needed=NEEDED, hint="convert it first")
    if not magic.startswith((b"n+1", b"n+2")):
        raise InputError("not a NIfTI file", where=str(path), found="ANALYZE or damaged header", needed=NEEDED)


def _shape(raw: Any, path: Path) -> tuple[int, ...]:
    dim = [int(n) for n in raw["dim"]]
    if not 1 <= dim[0] <= 7:
        raise damaged(path, f"{dim[0]} dimensions in the header")
    shape = dim[1 : dim[0] + 1]
    if min(shape) < 1:
        empty = shape.index(min(shape))
        raise InputError(f"axis {empty} has no voxels", where=str(path), found=f"shape {tuple(shape)}")
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    if len(shape) < 3:
        raise InputError("image is not 3D", where=str(path), found=f"shape {tuple(shape)}", needed="three axes")
    return tuple(shape)


def _dtype(raw: Any, path: Path) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] = np.dtype(raw.get_data_dtype())
    except (HeaderDataError, KeyError) as error:
        raise damaged(path, f"data type code {raw['datatype']}") from error
    if dtype.kind not in "iuf":
        raise InputError(
            "voxels are not real numbers",
            where=str(path),
            found="complex values" if dtype.kind == "c" else f"data type {raw['datatype']}",
            needed="an integer or floating-point magnitude image",
        )
    return dtype


def _scaling(raw: Any, path: Path) -> tuple[float, float]:
    try:
        slope, inter = raw.get_slope_inter()
    except HeaderDataError as error:
        raise damaged(path, f"scl_slope {raw['scl_slope']}, scl_inter {raw['scl_inter']}") from error
    return (1.0, 0.0) if slope is None else (float(slope), float(inter or 0.0))


def _offset(raw: Any, path: Path) -> int:
    offset, least = float(raw["vox_offset"]), int(raw.single_vox_offset)
    if not math.isfinite(offset) or 0 < offset < least - 4:
        raise damaged(path, f"voxels starting at byte {offset}")
    return int(offset) or least


def _affine(raw: Any, path: Path) -> tuple[NDArray[np.float64], str, int, tuple[str, ...]]:
    """Return the affine in mm, where it came from, its xform code, and warnings: sform before qform before pixdim."""
    scale = MM_PER_UNIT.get(int(raw["xyzt_units"]) % 8, 1.0)
    warnings = () if scale == 1 else (f"header units are not mm: multiplied by {scale:g}",)
    sform, qform = int(raw["sform_code"]), int(raw["qform_code"])
    if sform > 0:
        affine = raw.get_sform()
        return _scaled(affine, scale), "sform", sform, (*warnings, *_disagreement(raw, affine))
    if qform > 0:
        try:
            return _scaled(raw.get_qform(), scale), "qform", qform, warnings
        except (ValueError, HeaderDataError) as error:
            raise GeometryError("qform is not a rotation", where=str(path), found=str(error)) from error
    unknown = "no sform or qform: orientation is unknown, spacing taken from pixdim"
    return _scaled(raw.get_base_affine(), scale), "pixdim", 0, (*warnings, unknown)


def _scaled(affine: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    return np.diag([scale, scale, scale, 1.0]) @ np.asarray(affine, dtype=np.float64)


def _disagreement(raw: Any, affine: NDArray[np.float64]) -> tuple[str, ...]:
    """Warn if sform and qform put the corners of the grid in different places."""
    try:
        other = raw.get_qform(coded=True)[0]
    except (ValueError, HeaderDataError):
        return ("qform is not a rotation: sform used",)
    if other is None or not np.isfinite(affine).all():
        return ()
    corners = np.array(np.meshgrid(*[(0, int(n) - 1) for n in raw["dim"][1:4]], [1])).reshape(4, -1)
    apart = float(np.linalg.norm((affine - other)[:3] @ corners, axis=0).max())
    return () if apart <= FORMS_DIFFER_MM else (f"sform and qform differ by up to {apart:.2g} mm: sform used",)


def _shear(affine: NDArray[np.float64]) -> tuple[str, ...]:
    unit = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    cosine = np.abs(unit.T @ unit - np.eye(3)).max()
    shear = float(np.degrees(np.arcsin(min(1.0, cosine))))
    return () if shear <= SHEAR_DEGREES else (f"voxel axes are not at right angles: {shear:.2g} degrees off",)


def _geometry(shape: tuple[int, ...], affine: NDArray[np.float64], path: Path) -> Geometry:
    try:
        return Geometry(shape, affine)
    except GeometryError as error:
        hint = error.hint or "correct the sform and qform of its header"
        raise GeometryError(error.what, where=str(path), found=error.found, needed=error.needed, hint=hint) from None
