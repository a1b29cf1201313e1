"""What was written is read again and compared with what was meant, before it gets its name."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
from highdicom.spatial import create_affine_matrix_from_attributes, get_series_volume_positions
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.errors import InvalidDicomError

from medidiff.errors import OutputError
from medidiff.io.dicom.label import TOOL, is_ours
from medidiff.io.dicom.planes import LPS, STRAIGHTENED_VOXELS, Planes
from medidiff.io.dicom.rescale import Rescale
from medidiff.volume import Geometry

__all__ = ["UNCHANGED", "check_geometry", "check_series", "differs", "refuse_foreign_folder", "wrong"]

UNCHANGED = ("PatientID", "PatientName", "PatientBirthDate", "StudyInstanceUID", "FrameOfReferenceUID")
"""What ties an object to its patient and its place."""


def check_series(paths: Sequence[Path], planes: Planes, rescale: Rescale, common: Dataset) -> None:
    """Read a series back, one object at a time.

    Raises
    ------
    OutputError
        If a UID comes twice, patient or study changed, a value is off by more than rounding, or a voxel by more than
        a hundredth of its size.
    """
    headers = []
    for path, values in zip(paths, planes, strict=True):
        read = pydicom.dcmread(path)
        _check_values(read, values, rescale)
        del read.PixelData
        headers.append(read)
    _check_identity(headers, common)
    _check_places(headers, planes)


def check_geometry(affine: NDArray[np.float64], planes: Planes) -> None:
    """Compare an affine that was read back, column, row and plane index to LPS mm, with the one that was meant.

    Raises
    ------
    OutputError
        If they differ by more than a hundredth of a voxel anywhere in the grid.
    """
    affine = np.array(affine)
    affine[:3] = LPS @ affine[:3]
    if len(planes) == 1:
        affine[:3, 2] = planes.geometry.affine[:3, 2]  # one plane alone tells no step
    if not Geometry(planes.geometry.shape, affine).allclose(planes.geometry, STRAIGHTENED_VOXELS):
        raise wrong("geometry")


def differs(one: Dataset, other: Dataset, keyword: str) -> bool:
    """Whether two objects tell different values; empty and not there are the same."""
    return (one.get(keyword) or "") != (other.get(keyword) or "")


def refuse_foreign_folder(folder: Path) -> None:
    """Refuse to replace a folder in which there is anything but DICOM objects of this program.

    Raises
    ------
    OutputError
        If there is.
    """
    if not folder.exists():
        return
    if folder.is_symlink() or not folder.is_dir() or not all(_made_here(path) for path in folder.rglob("*")):
        what, hint = f"exists and holds more than {TOOL} wrote", "move it, or choose another output folder"
        raise OutputError(what, where=str(folder), hint=hint)


def wrong(what: str) -> OutputError:
    """Say that an object was not read back as it was meant; nothing of it is kept."""
    return OutputError(f"DICOM {what} read back differs from what was meant", hint="nothing was kept; report this")


def _made_here(path: Path) -> bool:
    if path.is_dir() and not path.is_symlink():
        return True
    try:
        return is_ours(pydicom.dcmread(path, specific_tags=["ContributingEquipmentSequence"], stop_before_pixels=True))
    except (InvalidDicomError, OSError):
        return False


def _check_values(read: Dataset, values: NDArray[np.float32], rescale: Rescale) -> None:
    stored = read.pixel_array
    if stored.shape != values.shape:
        raise wrong("matrix size")
    shown = stored * float(read.get("RescaleSlope", 1)) + float(read.get("RescaleIntercept", 0))
    if np.abs(shown - values).max() > 0.5001 * rescale.slope:
        raise wrong("voxel values")


def _check_identity(headers: Sequence[Dataset], common: Dataset) -> None:
    if len({header.SOPInstanceUID for header in headers}) < len(headers):
        raise wrong("instance UIDs")
    if any(header.file_meta.MediaStorageSOPInstanceUID != header.SOPInstanceUID for header in headers):
        raise wrong("file headers")
    for keyword in (*UNCHANGED, "SeriesInstanceUID"):
        if any(differs(header, common, keyword) for header in headers):
            raise wrong(keyword)


def _check_places(headers: Sequence[Dataset], planes: Planes) -> None:
    first, last = headers[0], headers[-1]
    affine = create_affine_matrix_from_attributes(
        first.ImagePositionPatient, first.ImageOrientationPatient, first.PixelSpacing
    )
    if len(headers) > 1:
        apart = np.subtract(last.ImagePositionPatient, first.ImagePositionPatient)
        affine[:3, 2] = apart / (len(headers) - 1)
        spacing, _ = get_series_volume_positions(headers)
        if spacing is None or abs(spacing - first.SpacingBetweenSlices) > STRAIGHTENED_VOXELS * spacing:
            raise wrong("slice spacing")
    check_geometry(affine, planes)
