"""Contrasts that were never scanned: intensity curves, label maps rendered with random tissues, coil shading."""

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import conv3d

__all__ = ["blurred", "remapped", "rendered", "under_a_coil", "varied"]

WHITE = frozenset({2, 7, 16, 28, 41, 46, 60, 77, 85})
GREY = frozenset({3, 8, 10, 11, 12, 13, 17, 18, 26, 42, 47, 49, 50, 51, 52, 53, 54, 58})
FLUID = frozenset({4, 5, 14, 15, 24, 43, 44})
"""FreeSurfer's label numbers by tissue (Fischl 2012); every other label gets a brightness of its own."""

WEIGHTINGS = ((0.9, 0.6, 0.15), (0.35, 0.55, 1.0), (0.65, 0.8, 0.9), (0.6, 0.8, 0.1))
"""Brightness of white matter, grey matter and fluid in T1w, T2w, PD and FLAIR images."""


def varied(
    x: Tensor,
    labels: NDArray[np.int64] | None,
    rng: Generator,
    noise: torch.Generator,
    *,
    remap: float,
    shaded: float,
) -> Tensor:
    """Give patches of a head another contrast, shading and brightness than they have.

    Parameters
    ----------
    x
        ``(n, 1, X, Y, Z)``, brightness about 0 to 1, or indices into ``labels``.
    labels
        Label numbers, if these are to be rendered.
    remap, shaded
        Shares of the images that pass through a random curve, and that a coil shades.
    """
    if labels is not None:
        x = rendered(x, labels, rng, noise)
    elif rng.random() < remap:
        x = remapped(x, rng)
    elif rng.random() < 0.4:
        x = x.clamp_min(0) ** rng.uniform(0.75, 1.35)
    if rng.random() < shaded:
        x = under_a_coil(x, rng)
    return x * rng.uniform(0.8, 1.15)


def remapped(x: Tensor, rng: Generator) -> Tensor:
    """Pass brightness through a random smooth curve that leaves air dark.

    Parameters
    ----------
    x
        Any shape, brightness about 0 to 1.
    """
    values = rng.uniform(0, 1, 9)
    if rng.random() < 0.5:  # inverted, as T2w is to T1w
        values = np.clip(1.1 - np.linspace(0, 1, 9) + rng.normal(0, 0.15, 9), 0.05, 1.2)
    values = np.convolve(np.pad(values, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    values[0] = 0
    knots = torch.tensor(values, dtype=x.dtype, device=x.device)
    position = (x * 7).clamp(0, 7.999)
    low = position.floor()
    return torch.lerp(knots[low.long()], knots[low.long() + 1], position - low)


def rendered(labels: Tensor, values: NDArray[np.int64], rng: Generator, noise: torch.Generator) -> Tensor:
    """Give every tissue a brightness, some texture, and edges no sharper than a scan's (Billot 2023).

    Parameters
    ----------
    labels
        ``(n, 1, X, Y, Z)``, indices into ``values``.
    values
        Label numbers.
    """
    white, grey, fluid = WEIGHTINGS[rng.integers(4)] if rng.random() < 0.6 else rng.uniform(0.05, 1, 3)
    table = np.array([_brightness(int(v), white, grey, fluid, rng) for v in values])
    table[values == 0] = 0
    mean = torch.tensor(table, dtype=torch.float32, device=labels.device)[labels]
    texture = torch.randn(mean.shape, generator=noise, device=mean.device) * rng.uniform(0.01, 0.08)
    return blurred(mean * (1 + texture), rng.uniform(0.35, 0.75))


def _brightness(label: int, white: float, grey: float, fluid: float, rng: Generator) -> float:
    for tissue, brightness in ((WHITE, white), (GREY, grey), (FLUID, fluid)):
        if label in tissue:
            return float(np.clip(brightness * rng.normal(1, 0.06), 0.02, 1.2))
    return float(rng.uniform(0.02, 1))


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of ``(n, 1, X, Y, Z)`` by ``sigma`` voxels."""
    taps = torch.arange(-2, 3, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (taps / sigma) ** 2)
    kernel = kernel / kernel.sum()
    for axis in range(3):
        shape = [5 if a == axis else 1 for a in range(3)]
        x = conv3d(x, kernel.reshape(1, 1, *shape), padding=[n // 2 for n in shape])
    return x


def under_a_coil(x: Tensor, rng: Generator) -> Tensor:
    """Multiply by a smooth coil sensitivity, a random quadratic of the position."""
    field = torch.ones((), device=x.device)
    for axis, size in enumerate(x.shape[-3:]):
        u = torch.linspace(-1, 1, size, device=x.device).reshape([-1 if a == axis else 1 for a in range(3)])
        field = field + rng.uniform(-0.15, 0.15) * u + rng.uniform(-0.12, 0.12) * u**2
    return x * field.clamp_min(0.3)
