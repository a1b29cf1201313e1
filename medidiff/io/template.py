"""The series that DICOM made of a NIfTI image belongs to."""

from pathlib import Path
from typing import TYPE_CHECKING

from medidiff.errors import UsageError
from medidiff.io.discover import discover
from medidiff.io.formats import needs_dicom

if TYPE_CHECKING:
    from medidiff.io.dicom import Origin

__all__ = ["read_template"]


def read_template(path: Path) -> "Origin":
    """Read the headers of the one series that ``path`` holds.

    Raises
    ------
    UsageError
        If it holds none, or more than one volume.
    MedidiffError
        If the series cannot be read.
    """
    needs_dicom()
    from medidiff.io.dicom import read_stack

    found = [item.stack for item in discover([path])[0] if item.stack]
    if len(found) != 1:
        hint = "name the folder of one series"
        raise UsageError("not one volume", where="--dicom-template", found=f"{len(found)} volumes", hint=hint)
    origin: Origin = read_stack(found[0]).meta["dicom"]
    return origin
