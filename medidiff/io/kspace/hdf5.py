"""HDF5 files of k-space: opened with one clear line for what is wrong, and sorted by what they hold."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from medidiff.errors import InputError, MedidiffError, ResourceError

__all__ = ["checked_size", "kind_of", "mrd_group", "needs_hdf5", "opened_hdf5", "parsed_header"]

MOST_BYTES = 2**36
"""A file that claims more k-space is refused before it is read."""
MOST_HEADER = 2**24
"""Bytes of XML that are parsed at most."""


def needs_hdf5() -> None:
    """Make sure that the libraries for HDF5 and MRD are there.

    Raises
    ------
    ResourceError
        If they are not, with the command that installs them.
    """
    lacking = [name for name in ("h5py", "ismrmrd") if find_spec(name) is None]
    if lacking:
        raise ResourceError(f"HDF5 k-space needs {' and '.join(lacking)}", hint="pip install 'medidiff[kspace]'")


@contextmanager
def opened_hdf5(path: Path) -> Iterator[Any]:
    """Open an HDF5 file for reading.

    Raises
    ------
    InputError
        If it cannot be read or is cut short, also while it is being read.
    """
    needs_hdf5()
    import h5py

    try:
        with h5py.File(path, "r") as file:
            yield file
    except MedidiffError:
        raise
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        found, hint = str(error).splitlines()[0] if str(error) else type(error).__name__, "copy it again"
        raise InputError("HDF5 file is cut short or damaged", where=str(path), found=found, hint=hint) from error


def kind_of(path: Path) -> str:
    """Tell what an HDF5 file holds: ``"fastMRI"``, ``"MRD"`` or ``""``.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    with opened_hdf5(path) as file:
        if "kspace" in file:
            return "fastMRI"
        return "MRD" if mrd_group(file) else ""


def mrd_group(file: Any) -> str:
    """Name the first group with a header and acquisitions, empty if there is none."""
    groups = [name for name, item in file.items() if hasattr(item, "keys") and {"xml", "data"} <= set(item.keys())]
    return str(groups[0]) if groups else ""


def checked_size(dataset: Any, path: Path, item: int = 8) -> None:
    """Refuse a dataset that claims more than can be held.

    Raises
    ------
    InputError
        With its shape.
    """
    size = item
    for n in dataset.shape:
        size *= int(n)
    if size > MOST_BYTES:
        raise InputError("claims too much data", where=str(path), found=f"shape {dataset.shape}, {size:.2g} bytes")


def parsed_header(text: bytes | str, path: Path) -> Any:
    """Read an ISMRMRD XML header, as fastMRI files have one, too.

    Raises
    ------
    InputError
        If it is not one.
    """
    import ismrmrd

    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    if len(text) > MOST_HEADER or "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InputError("ISMRMRD header is not to be trusted", where=str(path), hint="it defines entities or is huge")
    try:
        return ismrmrd.xsd.CreateFromDocument(text)
    except Exception as error:  # whatever its parser meets in a stranger's file
        found = type(error).__name__
        raise InputError("ISMRMRD header cannot be read", where=str(path), found=found) from error
