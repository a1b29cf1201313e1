"""The Fourier transform, centred and orthonormal, in one place: image and k-space have their origins at ``n // 2``."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from medidiff.physics.linop import LinearOperator

__all__ = ["Fourier", "middle"]


def middle(shape: Sequence[int], kept: Sequence[int]) -> tuple[Any, ...]:
    """Index the middle of the last axes: place ``n // 2`` of ``shape`` becomes place ``m // 2`` of ``kept``.

    >>> middle((8, 5), (4, 5))
    (Ellipsis, slice(2, 6, None), slice(0, 5, None))
    """
    return (..., *(slice(n // 2 - m // 2, n // 2 - m // 2 + m) for n, m in zip(shape, kept, strict=True)))


class Fourier(LinearOperator):
    """From an image to its k-space along the encoded axes.

    Unitary: the adjoint is the inverse, and the norm is 1. Sizes may be odd; leading axes are a batch.

    Parameters
    ----------
    axes
        Which of ``(x, y, z)`` = ``(0, 1, 2)`` are encoded: two for a stack of slices, three for a volume; none
        changes nothing.
    """

    def __init__(self, axes: Sequence[int] = (0, 1, 2)) -> None:
        self.axes = tuple(axes)
        self._dims = tuple(axis - 3 for axis in self.axes)

    def forward(self, x: Tensor) -> Tensor:
        """``(..., x, y, z)`` image to k-space."""
        if not self.axes:
            return x
        x = torch.fft.ifftshift(x, self._dims)
        return cast(Tensor, torch.fft.fftshift(torch.fft.fftn(x, dim=self._dims, norm="ortho"), self._dims))

    def adjoint(self, y: Tensor) -> Tensor:
        """``(..., x, y, z)`` k-space to image."""
        if not self.axes:
            return y
        y = torch.fft.ifftshift(y, self._dims)
        return cast(Tensor, torch.fft.fftshift(torch.fft.ifftn(y, dim=self._dims, norm="ortho"), self._dims))
