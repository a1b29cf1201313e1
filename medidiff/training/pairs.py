"""Pairs of sharp patches and what a scanner would have measured of them, drawn on the device by the same operators."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from medidiff.models import Pairs, joined, pairs_of
from medidiff.physics import PROFILES, SliceProfile
from medidiff.training.contrast import varied
from medidiff.training.heads import Head
from medidiff.volume import Geometry

__all__ = ["chosen_heads", "draw_batch", "draw_pairs"]

MARGIN = 16
"""Most voxels measured beyond each face of a patch, so that its edges are like any other place in a head."""


def draw_batch(heads: Sequence[Head], *, seed: Sequence[int], groups: int, patches: int, size: int) -> Pairs:
    """Draw a batch: some heads, each with an acquisition of its own and several patches.

    Parameters
    ----------
    heads
        To draw from, by the weight of their group.
    seed
        Decides everything.
    groups, patches, size
        Heads, patches of each, and the patches' edge in voxels.
    """
    rng = np.random.default_rng(list(seed))
    return joined([draw_pairs(head, rng, patches, size) for head in chosen_heads(heads, rng, groups)])


def chosen_heads(heads: Sequence[Head], rng: Generator, number: int) -> list[Head]:
    """Draw heads by the weight of their group, which those of a group share."""
    counts = {id(h.group): sum(o.group is h.group for o in heads) for h in heads}
    weights = np.array([h.group.weight / counts[id(h.group)] for h in heads])
    return [heads[i] for i in rng.choice(len(heads), number, p=weights / weights.sum())]


def draw_pairs(head: Head, rng: Generator, patches: int, size: int) -> Pairs:
    """Degrade patches of one head by one random acquisition."""
    axis = int(rng.choice(head.group.sharp))
    order = [*rng.permutation([a for a in range(3) if a != axis]).tolist(), axis]
    noise = torch.Generator(head.voxels.device).manual_seed(int(rng.integers(2**62)))
    operator = _acquisition(head, order, rng, size)
    region = operator.fine.shape
    x = _image(head, _corners(head, order, region, rng, patches), order, region, rng, noise)
    flips = [a - 3 for a in range(3) if rng.random() < 0.5]
    x = torch.flip(x, flips) if flips else x
    y, told = _measured(x, operator, head.group.noisy, rng, noise)
    return pairs_of(x, y, operator, noise=told, size=[size] * 3)


def _acquisition(head: Head, order: Sequence[int], rng: Generator, size: int) -> SliceProfile:
    """Draw spacing 2-7 mm along the last axis (or 1.5-2.5 mm along all), thickness, profile and phase."""
    fine = np.array(head.spacing)[list(order)] * rng.uniform(0.92, 1.1)
    if head.group.isotropic and rng.random() < 0.2:
        ratios = np.maximum(1.2, rng.uniform(1.5, 2.5) / fine)
    else:
        ratios = np.array([1.0, 1.0, max(1.5, rng.uniform(2, 7) / fine[2])])
        if rng.random() < 0.2:
            sharp = np.array([a in head.group.sharp for a in order[:2]])
            ratios[:2] = np.where(sharp, rng.uniform(1.05, 1.8), 1.0)
    margins = np.where(ratios > 1, np.minimum(MARGIN, np.ceil(1.5 * ratios)), 0).astype(int)
    region = np.minimum(size + 2 * margins, np.array(head.voxels.shape)[list(order)])
    region = size + (region - size) // 2 * 2
    first = np.where(ratios > 1, rng.uniform(0, ratios, 3) - 0.5, 0)
    count = np.where(ratios > 1, np.floor((region - 0.5 - first) / ratios) + 1, region).astype(int)
    relative = np.ones(3)
    relative[2] = 1.0 if rng.random() < 0.6 else rng.uniform(0.6, 1.3)
    thickness = fine * ratios * relative
    coarse = np.diag([*(fine * ratios), 1.0])
    coarse[:3, 3] = first * fine
    return SliceProfile(
        Geometry(region.tolist(), np.diag([*fine, 1.0])),
        Geometry(count.tolist(), coarse),
        thickness=(float(thickness[0]), float(thickness[1]), float(thickness[2])),
        profile=str(rng.choice(list(PROFILES))),
    )


def _corners(head: Head, order: Sequence[int], region: Sequence[int], rng: Generator, patches: int) -> list[list[int]]:
    """First voxels of regions around voxels of the head, within the volume."""
    shape = np.array(head.voxels.shape)[list(order)]
    centres = head.centres[rng.integers(len(head.centres), size=patches)][:, list(order)]
    centres = centres + rng.integers(-16, 17, size=centres.shape)
    corners: list[list[int]] = np.clip(centres - np.array(region) // 2, 0, shape - np.array(region)).tolist()
    return corners


def _image(
    head: Head,
    corners: Sequence[Sequence[int]],
    order: Sequence[int],
    region: Sequence[int],
    rng: Generator,
    noise: torch.Generator,
) -> Tensor:
    """``(n, 1, *region)``, brightness about 0 to 1."""
    patches = head.patches(corners, order, region)
    return varied(patches, head.labels, rng, noise, remap=head.group.remap, shaded=head.group.shaded)


def _measured(
    x: Tensor, operator: SliceProfile, noisy: float, rng: Generator, noise: torch.Generator
) -> tuple[Tensor, float]:
    """Measure, a share of times with noise of 0.5 to 8 %, half of it Rician (Gudbjartsson & Patz 1995).

    Returns the measurement and the noise that is told of it: nearly what it is, and nothing where little noise is part
    of the scan, as `tasks.acquisition` does.
    """
    y = operator.forward(x)
    if rng.random() >= noisy:
        return y, 0.0
    sd, rician = float(np.exp(rng.uniform(np.log(0.005), np.log(0.08)))), rng.random() < 0.5
    silent, misjudged = sd < 0.02 and rng.random() < 0.5, rng.uniform(0.85, 1.2)
    real, imaginary = (torch.randn(y.shape, generator=noise, device=y.device) * sd for _ in range(2))
    seen = torch.hypot(y + real, imaginary) if rician else y + real
    return seen, 0.0 if silent else sd * misjudged
