"""Does a scan look like what a model knows? A few figures of a scan, and of the model's answer, held to usual ranges.

The ranges are on the model's card, as ``card["familiar"]["usual"]``; `benchmarks.familiarity` fits them on training
heads. A card without them gives no warning. What is within every range may still be unlike anything known.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from medidiff.diffusion import Denoiser
from medidiff.models import Condition
from medidiff.physics.noise import FOREGROUND
from medidiff.tasks.problem import Problem

__all__ = ["FEATURES", "answered", "appearance", "familiarity_warnings", "overheard"]

FEATURES: Mapping[str, str] = {
    "air_level": "brightness of the air",
    "median": "median brightness",
    "gradient": "log2 of the mean difference of neighbours",
    "smoothness": "correlation of neighbouring differences",
    "tails": "log2 of root mean square over mean difference",
    "flat": "share of neighbours alike",
    "correction": "log2 of what the network adds",
    "contradiction": "share of it that contradicts the data",
    "spread": "log2 of the spread of samples",
}
"""What the figures mean; brightness is in units of the head's, and differences are along the sharp axes."""

ALIKE = 0.003
"""Neighbours that differ by less, in units of the head's brightness, are alike."""
LEAST = 1e-6
"""Below this a figure of which the logarithm is taken counts as this."""


def appearance(problem: Problem) -> dict[str, float]:
    """Figures of the scan alone, in units of the head's brightness; see `FEATURES`.

    Differences are along the axes that lost no resolution, or along all where each did.
    """
    y = problem.y[0, 0]
    head = y > FOREGROUND
    axes = [axis for axis in range(3) if axis not in problem.operator.axes] or [0, 1, 2]
    sides = [_differences(y, head, axis) for axis in axes]
    return {
        "air_level": float(y[~head].abs().mean()) if not bool(head.all()) else 0.0,
        "median": float(y[head].median()) if bool(head.any()) else 0.0,
        "gradient": _log2(_mean([float(side.abs().mean()) for side, _ in sides])),
        "smoothness": _mean([correlation for _, correlation in sides]),
        "tails": _mean([_log2(_rms(side)) - _log2(float(side.abs().mean())) for side, _ in sides]),
        "flat": _mean([_share(side.abs() < ALIKE) for side, _ in sides]),
    }


def _differences(y: Tensor, head: Tensor, axis: int) -> tuple[Tensor, float]:
    """``(n,)``: differences of neighbours within the head along an axis; and their correlation with the next ones."""
    n = y.shape[axis]
    steps = y.diff(dim=axis)
    both = head.narrow(axis, 0, n - 1) & head.narrow(axis, 1, n - 1)
    three = both.narrow(axis, 0, n - 2) & both.narrow(axis, 1, n - 2)
    here, there = (steps.narrow(axis, start, n - 2)[three] for start in (0, 1))
    inside = steps[both]
    norm = max(_rms(here) * _rms(there), LEAST**2)
    found = float((here * there).mean()) / norm if here.numel() else 0.0
    return (inside if inside.numel() else steps.flatten()), found


def answered(problem: Problem, condition: Condition, proposal: Tensor, spread: Tensor | None) -> dict[str, float]:
    """Figures of the network's first answer, before it was made to agree with the measurement; see `FEATURES`.

    Parameters
    ----------
    proposal
        ``(1, 1, X, Y, Z)``, the mean residual that the network proposes, in units of the condition's scale.
    spread
        ``(1, 1, X, Y, Z)``, standard deviation of samples as delivered, in units of the head's brightness, if any.
    """
    fine, coarse = condition.base > FOREGROUND, problem.y > FOREGROUND
    left = problem.operator.forward(condition.base + condition.scale * proposal) - problem.y
    unexplained = math.sqrt(max(_rms(left[coarse]) ** 2 - problem.noise**2, 0))
    correction = condition.scale * _rms(proposal[fine])
    told = {
        "correction": _log2(correction / condition.scale),
        "contradiction": unexplained / max(correction, LEAST),
    }
    return told if spread is None else told | {"spread": _log2(_rms(spread[fine]) / condition.scale)}


def overheard(denoiser: Denoiser, heard: list[Tensor]) -> Denoiser:
    """Keep the first answer of a denoiser in ``heard``; the answers stay as they are."""

    def denoise(r: Tensor, t: Tensor) -> Tensor:
        answer = denoiser(r, t)
        if not heard:
            heard.append(answer)
        return answer

    return denoise


def familiarity_warnings(found: Mapping[str, float], card: Mapping[str, Any]) -> list[str]:
    """One line that says which figures lie outside the usual ranges of the card, if any do and it has such.

    A bound that is null does not bound. Figures that are not finite lie outside.
    """
    usual = card.get("familiar", {}).get("usual", {})
    odd = [f"{FEATURES[name]} {_told(found[name], *usual[name])}" for name in FEATURES if _outside(name, found, usual)]
    return [f"this scan does not look like what the model knows: {'; '.join(odd)}"] if odd else []


def _outside(name: str, found: Mapping[str, float], usual: Mapping[str, Any]) -> bool:
    if name not in found or name not in usual:
        return False
    low, high = usual[name]
    within = (low is None or low <= found[name]) and (high is None or found[name] <= high)
    return not (within and math.isfinite(found[name]))


def _told(value: float, low: float | None, high: float | None) -> str:
    bounds = [f"{word} {bound:.3g}" for word, bound in (("from", low), ("up to", high)) if bound is not None]
    return f"{value:.3g} (usual {' '.join(bounds)})"


def _share(where: Tensor) -> float:
    return float(where.float().mean())


def _rms(values: Tensor) -> float:
    return float(torch.linalg.vector_norm(values)) / math.sqrt(values.numel()) if values.numel() else 0.0


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _log2(value: float) -> float:
    return math.log2(max(value, LEAST))
