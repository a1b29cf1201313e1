"""NIfTI in and out: voxels stay in the order they were stored, the affine says where they are."""

import gzip
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from medidiff.errors import InputError
from medidiff.io.atomic import replacing
from medidiff.io.header import Header, read_header
from medidiff.io.sidecar import read_sidecar
from medidiff.io.stream import damaged, opened
from medidiff.volume import Geometry, Volume

__all__ = ["Header", "check_content", "check_shape", "read_header", "read_nifti", "write_nifti"]

SCANNER = 1
"""NIfTI xform code of coordinates in the scanner's frame."""

QFORM_TOLERANCE = 1e-3
"""Largest difference between sform and qform direction cosines at which both are written."""


def read_nifti(path: Path, *, max_voxels: int = 2**30, frame: int | None = None) -> Volume:
    """Read one 3D volume.

    Parameters
    ----------
    path
        A ``.nii`` or ``.nii.gz`` file, NIfTI-1 or NIfTI-2.
    max_voxels
        A header that claims more is refused before anything is read.
    frame
        Which volume of a 4D file; without it a 4D file is refused.

    Returns
    -------
    Volume
        ``(x, y, z)`` float32 in axes as stored, scaled as the header says. ``meta`` has ``source``, ``sidecar``
        (``{}`` if there is none), ``xform_code`` and ``warnings``.

    Raises
    ------
    InputError
        If the file cannot be used, has more than three axes, or holds NaN or Inf.
    GeometryError
        If its affine makes no sense.
    """
    path = Path(path)
    header = read_header(path)
    check_shape(header, max_voxels=max_voxels, frame=frame)
    array = _read_voxels(header, frame or 0)
    _check_finite(array, path)
    meta = {
        "source": str(path),
        "sidecar": read_sidecar(path),
        "xform_code": header.code,
        "warnings": list(header.warnings),
    }
    return Volume(array, header.geometry, meta)


def check_shape(header: Header, *, max_voxels: int = 2**30, frame: int | None = None) -> None:
    """Refuse a header that is not one volume, or claims more voxels than can be held.

    Raises
    ------
    InputError
        With the shape that was found.
    """
    shape, where = header.shape, str(header.path)
    voxels = int(np.prod(shape[:3], dtype=object))
    if voxels > max_voxels:
        found = f"{'x'.join(map(str, shape))}, {voxels:.2g} voxels"
        raise InputError("header claims too many voxels", where=where, found=found, needed=f"at most {max_voxels:.2g}")
    if len(shape) > 4 or (len(shape) == 4 and frame is None):
        what, hint = f"image is {len(shape)}D", "split it into 3D files first"
        raise InputError(what, where=where, found=f"shape {shape}", needed="one 3D volume", hint=hint)
    frames = shape[3] if len(shape) == 4 else 1
    if frame is not None and not 0 <= frame < frames:
        raise InputError(f"no frame {frame}", where=where, found=f"{frames} frames")


def check_content(volume: Volume) -> None:
    """Refuse a volume in which there is nothing to enhance: one slice, or the same value everywhere.

    Raises
    ------
    InputError
        With what was found.
    """
    where = str(volume.meta.get("source", ""))
    if min(volume.geometry.shape) < 2:
        found = f"shape {volume.geometry.shape}"
        raise InputError("only one slice", where=where, found=found, needed="at least 2 voxels along each axis")
    low, high = float(volume.array.min()), float(volume.array.max())
    if low == high:
        raise InputError("image is empty", where=where, found=f"{low:g} in every voxel")


def write_nifti(volume: Volume, path: Path, *, description: str) -> None:
    """Write a volume as float32 or complex64, gzipped for a name in ``.gz``; the same volume gives the same bytes.

    sform and qform are both written and equal (a sheared grid, which no qform can tell, gets an sform alone).
    The file appears under its name only when it is complete.

    Parameters
    ----------
    volume
        ``(x, y, z)``, real or complex; ``meta["xform_code"]`` is kept, scanner (1) if there is none.
    path
        Where to.
    description
        Free text for the header; what exceeds its 79 bytes is cut.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    path, image = Path(path), _image(volume, description)
    with replacing(path) as stream:
        if path.suffix == ".gz":
            with gzip.GzipFile("", "wb", compresslevel=1, fileobj=stream, mtime=0) as zipped:
                image.to_stream(zipped)
        else:
            image.to_stream(stream)


def _read_voxels(header: Header, frame: int) -> NDArray[np.float32]:
    """``(x, y, z)`` scaled voxels, one slice of bytes at a time: a lying header costs no memory."""
    nx, ny, nz = header.geometry.shape
    size = nx * ny * header.dtype.itemsize
    array = np.empty((nx, ny, nz), dtype=np.float32)
    with opened(header.path) as stream, np.errstate(over="ignore", invalid="ignore"):
        stream.seek(header.offset + frame * nz * size)
        for z in range(nz):
            stored = stream.read(size)
            if len(stored) < size:
                raise damaged(header.path, f"{z} of {nz} slices")
            plane = np.frombuffer(stored, header.dtype).reshape(nx, ny, order="F")
            array[..., z] = plane if (header.slope, header.inter) == (1, 0) else plane * header.slope + header.inter
        stream.read(1)  # past the last voxel lies the checksum of a gzip file
    return array


def _check_finite(array: NDArray[np.float32], path: Path) -> None:
    bad = ~np.isfinite(array)
    if not bad.any():
        return
    nan, first = int(np.isnan(array).sum()), tuple(int(i[0]) for i in np.nonzero(bad))
    found = f"{nan} NaN and {int(bad.sum()) - nan} Inf, the first at {first}"
    raise InputError(
        "voxels that are not numbers", where=str(path), found=found, hint="replace them, for instance by 0"
    )


def _image(volume: Volume, description: str) -> Any:
    geometry = volume.geometry
    kind: Any = nib.Nifti1Image if max(geometry.shape) < 2**15 else nib.Nifti2Image
    dtype = np.complex64 if np.iscomplexobj(volume.array) else np.float32
    image = kind(np.asarray(volume.array, dtype=dtype), None)
    header = image.header
    header["descrip"] = description.encode()[:79]
    header.set_xyzt_units("mm")
    header.set_zooms(geometry.spacing)
    code = _code(volume, header)
    image.set_sform(geometry.affine, code)
    image.set_qform(geometry.affine, code)
    if not _same_directions(image.get_qform(), geometry):
        image.set_qform(None, 0)
    return image


def _code(volume: Volume, header: Any) -> int:
    """Keep the input's xform code, but 0 (orientation unknown) only if a reader then still finds the same grid."""
    code = int(volume.meta.get("xform_code", SCANNER))
    if code == 0 and not np.allclose(header.get_base_affine(), volume.geometry.affine, atol=1e-3):
        return SCANNER
    return code


def _same_directions(affine: NDArray[np.float64], geometry: Geometry) -> bool:
    return Geometry(geometry.shape, affine).parallel_to(geometry, QFORM_TOLERANCE)
