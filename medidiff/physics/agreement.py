"""A proposal made to agree with the measurement, as far as the noise allows and no further."""

import torch
from torch import Tensor

from medidiff.physics.iterate import conjugate_gradients, power
from medidiff.physics.linop import LinearOperator

__all__ = ["Agreement"]

ITERATIONS = 8
"""Of conjugate gradients, from the proposal on."""
TRUSTED = 1e-6
"""Least variance of a proposal's error, in units of the noise's variance: it is kept as it is."""


class Agreement:
    """The proximal step ``argmin ||A x - y||^2 / s^2 + ||x - x0||^2 / v`` with ``v`` found from the data.

    ``s`` is the noise; ``v`` is the variance of the proposal's error. What a proposal leaves of the data, seen in the
    image, ``g = A^H (y - A x0)``, has the mean ``E ||g||^2 = s^2 tr(A^H A) + v tr((A^H A)^2)``: so ``v`` follows,
    and no weight is left to tune (as in empirical Bayes; Robbins 1956). Faults of the maps that no image explains do
    not reach ``g``. The traces are estimated with one random vector (Hutchinson 1989).

    Parameters
    ----------
    operator
        ``A`` on ``(..., set, x, y, z)``; leading axes are a batch, each element with a ``v`` of its own.
    y
        ``(..., coil, x, y, z)``.
    noise
        Standard deviation of a complex sample, a number or ``(..., 1, 1, 1, 1)``; where it is 0, data are fitted.
    """

    def __init__(self, operator: LinearOperator, y: Tensor, *, noise: float | Tensor) -> None:
        self.operator, self.y = operator, y
        self.power = torch.as_tensor(noise, device=y.device, dtype=y.real.dtype).square()
        seen = operator.forward(_probe(operator.adjoint(y)))
        self._once, self._twice = power(seen), power(operator.adjoint(seen))

    def variance(self, proposal: Tensor) -> Tensor:
        """``(..., 1, 1, 1, 1)``: mean squared error of a proposal, per voxel, as far as the measurement sees it."""
        left = self.operator.adjoint(self.y - self.operator.forward(proposal))
        explained = (power(left) - self.power * self._once) / self._twice.clamp_min(1e-30)
        return explained.clamp_min(TRUSTED * self.power)

    def __call__(self, proposal: Tensor, *, y: Tensor | None = None) -> Tensor:
        """``(..., set, x, y, z)``: the proposal, pulled to the data, or with the same weight to others in their place.

        Where the proposal is a sample of the prior's, data with fresh noise on them make it one of the posterior's
        (perturb and optimise; Orieux 2012); the data themselves would leave samples too close together.
        """
        weight = self.power / self.variance(proposal).clamp_min(1e-30)
        data = self.y if y is None else y
        x, _ = conjugate_gradients(
            self.operator, data, start=proposal, weight=weight, iterations=ITERATIONS, tolerance=1e-4
        )
        return x

    def noisier(self, generator: torch.Generator) -> Tensor:
        """``(..., coil, x, y, z)``: the data, once more as noisy, where they were measured."""
        draw = torch.view_as_complex(torch.randn((*self.y.shape, 2), generator=generator)).to(self.y.device)
        return self.y + (self.power / 2).sqrt() * draw * (self.y != 0)


def _probe(like: Tensor) -> Tensor:
    """Complex numbers of magnitude 1, the same every time and for each element of a batch."""
    turn = 2 * torch.pi * torch.rand(like.shape[-4:], generator=torch.Generator().manual_seed(0))
    return torch.polar(torch.ones_like(turn), turn).to(like.device, like.dtype).expand(like.shape)
