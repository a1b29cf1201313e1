"""What a network is taught with: what it sees of a measurement, and what it should answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from medidiff.diffusion import Noised
from medidiff.models.condition import condition_on
from medidiff.physics import SliceProfile

__all__ = ["Pairs", "asked", "joined", "pairs_of"]


@dataclass(frozen=True)
class Pairs:
    """What the network sees and should answer: ``(b, 1, p, p, p)``, ``(b, maps, p, p, p)`` and ``(b, numbers)``."""

    residual: Tensor
    maps: Tensor
    numbers: Tensor


def pairs_of(x: Tensor, y: Tensor, operator: SliceProfile, *, noise: float, size: Sequence[int]) -> Pairs:
    """Pair a measurement with the truth behind it.

    Parameters
    ----------
    x
        ``(b, 1, X, Y, Z)``, the truth on the operator's fine grid, in units of the head's brightness.
    y
        ``(b, 1, x, y, z)``, what was measured of it.
    operator, noise
        How, and the noise that is told of it.
    size
        Voxels that are kept, from the middle: what lies around them was measured, too.
    """
    condition = condition_on(y, operator, noise=noise)
    starts = [(n - kept) // 2 for n, kept in zip(x.shape[-3:], size, strict=True)]
    i, j, k = (slice(start, start + kept) for start, kept in zip(starts, size, strict=True))
    residual = (x - condition.base)[..., i, j, k] / condition.scale
    return Pairs(residual, condition.maps[..., i, j, k], condition.numbers)


def joined(parts: Sequence[Pairs]) -> Pairs:
    """Make one batch of several; their patches must be of one size."""
    return Pairs(*(torch.cat(tensors) for tensors in zip(*(vars(part).values() for part in parts), strict=True)))


def asked(
    pairs: Pairs, noise: Callable[[Tensor, float, bool], Noised], *, again: float, blind: bool
) -> tuple[Pairs, Noised]:
    """Ask for the mean of every pair, and for a share of them ``again`` at a random time (docs/decisions/0018).

    Parameters
    ----------
    pairs
        To learn from.
    noise
        Given a residual, the share at time 1 and ``blind``, puts noise on it; see `medidiff.diffusion.noised`.
    again, blind
        The share, and whether the mean is asked of zeros.
    """
    first = noise(pairs.residual, 1.0, blind)
    if not again:
        return pairs, first
    some = Pairs(*(part[:: round(1 / again)] for part in vars(pairs).values()))
    second = noise(some.residual, 0.0, False)
    x, v, t = (torch.cat(parts) for parts in zip(first, second, strict=True))
    return joined([pairs, some]), (x, v, t)
