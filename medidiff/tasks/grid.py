"""Which grid to infer on: the target, the working grid behind it, and the axes turned so that slices come last."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medidiff.errors import AlreadySharp, ResourceError, UsageError
from medidiff.volume import Geometry, Volume

__all__ = [
    "AXES",
    "FEWEST_VOXELS",
    "MOST_VOXELS",
    "TARGET_RANGE",
    "Plan",
    "plan_geometry",
    "plan_grids",
    "slice_axis",
    "turned",
]

AXES = ("x", "y", "z")
TARGET_RANGE = (0.7, 1.35)
"""Spacings, mm, that the default target is kept within."""
SHARP_RATIO = 1.25
"""An axis whose spacing is within this factor of the target is sharp; an input all of whose axes are, is passed by."""
FEWEST_VOXELS = 4
"""Along each axis of an input; less is refused."""
MOST_VOXELS = 2**28
"""In a grid to work on or to deliver on: 1 GiB in float32, of which inference needs several."""
Spacing = float | Sequence[float]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """Where inference happens.

    Parameters
    ----------
    working
        Parallel to the input and over the same field of view: the grid that the operator is built on.
    target
        The grid to deliver on; resampled from `working` where they differ.
    """

    working: Geometry
    target: Geometry

    @property
    def direct(self) -> bool:
        """Whether the working grid is the target."""
        return self.working.allclose(self.target)


def slice_axis(geometry: Geometry, axis: str = "auto") -> int:
    """Index of the slice axis: the one named, or the one with the coarsest spacing (the last of several).

    Raises
    ------
    UsageError
        If the name is not x, y, z or auto.
    """
    if axis == "auto":
        return geometry.coarsest
    if axis not in AXES:
        raise UsageError("unknown axis", found=axis, needed="auto, x, y or z (the array's axes)")
    return AXES.index(axis)


def plan_geometry(
    geometry: Geometry, *, spacing: Spacing | None = None, like: Geometry | None = None, axis: str = "auto"
) -> Geometry:
    """Plan the grid of the output; see `plan_grids`."""
    return plan_grids(geometry, spacing=spacing, like=like, axis=axis).target


def plan_grids(
    geometry: Geometry, *, spacing: Spacing | None = None, like: Geometry | None = None, axis: str = "auto"
) -> Plan:
    """Choose the output's grid and the grid to work on.

    By default the target is isotropic at the finest measured spacing, kept within 0.7 to 1.35 mm, and never coarser
    than what was measured along an axis. With an ``axis``, only that axis is refined. An axis measured within
    `SHARP_RATIO` of its target keeps its samples while inferring and is interpolated afterwards: there is little to
    gain there, and in-plane samples have no slice profile to undo (docs/decisions/0006).

    Raises
    ------
    AlreadySharp
        If there is nothing to refine.
    UsageError
        If both ``spacing`` and ``like`` are given, or a spacing is not positive.
    ResourceError
        If a grid would have more than `MOST_VOXELS`.
    """
    if spacing is not None and like is not None:
        raise UsageError("--spacing and --like exclude each other")
    measured = np.array(geometry.spacing)
    wanted = _wanted(geometry, spacing, like, axis)
    working = np.where(measured < SHARP_RATIO * wanted, measured, wanted)
    if np.array_equal(working, measured):
        raise AlreadySharp(
            "already at the target spacing",
            found=f"{_mm(measured)} mm",
            needed=f"coarser than {SHARP_RATIO} x {_mm(wanted)} mm along some axis",
        )
    _check_size(np.array(geometry.extent) / working)
    if like is not None:
        _check_size(like.shape)
    if like is not None and _same_field(geometry, like) and np.allclose(like.spacing, working, rtol=0.01):
        return Plan(like, like)
    return Plan(geometry.refined(working), like or geometry.refined(wanted))


def _check_size(shape: Sequence[float] | Array) -> None:
    voxels = math.prod(float(n) for n in shape)
    if voxels > MOST_VOXELS:
        raise ResourceError(
            "output grid is too large",
            found=f"{' x '.join(f'{n:.0f}' for n in shape)} = {voxels:.3g} voxels",
            needed=f"at most {MOST_VOXELS:.3g} voxels",
            hint="ask for a coarser --spacing or crop the input",
        )


def _wanted(geometry: Geometry, spacing: Spacing | None, like: Geometry | None, axis: str) -> Array:
    measured = np.array(geometry.spacing)
    if like is not None:
        if like.parallel_to(geometry):
            return np.array(like.spacing)
        return np.full(3, min(like.spacing))
    if spacing is None:
        wanted: Array = np.minimum(measured, np.clip(measured.min(), *TARGET_RANGE))
    else:
        if np.size(spacing) not in (1, 3):
            raise UsageError("spacing has the wrong length", found=f"{np.size(spacing)} figures", needed="1 or 3")
        wanted = np.broadcast_to(np.asarray(spacing, dtype=np.float64), (3,)).copy()
        if not np.isfinite(wanted).all() or wanted.min() <= 0:
            raise UsageError("spacing must be positive", found=f"{_mm(wanted)} mm")
    if axis != "auto":
        kept = np.arange(3) != slice_axis(geometry, axis)
        wanted[kept] = measured[kept]
    return wanted


def _same_field(geometry: Geometry, like: Geometry) -> bool:
    """Whether two parallel grids cover the same space to half a measured voxel."""
    if not geometry.parallel_to(like):
        return False
    faces = [np.array([[-0.5] * 3, np.array(grid.shape) - 0.5]) for grid in (geometry, like)]
    apart = np.abs(geometry.index(like.world(faces[1])) - faces[0])
    return bool(apart.max() <= 0.5)


def _mm(spacing: Sequence[float] | Array) -> str:
    return " x ".join(f"{s:.3g}" for s in spacing)


def turned(volume: Volume, order: Sequence[int]) -> Volume:
    """Reorder the axes of a volume; every voxel stays where it is in space."""
    return Volume(volume.array.transpose(order), volume.geometry.permuted(order), volume.meta)
