"""How a model is adapted: within which time, in how many steps, of which size."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch

from medidiff.errors import UsageError

__all__ = ["Adapting"]

SECONDS = {"cpu": 300.0, "cuda": 20.0}
"""For each scan, where nobody says."""


class Pace(NamedTuple):
    """Rate of the optimiser, and the patches of a step and their edge in voxels."""

    rate: float
    patches: int
    size: int


PACES = {"cpu": Pace(1e-4, 2, 48), "cuda": Pace(3e-4, 12, 64)}
"""What a device can do in that time: steps of few patches are too noisy for the rate of many."""


@dataclass(frozen=True)
class Adapting:
    """How a model is adapted.

    Parameters
    ----------
    seconds
        For tuning and judging, at most; by default 20 on a GPU and 300 on a CPU, without bound where steps are told.
    steps
        Of the optimiser, at most; so many with the same seed give the same result on a CPU.
    rate, warm_up
        Of the optimiser (by default 3e-4 on a GPU and 1e-4 on a CPU), and steps until it is reached.
    patches, size
        In each step, and their edge in voxels: by default 12 of 64 on a GPU and 2 of 48 on a CPU.
    tuned
        Pattern of the names of the parameters that are tuned.
    noisy_start
        For a network that knows nothing: steps in which the mean is asked of noise instead of zeros.
    again
        Share of the pairs that is learnt once more at a random time, for the sake of samples.
    loyalty
        Weight of the plain network's answers beside 1 of the scan's own truth: what it knows is not forgotten.
    texture
        Detail of the enhancement that is learnt from: 0 is the mean, smooth across the slices, 1 a sample.

    Raises
    ------
    UsageError
        If there is nothing to be done.
    """

    seconds: float | None = None
    steps: int | None = None
    rate: float | None = None
    warm_up: int = 10
    patches: int | None = None
    size: int | None = None
    tuned: str = ""
    noisy_start: int = 0
    again: float = 0.0
    loyalty: float = 0.0
    texture: float = 0.0

    def __post_init__(self) -> None:
        if self.steps is not None and self.steps < 1:
            raise UsageError("steps to adapt must be 1 or more", found=str(self.steps))
        if self.seconds is not None and not self.seconds > 0:
            raise UsageError("seconds to adapt must be above 0", found=str(self.seconds))
        for name in ("rate", "patches", "size"):
            if (value := getattr(self, name)) is not None and not value > 0:
                raise UsageError(f"{name} to adapt must be above 0", found=str(value))

    def pace(self, place: torch.device) -> Pace:
        """Rate, patches and size: what was asked for, and what suits the device where nothing was."""
        usual = PACES[place.type]
        return Pace(self.rate or usual.rate, self.patches or usual.patches, self.size or usual.size)

    def bound(self, place: torch.device, scans: int = 1) -> float:
        """Seconds that may be spent on so many scans."""
        if self.seconds is not None:
            return self.seconds
        return SECONDS[place.type] * scans if self.steps is None else math.inf
