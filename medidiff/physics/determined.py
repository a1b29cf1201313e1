"""How much of each voxel the measurement determines, and how much is left to be inferred."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool3d

from medidiff.physics.iterate import conjugate_gradients
from medidiff.physics.linop import LinearOperator

__all__ = ["determined"]

PROBES, ITERATIONS = 8, 15
SMOOTHED = 5
"""Voxels along each encoded axis over which the estimate is averaged."""
LEAST = 1e-6
"""Of the power of noise over that of the image, where a measurement has no noise."""


def determined(
    operator: LinearOperator, y: Tensor, *, noise: float, brightness: float, axes: tuple[int, ...], seed: int = 0
) -> Tensor:
    """``(set, x, y, z)`` from 0 to 1: diagonal of the resolution matrix ``(A^H A + m)^-1 A^H A``.

    With ``m = (noise / brightness)^2`` it is the share of each voxel's variance that the data explain, if an image as
    bright as this may be anything (Backus & Gilbert 1968; Tarantola 2005, eq. 3.64). Estimated with random vectors
    (Hutchinson 1989), and smoothed over 5 voxels.

    Parameters
    ----------
    operator, y
        ``A`` on ``(set, x, y, z)``, and the measurement ``(coil, x, y, z)``.
    noise, brightness
        Standard deviation of a complex sample, and brightness of the image, in one unit.
    axes
        Encoded axes.
    seed
        Of the random vectors.
    """
    like = operator.adjoint(y)
    weight = max(LEAST, (noise / brightness) ** 2)
    generator, share = torch.Generator().manual_seed(seed), torch.zeros_like(like.real)
    for _ in range(PROBES):
        turn = 2 * torch.pi * torch.rand(like.shape, generator=generator)
        probe = torch.polar(torch.ones_like(turn), turn).to(like)
        seen = operator.forward(probe)
        found, _ = conjugate_gradients(
            operator, seen, start=torch.zeros_like(probe), weight=weight, iterations=ITERATIONS, tolerance=1e-3
        )
        share += (probe.conj() * found).real / PROBES
    return _smoothed(share, axes).clamp(0, 1)


def _smoothed(share: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Average over the voxels about each along ``axes``, fewer at the edges."""
    odd = [(min(SMOOTHED, n) - 1) // 2 * 2 + 1 for n in share.shape[-3:]]
    width = [odd[axis] if axis in axes else 1 for axis in range(3)]
    padding = [n // 2 for n in width]
    return avg_pool3d(share[None], width, stride=1, padding=padding, count_include_pad=False)[0]
