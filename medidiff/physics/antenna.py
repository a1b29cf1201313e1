"""Receive coils and phase as a head scan has them, to make k-space of magnitude images with; seeded."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medidiff.volume import Geometry

__all__ = ["coil_maps", "smooth_phase"]

SEGMENTS = 24
"""Straight pieces of a loop."""
COARSE = 24
"""Points along each axis at which fields are computed; they are smooth, and interpolated between."""
PER_RING = 8
"""Most coils in a ring about the head; further ones make further rings along it."""
MOST_PHASE = 1.5
"""Radians that the phase may reach either way."""

Array = NDArray[np.float64]


def coil_maps(geometry: Geometry, *, coils: int, seed: int = 0) -> Tensor:
    """Compute the sensitivities of loops on a cylinder about the field of view (Roemer 1990, eq. 2: ``Bx - i By``).

    The field of each loop by the law of Biot and Savart; places, sizes and phases vary with the seed.

    Parameters
    ----------
    geometry
        Grid of the maps; the axis of the cylinder is head-foot.
    coils
        Number of loops.
    seed
        Of the variation.

    Returns
    -------
    Tensor
        ``(coil, x, y, z)`` complex64 with a root sum of squares of 1 in every voxel.
    """
    rng = np.random.default_rng(seed)
    middle = geometry.world((np.array(geometry.shape) - 1) / 2)
    reach = np.array([max(60.0, abs(geometry.directions[a]) @ np.array(geometry.extent) / 2) for a in range(3)])
    points = _points(geometry)
    fields = [_field(points, *loop) for loop in _loops(coils, middle, reach, rng)]
    maps = np.stack([(f[..., 0] - 1j * f[..., 1]) * np.exp(2j * np.pi * rng.random()) for f in fields])
    fine = _interpolated(torch.from_numpy(maps), geometry.shape)
    unit: Tensor = fine / torch.linalg.vector_norm(fine, dim=0).clamp_min(1e-30)
    return unit.to(torch.complex64)


def smooth_phase(geometry: Geometry, *, seed: int = 0) -> Tensor:
    """Draw a phase of low spatial frequency, as susceptibility and flow of the receiver give, ``(x, y, z)`` radians."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn((1, 4, 4, 4), generator=generator, dtype=torch.float64)
    phase = torch.nn.functional.interpolate(
        coarse[None], size=tuple(geometry.shape), mode="trilinear", align_corners=True
    )[0, 0]
    return (MOST_PHASE * phase / phase.abs().max().clamp_min(1e-30)).float()


def _points(geometry: Geometry) -> Array:
    """``(a, b, c, 3)`` mm: a coarse grid over the voxel centres."""
    counts = [min(n, COARSE) for n in geometry.shape]
    lines = [np.linspace(0, n - 1, m) for n, m in zip(geometry.shape, counts, strict=True)]
    return geometry.world(np.stack(np.meshgrid(*lines, indexing="ij"), -1))


def _loops(coils: int, middle: Array, reach: Array, rng: np.random.Generator) -> list[tuple[Array, Array, float]]:
    """Centre, axis and radius, mm, of each loop."""
    rings = -(-coils // PER_RING)
    loops = []
    for coil in range(coils):
        ring, place = coil % rings, coil // rings
        angle = 2 * np.pi * (place + 0.5 * (ring % 2) + 0.15 * rng.standard_normal()) / -(-coils // rings)
        out = np.array([np.cos(angle), np.sin(angle), 0.0])
        height = ((ring + 0.5) / rings - 0.5) * 1.6 * reach[2] + 0.05 * reach[2] * rng.standard_normal()
        centre = middle + 1.35 * reach * out + np.array([0, 0, height])
        loops.append((centre, out, float(0.45 * reach[:2].mean() * (1 + 0.1 * rng.standard_normal()))))
    return loops


def _field(points: Array, centre: Array, axis: Array, radius: float) -> Array:
    """``(..., 3)``: the field of a unit current, up to a constant."""
    side = np.cross(axis, [0, 0, 1])
    turn = 2 * np.pi * (np.arange(SEGMENTS) + 0.5) / SEGMENTS
    ring = radius * (np.cos(turn)[:, None] * side + np.sin(turn)[:, None] * np.cross(axis, side))
    flow = radius * (-np.sin(turn)[:, None] * side + np.cos(turn)[:, None] * np.cross(axis, side))
    away = points[..., None, :] - (centre + ring)
    distance = np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), radius / 4)
    return np.asarray((np.cross(flow, away) / distance**3).sum(-2))


def _interpolated(maps: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """``(coil, a, b, c)`` to ``(coil, x, y, z)``, the outermost points on the outermost voxels."""

    def fine(part: Tensor) -> Tensor:
        return torch.nn.functional.interpolate(part[None], size=shape, mode="trilinear", align_corners=True)[0]

    return torch.complex(fine(maps.real.contiguous()), fine(maps.imag.contiguous()))
