"""Pairs that a scan makes of itself: what is sharp in its planes, measured as its slices were.

The image is the plain enhancement, after data consistency. Along the planes' axes its detail is what the scanner
measured; along the slice axis it is inferred. So patches lose resolution along the planes' axes alone, by the very
profile, thickness and spacing of the slices, and answers are judged by what was measured of them: by their slices.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from medidiff.models import Pairs, pairs_of, residual_scale
from medidiff.physics import SliceProfile
from medidiff.physics.noise import NOISE_LEFT
from medidiff.physics.resolution import along
from medidiff.tasks.example import SLICE, Box, Example
from medidiff.volume import Geometry

__all__ = ["Lesson", "draw", "edge_of"]

MARGIN = 16
"""Most voxels measured beyond each face of a patch, so that its edges are like any other place in a head."""
WHOLE = 0.98
"""Least share of a slice's profile that must lie within a patch for the slice to be judged there."""

Window = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class Lesson:
    """Pairs, and what it takes to judge answers to them.

    Parameters
    ----------
    pairs
        What the network sees and should answer.
    scale
        Unit of the residual.
    across
        Which axis of the patches is the scan's slice axis.
    windows
        For each patch, the voxels that count.
    slices
        For each patch ``(slices, voxels)``: how the scanner measured the window along that axis.
    """

    pairs: Pairs
    scale: float
    across: int
    windows: Sequence[Window]
    slices: Sequence[Tensor]

    def error(self, answer: Tensor) -> tuple[float, int]:
        """Sum of the squared errors of an answer ``(b, 1, p, p, p)`` in what was measured, and how many there are."""
        wrong = self.scale * (answer.float() - self.pairs.residual)
        seen = [
            along(one[(..., *window)], rows, self.across)
            for one, window, rows in zip(wrong, self.windows, self.slices, strict=True)
        ]
        return sum(float(one.square().sum()) for one in seen), sum(one.numel() for one in seen)


def edge_of(box: Box, size: int, multiple: int) -> int:
    """Edge of the patches that a box holds: ``size``, or less in steps of ``multiple``."""
    return min(size, min(end - start for start, end in box) // multiple * multiple)


def draw(
    example: Example,
    box: Box,
    axis: int,
    rng: Generator,
    *,
    patches: int,
    size: int,
    turn: bool = False,
    judged: Box | None = None,
) -> Lesson:
    """Measure patches from a box along an axis as the slices were, at one phase.

    Parameters
    ----------
    example, box
        Where the patches come from; nothing outside the box is seen.
    axis
        Along which they lose resolution.
    rng
        Decides everything.
    patches, size
        How many, and their edge in voxels, which the box must have along each axis.
    turn
        Whether the other two axes change places and all may be flipped, at random.
    judged
        Where answers count, and what patches are drawn around; by default all of the box.
    """
    rest = [a for a in range(3) if a != axis]
    order = [*(rng.permutation(rest).tolist() if turn else rest), axis]
    region = [size, size, _with_margin(size, example.ratio(axis), box[axis])]
    corners = _corners(_inside(example.centres, judged or box), box, order, region, rng, patches)
    x = _cut(example.image.permute(*order), corners, region)
    flips = [a - 3 for a in range(3) if turn and rng.random() < 0.5]
    x = torch.flip(x, flips) if flips else x
    operator = _operator(example, order, region, rng)
    noise = NOISE_LEFT * example.noise
    y = operator.forward(x)
    if noise:
        y = y + noise * _white(y, int(rng.integers(2**62)))
    across = order.index(SLICE)
    first = [[c + (n - size) // 2 for c, n in zip(corner, region, strict=True)] for corner in corners]
    windows = [_window([(judged or box)[a] for a in order], corner, size) for corner in first]
    slices = [_slices(example, c[across], w[across]) for c, w in zip(first, windows, strict=True)]
    pairs = pairs_of(x, y, operator, noise=noise, size=[size] * 3)
    return Lesson(pairs, residual_scale(operator), across, windows, slices)


def _with_margin(edge: int, ratio: float, side: tuple[int, int]) -> int:
    """Voxels along the axis that loses resolution: the patch, and as many more on both sides as there are."""
    margin = min(MARGIN, int(np.ceil(1.5 * ratio)))
    return edge + (min(edge + 2 * margin, side[1] - side[0]) - edge) // 2 * 2


def _inside(centres: NDArray[np.int64], box: Box) -> NDArray[np.int64]:
    """Voxels of the head in a box; all of them if there are none."""
    low, high = np.array(box).T
    inside = centres[((centres >= low) & (centres < high)).all(1)]
    return inside if len(inside) else centres


def _corners(
    centres: NDArray[np.int64], box: Box, order: Sequence[int], region: Sequence[int], rng: Generator, patches: int
) -> list[list[int]]:
    """First voxels, in the order of the axes, of regions around some of the centres, within the box."""
    low, high = np.array(box)[list(order)].T
    chosen = centres[rng.integers(len(centres), size=patches)][:, list(order)]
    corners: list[list[int]] = np.clip(chosen - np.array(region) // 2, low, high - np.array(region)).tolist()
    return corners


def _window(judged: Sequence[tuple[int, int]], first: Sequence[int], size: int) -> Window:
    """Part of a patch that lies in a box; all of it where none does."""
    x, y, z = (
        slice(max(0, low - start), min(size, high - start)) if low < start + size and high > start else slice(0, size)
        for (low, high), start in zip(judged, first, strict=True)
    )
    return x, y, z


def _cut(image: Tensor, corners: Sequence[Sequence[int]], region: Sequence[int]) -> Tensor:
    """``(n, 1, *region)``."""
    windows = [tuple(slice(c, c + n) for c, n in zip(corner, region, strict=True)) for corner in corners]
    return torch.stack([image[window] for window in windows])[:, None]


def _operator(example: Example, order: Sequence[int], region: Sequence[int], rng: Generator) -> SliceProfile:
    """The slices' profile, thickness and spacing along the last axis of a region, from a phase of its own."""
    x, y, z = (example.operator.fine.spacing[a] for a in order)
    apart, ratio = example.operator.coarse.spacing[SLICE], example.ratio(order[2])
    first = rng.uniform(0, ratio) - 0.5
    coarse = np.diag([x, y, apart, 1.0])
    coarse[2, 3] = first * z
    count = int((region[2] - 0.5 - first) / ratio) + 1
    return SliceProfile(
        Geometry(region, np.diag([x, y, z, 1.0])),
        Geometry([*region[:2], count], coarse),
        thickness=(x, y, example.operator.thickness[SLICE]),
        profile=example.operator.profile,
    )


def _white(like: Tensor, seed: int) -> Tensor:
    generator = torch.Generator(like.device).manual_seed(seed)
    return torch.randn(like.shape, generator=generator, device=like.device)


def _slices(example: Example, start: int, window: slice) -> Tensor:
    """``(slices, voxels)``, the scanner's slices in a stretch of the slice axis; its voxels where there is none."""
    matrix, many = example.operator.matrices[SLICE], window.stop - window.start
    if matrix is None:
        return torch.eye(many, dtype=torch.float64)
    rows = matrix[:, start + window.start : start + window.stop]
    whole = rows[rows.sum(1) >= WHOLE]
    return whole if len(whole) else torch.eye(many, dtype=torch.float64)
