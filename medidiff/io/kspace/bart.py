"""BART's ``.cfl`` and ``.hdr``: a header with dimensions, and complex numbers in Fortran order."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medidiff.errors import InputError
from medidiff.io.atomic import replacing
from medidiff.io.kspace.layout import placed
from medidiff.kspace import KSpace

__all__ = ["header_of", "read_bart", "read_cfl", "write_cfl"]

COIL = 3
"""BART's dimension of coils, after the three of space; 4 is that of sets of maps."""


def read_bart(path: Path) -> KSpace:
    """Read ``(x, y, z, coil)`` k-space, all dimensions after that 1.

    Two axes are encoded if one has length 1, three else. Maps are taken from ``STEM_maps.cfl`` beside it, if there.

    Raises
    ------
    InputError
        If the header or the data are missing or do not fit, or other dimensions are used.
    """
    array = read_cfl(path)
    if array.ndim > 4:
        found, hint = f"dimensions {array.shape}", "take one of them: bart slice"
        raise InputError("more than one volume", where=str(path), found=found, needed="(x, y, z, coil)", hint=hint)
    data = array.reshape((*array.shape, 1, 1, 1, 1)[:4]).transpose(3, 0, 1, 2)
    beside = path.with_name(f"{path.stem}_maps.cfl")
    maps = read_cfl(beside) if beside.is_file() else None
    if maps is not None:
        maps = maps.reshape((*maps.shape, 1, 1, 1, 1, 1)[:5]).transpose(4, 3, 0, 1, 2)
    return placed(data, path, form="BART cfl", maps=maps)


def read_cfl(path: Path) -> NDArray[np.complex64]:
    """Read an array with BART's dimensions, those of length 1 at the end left out.

    Raises
    ------
    InputError
        If the header or the data are missing or do not fit.
    """
    shape = _dimensions(header_of(path))
    needed = int(np.prod(shape, dtype=object)) * 8
    try:
        size = path.stat().st_size
        if size != needed:
            hint = "copy it again, with its .hdr"
            found = f"{size} bytes for {shape}"
            raise InputError("cfl and hdr do not fit", where=str(path), found=found, needed=f"{needed}", hint=hint)
        return np.fromfile(path, dtype="<c8").reshape(shape, order="F")
    except OSError as error:
        raise InputError("cannot be read", where=str(path), found=error.strerror or str(error)) from error


def write_cfl(array: NDArray[np.complexfloating], path: Path) -> None:
    """Write an array and its header.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    dimensions = [*array.shape, *[1] * (16 - array.ndim)]
    with replacing(header_of(path)) as stream:
        stream.write(f"# Dimensions\n{' '.join(map(str, dimensions))}\n".encode())
    with replacing(path) as stream:
        stream.write(array.astype("<c8").tobytes(order="F"))


def header_of(path: Path) -> Path:
    """Where the header of a ``.cfl`` lies."""
    return path.with_suffix(".hdr")


def _dimensions(header: Path) -> tuple[int, ...]:
    try:
        lines = header.read_text(encoding="utf-8").splitlines()
        numbers = [int(n) for n in next(line for line in lines if line.strip() and not line.startswith("#")).split()]
    except (OSError, ValueError, StopIteration) as error:
        what, hint = "no BART header with dimensions", "a .cfl needs its .hdr beside it"
        raise InputError(what, where=str(header), found=type(error).__name__, hint=hint) from error
    if not numbers or min(numbers) < 1:
        raise InputError("BART header with impossible dimensions", where=str(header), found=str(numbers))
    while len(numbers) > 1 and numbers[-1] == 1:
        numbers.pop()
    return tuple(numbers)
