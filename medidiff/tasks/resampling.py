"""Cubic B-spline interpolation from one grid to another, by world coordinates (Unser 1999)."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, spline_filter

from medidiff.volume import Geometry, Volume

__all__ = ["resample"]

MARGIN = 6
"""Voxels that continue a volume smoothly on each side, so that its spline does not feel where it ends."""
ASTRAY = 1e-3
"""Voxels that axes may drift apart over a grid and still count as parallel."""

Array = NDArray[np.float64]


def resample(volume: Volume, target: Geometry) -> Volume:
    """Interpolate a volume on another grid; 0 outside its field of view.

    Between parallel grids each axis is interpolated by itself, which is the same and many times as fast.

    Parameters
    ----------
    volume
        ``(x, y, z)``, real.
    target
        Where to; it may be oblique to the volume.
    """
    step = np.linalg.inv(volume.geometry.affine) @ target.affine
    turn = step[:3, :3] - np.diag(np.diag(step[:3, :3]))
    parallel = (np.abs(turn) @ target.shape).max() < ASTRAY
    return Volume((_separately if parallel else _jointly)(volume.array, step, target), target, volume.meta)


def _separately(array: NDArray[np.float32], step: Array, target: Geometry) -> NDArray[np.float32]:
    for axis, n in enumerate(target.shape):
        matrix = _matrix(array.shape[axis], step[axis, axis] * np.arange(n) + step[axis, 3])
        array = np.moveaxis(np.tensordot(matrix, array, (1, axis)), 0, axis)
    return np.ascontiguousarray(array)


def _matrix(size: int, where: Array) -> NDArray[np.float32]:
    """``(places, size)``, what each sample counts at each place along an axis."""
    columns = [map_coordinates(_spline(unit), where[None] + MARGIN, **_KEPT) for unit in np.eye(size)]
    return np.where(_outside(where, size)[:, None], 0, np.stack(columns, 1)).astype(np.float32)


def _jointly(array: NDArray[np.float32], step: Array, target: Geometry) -> NDArray[np.float32]:
    found = np.empty(target.shape, dtype=np.float32)
    plane = np.stack(np.meshgrid(*map(np.arange, target.shape[1:]), indexing="ij"), -1) @ step[:3, 1:3].T
    coefficients = _spline(array)
    for i in range(target.shape[0]):
        where = plane + step[:3, 0] * i + step[:3, 3]
        inside = map_coordinates(coefficients, np.moveaxis(where + MARGIN, -1, 0), **_KEPT)
        found[i] = np.where(_outside(where, np.array(array.shape)).any(-1), 0, inside)
    return found


_KEPT = {"order": 3, "mode": "mirror", "prefilter": False}


def _spline(samples: NDArray[np.floating]) -> NDArray[np.floating]:
    extended = np.pad(samples, MARGIN, mode="reflect", reflect_type="odd")
    return np.asarray(spline_filter(extended, order=3, output=samples.dtype))


def _outside(where: Array, size: int | NDArray[np.int_]) -> NDArray[np.bool_]:
    return np.asarray((where < -0.5) | (where > size - 0.5))
