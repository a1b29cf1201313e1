"""How well a network knows a scan: its answers on parts that are not learnt from, against what was measured there."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from medidiff.models import Pairs
from medidiff.tasks.inplane import Box, Example, Lesson, draw, edge_of, parted

__all__ = ["Part", "exam_of", "parts_of", "score"]


class Part(NamedTuple):
    """A scan, the box that is learnt from and the one that is judged in."""

    example: Example
    learnt: Box
    judged: Box


def parts_of(examples: Sequence[Example], least: int) -> list[Part]:
    """Part scans in two; left out are those too small for patches of ``least`` voxels or sharp along no axis."""
    return [Part(example, *boxes) for example in examples if (boxes := parted(example, least))]


def exam_of(parts: Sequence[Part], *, patches: int, size: int, multiple: int) -> list[Lesson]:
    """Draw patches that are not learnt from, the same every time, of every scan and axis.

    Parameters
    ----------
    parts
        The scans.
    patches
        How many along each axis, shared out among the scans.
    size, multiple
        Their edge, and what it is divisible by where a box is narrower.
    """
    rng, many = np.random.default_rng(0), max(1, patches // len(parts))
    edges = [edge_of(part.judged, size, multiple) for part in parts]
    return [
        draw(part.example, part.judged, axis, rng, patches=many, size=edge, turn=False)
        for part, edge in zip(parts, edges, strict=True)
        for axis in part.example.lessons(part.judged)
    ]


@torch.no_grad()
def score(exam: Sequence[Lesson], answer: Callable[[Pairs], Tensor]) -> float:
    """PSNR, dB, of answers in the slices that the scanner measured, for a head of brightness 1."""
    errors = [lesson.error(answer(lesson.pairs)) for lesson in exam]
    squares, count = (sum(figures) for figures in zip(*errors, strict=True))
    return -10 * math.log10(max(squares / count, 1e-12))
