"""A scan to learn from: its plain enhancement, how it was measured, and which part of it is held out."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medidiff.models import Model
from medidiff.physics import SliceProfile
from medidiff.tasks.inference import MIRRORED, ask, options_of
from medidiff.tasks.problem import Problem

__all__ = ["SLICE", "Box", "Example", "enhanced_plainly", "fineness", "parted"]

HEAD = 0.1
"""Brightness from which a voxel counts as head."""
CENTRES = 50_000
"""Most voxels that patches are drawn around: to look through millions at every step took longer than to learn."""
FINEST = 0.08, 0.5
"""Least `fineness` of an axis to be learnt from, by itself and relative to the finest: below, it was interpolated."""
JUDGED = 0.2
"""Share of the head that is not learnt from."""
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
        """``(n, 3)``, voxels of the head; so many of a large one, drawn at random."""
        found = np.argwhere(self.image.cpu().numpy() >= HEAD)
        return found if len(found) <= CENTRES else np.random.default_rng(0).choice(found, CENTRES, replace=False)

    @cached_property
    def sharp(self) -> tuple[int, ...]:
        """Axes along which the scanner measured all there is: not the slices', nor any that was interpolated."""
        slices = self.operator.forward(self.image[None, None])[0, 0]
        found = {axis: fineness(slices, axis) for axis in range(3) if axis not in self.operator.axes}
        least = max(FINEST[0], FINEST[1] * max(found.values(), default=0.0))
        return tuple(axis for axis, value in found.items() if value >= least)

    def lessons(self, box: Box) -> tuple[int, ...]:
        """Sharp axes along which the box holds slices enough."""
        return tuple(a for a in self.sharp if box[a][1] - box[a][0] >= 2 * self.ratio(a))

    def ratio(self, axis: int) -> float:
        """Distance between slices, in voxels along an axis."""
        return self.operator.coarse.spacing[SLICE] / self.operator.fine.spacing[axis]


def enhanced_plainly(
    model: Model,
    problem: Problem,
    precision: str,
    *,
    texture: float = 0.0,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Example:
    """Enhance with a model as it is, and take that as an example to learn from; see `medidiff.Adapting`."""
    options = options_of(model, None, 1, texture, 0, precision, mirrors=MIRRORED)
    found, _ = ask(model, problem, options, progress)
    return Example(found.image[0, 0].clone(), problem.operator, problem.noise)


def fineness(image: Tensor, axis: int) -> float:
    """Power of an image's gradient near the highest frequency, relative to that at a third of it, along an axis.

    It is 0.3 to 1.2 where a scanner measured it, and below 0.2 where it was interpolated to twice as many voxels.

    Parameters
    ----------
    image
        ``(X, Y, Z)``.
    axis
        One of its axes.
    """
    steps = image.float().diff(dim=axis).movedim(axis, -1)
    many = steps.shape[-1]
    power = torch.fft.rfft(steps * torch.hann_window(many, periodic=False, device=image.device)).abs().square()
    u = torch.linspace(0, 1, power.shape[-1], device=image.device)
    as_gradient = power.mean((0, 1)) * (u / torch.sin(torch.pi * u / 2).clamp_min(1e-6)) ** 2
    high, middle = ((low <= u) & (u <= top) for low, top in ((0.7, 0.95), (0.2, 0.4)))
    return float(as_gradient[high].mean() / as_gradient[middle].mean().clamp_min(1e-12))


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
