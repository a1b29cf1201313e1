"""Coils, phases and masks to measure training planes with: drawn once where that is slow, varied on the device."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

from medidiff.physics.antenna import coil_maps
from medidiff.physics.masks import equispaced_lines, partial_fourier, poisson_disc, random_lines
from medidiff.volume import Geometry

__all__ = ["Receivers", "drawn_mask", "drawn_phase"]

COUNTS = (4, 8, 12)
"""Coils of the arrays in stock."""
POINTS, EXTENT = 24, 260.0
"""Samples and mm along each edge of the cube in which maps are kept; they are smooth."""
FAMILIES = ("random", "equispaced", "points")
"""Masks of training. Gaussian ones are left out, to be tested on."""
HARD = 6.0
"""Acceleration from which lines are hard."""
FINER, UNRULY = 0.4, 0.25
"""Share of phases that have finer parts, and of those that are rough in some region."""


@dataclass(frozen=True)
class Receivers:
    """What planes are measured with.

    Parameters
    ----------
    arrays
        By the number of their coils, ``(arrays, coil, 24, 24, 24)``.
    points
        Masks of points, ``(masks, edge, edge)``.
    hard
        Share of the masks of lines, for several coils, that are 6-fold or more, besides those that happen to be.
    """

    arrays: dict[int, Tensor]
    points: Tensor
    hard: float = 0.0

    @classmethod
    def stock(
        cls, device: torch.device, *, edge: int, arrays: int = 8, masks: int = 32, hard: float = 0.0
    ) -> "Receivers":
        """Make some, the same every time; masks are for planes of at most ``edge`` voxels."""
        made = {n: torch.stack([_array(n, 100 * n + i) for i in range(arrays)]) for n in COUNTS}
        rng = np.random.default_rng(0)
        points = torch.stack([_points(rng, edge) for _ in range(masks)])
        return cls({n: maps.to(device) for n, maps in made.items()}, points.to(device), hard)

    def maps(self, rng: Generator, coils: int, shape: Sequence[int], *, millimetres: float) -> Tensor:
        """``(coil, n, a, b)`` sensitivities of ``n`` planes that are so far apart, somewhere in an array."""
        if coils == 1:
            return torch.ones((1, *shape), dtype=torch.complex64, device=next(iter(self.arrays.values())).device)
        stock = self.arrays[coils]
        array = stock[int(rng.integers(len(stock)))].permute(0, *(1 + rng.permutation(3)).tolist())
        reach = np.array([*rng.uniform(0.75, 1.0, 2), min(0.9, shape[0] * millimetres / EXTENT)])
        signs = rng.choice([-1.0, 1.0], 3)
        theta = np.concatenate([np.diag(reach * signs), rng.uniform(-0.1, 0.1, (3, 1))], 1)
        theta[2, 3] = rng.uniform(-1, 1) * (1 - reach[2]) * 0.6
        grid = affine_grid(torch.tensor(theta[None], dtype=torch.float32), [1, 1, *shape], align_corners=True)
        channels = torch.view_as_real(array).movedim(-1, 0).flatten(0, 1)[None]
        fine = grid_sample(channels, grid.to(array.device), align_corners=True, padding_mode="border")[0]
        maps = torch.complex(fine[:coils], fine[coils:])
        unit: Tensor = maps / torch.linalg.vector_norm(maps, dim=0).clamp_min(1e-6)
        return unit


def drawn_phase(rng: Generator, noise: torch.Generator, shape: Sequence[int], device: torch.device) -> Tensor:
    """``(n, a, b)`` radians: smooth, now and then with finer parts, or with a region of none that is smooth."""
    phase = rng.uniform(0, 3) * _waves(noise, shape, (4, 4), device)
    if rng.random() < FINER:
        phase = phase + rng.uniform(0, 0.8) * _waves(noise, shape, (9, 9), device)
    if rng.random() < UNRULY:
        knots = [max(2, round(n / rng.uniform(1.5, 8))) for n in shape[1:]]
        rough = rng.uniform(0.5, 3) * _waves(noise, shape, knots, device)
        phase = phase + rough * _region(rng, shape[1:]).to(device)
    return phase + rng.uniform(0, 2 * np.pi)


def _waves(noise: torch.Generator, shape: Sequence[int], knots: Sequence[int], device: torch.device) -> Tensor:
    """``(n, a, b)``, interpolated between so many random numbers along each edge of a plane."""
    coarse = torch.randn((1, 1, min(4, shape[0]), *knots), generator=noise, device=device)
    return interpolate(coarse, size=tuple(shape), mode="trilinear", align_corners=True)[0, 0]


def _region(rng: Generator, shape: Sequence[int]) -> Tensor:
    """``(a, b)``, a spot that fades from 1 to 0, where blood flows or air is near."""
    edges = [((torch.arange(n) - rng.uniform(0, n)) / (n * rng.uniform(0.05, 0.25))).square() for n in shape]
    return torch.exp(-0.5 * (edges[0][:, None] + edges[1])).float()


def drawn_mask(rng: Generator, receivers: Receivers, shape: Sequence[int], *, coils: int) -> Tensor:
    """``(a, b)`` or ``(1, b)``: lines at random or equally spaced, some with partial Fourier, or points."""
    family = FAMILIES[int(rng.integers(len(FAMILIES)))]
    if family == "points" and coils > 1:
        points = receivers.points[int(rng.integers(len(receivers.points)))]
        a, b = ((have - want) // 2 for have, want in zip(points.shape, shape, strict=True))
        return points[a : a + shape[0], b : b + shape[1]]
    acceleration = _acceleration(rng, receivers, coils)
    n = shape[1]
    calibration = min(int(rng.integers(8, 33)), int(0.5 * n / acceleration))
    options: dict[str, Any] = {
        "acceleration": acceleration,
        "calibration": calibration,
        "seed": int(rng.integers(2**31)),
    }
    mask = (equispaced_lines if family == "equispaced" else random_lines)(n, **options)
    if rng.random() < 0.15:
        mask = mask & partial_fourier(n, fraction=float(rng.uniform(0.6, 0.9)))
    return torch.from_numpy(mask)[None]


def _acceleration(rng: Generator, receivers: Receivers, coils: int) -> float:
    """Log-uniform; a single coil cannot be accelerated much."""
    least, most = (1.5, 4.0) if coils == 1 else (2.0, 10.0)
    if receivers.hard and coils > 1 and rng.random() < receivers.hard:
        least = HARD
    return float(np.exp(rng.uniform(np.log(least), np.log(most))))


@cache
def _array(coils: int, seed: int) -> Tensor:
    affine = np.diag([*[EXTENT / POINTS] * 3, 1.0])
    affine[:3, 3] = -EXTENT / 2
    return coil_maps(Geometry((POINTS,) * 3, affine), coils=coils, seed=seed)


def _points(rng: Generator, edge: int) -> Tensor:
    acceleration, seed = float(rng.uniform(3, 12)), int(rng.integers(2**31))
    calibration = min(int(rng.integers(8, 25)), int(0.7 * edge / acceleration**0.5))
    return torch.from_numpy(poisson_disc((edge, edge), acceleration=acceleration, calibration=calibration, seed=seed))
