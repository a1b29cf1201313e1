"""Orthogonal wavelets on the device: periodic, of any size, with the filters of PyWavelets."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pywt
import torch
from torch import Tensor

from medidiff.physics.linop import LinearOperator

__all__ = ["Wavelet", "soft_threshold"]


class Wavelet(LinearOperator):
    """Wavelet transform along some axes: an isometry, so ``W^H W`` is the identity and the norm is 1.

    The image is padded with zeros to a multiple of ``2 ** levels`` and transformed periodically (Mallat 1989);
    details come after averages along each axis, coarse ones nested.

    Parameters
    ----------
    shape
        ``(x, y, z)`` of the image.
    axes
        Which of them to transform; those shorter than the filter are left alone.
    levels
        At most; an axis is halved until it would be shorter than the filter.
    name
        An orthogonal wavelet of PyWavelets.
    """

    def __init__(self, shape: Sequence[int], *, axes: Sequence[int], levels: int = 4, name: str = "db4") -> None:
        low, high = _filters(name)
        self._taps = torch.tensor([low, high], dtype=torch.float64)
        self.shape = (shape[0], shape[1], shape[2])
        self.axes = tuple(axis for axis in axes if shape[axis] >= 2 * len(low))
        shortest = min((shape[axis] for axis in self.axes), default=0)
        self.levels = max((n for n in range(levels + 1) if shortest >= len(low) * 2**n), default=0)
        block = 2**self.levels
        self.padded = tuple(-(-n // block) * block if a in self.axes else n for a, n in enumerate(self.shape))

    @property
    def corner(self) -> tuple[Any, ...]:
        """Where the averages of the coarsest level lie in the coefficients."""
        return self._box(self.levels)

    def forward(self, x: Tensor) -> Tensor:
        """``(..., x, y, z)`` to coefficients, padded."""
        w = torch.nn.functional.pad(x, [n for a in (2, 1, 0) for n in (0, self.padded[a] - self.shape[a])])
        for level in range(self.levels):
            box = self._box(level)
            part = w[box]
            for axis in self.axes:
                part = _analysed(part, self._taps, axis - 3)
            w = w.clone()
            w[box] = part
        return w

    def adjoint(self, y: Tensor) -> Tensor:
        """Go from coefficients back to ``(..., x, y, z)``."""
        for level in reversed(range(self.levels)):
            box = self._box(level)
            part = y[box]
            for axis in self.axes:
                part = _synthesised(part, self._taps, axis - 3)
            y = y.clone()
            y[box] = part
        inside: tuple[Any, ...] = (..., *(slice(n) for n in self.shape))
        return y[inside]

    def _box(self, level: int) -> tuple[Any, ...]:
        return (..., *(slice(n // 2**level if a in self.axes else n) for a, n in enumerate(self.padded)))


@lru_cache
def _filters(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Averaging and detail filter, orthonormal with each other's even shifts."""
    wavelet = pywt.Wavelet(name)
    return tuple(wavelet.rec_lo), tuple(wavelet.rec_hi)


def _analysed(x: Tensor, taps: Tensor, dim: int) -> Tensor:
    """Filter and halve, periodically: averages, then details."""
    n = x.shape[dim]
    even = torch.arange(0, n, 2, device=x.device)
    halves = [torch.zeros_like(x.index_select(dim, even)) for _ in taps]
    for k in range(taps.shape[1]):
        part = x.index_select(dim, (even + k) % n)
        halves = [half + tap * part for half, tap in zip(halves, taps[:, k].tolist(), strict=True)]
    return torch.cat(halves, dim)


def _synthesised(y: Tensor, taps: Tensor, dim: int) -> Tensor:
    """Undo `_analysed` by its transpose."""
    total = torch.zeros_like(y)
    for half, row in zip(y.chunk(2, dim), taps.tolist(), strict=True):
        spread = torch.stack([half, torch.zeros_like(half)], dim).flatten(dim - 1, dim)
        for k, tap in enumerate(row):
            total = total + tap * spread.roll(k, dim)
    return total


def soft_threshold(w: Tensor, amount: Tensor | float, *, dim: int | None = None) -> Tensor:
    """Shrink magnitudes by ``amount``, jointly along ``dim`` if given (Donoho 1995; Yuan & Lin 2006, eq. 2.4)."""
    size = w.abs() if dim is None else torch.linalg.vector_norm(w, dim=dim, keepdim=True)
    return w * ((size - amount).clamp_min(0) / size.clamp_min(1e-30))
