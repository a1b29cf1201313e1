"""The series that a result is derived from: what its headers say, and where its slices lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from medidiff.errors import GeometryError, InputError
from medidiff.io.dicom.flatten import flattened, in_groups
from medidiff.io.dicom.planes import LPS
from medidiff.volume import PARALLEL_TOLERANCE, Geometry

__all__ = ["Parent", "Slice", "check_shared", "parent_of"]

ONE_OF_EACH = {
    "PatientID": "patients",
    "StudyInstanceUID": "studies",
    "SeriesInstanceUID": "series",
    "FrameOfReferenceUID": "frames of reference",
}
"""What all slices must share, and the plural of it."""

GROUPS = "PerFrameFunctionalGroupsSequence"
MOST_FRAMES = 1_000_000


@dataclass(frozen=True, eq=False)
class Slice:
    """One source slice.

    Parameters
    ----------
    instance, kind
        SOP instance and class UID of the object that holds it.
    frame
        Its number in there from 1; None in a classic object.
    number
        Where it comes in the source's own numbering.
    position
        ``(3,)``, LPS mm of the centre of its first pixel.
    """

    instance: str
    kind: str
    frame: int | None
    number: int
    position: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Parent:
    """A source series.

    Parameters
    ----------
    headers
        Classic tags of its slices: one each, or one for all where they share an object.
    slices
        In spatial order.
    orientation
        ``(6,)``, LPS, along a row and down a column.
    spacing
        Between rows and between columns, mm.
    pixels
        Number of rows and of columns.
    """

    headers: tuple[Dataset, ...]
    slices: tuple[Slice, ...]
    orientation: NDArray[np.float64]
    spacing: tuple[float, float]
    pixels: tuple[int, int]

    @cached_property
    def normal(self) -> NDArray[np.float64]:
        """``(3,)``, LPS unit vector across the slices."""
        return np.cross(self.orientation[:3], self.orientation[3:])

    @cached_property
    def depths(self) -> NDArray[np.float64]:
        """``(slices,)``, where each slice lies along the normal, mm."""
        return np.array([piece.position for piece in self.slices]) @ self.normal

    @property
    def gap(self) -> float:
        """Typical distance between neighbouring slices, mm; 1 for a single slice."""
        steps = np.diff(np.unique(self.depths.round(3)))
        return float(np.median(steps)) if len(steps) else 1.0

    @property
    def directions(self) -> NDArray[np.float64]:
        """``(3, 3)``, LPS, as columns: along rows, down columns, through the slices as they are numbered."""
        numbers = np.array([piece.number for piece in self.slices], dtype=float)
        rising = (numbers - numbers.mean()) @ (self.depths - self.depths.mean()) >= 0
        return np.stack([self.orientation[:3], self.orientation[3:], self.normal * (1 if rising else -1)], axis=1)

    @property
    def geometry(self) -> Geometry:
        """Grid of the source, ``(column, row, slice)``, RAS+ mm."""
        first, last = self.slices[0].position, self.slices[-1].position
        affine = np.eye(4)
        affine[:3, 0], affine[:3, 1] = self.orientation[:3] * self.spacing[1], self.orientation[3:] * self.spacing[0]
        affine[:3, 2] = (last - first) / (len(self.slices) - 1) if len(self.slices) > 1 else self.normal
        affine[:3, 3] = first
        affine[:3] = LPS @ affine[:3]
        return Geometry((self.pixels[1], self.pixels[0], len(self.slices)), affine)

    def near(self, points: NDArray[np.float64]) -> list[Slice]:
        """Slices less than one slice distance from any plane through ``points`` ``(n, 3)``, else the nearest one."""
        depths = points @ self.normal
        outside = np.maximum(depths.min() - self.depths, self.depths - depths.max()).clip(0)
        chosen = np.flatnonzero(outside < 0.999 * self.gap)
        return [self.slices[i] for i in (chosen if len(chosen) else [outside.argmin()])]


def parent_of(sources: Sequence[Dataset], *, frames: Sequence[int] = ()) -> Parent:
    """Read the headers of a source series; pixels are not needed.

    Parameters
    ----------
    sources
        One data set a slice, in spatial order; an enhanced object may stand there once, or again for each of its
        slices. A slice that stands there again counts once.
    frames
        Which frame of its object each slice is, from 0 (of no meaning for classic ones); by default all of them.

    Raises
    ------
    InputError
        If they are no MR, lack a UID or belong to several patients, studies, series or frames of reference.
    GeometryError
        If a slice has no place in space, or they are not parallel.
    """
    _check(sources)
    pairs = _pairs(sources, frames)
    places = [_place(source, frame) for source, frame in pairs]
    _check_parallel(places)
    slices: dict[tuple[str, int | None], Slice] = {}
    for i, (source, frame) in enumerate(pairs):
        piece = _slice(source, frame, i, places[i][0])
        known = slices.setdefault((piece.instance, frame), piece)
        if not np.allclose(known.position, piece.position):
            raise InputError("two source slices share one SOP Instance UID", hint="export the series again")
    objects = {source.SOPInstanceUID: (source, frame) for source, frame in reversed(pairs)}
    headers = [source if frame is None else flattened(source, frame) for source, frame in reversed(objects.values())]
    _, orientation, spacing = places[0]
    pixels = int(sources[0].Rows), int(sources[0].Columns)
    return Parent(tuple(headers), tuple(slices.values()), orientation, spacing, pixels)


def _pairs(sources: Sequence[Dataset], frames: Sequence[int]) -> list[tuple[Dataset, int | None]]:
    """Object and frame number from 1, None in a classic object, of every slice."""
    if not frames:
        return [(source, frame) for source in sources for frame in _all_frames(source)]
    repeated = [sources[0]] * len(frames) if len(sources) == 1 else sources
    if len(repeated) != len(frames):
        raise InputError("sources and frames differ in number", found=f"{len(sources)} and {len(frames)}")
    return [(source, index + 1 if GROUPS in source else None) for source, index in zip(repeated, frames, strict=True)]


def _all_frames(source: Dataset) -> Sequence[int | None]:
    return range(1, int(source.NumberOfFrames) + 1) if GROUPS in source else [None]


def _check(sources: Sequence[Dataset]) -> None:
    if not sources:
        raise InputError("no source slices", needed="the headers of the series that the result is derived from")
    others = sum(source.get("Modality") != "MR" for source in sources)
    if others:
        raise InputError("source is not MR", found=f"{others} slices of another modality or none", needed="MR")
    for keyword in ("SOPInstanceUID", "SOPClassUID", "SeriesInstanceUID", "StudyInstanceUID", "Rows", "Columns"):
        if not all(source.get(keyword) for source in sources):
            raise InputError(f"source slice without {keyword}")
    check_shared(sources, tuple(ONE_OF_EACH))


def check_shared(sources: Sequence[Dataset], keywords: Sequence[str]) -> None:
    """Refuse slices that do not belong together, by some of what `ONE_OF_EACH` lists.

    Raises
    ------
    InputError
        With how many patients, studies, series or frames of reference there are.
    """
    for keyword in keywords:
        found = len({str(source.get(keyword) or "") for source in sources})
        if found > 1:
            raise InputError(f"source slices of several {ONE_OF_EACH[keyword]}", found=str(found), needed="one")


def _place(source: Dataset, frame: int | None) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[float, float]]:
    """Position, orientation and pixel spacing of a slice."""
    position = _numbers(source, frame, "PlanePositionSequence", "ImagePositionPatient", 3)
    orientation = _numbers(source, frame, "PlaneOrientationSequence", "ImageOrientationPatient", 6)
    spacing = _numbers(source, frame, "PixelMeasuresSequence", "PixelSpacing", 2)
    return position, orientation, (float(spacing[0]), float(spacing[1]))


def _numbers(source: Dataset, frame: int | None, group: str, keyword: str, count: int) -> NDArray[np.float64]:
    told: Any = source.get(keyword) if frame is None else in_groups(source, frame, group, keyword)
    numbers = np.array([] if told in (None, "") else told, dtype=np.float64).ravel()
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise GeometryError(f"source slice without a usable {keyword}", needed=f"{count} numbers")
    return numbers


def _slice(source: Dataset, frame: int | None, place: int, position: NDArray[np.float64]) -> Slice:
    told = source.get("InstanceNumber")
    number = (place if told is None else int(told)) if frame is None else int(told or 0) * MOST_FRAMES + frame
    return Slice(str(source.SOPInstanceUID), str(source.SOPClassUID), frame, number, position)


def _check_parallel(places: Sequence[tuple[Any, NDArray[np.float64], tuple[float, float]]]) -> None:
    _, orientation, spacing = places[0]
    apart = max(float(np.abs(other - orientation).max()) for _, other, _ in places)
    if apart > PARALLEL_TOLERANCE or any(not np.allclose(other, spacing, rtol=1e-3) for _, _, other in places):
        raise GeometryError("source slices differ in orientation or pixel spacing", needed="one stack of slices")
