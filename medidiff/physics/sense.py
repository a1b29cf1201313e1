"""How receive coils see an image in k-space: ``A = M F S`` (Pruessmann 1999, eq. 1), each a linear operator."""

from collections.abc import Sequence

import torch
from torch import Tensor

from medidiff.physics.fourier import Fourier
from medidiff.physics.linop import LinearOperator

__all__ = ["Sampling", "Sensitivities", "encoding"]


class Sampling(LinearOperator):
    """Which places of k-space were measured: a projection, its own adjoint.

    Parameters
    ----------
    mask
        Broadcastable to ``(x, y, z)``: true where measured, of size 1 along axes on which it does not depend.
    """

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask.bool()

    def forward(self, x: Tensor) -> Tensor:
        """``(..., x, y, z)`` k-space with zeros where nothing was measured."""
        return x * self.mask.to(x.device, x.real.dtype)

    def adjoint(self, y: Tensor) -> Tensor:
        """Do the same as `forward`."""
        return self.forward(y)


class Sensitivities(LinearOperator):
    """What each coil sees of the image: ``coil = sum over sets of map * image``.

    With maps whose sets are orthonormal at each voxel, or zero, its norm is 1.

    Parameters
    ----------
    maps
        ``(set, coil, x, y, z)``, complex.
    """

    def __init__(self, maps: Tensor) -> None:
        self.maps = maps

    def forward(self, x: Tensor) -> Tensor:
        """``(..., set, x, y, z)`` images to ``(..., coil, x, y, z)``."""
        parts = [x[..., s, None, :, :, :] * self.maps[s].to(x.dtype) for s in range(len(self.maps))]
        return sum(parts[1:], parts[0])

    def adjoint(self, y: Tensor) -> Tensor:
        """``(..., coil, x, y, z)`` to ``(..., set, x, y, z)``."""
        return torch.cat([(y * each.to(y.dtype).conj()).sum(-4, keepdim=True) for each in self.maps], dim=-4)


def encoding(mask: Tensor, maps: Tensor | None, *, axes: Sequence[int]) -> LinearOperator:
    """Give the measurement ``A = M F S`` of images ``(..., set, x, y, z)`` by coils ``(..., coil, x, y, z)``.

    Parameters
    ----------
    mask
        As in `Sampling`.
    maps
        As in `Sensitivities`; None where every coil is an image of its own.
    axes
        As in `Fourier`.
    """
    if maps is None:
        return Sampling(mask) @ Fourier(axes)
    return Sampling(mask) @ Fourier(axes) @ Sensitivities(maps)
