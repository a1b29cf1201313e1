"""K-space in NumPy files, read and written: ``.npy`` with the array alone, ``.npz`` with all that is known."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medidiff import __version__
from medidiff.errors import InputError
from medidiff.io.atomic import replacing
from medidiff.io.kspace.hdf5 import MOST_BYTES
from medidiff.io.kspace.layout import placed
from medidiff.kspace import KSpace
from medidiff.volume import Geometry

__all__ = ["is_complex_array", "read_arrays", "write_arrays", "written_by_medidiff"]

DAMAGE = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)
OPTIONAL = ("mask", "maps", "noise", "keep", "matrix")
"""Entries of a ``.npz`` that go into fields of the same name of `KSpace`."""


def read_arrays(path: Path) -> KSpace:
    """Read k-space from a NumPy file.

    Parameters
    ----------
    path
        ``.npy``: complex ``(coil, x, y, z)``, ``(coil, x, y)`` for one slice, or ``(x, y)`` for one coil, centred.
        ``.npz``: the same as ``kspace``; and, if there, ``mask`` broadcastable to ``(x, y, z)``, ``maps``
        ``(set, coil, x, y, z)``, ``noise`` ``(coil, n)``, ``affine`` ``(4, 4)`` in RAS+ mm, ``encoded`` axes,
        ``keep`` and ``matrix``. Nothing is unpickled.

    Raises
    ------
    InputError
        If something of it cannot be used.
    """
    held = _load(path)
    if "kspace" not in held:
        found = ", ".join(held) or "nothing"
        raise InputError("no array called kspace", where=str(path), found=found, needed="kspace")
    data = _four_axes(held["kspace"], path)
    more: dict[str, Any] = {name: held[name] for name in OPTIONAL if name in held}
    for name in ("keep", "matrix"):
        if name in more:
            more[name] = tuple(int(n) for n in more[name])
    geometry = Geometry(data.shape[1:], held["affine"]) if "affine" in held else None
    encoded = tuple(int(a) for a in held["encoded"]) if "encoded" in held else None
    meta = {"noise_sd": float(held["noise_sd"])} if "noise_sd" in held else {}
    form = f"NumPy {path.suffix.lower()[1:]}"
    return placed(data, path, form=form, encoded=encoded, geometry=geometry, meta=meta, **more)


def write_arrays(kspace: KSpace, path: Path) -> None:
    """Write all that is known into a ``.npz``, which appears under its name only when complete.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    held: dict[str, Any] = {
        "kspace": kspace.data,
        "mask": kspace.mask,
        "affine": kspace.geometry.affine,
        "encoded": np.array(kspace.encoded),
        "keep": np.array(kspace.keep),
        "matrix": np.array(kspace.matrix),
        "made_by": np.array(f"medidiff {__version__}"),
    }
    held |= {name: getattr(kspace, name) for name in ("maps", "noise") if getattr(kspace, name) is not None}
    held |= {"noise_sd": np.array(kspace.meta["noise_sd"])} if "noise_sd" in kspace.meta else {}
    with replacing(path) as stream:
        np.savez(stream, **held)


def is_complex_array(path: Path) -> bool:
    """Whether a NumPy file holds complex numbers, as far as its header or its entries tell."""
    try:
        if path.suffix.lower() == ".npy":
            return bool(np.iscomplexobj(np.load(path, mmap_mode="r", allow_pickle=False)))
        with np.load(path, allow_pickle=False) as held:
            return "kspace" in held.files
    except DAMAGE:
        return True  # reading it tells what is wrong


def written_by_medidiff(path: Path) -> bool:
    """Whether this program wrote the file."""
    try:
        with np.load(path, allow_pickle=False) as held:
            return "made_by" in held.files and str(held["made_by"]).startswith("medidiff ")
    except DAMAGE:
        return False


def _load(path: Path) -> dict[str, NDArray[Any]]:
    try:
        if path.suffix.lower() == ".npy":
            claimed = np.load(path, mmap_mode="r", allow_pickle=False)
            _check_size(claimed.nbytes, path)
            return {"kspace": np.array(claimed)}
        with zipfile.ZipFile(path) as archive:
            _check_size(sum(entry.file_size for entry in archive.infolist()), path)
        with np.load(path, allow_pickle=False) as held:
            return {name: held[name] for name in held.files}
    except DAMAGE as error:
        found = str(error).splitlines()[0] if str(error) else type(error).__name__
        hint = "write it again with numpy.save or numpy.savez"
        raise InputError("NumPy file cannot be read", where=str(path), found=found, hint=hint) from error


def _check_size(size: int, path: Path) -> None:
    if size > MOST_BYTES:
        raise InputError("claims too much data", where=str(path), found=f"{size:.2g} bytes")


def _four_axes(data: NDArray[Any], path: Path) -> NDArray[Any]:
    if data.ndim == 2:
        return data[None, :, :, None]
    if data.ndim == 3:
        return data[..., None]
    if data.ndim == 4:
        return data
    found, needed = f"{data.ndim} axes, shape {data.shape}", "(coil, x, y, z), (coil, x, y) or (x, y)"
    raise InputError("k-space has other axes", where=str(path), found=found, needed=needed)
