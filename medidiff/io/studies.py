"""DICOM objects sorted into series where there is a reader for them, and how these are shown."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medidiff.io.source import Source

if TYPE_CHECKING:
    from medidiff.io.dicom import Series, Stack, Stray

__all__ = ["NoReader", "shown", "sort", "unnamed"]

USUAL_SUFFIXES = (
    *(".dcm", ".ima", ".zip", ".gz", ".nii", ".hdr", ".img", ".mgz", ".mgh", ".nrrd", ".nhdr"),
    *(".mha", ".mhd", ".mnc", ".json", ".pdf", ".xml", ".txt"),
)
"""Ends of names that tell a kind of file; any other may be the end of somebody's name."""


class NoReader(Exception):  # noqa: N818 - the core install has none, and works on everything else
    """The packages that read DICOM are not installed."""


def sort(sources: Sequence[Source]) -> "tuple[list[Series], list[Stray]]":
    """Sort objects into series by their headers; without any, nothing is loaded.

    Raises
    ------
    NoReader
        If there are some, and what reads them is not installed.
    """
    if not sources:
        return [], []
    try:
        from medidiff.io.dicom import scan
    except ImportError as error:
        raise NoReader(f"DICOM needs {error.name}: pip install 'medidiff[dicom]'") from error
    return scan(sources)


def shown(what: "Series | Stack", show_phi: bool) -> str:
    """Return what a series or volume is called: hashes and numbers, and its folder only when asked for."""
    folder = what.sources[0].folder if show_phi and what.sources else ""
    return f"{what.label} ({folder})" if folder else what.label


def unnamed(path: Path) -> Path:
    """Call a file by a hash of where it lies, and its suffix if that is a usual one."""
    suffix = path.suffix.lower() if path.suffix.lower() in USUAL_SUFFIXES else ""
    return Path(f"file-{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}{suffix}")
