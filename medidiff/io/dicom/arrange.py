"""Slices in their places: ordered along their normal, checked, and given a grid, or refused with the places named."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from highdicom.spatial import create_affine_matrix_from_attributes
from numpy.typing import NDArray

from medidiff.errors import GeometryError, InputError
from medidiff.io.dicom.frame import Frame
from medidiff.volume import Geometry

__all__ = ["Arrangement", "arrange"]

SAME_MM = 0.01
"""Slices closer than this lie on the same position."""

UNEVEN = 0.01
"""Largest deviation of a distance between slices from the usual one that counts as rounding, as a part of it."""

ROUNDING_MM = 0.02
"""The same in mm: positions are often rounded to hundredths."""

TURNED = 1e-3
"""Largest difference of direction cosines between slices of one orientation."""

SHIFTED = 0.1
"""Largest departure from the common normal, as a part of the pixel spacing."""

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
HINT = "export the series again, or resample it with --allow-irregular"
MOST_PLACES = 6
"""So many offending positions are named."""


@dataclass(frozen=True, eq=False)
class Arrangement:
    """Where the slices of a volume lie.

    Parameters
    ----------
    geometry
        Grid over ``(columns, rows, slices)``, RAS+ mm; slices ascend along the normal of the plane.
    frames
        The slices in that order; more or fewer than the grid has if they are to be resampled.
    offsets
        mm along the normal from the grid's first slice to each of ``frames``.
    warnings
        What was odd, one sentence each.
    resampled
        Whether slices of the grid have to be interpolated between ``frames``.
    """

    geometry: Geometry
    frames: tuple[Frame, ...]
    offsets: tuple[float, ...]
    warnings: tuple[str, ...] = ()
    resampled: bool = False


def arrange(frames: Sequence[Frame], *, allow_irregular: bool = False, where: str = "") -> Arrangement:
    """Order slices along their normal and find their grid.

    Parameters
    ----------
    frames
        Slices of one volume in any order.
    allow_irregular
        Put missing, duplicate and unevenly spaced slices onto a regular grid instead of refusing them.
    where
        Whose they are, for messages.

    Raises
    ------
    InputError
        If there is no position, orientation or pixel spacing above zero, or sizes differ.
    GeometryError
        If orientations differ, slices are shifted against their normal, missing, duplicate or unevenly spaced: with
        the offending positions, in mm along the normal from the scanner's origin.
    """
    _check_stated(frames, where)
    cosines = np.array([frame.orientation for frame in frames])
    usual = np.median(cosines, axis=0)
    normal = _normal(cosines[np.abs(cosines - usual).max(axis=1).argmin()], where)
    ordered, places = _ordered(frames, normal)
    _check_orientation(ordered, places, usual, where)
    _check_shift(ordered, normal, where)
    gaps = np.diff(places)
    fault = _fault(places, gaps)
    if fault and not allow_irregular:
        raise GeometryError(fault[0], where=where, found=fault[1], hint=HINT)
    if fault:
        return _resampling(ordered, places, fault)
    spacing = float((places[-1] - places[0]) / (len(places) - 1)) if len(places) > 1 else _stated_spacing(ordered[0])
    warnings = _doubts(ordered, spacing)
    return Arrangement(_geometry(ordered[0], len(ordered), spacing), ordered, tuple(places - places[0]), warnings)


def _check_stated(frames: Sequence[Frame], where: str) -> None:
    for name in ("position", "orientation", "pixel_spacing"):
        lacking = sum(getattr(frame, name) is None for frame in frames)
        if lacking:
            what = f"no {name.replace('_', ' ')} in the header"
            raise InputError(what, where=where, found=f"{lacking} of {len(frames)} slices without")
    if flat := sum(min(frame.pixel_spacing or (0.0,)) <= 0 for frame in frames):
        raise InputError("pixel spacing is not above zero", where=where, found=f"{flat} of {len(frames)} slices")
    for name in ("shape", "pixel_spacing"):
        values = sorted({tuple(round(each, 4) for each in getattr(frame, name)) for frame in frames})
        if len(values) > 1:
            told = " and ".join("x".join(f"{each:g}" for each in value) for value in values[:3])
            raise GeometryError(f"slices differ in {name.replace('_', ' ')}", where=where, found=told)


def _normal(orientation: NDArray[np.float64], where: str) -> NDArray[np.float64]:
    along_row, along_column = orientation.reshape(2, 3)
    normal = np.cross(along_row, along_column)
    length = float(np.linalg.norm(normal))
    if abs(length - 1) > TURNED or abs(float(along_row @ along_column)) > TURNED:
        found = f"cosines {orientation.round(4).tolist()}"
        raise GeometryError("rows and columns are not at right angles", where=where, found=found)
    return np.asarray(normal / length)


def _ordered(frames: Sequence[Frame], normal: NDArray[np.float64]) -> tuple[tuple[Frame, ...], NDArray[np.float64]]:
    """Sort by place along the normal; slices on one place by instance and frame number."""
    places = [float(np.dot(frame.position or (), normal)) for frame in frames]
    order = sorted(range(len(frames)), key=lambda i: (round(places[i], 3), frames[i].instance, frames[i].index))
    return tuple(frames[i] for i in order), np.array([places[i] for i in order])


def _check_orientation(
    frames: Sequence[Frame], places: NDArray[np.float64], usual: NDArray[np.float64], where: str
) -> None:
    """Refuse slices turned against the usual orientation, the one that most of them have."""
    cosines = np.array([frame.orientation for frame in frames])
    turned = np.abs(cosines - usual).max(axis=1) > TURNED
    if turned.any():
        found = f"{turned.sum()} of {len(frames)} slices turned, at {_named(places[turned])}"
        hint = "export localizers and other orientations as series of their own"
        raise GeometryError("mixed orientation", where=where, found=found, hint=hint)


def _check_shift(frames: Sequence[Frame], normal: NDArray[np.float64], where: str) -> None:
    positions = np.array([frame.position for frame in frames])
    across = positions - np.outer(positions @ normal, normal)
    shift = np.linalg.norm(across - across[0], axis=1)
    if shift.max() > SHIFTED * min(frames[0].pixel_spacing or (1.0,)):
        found = f"{shift.max():.3g} mm within the plane, at {_named((positions @ normal)[shift.argmax()][None])}"
        raise GeometryError("slices are shifted against their normal", where=where, found=found)


def _fault(places: NDArray[np.float64], gaps: NDArray[np.float64]) -> tuple[str, str] | None:
    """Tell what is wrong with the distances between slices, and where; None if nothing is."""
    same = gaps <= SAME_MM
    if same.any():
        return "duplicate slices", f"several at {_named(np.unique(places[1:][same].round(3)))}"
    if len(gaps) < 2:
        return None
    usual = float(np.median(gaps))
    allowed = max(UNEVEN * usual, ROUNDING_MM)
    odd = np.abs(gaps - usual) > allowed
    if not odd.any():
        return None
    between = ", ".join(f"{a:.2f} and {b:.2f}" for a, b in zip(places[:-1][odd], places[1:][odd], strict=True))
    count = np.rint(gaps[odd] / usual)
    whole = (count >= 2) & (np.abs(gaps[odd] - count * usual) <= count * allowed)
    if whole.all():
        missing = int((count - 1).sum())
        return "missing slices", f"{missing} lacking between {_short(between)} mm, others {usual:.4g} mm apart"
    return "irregular spacing", f"{_short(between)} mm are not {usual:.4g} mm apart as others are"


def _resampling(frames: tuple[Frame, ...], places: NDArray[np.float64], fault: tuple[str, str]) -> Arrangement:
    """Keep one slice for each position, and span a regular grid of the usual spacing from the first to the last."""
    keep = np.concatenate([[True], np.diff(places) > SAME_MM])
    kept, places = tuple(frame for frame, stays in zip(frames, keep, strict=True) if stays), places[keep]
    spacing = float(np.median(np.diff(places))) if len(places) > 1 else _stated_spacing(frames[0])
    count = round((places[-1] - places[0]) / spacing) + 1
    spacing = float((places[-1] - places[0]) / (count - 1)) if count > 1 else spacing
    warning = f"{fault[0]} ({fault[1]}): resampled along the slice axis onto {count} slices, {spacing:.4g} mm apart"
    return Arrangement(_geometry(kept[0], count, spacing), kept, tuple(places - places[0]), (warning,), True)


def _geometry(first: Frame, slices: int, spacing: float) -> Geometry:
    affine = create_affine_matrix_from_attributes(
        image_position=first.position or (),
        image_orientation=first.orientation or (),
        pixel_spacing=first.pixel_spacing or (),
        spacing_between_slices=spacing,
        index_convention="RD",
    )
    rows, columns = first.shape
    return Geometry((columns, rows, slices), LPS_TO_RAS @ affine)


def _stated_spacing(frame: Frame) -> float:
    return next((each for each in (frame.between, frame.thickness) if each and each > 0), 1.0)


def _doubts(frames: Sequence[Frame], spacing: float) -> tuple[str, ...]:
    """Warn where the header states another spacing than the positions have: slices may be lacking throughout."""
    stated = frames[0].between
    if len(frames) < 2 or not stated or abs(stated - spacing) <= max(UNEVEN * spacing, ROUNDING_MM):
        return ()
    return (
        f"header states {stated:.4g} mm between slices, their positions are {spacing:.4g} mm apart: positions used",
    )


def _named(places: NDArray[np.float64]) -> str:
    return _short(", ".join(f"{place:.2f}" for place in places)) + " mm"


def _short(listed: str) -> str:
    items = listed.split(", ")
    more = f" and {len(items) - MOST_PLACES} more" if len(items) > MOST_PLACES else ""
    return ", ".join(items[:MOST_PLACES]) + more
