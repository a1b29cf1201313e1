"""Which axis of an array is which in space: names by the world, slices, and the same grid stored in another order."""

from itertools import permutations

import numpy as np

from medidiff.volume import Geometry, Volume

__all__ = ["SLICE_AXES", "across_slices", "axis_along", "reordered"]

SLICE_AXES = ("auto", "x", "y", "z")


def axis_along(grid: Geometry, world: int) -> int:
    """Axis of the array nearest to an axis of the world (0 to 2 for R, A, S); each belongs to one."""
    return _nearest(grid, Geometry(grid.shape, np.eye(4)))[world]


def across_slices(grid: Geometry, named: str = "auto") -> int:
    """Axis that slices lie across: the array's one named, or the coarsest, of several that nearest to S, A, R."""
    if named != "auto":
        return SLICE_AXES.index(named) - 1
    spacing = np.round(grid.spacing, 3)
    return max(range(3), key=lambda axis: (spacing[axis], [axis_along(grid, w) == axis for w in (2, 1, 0)]))


def reordered(volume: Volume, grid: Geometry) -> Volume | None:
    """Turn the axes of a volume into those of a grid if both have the same voxels in another order; else None."""
    order = _nearest(volume.geometry, grid)
    array, found = volume.array.transpose(order), volume.geometry.permuted(order)
    for axis in np.flatnonzero((found.directions * grid.directions).sum(0) < 0).tolist():
        array, found = np.flip(array, axis), _flipped(found, axis)
    if not found.allclose(grid):
        return None
    return Volume(np.ascontiguousarray(array), grid, volume.meta)


def _nearest(grid: Geometry, other: Geometry) -> tuple[int, ...]:
    """Axes of one grid in the order of the other's."""
    alike = np.abs(grid.directions.T @ other.directions)
    return max(permutations(range(3)), key=lambda order: float(sum(alike[axis, i] for i, axis in enumerate(order))))


def _flipped(grid: Geometry, axis: int) -> Geometry:
    step = np.eye(4)
    step[axis, axis], step[axis, 3] = -1, grid.shape[axis] - 1
    return Geometry(grid.shape, grid.affine @ step)
