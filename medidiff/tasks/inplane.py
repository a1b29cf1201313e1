"""Pairs that a scan makes of itself: what is sharp in its planes, measured as its slices were.

The image is the plain enhancement, after data consistency. Along the planes' axes its detail is what the scanner
measured; along the slice axis it is inferred. So patches lose resolution along the planes' axes alone, by the very
profile, thickness and spacing of the slices, and answers are judged by what was measured of them: by their slices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from medidiff.models import Pairs, pairs_of, residual_scale
from medidiff.physics import SliceProfile
from medidiff.physics.noise import NOISE_LEFT
from medidiff.physics.resolution import along
from medidiff.tasks.problem import Problem
from medidiff.volume import Geometry

__all__ = ["Box", "Example", "Lesson", "draw", "edge_of", "example_of", "parted"]

HEAD = 0.1
"""Brightness from which a voxel counts as head."""
JUDGED = 0.2
"""Share of the head that is not learnt from."""
MARGIN = 16
"""Most voxels measured beyond each face of a patch, so that its edges are like any other place in a head."""
WHOLE = 0.98
"""Least share of a slice's profile that must lie within a patch for the slice to be judged there."""
SLICE = 2
"""The slice axis: `Problem` has it last."""

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""First voxel and the one after the last, along each axis."""


@dataclass(frozen=True, eq=False)
class Example:
    """A scan to learn from.

    Parameters
    ----------
    image
        ``(X, Y, Z)``, enhanced, in units of the head's brightness.
    operator
        How its slices were measured; they are stacked along the last axis.
    noise
        Standard deviation of the noise in the measurement, in the same units.
    """

    image: Tensor
    operator: SliceProfile
    noise: float

    @cached_property
    def centres(self) -> NDArray[np.int64]:
        """``(n, 3)``, voxels of the head."""
        return np.argwhere(self.image.cpu().numpy() >= HEAD)

    @property
    def sharp(self) -> tuple[int, ...]:
        """Axes along which the scanner measured all there is."""
        return tuple(axis for axis in range(3) if axis not in self.operator.axes)

    def lessons(self, box: Box) -> tuple[int, ...]:
        """Sharp axes along which the box holds slices enough."""
        return tuple(a for a in self.sharp if box[a][1] - box[a][0] >= 2 * self.ratio(a))

    def ratio(self, axis: int) -> float:
        """Distance between slices, in voxels along an axis."""
        return self.operator.coarse.spacing[SLICE] / self.operator.fine.spacing[axis]


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
    slices
        For each patch ``(slices, voxels)``: how the scanner measured it along that axis.
    """

    pairs: Pairs
    scale: float
    across: int
    slices: Sequence[Tensor]

    def error(self, answer: Tensor) -> tuple[float, int]:
        """Sum of the squared errors of an answer ``(b, 1, p, p, p)`` in what was measured, and how many there are."""
        wrong = self.scale * (answer.float() - self.pairs.residual)
        seen = [along(one, rows, self.across) for one, rows in zip(wrong, self.slices, strict=True)]
        return sum(float(one.square().sum()) for one in seen), sum(one.numel() for one in seen)


def example_of(image: Tensor, problem: Problem) -> Example:
    """Take a scan and its enhancement, ``(1, 1, X, Y, Z)``, as an example."""
    return Example(image[0, 0].clone(), problem.operator, problem.noise)


def parted(example: Example, least: int) -> tuple[Box, Box] | None:
    """Part a scan across the head's longest axis, into a box to learn from and one to be judged in.

    Parameters
    ----------
    example
        The scan.
    least
        Voxels that a patch must have along each axis.

    Returns
    -------
    tuple or None
        The two boxes; None if the scan is too small, or sharp along no axis.
    """
    shape, centres = example.image.shape, example.centres
    if min(shape) < least or not len(centres):
        return None
    axis = int(np.argmax(np.ptp(centres, axis=0)))
    cut = max(least, int(np.quantile(centres[:, axis], JUDGED)))
    first, second = ([(0, n) for n in shape] for _ in range(2))
    first[axis], second[axis] = (cut, shape[axis]), (0, cut)
    learnt, judged = ((box[0], box[1], box[2]) for box in (first, second))
    enough = shape[axis] - cut >= least and example.lessons(learnt) and example.lessons(judged)
    return (learnt, judged) if enough else None


def edge_of(box: Box, size: int, multiple: int) -> int:
    """Edge of the patches that a box holds: ``size``, or less in steps of ``multiple``."""
    return min(size, min(end - start for start, end in box) // multiple * multiple)


def draw(example: Example, box: Box, axis: int, rng: Generator, *, patches: int, size: int, turn: bool) -> Lesson:
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
    """
    rest = [a for a in range(3) if a != axis]
    order = [*(rng.permutation(rest).tolist() if turn else rest), axis]
    region = [size, size, _with_margin(size, example.ratio(axis), box[axis])]
    corners = _corners(example, box, order, region, rng, patches)
    x = _cut(example.image.permute(*order), corners, region)
    flips = [a - 3 for a in range(3) if turn and rng.random() < 0.5]
    x = torch.flip(x, flips) if flips else x
    operator = _operator(example, order, region, rng)
    noise = NOISE_LEFT * example.noise
    y = operator.forward(x)
    if noise:
        y = y + noise * _white(y, int(rng.integers(2**62)))
    across = order.index(SLICE)
    slices = [_slices(example, corner[across], size) for corner in corners]
    pairs = pairs_of(x, y, operator, noise=noise, size=[size] * 3)
    return Lesson(pairs, residual_scale(operator), across, slices)


def _with_margin(edge: int, ratio: float, side: tuple[int, int]) -> int:
    """Voxels along the axis that loses resolution: the patch, and as many more on both sides as there are."""
    margin = min(MARGIN, int(np.ceil(1.5 * ratio)))
    return edge + (min(edge + 2 * margin, side[1] - side[0]) - edge) // 2 * 2


def _corners(
    example: Example, box: Box, order: Sequence[int], region: Sequence[int], rng: Generator, patches: int
) -> list[list[int]]:
    """First voxels, in the order of the axes, of regions around voxels of the head, within the box."""
    low, high = np.array(box)[list(order)].T
    inside = example.centres[
        ((example.centres >= np.array(box)[:, 0]) & (example.centres < np.array(box)[:, 1])).all(1)
    ]
    found = inside if len(inside) else example.centres
    centres = found[rng.integers(len(found), size=patches)][:, list(order)]
    corners: list[list[int]] = np.clip(centres - np.array(region) // 2, low, high - np.array(region)).tolist()
    return corners


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


def _slices(example: Example, start: int, many: int) -> Tensor:
    """``(slices, many)``, the scanner's slices that lie in a stretch of the slice axis; all of it where none does."""
    matrix = example.operator.matrices[SLICE]
    if matrix is None:
        return torch.eye(many, dtype=torch.float64)
    rows = matrix[:, start : start + many]
    whole = rows[rows.sum(1) >= WHOLE]
    return whole if len(whole) else torch.eye(many, dtype=torch.float64)
