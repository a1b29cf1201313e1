"""K-space knows what was measured of which field of view, and what is not there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medidiff.errors import InputError
from medidiff.volume import Geometry

__all__ = ["KSpace"]


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
