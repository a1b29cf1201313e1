"""How a scanner loses resolution: slice profiles between two parallel grids.

A measured sample is the average of the image under the slice profile, centred on the sample. Spacing and thickness
are independent, so gaps (thickness < spacing) and overlaps (thickness > spacing) are modelled. The operator is
separable: one small matrix for each axis along which the grids differ. Rows sum to 1: a constant stays a constant,
also where a profile reaches past the field of view.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.special import erf
from torch import Tensor

from medidiff.errors import GeometryError, UsageError
from medidiff.physics.linop import LinearOperator
from medidiff.volume import Geometry

__all__ = ["PROFILES", "SliceProfile", "along"]

Array = NDArray[np.float64]

FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))
COINCIDENT = 1e-3
"""Grids that differ by less than this many voxels along an axis are the same along it."""


def _gaussian(z: Array) -> Array:
    return cast(Array, 0.5 * (1 + erf(z * FWHM_PER_SIGMA / np.sqrt(2))))


def _rect(z: Array) -> Array:
    return np.clip(z + 0.5, 0, 1)


PROFILES: Mapping[str, Callable[[Array], Array]] = {"gaussian": _gaussian, "rect": _rect}
"""Cumulative slice profiles of unit thickness (full width at half maximum); add one by adding a line."""


class SliceProfile(LinearOperator):
    """The measurement of a fine image on a coarser, parallel grid.

    Parameters
    ----------
    fine
        Grid of the image, ``(X, Y, Z)``.
    coarse
        Grid of the measurement, ``(x, y, z)``, parallel to ``fine``.
    thickness
        Full width at half maximum of the profile along each axis, mm; used where the grids differ.
    profile
        A key of `PROFILES`.

    Raises
    ------
    GeometryError
        If the grids are not parallel or do not overlap.
    UsageError
        If the profile is unknown or a thickness is not positive.
    """

    def __init__(
        self,
        fine: Geometry,
        coarse: Geometry,
        *,
        thickness: tuple[float, float, float],
        profile: str = "gaussian",
    ) -> None:
        if not fine.parallel_to(coarse):
            raise GeometryError("grids are not parallel", hint="resample one of them first")
        if profile not in PROFILES:
            raise UsageError("unknown slice profile", found=profile, needed=" or ".join(PROFILES))
        if not np.isfinite(thickness).all() or min(thickness) <= 0:
            raise UsageError("slice thickness must be positive", found=f"{thickness} mm")
        self.fine, self.coarse, self.thickness, self.profile = fine, coarse, thickness, profile
        self.centres = tuple(_centres(fine, coarse, axis) for axis in range(3))
        self.matrices = tuple(self._matrix(axis) for axis in range(3))

    def _matrix(self, axis: int) -> Tensor | None:
        """``(coarse, fine)``, or None where the grids coincide."""
        centres, n = self.centres[axis], self.fine.shape[axis]
        if len(centres) == n and np.abs(centres - np.arange(n)).max() < COINCIDENT:
            return None
        width = self.thickness[axis] / self.fine.spacing[axis]
        faces = (np.arange(n + 1) - 0.5 - centres[:, None]) / width
        weights = np.diff(PROFILES[self.profile](faces), axis=1)
        total = weights.sum(1, keepdims=True)
        if total.min() < 1e-3:
            raise GeometryError(
                f"a slice lies outside the target's field of view along axis {axis}",
                found=f"slice centres at voxels {centres.min():.1f} to {centres.max():.1f}",
                needed=f"within 0 to {n - 1}",
            )
        return torch.from_numpy(weights / total)

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes along which resolution is lost."""
        return tuple(axis for axis, matrix in enumerate(self.matrices) if matrix is not None)

    @property
    def ratios(self) -> tuple[float, float, float]:
        """Coarse over fine spacing along each axis."""
        x, y, z = (c / f for c, f in zip(self.coarse.spacing, self.fine.spacing, strict=True))
        return x, y, z

    @property
    def tails(self) -> float:
        """Share of the profile that lies outside its thickness: 0 for a rect, 0.24 for a Gaussian."""
        inside = np.diff(PROFILES[self.profile](np.array([-0.5, 0.5])))
        return 1 - float(inside[0])

    @cached_property
    def spectra(self) -> tuple[tuple[Tensor, Tensor] | None, ...]:
        """Eigenvalues and eigenvectors of ``A A^T`` along each axis, None where nothing is lost."""
        return tuple(None if m is None else tuple(torch.linalg.eigh(m @ m.T)) for m in self.matrices)

    @cached_property
    def norm(self) -> float:
        """Largest singular value; about 1 over the square root of the ratio of voxel volumes."""
        norms = [float(torch.linalg.matrix_norm(m, 2)) for m in self.matrices if m is not None]
        return float(np.prod(norms))

    def forward(self, x: Tensor) -> Tensor:
        """``(..., X, Y, Z)`` to ``(..., x, y, z)``: average under the profile of each sample."""
        for axis in self.axes:
            x = along(x, self.matrices[axis], axis)
        return x

    def adjoint(self, y: Tensor) -> Tensor:
        """``(..., x, y, z)`` to ``(..., X, Y, Z)``."""
        for axis in self.axes:
            y = along(y, cast(Tensor, self.matrices[axis]).T, axis)
        return y

    def upsample(self, y: Tensor) -> Tensor:
        """Cubic B-spline interpolation to the fine grid (Unser 1999), ``(..., x, y, z)`` to ``(..., X, Y, Z)``.

        Beyond the outermost samples the image continues with their value.
        """
        for axis in self.axes:
            y = along(y, _spline(self.coarse.shape[axis], self.positions(axis)), axis)
        return y

    def positions(self, axis: int) -> Array:
        """Where each fine voxel lies between the coarse samples, in samples."""
        centres = self.centres[axis]
        return np.asarray((np.arange(self.fine.shape[axis]) - centres[0]) / self.ratios[axis])


def _centres(fine: Geometry, coarse: Geometry, axis: int) -> Array:
    """Sample centres of the coarse grid in voxels of the fine one."""
    origin = fine.index(coarse.affine[:3, 3])[axis]
    step = coarse.spacing[axis] / fine.spacing[axis]
    return np.asarray(origin + step * np.arange(coarse.shape[axis]))


def _spline(samples: int, positions: Array) -> Tensor:
    """``(positions, samples)``, the cubic B-spline interpolation matrix."""
    unit = np.eye(samples)
    columns = [map_coordinates(column, positions[None], order=3, mode="nearest") for column in unit]
    return torch.from_numpy(np.stack(columns, 1))


def along(x: Tensor, matrix: Tensor | None, axis: int) -> Tensor:
    """Multiply one of the last three axes of ``x`` by a real matrix ``(out, in)``; None changes nothing."""
    if matrix is None:
        return x
    moved = x.movedim(axis - 3, -1) @ matrix.to(device=x.device, dtype=x.dtype).T
    return moved.movedim(-1, axis - 3)
