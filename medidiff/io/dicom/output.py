"""What the batch calls to give a result back as DICOM; `medidiff.io.formats` tells when."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pydicom import Dataset

from medidiff.errors import GeometryError
from medidiff.io.atomic import replacing_folder
from medidiff.io.dicom.derived import derive, fill
from medidiff.io.dicom.parametric import fill_map
from medidiff.io.dicom.parent import parent_of
from medidiff.io.dicom.privacy import discreet
from medidiff.io.dicom.readback import refuse_foreign_folder
from medidiff.volume import Geometry, Volume

__all__ = ["Enhanced", "source_grid", "template_sources", "write_result"]

IMAGE_FOLDER, MAP_FOLDER = "enhanced", "uncertainty"


class Enhanced(Protocol):
    """What is written of a result."""

    @property
    def volume(self) -> Volume:
        """The image."""

    @property
    def uncertainty(self) -> Volume | None:
        """Its standard deviation on the same grid, if there is one."""


def source_grid(sources: Sequence[Dataset], *, frames: Sequence[int] = ()) -> Geometry:
    """Make sure that a result may be derived from these headers, and tell on which grid they lie.

    Raises
    ------
    InputError
        If they are not those of one MR series of one patient.
    GeometryError
        If they have no place in space, or are not parallel.
    """
    with discreet("source headers cannot be made into a derived series"):
        return parent_of(sources, frames=frames).geometry


def template_sources(template: Sequence[Dataset], volume: Volume, *, frames: Sequence[int] = ()) -> Sequence[Dataset]:
    """Take a series as the source of a NIfTI input, if it can be.

    A NIfTI file names no patient, so that nothing but its place tells whether it belongs to the series: it must lie in
    the series' field of view. That refuses most mistakes, not all: two scans of one position look alike.

    Parameters
    ----------
    template
        Headers of the slices in spatial order, or one enhanced object; see `write_result`.
    volume
        The input, or the result.
    frames
        Which frame of its object each of them is, from 0; by default all frames there are.

    Returns
    -------
    sequence of Dataset
        ``template``, to be given as sources.

    Raises
    ------
    InputError
        If it is not one MR series.
    GeometryError
        If the volume reaches out of it by more than a voxel of the series.
    """
    beyond = _voxels_beyond(volume.geometry, source_grid(template, frames=frames))
    if beyond > 1:
        hint = "give the series that the image was converted from"
        found = f"{beyond:.1f} voxels beyond its field of view"
        raise GeometryError("image lies elsewhere than the DICOM template", found=found, hint=hint)
    return template


def write_result(
    result: Enhanced,
    sources: Sequence[Dataset],
    folder: Path,
    *,
    facts: Mapping[str, Any],
    frames: Sequence[int] = (),
) -> list[Path]:
    """Write a result as DICOM: all of it, or nothing. Research use only.

    Parameters
    ----------
    result
        Image, and its uncertainty if there is one.
    sources, facts, frames
        As for `medidiff.io.dicom.derived.write_derived_series`.
    folder
        Where to: the image in ``enhanced/00001.dcm`` and so on, the uncertainty in ``uncertainty/00001.dcm``. An
        earlier result of this program there is replaced as a whole.

    Returns
    -------
    list of Path
        The files, image first.

    Raises
    ------
    MedidiffError
        As `medidiff.io.dicom.derived.write_derived_series`.
    """
    with discreet("source headers cannot be made into a derived series"):
        derived = derive(result.volume, parent_of(sources, frames=frames), facts, product="enhanced")
        refuse_foreign_folder(folder)
        with replacing_folder(folder) as part:
            (part / IMAGE_FOLDER).mkdir()
            names = [f"{IMAGE_FOLDER}/{name}" for name in fill(part / IMAGE_FOLDER, derived)]
            if result.uncertainty is not None:
                (part / MAP_FOLDER).mkdir()
                names.append(f"{MAP_FOLDER}/{fill_map(part / MAP_FOLDER, result.uncertainty, derived, facts)}")
    return [folder / name for name in names]


def _voxels_beyond(inner: Geometry, outer: Geometry) -> float:
    """How far the faces of one grid reach out of those of another, in voxels of the latter."""
    x, y, z = (n - 0.5 for n in inner.shape)
    corners = [(i, j, k) for i in (-0.5, x) for j in (-0.5, y) for k in (-0.5, z)]
    index = outer.index(inner.world(corners))
    low, high = -0.5 - index.min(0), index.max(0) - [n - 0.5 for n in outer.shape]
    return float(max(low.max(), high.max()))
