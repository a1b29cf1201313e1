"""What the network is told: the one function that stacks what physics made into the network's input."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from medidiff.physics import SliceProfile, project
from medidiff.physics.blur import blurred

__all__ = ["MAPS", "NUMBERS", "Condition", "condition_on", "residual_scale"]

MAPS = ("consistent upsampling", "phase x", "phase y", "phase z", "finest detail", "finer detail")
NUMBERS = (
    *(f"{what} {axis}" for what in ("log2 ratio", "thickness over spacing", "log2 spacing") for axis in "xyz"),
    "profile tails",
    "log2 noise",
)

LEAST_WEIGHT = 1e-2
"""Weight of the consistency step behind the condition where there is no noise: close to exact."""
FINE, COARSE = 1.5, 5.0
"""Standard deviations in voxels of the blurs that part an image into what is coarse, finer and finest."""
NOISE_UNIT = 0.01
"""Noise, in units of the head's brightness, that counts as 1 in "log2 noise"."""


@dataclass(frozen=True)
class Condition:
    """What a denoiser is given beside the noisy image.

    Parameters
    ----------
    maps
        ``(b, 6, X, Y, Z)``, see `MAPS`; the first is also the base of the residual. A network takes as many of them as
        its card says.
    numbers
        ``(b, 11)``, see `NUMBERS`.
    scale
        Unit of the residual between the image and the first map.
    """

    maps: Tensor
    numbers: Tensor
    scale: float

    @property
    def base(self) -> Tensor:
        """``(b, 1, X, Y, Z)``, the upsampled measurement."""
        return self.maps[:, :1]


def condition_on(y: Tensor, operator: SliceProfile, *, noise: float = 0.0) -> Condition:
    """Stack the upsampled measurement and the acquisition.

    What is to be inferred is small beside the image: what is finer than `FINE`, and what lies between it and `COARSE`,
    come in the residual's unit too. A network that is shown neither learns several times as slowly (decision 0024).

    Parameters
    ----------
    y
        ``(b, 1, x, y, z)``, the measurement in units of its head's brightness; the slice axis comes last.
    operator
        How it was measured.
    noise
        Standard deviation of the noise in ``y``, as far as it is known, in the same units.
    """
    scale = residual_scale(operator)
    weight = min(1.0, max(LEAST_WEIGHT, (noise / scale) ** 2))
    base = project(operator.upsample(y), y, operator, weight=weight)
    phases = [_phase(operator, axis).to(base).expand_as(base) for axis in range(3)]
    numbers = torch.tensor(_numbers(operator, noise), device=y.device).expand(y.shape[0], -1)
    fine, coarse = (blurred(base, sd) for sd in (FINE, COARSE))
    details = ((base - fine) / scale, (fine - coarse) / scale)
    return Condition(torch.cat([base, *phases, *details], 1), numbers, scale)


def residual_scale(operator: SliceProfile) -> float:
    """Typical error of the consistent upsampling, which grows with the ratio of the voxel volumes."""
    return 0.02 * math.log2(1 + math.prod(operator.ratios))


def _phase(operator: SliceProfile, axis: int) -> Tensor:
    """Cosine of the distance to the nearest measured sample: 1 on it, -1 half-way to the next."""
    if axis not in operator.axes:
        return torch.ones((1, 1, 1))
    phase = torch.cos(2 * math.pi * torch.from_numpy(operator.positions(axis)))
    return phase.reshape([-1 if a == axis else 1 for a in range(3)])


def _numbers(operator: SliceProfile, noise: float) -> list[float]:
    ratios = [math.log2(ratio) for ratio in operator.ratios]
    relative = [
        operator.thickness[axis] / operator.coarse.spacing[axis] if axis in operator.axes else 1.0 for axis in range(3)
    ]
    spacings = [math.log2(spacing) for spacing in operator.fine.spacing]
    return [*ratios, *relative, *spacings, 4 * operator.tails, math.log2(1 + noise / NOISE_UNIT)]
