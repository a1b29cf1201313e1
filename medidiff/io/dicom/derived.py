"""A volume as a derived MR series that any viewer lays over the series it was made from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
from pydicom.valuerep import format_number_as_ds

from medidiff import __version__
from medidiff.errors import InputError
from medidiff.io.atomic import replacing_folder
from medidiff.io.dicom.keep import IN_PLANE, PATIENT, SERIES, STUDY, kept, loss
from medidiff.io.dicom.label import derivation, is_ours, reference, series_description
from medidiff.io.dicom.parent import Parent, parent_of
from medidiff.io.dicom.planes import Planes, planes_of
from medidiff.io.dicom.privacy import discreet
from medidiff.io.dicom.readback import check_series, refuse_foreign_folder
from medidiff.io.dicom.rescale import Rescale, rescale_of, window_of
from medidiff.io.dicom.settle import settle
from medidiff.io.dicom.uids import identity_of, uid_of
from medidiff.volume import PARALLEL_TOLERANCE, Volume

__all__ = ["Derived", "derive", "fill", "write_derived_series"]

NUMBERED_FROM = 1000
"""Added to the source's series number, and twice as much more for each further volume of one series: the odd thousands
are images, the even ones between them their uncertainty."""

LARGEST_NUMBER = 2**31 - 1
"""Largest integer string (PS3.5 6.2)."""


@dataclass(frozen=True, eq=False)
class Derived:
    """A series that is ready to be written.

    Parameters
    ----------
    parent
        What it is derived from.
    planes
        Its voxels.
    rescale
        How they become pixels.
    common
        Tags that all its objects share.
    identity
        What its UIDs follow from.
    """

    parent: Parent
    planes: Planes
    rescale: Rescale
    common: Dataset
    identity: str

    def header(self, plane: int) -> Dataset:
        """All tags of one plane but its pixels."""
        told = Dataset()
        told.file_meta = FileMetaDataset()
        told.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        told.update(self.common)
        told.update(self._references(plane))
        told.SOPInstanceUID = uid_of(self.identity, "instance", plane)
        told.InstanceNumber = plane + 1
        position = self.planes.position(plane)
        told.ImagePositionPatient = [decimal(x) for x in position]
        told.SliceLocation = decimal(float(position @ self.planes.normal))
        return told

    def _references(self, plane: int) -> Dataset:
        slices = self.parent.near(self.planes.corners(plane))
        return reference(self.parent, slices, self.parent.headers[0].SeriesInstanceUID)

    def headers(self) -> Iterator[Dataset]:
        """All tags but the pixels, plane by plane."""
        return (self.header(plane) for plane in range(len(self.planes)))


def write_derived_series(
    volume: Volume, sources: Sequence[Dataset], folder: Path, *, facts: Mapping[str, Any], frames: Sequence[int] = ()
) -> list[Path]:
    """Write a volume as a series of MR images derived from ``sources``. Research use only.

    The folder takes its name only after every object was read back and found right. An earlier result of this program
    under that name is replaced; anything else there is left alone.

    Parameters
    ----------
    volume
        ``(x, y, z)`` real, RAS+ mm, in the intensity scale of the (rescaled) source. Axes in any order and direction;
        planes lie along its own axes, as near to the source's as these allow.
    sources
        Headers of the source slices in spatial order (pixels not needed): one a slice, or the one enhanced object.
    folder
        Where to: ``00001.dcm`` and so on, one for each plane.
    facts
        ``model`` (name, version, sha256), ``seed``, ``options`` (all else that decides the result), ``name`` and
        ``place`` (of this volume among those of its series, from 0), as far as there are any. With the sources and
        the voxels they decide the UIDs, so none of it may change from run to run.
    frames
        Which frame of its object each source slice is, from 0; by default all frames there are.

    Returns
    -------
    list of Path
        The files, in the order of their planes.

    Raises
    ------
    InputError
        If the sources are not one MR series, or the volume is complex or not finite.
    GeometryError
        If the sources have no place in space, or the volume's axes are not at right angles.
    OutputError
        If it cannot be written, was not read back as it was meant, or the folder holds what is not ours.
    """
    with discreet("source headers cannot be made into a derived series"):
        derived = derive(volume, parent_of(sources, frames=frames), facts, product="enhanced")
        refuse_foreign_folder(folder)
        with replacing_folder(folder) as part:
            names = fill(part, derived)
    return [folder / name for name in names]


def derive(volume: Volume, parent: Parent, facts: Mapping[str, Any], *, product: str) -> Derived:
    """Decide on all of a series but its files.

    Raises
    ------
    InputError
        If the source is a result of this program, or the volume is complex or not finite.
    GeometryError
        If its axes are not at right angles.
    """
    if any(is_ours(header) for header in parent.headers):
        raise InputError("source is a result of medidiff", hint="give the series that came from the scanner")
    rescale, planes = rescale_of(volume.array), planes_of(volume, parent.directions)
    told = {
        "sources": [(piece.instance, piece.frame) for piece in parent.slices],
        "facts": {key: facts.get(key) for key in ("model", "seed", "options", "name", "place")},
        "product": product,
        "version": __version__,
    }
    identity = identity_of(volume, told)
    common = _inherited(parent, planes)
    common.update(derivation(facts))
    common.update(_series(parent, facts, product, identity))
    common.update(_pixels(planes, rescale))
    return Derived(parent, planes, rescale, common, identity)


def fill(folder: Path, derived: Derived) -> list[str]:
    """Write the objects of a series and read them back.

    Returns
    -------
    list of str
        Their file names: numbers, never anything of the patient.

    Raises
    ------
    OutputError
        If one is not read back as it was meant.
    """
    names = [f"{plane + 1:05d}.dcm" for plane in range(len(derived.planes))]
    for name, header, values in zip(names, derived.headers(), derived.planes, strict=True):
        header.PixelData = derived.rescale.stored(values).tobytes()
        pydicom.dcmwrite(folder / name, header, enforce_file_format=True)
    check_series([folder / name for name in names], derived.planes, derived.rescale, derived.common)
    return names


def decimal(value: float) -> str:
    """Write a number in the 16 characters of a DICOM decimal string."""
    return format_number_as_ds(value)


def _inherited(parent: Parent, planes: Planes) -> Dataset:
    """Patient, study, scanner and physics as the source tells them."""
    common = kept(parent.headers[:1], [*PATIENT, *STUDY])
    common.update(kept(parent.headers, [*SERIES, *(IN_PLANE if _runs_along(parent, planes) else ())]))
    common.update(loss(parent.headers))
    settle(common)
    if not common.get("FrameOfReferenceUID"):
        common.FrameOfReferenceUID = uid_of(str(parent.headers[0].SeriesInstanceUID), "frame of reference")
    return common


def _runs_along(parent: Parent, planes: Planes) -> bool:
    """Whether rows and columns run as they did in the source."""
    return bool(abs(planes.orientation - parent.orientation).max() <= PARALLEL_TOLERANCE)


def _series(parent: Parent, facts: Mapping[str, Any], product: str, identity: str) -> Dataset:
    told, source = Dataset(), parent.headers[0]
    told.SOPClassUID = MRImageStorage
    told.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    told.SeriesInstanceUID = uid_of(identity, "series")
    told.SeriesNumber = _series_number(source, facts)
    told.SeriesDescription = series_description(str(source.get("SeriesDescription") or ""), facts, product)
    return told


def _series_number(source: Dataset, facts: Mapping[str, Any]) -> int:
    """Give the volumes of one series numbers of their own; a number too large to be added to counts as none."""
    added = NUMBERED_FROM * (1 + 2 * int(facts.get("place") or 0))
    number = int(source.get("SeriesNumber") or 0)
    return added + (number if number + added + NUMBERED_FROM <= LARGEST_NUMBER else 0)


def _pixels(planes: Planes, rescale: Rescale) -> Dataset:
    """Tags of pixels and planes that all objects share."""
    told, window, spacing = Dataset(), window_of(planes.array), planes.geometry.spacing
    told.Columns, told.Rows = planes.geometry.shape[:2]
    told.ImageOrientationPatient = [decimal(x) for x in planes.orientation]
    told.PixelSpacing = [decimal(spacing[1]), decimal(spacing[0])]
    told.SliceThickness = told.SpacingBetweenSlices = decimal(planes.gap)
    told.SamplesPerPixel, told.PhotometricInterpretation = 1, "MONOCHROME2"
    told.BitsAllocated = told.BitsStored = 16
    told.HighBit, told.PixelRepresentation = 15, int(rescale.signed)
    told.WindowCenter, told.WindowWidth = decimal(window.center), decimal(window.width)
    told.VOILUTFunction = window.function
    if rescale.slope != 1:
        told.RescaleIntercept, told.RescaleSlope, told.RescaleType = "0", decimal(rescale.slope), "US"
    return told
