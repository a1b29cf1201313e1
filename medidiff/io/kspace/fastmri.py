"""FastMRI's HDF5 (Zbontar 2018): ``kspace (slice, coil, x, y)``; mask, header and attributes may be absent."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medidiff.errors import InputError
from medidiff.io.atomic import replacing
from medidiff.io.kspace.hdf5 import checked_size, needs_hdf5, opened_hdf5, parsed_header
from medidiff.io.kspace.layout import placed
from medidiff.kspace import KSpace
from medidiff.volume import Volume

__all__ = ["read_fastmri", "reconstructed_by_medidiff", "write_reconstruction"]

ATTRIBUTES = ("acquisition", "max", "norm", "acceleration", "num_low_frequency")
"""What is told of a file; what may name a patient is not."""


def read_fastmri(path: Path) -> KSpace:
    """Read a stack of slices, x along the readout.

    Parameters
    ----------
    path
        With ``kspace`` complex ``(slice, coil, x, y)``, or ``(slice, x, y)`` of one coil. ``mask`` may be ``(y,)``,
        ``(x, y)``, or either with leading axes of 1; ``ismrmrd_header`` gives spacing and the field of view to keep.

    Raises
    ------
    InputError
        If something of it cannot be used.
    """
    with opened_hdf5(path) as file:
        stored = file["kspace"]
        checked_size(stored, path)
        if stored.ndim not in (3, 4) or stored.dtype.kind != "c":
            found, needed = f"{stored.dtype} {stored.shape}", "complex (slice, coil, x, y) or (slice, x, y)"
            raise InputError("kspace has other axes", where=str(path), found=found, needed=needed)
        data = stored[()]
        mask = file["mask"][()] if "mask" in file else None
        header = parsed_header(file["ismrmrd_header"][()], path) if "ismrmrd_header" in file else None
        told = {name: file.attrs[name] for name in ATTRIBUTES if name in file.attrs}
    data = data[:, None] if data.ndim == 3 else data
    data = data.transpose(1, 2, 3, 0)
    shape: tuple[int, int, int] = data.shape[1:]
    meta: dict[str, Any] = {"attributes": told}
    more: dict[str, Any] = {} if mask is None else {"mask": _mask(mask, shape, path)}
    if header is not None:
        more["spacing"], more["keep"] = _spaces(header, shape, path)
    return placed(data, path, form="fastMRI HDF5", encoded=(0, 1), meta=meta, **more)


def write_reconstruction(volume: Volume, path: Path) -> None:
    """Write the magnitude as fastMRI's challenge takes it: ``reconstruction (slice, x, y)`` float32, slices along z.

    The file appears under its name only when it is complete.

    Raises
    ------
    OutputError
        If it cannot be written.
    ResourceError
        If h5py is missing.
    """
    needs_hdf5()
    import h5py

    whole = BytesIO()
    with h5py.File(whole, "w") as file:
        file["reconstruction"] = np.ascontiguousarray(np.abs(volume.array).astype(np.float32).transpose(2, 0, 1))
        file.attrs["tool"], file.attrs["notice"] = "medidiff", "research use only"
    with replacing(Path(path)) as stream:
        stream.write(whole.getvalue())


def reconstructed_by_medidiff(path: Path) -> bool:
    """Whether a file is one of `write_reconstruction`.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    with opened_hdf5(path) as file:
        return "reconstruction" in file and file.attrs.get("tool") == "medidiff"


def _mask(mask: NDArray[Any], shape: tuple[int, int, int], path: Path) -> NDArray[np.bool_]:
    """``(1, y, 1)`` or ``(x, y, 1)``."""
    mask = np.asarray(mask).squeeze().astype(bool)
    if mask.shape == shape[1:2]:
        return mask.reshape(1, -1, 1)
    if mask.shape == shape[:2]:
        return mask[..., None]
    needed = f"({shape[1]},) or {shape[:2]}"
    raise InputError("mask does not fit", where=str(path), found=f"shape {mask.shape}", needed=needed)


def _spaces(
    header: Any, shape: tuple[int, int, int], path: Path
) -> tuple[tuple[float, float, float], tuple[int, int, int]]:
    """Spacing, mm, of the encoded voxels, and how many of them the reconstructed field of view has."""
    try:
        encoded, wanted = (getattr(header.encoding[0], name) for name in ("encodedSpace", "reconSpace"))
        fields = [(space.fieldOfView_mm.x, space.fieldOfView_mm.y) for space in (encoded, wanted)]
        thick = float(wanted.fieldOfView_mm.z) / max(1, int(wanted.matrixSize.z))
    except (AttributeError, IndexError) as error:
        raise InputError("ISMRMRD header tells no encoding", where=str(path)) from error
    spacing = [float(f) / n for f, n in zip(fields[0], shape[:2], strict=True)]
    keep = [min(n, round(n * float(b) / float(a))) for n, a, b in zip(shape[:2], *fields, strict=True)]
    return (spacing[0], spacing[1], thick), (keep[0], keep[1], shape[2])
