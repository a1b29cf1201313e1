"""What a network that predicts velocities learns from: noisy images, the velocities behind them, and the times."""

import torch
from torch import Generator, Tensor

from medidiff.diffusion.schedule import alpha_sigma, velocity

__all__ = ["Noised", "noised"]

Noised = tuple[Tensor, Tensor, Tensor]
"""``(b, ...)`` noisy images, ``(b, ...)`` velocities and ``(b,)`` times."""


def noised(r0: Tensor, generator: Generator, *, pure: float, blind: bool = False, skew: float = 1.0) -> Noised:
    """Put noise on images at random times.

    Parameters
    ----------
    r0
        ``(b, ...)``, of unit size.
    generator
        On the device of ``r0``.
    pure
        Share of the batch, in sixteenths, that is noise and nothing else.
    blind
        Zeros in the place of noise, all at time 1: what is learnt there is the mean (docs/decisions/0018).
    skew
        Power of an even draw that random times are: below 1 there are more noisy ones, above 1 more clean ones.
    """
    many = r0.shape[0]
    t = torch.rand(many, generator=generator, device=r0.device) ** skew
    t = torch.where(torch.arange(many, device=r0.device) % 16 < round(16 * pure), torch.ones_like(t), t)
    if blind:
        return torch.zeros_like(r0), -r0, torch.ones_like(t)
    eps = torch.randn(r0.shape, generator=generator, device=r0.device)
    alpha, sigma = (a.reshape(-1, *[1] * (r0.ndim - 1)) for a in alpha_sigma(t))
    return alpha * r0 + sigma * eps, velocity(r0, eps, t), t
