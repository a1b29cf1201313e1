"""Which files of a folder are k-space, and the reader of each."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from medidiff.errors import InputError, MedidiffError, ResourceError
from medidiff.io.discover import Found, Skipped
from medidiff.io.kspace import arrays, bart, fastmri, hdf5, mrd, twix
from medidiff.io.names import told_apart
from medidiff.kspace import KSpace

__all__ = ["SUFFIXES", "find_kspace", "is_kspace_name", "read_kspace"]

HDF5 = (".h5", ".hdf5", ".mrd")
SUFFIXES = (*HDF5, ".cfl", ".npy", ".npz", ".dat")
"""Of files that may be k-space."""


def is_kspace_name(path: Path) -> bool:
    """Whether a file is called like k-space."""
    return path.suffix.lower() in SUFFIXES


def read_kspace(path: Path) -> KSpace:
    """Read k-space: fastMRI or ISMRMRD HDF5, BART ``.cfl``, NumPy ``.npy`` or ``.npz``, Siemens twix ``.dat``.

    Parameters
    ----------
    path
        The file; its suffix decides, and for HDF5 its content.

    Raises
    ------
    InputError
        If it cannot be used, with the reason.
    ResourceError
        If what reads it is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("no such file", where=str(path))
    if path.stat().st_size == 0:
        raise InputError("file is empty", where=str(path), hint="export or copy it again")
    return _reader(path)(path)


def _reader(path: Path) -> Callable[[Path], KSpace]:
    suffix = path.suffix.lower()
    by_suffix = {".cfl": bart.read_bart, ".npy": arrays.read_arrays, ".npz": arrays.read_arrays, ".dat": twix.read_twix}
    if suffix in by_suffix:
        return by_suffix[suffix]
    by_content = {"fastMRI": fastmri.read_fastmri, "MRD": mrd.read_mrd}
    kind = hdf5.kind_of(path) if suffix in HDF5 else ""
    if kind not in by_content:
        needed = "a dataset kspace (fastMRI), or a group with xml and data (MRD)" if suffix in HDF5 else "".join(
            f"{s} " for s in SUFFIXES
        )  # fmt: skip
        raise InputError("holds no k-space", where=str(path), needed=needed)
    return by_content[kind]


def find_kspace(inputs: Sequence[Path], *, output: Path | None = None) -> tuple[list[Found], list[Skipped]]:
    """Find k-space among files and folders, which are searched recursively and mirrored in the stems.

    Files named outright are taken whatever they are called. Hidden files and folders and all that lies in ``output``
    are not looked at.

    Returns
    -------
    found, skipped
        In the order of ``inputs``, each folder sorted. A file that is damaged is found: reading it tells.

    Raises
    ------
    InputError
        If an input does not exist.
    """
    found: dict[Path, Found] = {}
    skipped: list[Skipped] = []
    for given in inputs:
        for path, stem in _candidates(given, output):
            reason = "given twice" if path in found else _why_not(path, outright=path == _absolute(given))
            if reason:
                skipped.append(Skipped(path, reason))
            else:
                found[path] = Found(path, stem)
    return told_apart(list(found.values())), skipped


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would lose the names of symbolic links


def _candidates(given: Path, output: Path | None) -> Iterator[tuple[Path, Path]]:
    root = _absolute(given)
    if not root.exists():
        raise InputError("no such file or folder", where=str(given))
    if root.is_file():
        yield root, Path(root.stem)
        return
    out = output.resolve() if output else None
    for folder, below, names in os.walk(root):
        here = Path(folder)
        below[:] = sorted(name for name in below if not name.startswith(".") and (here / name).resolve() != out)
        for name in sorted(names):
            path = here / name
            if is_kspace_name(path) and not name.startswith("."):
                yield path, path.with_suffix("").relative_to(root)


def _why_not(path: Path, *, outright: bool) -> str:
    """Why a file is left out, empty if it is not."""
    suffix = path.suffix.lower()
    if suffix == ".cfl" and path.stem.endswith("_maps") and path.with_name(f"{path.stem[:-5]}.cfl").exists():
        return "maps of the k-space beside it"
    if outright:
        return ""
    if suffix in (".npy", ".npz") and not arrays.is_complex_array(path):
        return "no complex numbers in it"
    try:
        return "" if suffix not in HDF5 or hdf5.kind_of(path) else "HDF5 without k-space"
    except ResourceError:
        return ""  # reading it tells
    except MedidiffError:
        return ""
