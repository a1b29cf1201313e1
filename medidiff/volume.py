"""Volumes know where they are: voxel grids in patient space (RAS+ mm) and the images on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medidiff.errors import GeometryError, InputError

__all__ = ["Geometry", "Volume"]

PARALLEL_TOLERANCE = 1e-3
"""Largest cosine deviation between axes that still count as parallel (0.06 degrees)."""


@dataclass(frozen=True, eq=False)
class Geometry:
    """A grid of voxels in space.

    Parameters
    ----------
    shape
        Voxels along ``(x, y, z)``.
    affine
        ``(4, 4)``, voxel index to RAS+ mm, of voxel centres.

    Raises
    ------
    GeometryError
        If an axis is empty, or the affine is singular or not finite.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    def __init__(self, shape: Sequence[int], affine: ArrayLike) -> None:
        object.__setattr__(self, "shape", tuple(int(n) for n in shape))
        matrix = np.array(affine, dtype=np.float64)
        matrix.setflags(write=False)
        object.__setattr__(self, "affine", matrix)
        self._check()

    def _check(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise GeometryError(
                "grid is empty or not 3D", found=f"shape {self.shape}", needed="three axes of 1 or more"
            )
        if self.affine.shape != (4, 4) or not np.isfinite(self.affine).all():
            raise GeometryError("affine is not a finite 4x4 matrix", found=str(self.affine.tolist()))
        spacing = np.linalg.norm(self.affine[:3, :3], axis=0)
        if spacing.min() < 1e-6 or abs(np.linalg.det(self.affine[:3, :3] / spacing)) < 1e-3:
            raise GeometryError(
                "affine is singular", found=f"spacing {spacing.round(6).tolist()} mm", needed="three independent axes"
            )

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between voxel centres along each axis, mm."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return x, y, z

    @property
    def extent(self) -> tuple[float, float, float]:
        """Size of the field of view between its outer faces, mm."""
        x, y, z = (n * s for n, s in zip(self.shape, self.spacing, strict=True))
        return x, y, z

    @property
    def coarsest(self) -> int:
        """Axis with the largest spacing, the last of several: the one across the slices, where nothing else tells."""
        return 2 - int(np.argmax(np.round(self.spacing[::-1], 3)))

    @property
    def directions(self) -> NDArray[np.float64]:
        """``(3, 3)``, unit vector of each axis as a column."""
        return np.asarray(self.affine[:3, :3] / np.array(self.spacing))

    def world(self, index: ArrayLike) -> NDArray[np.float64]:
        """RAS+ mm of voxel indices ``(..., 3)``; half-integers are voxel faces."""
        return np.asarray(np.asarray(index, dtype=np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3])

    def index(self, world: ArrayLike) -> NDArray[np.float64]:
        """Continuous voxel indices ``(..., 3)`` of RAS+ mm."""
        offset = np.asarray(world, dtype=np.float64) - self.affine[:3, 3]
        return np.asarray(np.linalg.solve(self.affine[:3, :3], offset[..., None])[..., 0])

    def refined(self, spacing: ArrayLike) -> "Geometry":
        """Give the same field of view another spacing.

        The outer faces stay where they were: ``shape = round(extent / spacing)`` and the true spacing is
        ``extent / shape``, so the origin moves by half the difference of the spacings.
        """
        wanted = np.broadcast_to(np.asarray(spacing, dtype=np.float64), (3,))
        if not np.isfinite(wanted).all() or wanted.min() <= 0:
            raise GeometryError("spacing must be positive", found=f"{wanted.tolist()} mm")
        shape = np.maximum(1, np.floor(np.array(self.extent) / wanted + 0.5)).astype(int)
        return self.reshaped(shape.tolist())

    def reshaped(self, shape: Sequence[int]) -> "Geometry":
        """Divide the same field of view into ``shape`` voxels."""
        ratio = np.array(self.shape) / np.array(shape)
        affine = self.affine.copy()
        affine[:3, :3] *= ratio
        affine[:3, 3] = self.world((ratio - 1) / 2)
        return Geometry(shape, affine)

    def cropped(self, shape: Sequence[int]) -> "Geometry":
        """Keep the middle of the field of view; voxel ``n // 2`` becomes voxel ``m // 2`` and stays in its place."""
        first = [n // 2 - m // 2 for n, m in zip(self.shape, shape, strict=True)]
        affine = self.affine.copy()
        affine[:3, 3] = self.world(first)
        return Geometry(shape, affine)

    def interpolated(self, shape: Sequence[int]) -> "Geometry":
        """Divide the field of view as zero-filled k-space does: voxel ``n // 2`` becomes ``m // 2`` in its place."""
        ratio = np.array(self.shape) / np.array(shape)
        affine = self.affine.copy()
        affine[:3, :3] *= ratio
        affine[:3, 3] = self.world(np.array(self.shape) // 2) - affine[:3, :3] @ (np.array(shape) // 2)
        return Geometry(shape, affine)

    def permuted(self, order: Sequence[int]) -> "Geometry":
        """Reorder the voxel axes; world coordinates of each voxel stay the same."""
        return Geometry([self.shape[a] for a in order], self.affine[:, [*order, 3]])

    def parallel_to(self, other: "Geometry", tolerance: float = PARALLEL_TOLERANCE) -> bool:
        """Whether each axis points the same way as the other grid's."""
        return bool(np.abs(self.directions - other.directions).max() <= tolerance)

    def allclose(self, other: "Geometry", tolerance: float = 1e-3) -> bool:
        """Whether the grids agree at every corner to ``tolerance`` voxels."""
        if self.shape != other.shape:
            return False
        corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in self.shape])).reshape(3, -1).T
        apart = np.abs(self.world(corners) - other.world(corners)).max()
        return bool(apart <= tolerance * min(self.spacing))

    def as_dict(self) -> dict[str, Any]:
        """Shape, spacing and affine, ready for JSON."""
        return {"shape": list(self.shape), "spacing_mm": list(self.spacing), "affine": self.affine.tolist()}


@dataclass(frozen=True, eq=False)
class Volume:
    """An image that knows where it is.

    Parameters
    ----------
    array
        ``(x, y, z)``, float32 or complex64.
    geometry
        The grid it lies on.
    meta
        What else is known: source, sidecar, warnings.

    Raises
    ------
    InputError
        If the array does not fit the grid.
    """

    array: NDArray[Any]
    geometry: Geometry
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        array = np.asarray(self.array)
        if array.shape != self.geometry.shape:
            raise InputError("array and grid differ", found=f"array {array.shape}", needed=f"{self.geometry.shape}")
        kind = np.complex64 if np.iscomplexobj(array) else np.float32
        object.__setattr__(self, "array", array.astype(kind, copy=False))
