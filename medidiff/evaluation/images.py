"""What can be scored in a folder: NIfTI files, arrays and DICOM series, and how each is read."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medidiff.errors import InputError, ResourceError
from medidiff.io.kspace import is_kspace_name
from medidiff.io.nifti import read_nifti
from medidiff.io.sidecar import SUFFIXES, split_suffix
from medidiff.io.source import Source, dicom_in
from medidiff.io.studies import NoReader, sort
from medidiff.volume import Geometry, Volume

if TYPE_CHECKING:
    from medidiff.io.dicom import Series, Stack

__all__ = ["ADDED", "Image", "find_images", "is_array", "read_file"]

ADDED = ("_enhanced", "_recon")
"""What this program puts at the end of a name."""
SPREAD = "_uncertainty"
ARRAYS = (".npy", ".npz")
NO_DICOM = (".json", ".csv", ".tsv", ".md", ".txt", ".html", ".png", ".bval", ".bvec")


@dataclass(frozen=True)
class Image:
    """One image of a folder, not yet read.

    Parameters
    ----------
    key
        Its path below the folder, without suffix and without what this program adds to names.
    path
        The file; of DICOM what the volume is called, which tells no name.
    stack
        The volume, if it is one of a DICOM series.
    """

    key: str
    path: Path
    stack: "Stack | None" = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """What the image is called in tables: a path may name a patient only where there is no header to."""
        return self.key if self.stack is None else str(self.path)

    @property
    def enhanced(self) -> bool:
        """Whether this program wrote it."""
        return split_suffix(self.path.name)[0].endswith(ADDED)

    @property
    def spread(self) -> Path | None:
        """The standard deviation beside it, if there is one, whichever of the suffixes it has."""
        if self.stack is not None:
            return None
        stem = _stem(self.path) or ""
        own = self.path.name[len(stem) :]
        beside = (self.path.with_name(f"{_plain(stem)}{SPREAD}{suffix}") for suffix in (own, *SUFFIXES, *ARRAYS))
        return next((path for path in beside if path.is_file()), None)

    @property
    def has_unread_spread(self) -> bool:
        """Whether a parametric map lies beside a DICOM series, which nothing here reads."""
        return self.stack is not None and Path(self.stack.sources[0].folder).with_name("uncertainty").is_dir()

    def read(self) -> Volume:
        """Read the image ``(x, y, z)``; magnitudes of what is complex.

        Raises
        ------
        InputError
            If it cannot be read or is not 3D.
        """
        if self.stack is not None:
            from medidiff.io.dicom import read_stack

            return read_stack(self.stack)
        return read_file(self.path)


def is_array(path: Path) -> bool:
    """Whether a file is called like an array, which has no grid."""
    return path.suffix.lower() in ARRAYS


def read_file(path: Path) -> Volume:
    """Read an array or a NIfTI file ``(x, y, z)``; see `Image.read`."""
    return _read_array(path) if is_array(path) else read_nifti(path)


def find_images(root: Path, *, kspace: bool = False) -> list[Image]:
    """Find the images in a file or folder, searched recursively; hidden files and uncertainties are left out.

    With ``kspace``, files called like k-space are taken, too.

    Raises
    ------
    InputError
        If there is no such file or folder.
    """
    if not root.exists():
        raise InputError("no such file or folder", where=str(root))
    images: list[Image] = []
    sources: list[Source] = []
    for path in _files(root):
        stem = path.stem if kspace and is_kspace_name(path) else _stem(path)
        if stem is None:
            sources += [] if path.suffix.lower() in NO_DICOM or is_kspace_name(path) else dicom_in(path)
        elif not stem.endswith(SPREAD):
            folder = path.parent.relative_to(root) if root.is_dir() else Path()
            images.append(Image((folder / _plain(stem)).as_posix(), path))
    return images + _stacks(sources, root)


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, below, names in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def _stem(path: Path) -> str | None:
    """Name without suffix, or None if it is called like nothing that is read."""
    stem, suffix = split_suffix(path.name)
    return stem if suffix else path.stem if is_array(path) else None


def _plain(stem: str) -> str:
    return stem.removesuffix(ADDED[0]).removesuffix(ADDED[1])


def _stacks(sources: list[Source], root: Path) -> list[Image]:
    """Volumes of DICOM series under the folders that they lie in; what is not an image is passed over."""
    images = []
    for series in _series(sources):
        for place, stack in enumerate(series.stacks):
            key = _folder_key(Path(stack.sources[0].folder), root)
            if not key.endswith("/uncertainty"):
                numbered = f"{key}/{place + 1}" if len(series.stacks) > 1 else key
                images.append(Image(numbered, Path(stack.label), stack))
    return images


def _series(sources: list[Source]) -> "list[Series]":
    try:
        return sort(sources)[0]
    except NoReader as error:
        raise ResourceError(str(error)) from error


def _folder_key(folder: Path, root: Path) -> str:
    """Folder below the root, without what this program adds to the name of a derived series."""
    key = Path(os.path.relpath(folder, root)).as_posix()
    return key.removesuffix("/enhanced").removesuffix("_dicom")


def _read_array(path: Path) -> Volume:
    try:
        loaded = np.load(path)
        arrays = [loaded] if isinstance(loaded, np.ndarray) else [loaded[name] for name in loaded.files]
    except (OSError, ValueError, EOFError) as error:
        raise InputError("not an array", where=str(path), found=type(error).__name__) from error
    if len(arrays) != 1 or arrays[0].ndim != 3 or arrays[0].dtype.kind not in "fiucb":
        found = ", ".join(f"{array.dtype} {array.shape}" for array in arrays)
        raise InputError("not one 3D array", where=str(path), found=found, needed="numbers of shape (x, y, z)")
    array = np.abs(arrays[0]) if np.iscomplexobj(arrays[0]) else arrays[0]
    if bad := int(np.count_nonzero(~np.isfinite(array))):
        raise InputError("voxels that are not numbers", where=str(path), found=f"{bad} NaN or Inf")
    return Volume(array, Geometry(array.shape, np.eye(4)), {"source": str(path), "gridless": True})
