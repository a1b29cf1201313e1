"""Whether an interval holds what it promises: mean +- 1.645 c SD should hold 90 % of the truth, wherever one looks."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "NOMINAL",
    "Spread",
    "Z",
    "coverage",
    "decile_coverage",
    "fit_factor",
    "load_spreads",
    "save_spread",
    "spread_of",
]

NOMINAL, Z = 0.90, 1.645
NAMED = ("head", "axis", "slices", "profile")
"""Facts that tell one file from another."""
MOST_VOXELS = 50_000
"""Enough for a coverage within 0.2 %; voxels are taken at equal steps."""

Array = NDArray[np.float32]


class Spread(NamedTuple):
    """Absolute error of the mean, and predicted standard deviation, at some voxels of a head."""

    error: Array
    sd: Array


def spread_of(mean: Array, sd: Array, truth: Array, region: NDArray[np.bool_]) -> Spread:
    """Compare a result with the truth in the region; all ``(x, y, z)``."""
    step = max(1, int(region.sum()) // MOST_VOXELS)
    error = np.abs(mean - truth)[region][::step]
    return Spread(error, np.maximum(sd[region][::step], 1e-6))


def save_spread(
    folder: Path, facts: Mapping[str, Any], role: str, spread: Spread, *, named: Sequence[str] = NAMED
) -> None:
    """Keep a spread in half precision, with what it is of and whether it is "scored" or for "calibration"."""
    name = "-".join(str(facts[key]).replace(" ", "") for key in named)
    parts = {name: part.astype(np.float16) for name, part in spread._asdict().items()}
    np.savez(folder / f"{role}-{name}.npz", facts=json.dumps(dict(facts)), **parts)


def load_spreads(folder: Path, role: str) -> list[tuple[dict[str, Any], Spread]]:
    """Read back what `save_spread` kept of one role."""
    found = []
    for path in sorted(folder.glob(f"{role}-*.npz")):
        with np.load(path) as kept:
            parts = [kept[name].astype(np.float32) for name in Spread._fields]
            found.append((json.loads(str(kept["facts"])), Spread(*parts)))
    return found


def fit_factor(spreads: Sequence[Spread]) -> float:
    """Find the c that covers `NOMINAL` over all of the spreads, each counting the same."""
    ratio = np.concatenate([spread.error / (Z * spread.sd) for spread in spreads])
    weight = np.concatenate([np.full(len(spread.sd), 1 / len(spread.sd)) for spread in spreads])
    order = np.argsort(ratio)
    share = np.cumsum(weight[order]) / weight.sum()
    return float(ratio[order][np.searchsorted(share, NOMINAL)])


def coverage(spread: Spread, factor: float) -> float:
    """Share of voxels whose truth lies in the interval."""
    return float(np.mean(spread.error <= Z * factor * spread.sd))


def decile_coverage(spreads: Iterable[Spread], factor: float) -> list[float]:
    """Coverage in each tenth of the voxels, from the smallest predicted SD to the largest."""
    error, sd = (np.concatenate(parts) for parts in zip(*spreads, strict=True))
    tenths = np.array_split(np.argsort(sd, kind="stable"), 10)
    return [coverage(Spread(error[tenth], sd[tenth]), factor) for tenth in tenths]
