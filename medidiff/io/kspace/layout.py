"""From a file's arrays to `KSpace`: which axes are encoded, where the centre lies, and what is odd about it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medidiff.errors import InputError
from medidiff.kspace import KSpace
from medidiff.volume import Geometry

__all__ = ["centre_offset", "placed", "standing"]

Array = NDArray[Any]

MOST_COILS, USUAL_COILS = 128, 32
"""More than the former, or than the latter and twice the samples along an encoded axis, are no coils."""
FARTHEST = 0.125
"""Distance of the strongest frequency from the middle, as a fraction of k-space, beyond which it is not centred."""


def standing(shape: Sequence[int], spacing: Sequence[float] = (1.0, 1.0, 1.0)) -> Geometry:
    """Give an axial grid about the scanner's middle, for data that do not tell where they lie."""
    affine = np.diag([*map(float, spacing), 1.0])
    affine[:3, 3] = -np.array(spacing) * (np.array(shape) // 2)
    return Geometry(shape, affine)


def placed(
    data: Array,
    path: Path,
    *,
    form: str,
    encoded: Sequence[int] | None = None,
    geometry: Geometry | None = None,
    spacing: Sequence[float] | None = None,
    meta: Mapping[str, Any] | None = None,
    **more: Any,
) -> KSpace:
    """Make `KSpace` of what a file holds, checked.

    Parameters
    ----------
    data
        ``(coil, x, y, z)``.
    path, form
        The file, and the name of its format.
    encoded
        By default the axes that have more than one sample.
    geometry
        By default an axial grid about the middle of the scanner, with a warning.
    spacing
        Of that grid, mm; by default 1.
    meta
        What else is known.
    more
        Fields of `KSpace`.

    Raises
    ------
    InputError
        As `KSpace`, or if the axes are in another order or the data are not centred.
    """
    if data.ndim != 4 or not np.iscomplexobj(data):
        found = f"{data.dtype} {data.shape}"
        raise InputError("no k-space", where=str(path), found=found, needed="complex (coil, x, y, z)")
    axes = tuple(encoded) if encoded is not None else tuple(a for a in range(3) if data.shape[1 + a] > 1)
    warnings = list((meta or {}).get("warnings", ()))
    _check_axes(data, axes, path)
    data, more = _without_silent_coils(data, more, warnings)
    if geometry is None:
        told_of = "only the spacing of the voxels" if spacing else "no geometry, so 1 mm voxels are assumed"
        warnings.append(f"the file tells {told_of}; position and orientation are made up")
    told = {**(meta or {}), "source": str(path), "format": form, "warnings": warnings}
    told["geometry_known"] = geometry is not None
    kspace = KSpace(data, geometry or standing(data.shape[1:], spacing or (1.0, 1.0, 1.0)), axes, meta=told, **more)
    _check_centre(kspace, path)
    return kspace


def centre_offset(kspace: KSpace) -> tuple[int, ...]:
    """How far from ``n // 2`` the strongest frequency lies along each axis; 0 along axes that are not encoded."""
    power = np.zeros(kspace.data.shape[1:], dtype=np.float64)
    for coil in kspace.data:
        power += np.abs(coil) ** 2
    offset = [0, 0, 0]
    for axis in kspace.encoded:
        profile = power.sum(tuple(a for a in range(3) if a != axis))
        offset[axis] = int(profile.argmax()) - len(profile) // 2
    return tuple(offset)


def _check_centre(kspace: KSpace, path: Path) -> None:
    """Refuse k-space whose strongest frequency is far from the middle: an image of it would be a checkerboard."""
    offset = centre_offset(kspace)
    shape = kspace.data.shape[1:]
    if any(abs(o) > max(2, FARTHEST * n) for o, n in zip(offset, shape, strict=True)):
        raise InputError(
            "k-space is not centred, or these are no frequencies", where=str(path),
            found=f"its strongest sample {offset} from the middle of {shape}", needed="frequency 0 at n // 2",
            hint="shift it first (numpy.fft.fftshift over the encoded axes)",
        )  # fmt: skip


def _check_axes(data: Array, axes: Sequence[int], path: Path) -> None:
    shape = data.shape[1:]
    if len(axes) < 2 or any(shape[a] < 2 for a in axes):
        found = f"(coil, x, y, z) = {data.shape}, encoded {''.join('xyz'[a] for a in axes)}"
        raise InputError("fewer than two encoded axes", where=str(path), found=found, needed="2 or 3, of 2 or more")
    fewest = min(shape[a] for a in axes)
    if len(data) > MOST_COILS or len(data) > max(USUAL_COILS, 2 * fewest):
        found, hint = f"{len(data)} coils and {shape} samples", "put the coils first: (coil, x, y, z)"
        raise InputError("axes are in another order", where=str(path), found=found, hint=hint)


def _without_silent_coils(data: Array, more: dict[str, Any], warnings: list[str]) -> tuple[Array, dict[str, Any]]:
    """Drop coils that measured nothing, unless none did."""
    silent = ~(data != 0).any((1, 2, 3))
    if not silent.any() or silent.all():
        return data, more
    warnings.append(f"coils {np.flatnonzero(silent).tolist()} hold zeros alone and are left out")
    for name, axis in (("maps", 1), ("noise", 0)):
        if more.get(name) is not None:
            more = {**more, name: np.compress(~silent, more[name], axis)}
    return data[~silent], more
