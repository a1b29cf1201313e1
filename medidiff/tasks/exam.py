"""How well a network knows a scan: its answers on parts that are not learnt from, against what was measured there."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from medidiff.models import Pairs
from medidiff.tasks.example import Box, Example, parted
from medidiff.tasks.inplane import Lesson, draw, edge_of

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
    """Draw patches around what is not learnt from, the same every time, of every scan and axis.

    They are as large as those that are learnt from, and may reach into what is; but there no answer counts.

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
    exam = []
    for part in parts:
        x, y, z = part.example.image.shape
        whole = ((0, x), (0, y), (0, z))
        told = {"patches": many, "size": edge_of(whole, size, multiple), "judged": part.judged}
        axes = part.example.lessons(whole)
        exam += [draw(part.example, whole, axis, rng, **told) for axis in axes]  # type: ignore[arg-type]
    return exam


@torch.no_grad()
def score(exam: Sequence[Lesson], answer: Callable[[Pairs], Tensor]) -> float:
    """PSNR, dB, of answers in the slices that the scanner measured, for a head of brightness 1."""
    errors = [lesson.error(answer(lesson.pairs)) for lesson in exam]
    squares, count = (sum(figures) for figures in zip(*errors, strict=True))
    return -10 * math.log10(max(squares / count, 1e-12))
