"""Stand-ins for the slow parts: a task that doubles the slices, a watcher that remembers."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from medidiff.errors import AlreadySharp
from medidiff.volume import Volume


@dataclass(frozen=True)
class FakeResult:
    volume: Volume
    uncertainty: Volume | None = None
    residual_before: float = 0.25
    residual_after: float = 0.001
    provenance: dict[str, Any] = field(default_factory=dict)
    inferred: Volume | None = None


def double_slices(volume, progress=lambda _: None, *, samples=1):
    """Repeat every slice along the third axis; a volume of 1 mm is already sharp."""
    if max(volume.geometry.spacing) <= 1:
        raise AlreadySharp("already at 1 mm", where=volume.meta["source"])
    progress(0.5)
    x, y, z = volume.geometry.shape
    fine = Volume(np.repeat(volume.array, 2, axis=2), volume.geometry.reshaped((x, y, 2 * z)))
    told = {
        "geometry": {"input": volume.geometry.as_dict(), "output": fine.geometry.as_dict()},
        "seed": 0,
        "warnings": ["made by repetition"],
        "seconds": np.float32(0.5),
    }
    return FakeResult(fine, fine if samples > 1 else None, provenance=told)


class Memory:
    """A watcher that keeps what it was told."""

    def __init__(self):
        self.started_cases, self.stages, self.fractions, self.records, self.lines = [], [], [], [], []

    def started(self, case):
        self.started_cases.append(case)

    def staged(self, case, stage):
        self.stages.append((case.name, stage))

    def advanced(self, case, fraction):
        self.fractions.append(fraction)

    def ended(self, record):
        self.records.append(record)

    def noted(self, line, *, trouble=True):
        if trouble:
            self.lines.append(line)
