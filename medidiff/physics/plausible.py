"""Whether what is inferred between samples is as strong as what was measured around it."""

import numpy as np
import torch
from torch import Tensor

from medidiff.physics.linop import LinearOperator

__all__ = ["inferred_power"]

BINS = 3
"""Of frequency, for each octave."""


def inferred_power(
    everywhere: LinearOperator, image: Tensor, y: Tensor, mask: Tensor, *, axes: tuple[int, ...]
) -> float:
    """Power of an image where nothing was measured, over what the samples around let expect.

    Images have a smooth spectrum, which falls with the frequency (Field 1987): a parabola through the logarithms of the
    measured power over that of the frequency tells what to expect between samples. A reconstruction shrinks, so it has
    less; wrong sensitivity maps let images explain the samples by bright bands that are in gaps of the mask alone, and
    no sample that is left out can tell.

    Parameters
    ----------
    everywhere
        Measures all places.
    image
        ``(set, x, y, z)``.
    y, mask
        ``(coil, x, y, z)``, and where it was measured, broadcastable to ``(x, y, z)``.
    axes
        Those of ``y`` that are frequencies.

    Returns
    -------
    float
        0 where too few frequencies were measured to tell, or none between them was left out.
    """
    octave = _octave(y.shape[-3:], axes, y.device)
    measured = mask.expand(octave.shape)
    told = {place: seen for place, seen in _means(y.abs().square().sum(0), octave, measured).items() if seen[0] > 0}
    if len(told) < 3:
        return 0.0
    between = ~measured & (octave <= octave[measured].max())  # what lies farther out is padding, or a corner
    asked = _means(everywhere.forward(image).abs().square().sum(0), octave, between)
    places, powers, counts = np.array([(place, power, n) for place, (power, n) in told.items()]).T
    law = np.polyfit(places, np.log2(powers), 2 if len(places) > 4 else 1, w=np.sqrt(counts))
    expected = sum(n * 2 ** float(np.polyval(law, place)) for place, (_, n) in asked.items())
    return float(sum(n * power for power, n in asked.values()) / expected) if expected > 0 else 0.0


def _octave(shape: torch.Size, axes: tuple[int, ...], device: torch.device) -> Tensor:
    """``(x, y, z)``: logarithm of the frequency, which is counted in lines from the centre."""
    square = torch.zeros(tuple(shape), device=device)
    for axis in axes:
        lines = torch.arange(shape[axis], device=device) - shape[axis] // 2
        square = square + (lines.float() ** 2).reshape([-1 if a == axis else 1 for a in range(3)])
    return torch.log2(square.sqrt() + 1)


def _means(power: Tensor, octave: Tensor, where: Tensor) -> dict[float, tuple[float, float]]:
    """Mean power in each bin that has a place there, and the number of places, by octave."""
    bins = (BINS * octave[where]).round().long()
    many = int(bins.max()) + 1 if len(bins) else 0
    n = torch.bincount(bins, minlength=many).double()
    total = torch.bincount(bins, weights=power[where].double(), minlength=many)
    return {i / BINS: (float(total[i] / n[i]), float(n[i])) for i in range(many) if n[i] > 0}
