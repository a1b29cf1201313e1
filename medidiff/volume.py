"""Volumes know where they are: voxel grids in patient space (RAS+ mm), the images on them, and what was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medidiff.errors import GeometryError, InputError

__all__ = ["Geometry", "KSpace", "Volume"]

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


@dataclass(frozen=True, eq=False)
class KSpace:
    """What receive coils measured of one volume, or of a stack of slices.

    Centred: frequency 0 lies at ``n // 2`` along each encoded axis.

    Parameters
    ----------
    data
        ``(coil, x, y, z)``, complex64, zero where nothing was measured.
    geometry
        Grid ``(x, y, z)`` of the whole encoded field of view.
    encoded
        Axes that hold frequencies: two of a stack of slices, three of a volume; the rest hold positions.
    mask
        Where it was measured, broadcastable to ``(x, y, z)``; by default where some coil is not zero.
    maps
        Sensitivities ``(set, coil, x, y, z)``, if they are known.
    noise
        ``(coil, n)`` samples without a signal, if there was a pre-scan.
    keep
        Voxels to keep of the middle of the encoded field of view: less where the readout or a phase is oversampled.
    matrix
        Voxels to interpolate these to, if more.
    meta
        What else is known: source, warnings, whether the geometry is known.

    Raises
    ------
    InputError
        If shapes do not fit, something is not finite, all is zero, or something was measured outside the mask.
    """

    data: NDArray[np.complex64]
    geometry: Geometry
    encoded: tuple[int, ...] = (0, 1, 2)
    mask: NDArray[np.bool_] | None = None
    maps: NDArray[np.complex64] | None = None
    noise: NDArray[np.complex64] | None = None
    keep: tuple[int, int, int] | None = None
    matrix: tuple[int, int, int] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        data = np.asarray(self.data)
        self._check_data(data)
        object.__setattr__(self, "data", data.astype(np.complex64, copy=False))
        measured = (data != 0).any(0)
        if not measured.any():
            raise InputError("k-space is empty: every sample is zero", where=self._where)
        object.__setattr__(self, "mask", _compact(self._checked_mask(measured)))
        object.__setattr__(self, "keep", tuple(self.keep or data.shape[1:]))
        object.__setattr__(self, "matrix", tuple(self.matrix or self.keep or data.shape[1:]))
        self._check_shapes()

    @property
    def sampled(self) -> NDArray[np.bool_]:
        """Where it was measured, of size 1 along the axes on which that does not depend."""
        return np.asarray(self.mask)

    @property
    def _where(self) -> str:
        return str(self.meta.get("source", ""))

    def _check_data(self, data: NDArray[Any]) -> None:
        if data.ndim != 4 or not np.iscomplexobj(data) or data.shape[1:] != self.geometry.shape:
            found = f"{data.dtype} of shape {data.shape}"
            needed = f"complex (coil, x, y, z) with {self.geometry.shape} samples"
            raise InputError("not k-space of coils on this grid", where=self._where, found=found, needed=needed)
        if bad := int((~np.isfinite(data)).sum()):
            raise InputError("samples that are not numbers", where=self._where, found=f"{bad} NaN or Inf")

    def _checked_mask(self, measured: NDArray[np.bool_]) -> NDArray[np.bool_]:
        if self.mask is None:
            return measured
        try:
            mask = np.broadcast_to(np.asarray(self.mask, dtype=bool), measured.shape)
        except ValueError as error:
            found, needed = f"mask {np.shape(self.mask)}", f"broadcastable to {measured.shape}"
            raise InputError("mask does not fit", where=self._where, found=found, needed=needed) from error
        if outside := int((measured & ~mask).sum()):
            found = f"{outside} samples outside the mask are not zero"
            hint = "apply the mask to the data, or leave it out: it is found from the zeros"
            raise InputError("mask disagrees with the data", where=self._where, found=found, hint=hint)
        return mask & measured if not measured[mask].all() and _lines_are_missing(mask, measured) else mask

    def _check_shapes(self) -> None:
        n, shape = len(self.data), self.data.shape[1:]
        if self.maps is not None and (self.maps.ndim != 5 or self.maps.shape[1:] != self.data.shape):
            found, needed = f"maps {self.maps.shape}", f"(set, {', '.join(map(str, self.data.shape))})"
            raise InputError("maps do not fit", where=self._where, found=found, needed=needed)
        if self.noise is not None and (self.noise.ndim != 2 or len(self.noise) != n):
            raise InputError("noise does not fit", where=self._where, found=f"{self.noise.shape}", needed=f"({n}, n)")
        if any(f > s for f, s in zip(self.keep or shape, shape, strict=True)):
            found = f"{self.keep} of {shape}"
            raise InputError("field of view to keep is larger than the encoded one", where=self._where, found=found)


def _lines_are_missing(mask: NDArray[np.bool_], measured: NDArray[np.bool_]) -> bool:
    """Whether zeros under the mask are lines that were not measured, and not samples that happen to be zero."""
    return bool((mask & ~measured).sum() > 0.001 * mask.sum())


def _compact(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Give a mask size 1 along the axes on which it does not depend."""
    for axis in range(3):
        first = mask.take([0], axis)
        if (mask == first).all():
            mask = first
    return np.ascontiguousarray(mask)
