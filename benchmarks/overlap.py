"""How busy a device is kept: ``python -m benchmarks.overlap OUTPUT [CASES] [SECONDS]``.

Heads of 256 x 256 x 40 voxels are read, hashed, tripled along their slices, zipped and written as ever; in place of the
network a worker sleeps for so many seconds, as one that waits for its GPU does. Printed is the share of time in which
somebody computes, from the first case's computation to the last one's, with one case in hand and with four, and with
one worker and two.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from medidiff.batch import Manifest, Task, Way, plan, processes, run
from medidiff.io.nifti import write_nifti
from medidiff.volume import Geometry, Volume
from tests.fakes import FakeResult, Memory

__all__ = ["busy", "main"]

SHAPE = (256, 256, 40)


def main(output: Path, cases: int = 16, seconds: float = 2.0) -> list[tuple[int, int, float, float]]:
    """Run it; returns hands, workers, cases an hour and the share of time, for each setting."""
    make(output / "in", cases)
    print("| in hand | workers | cases an hour | computing |\n| --- | --- | --- | --- |")
    told = []
    for hands, workers in ((1, 1), (4, 1), (4, 2)):
        out = output / f"{hands}-{workers}"
        engine = processes(["cpu"] * workers, hands=hands)
        task = Task(partial(rest, seconds))
        run(planned(output / "in", out), task, watcher=Memory(), way=Way(engine=engine))
        rate, share = busy(out / "manifest.jsonl", workers)
        told.append((hands, workers, rate, share))
        print(f"| {hands} | {workers} | {rate:.0f} | {share:.0%} |")
    return told


def make(folder: Path, cases: int) -> None:
    """Write heads of smooth noise, as hard to zip as real ones."""
    folder.mkdir(parents=True, exist_ok=True)
    grid = Geometry(SHAPE, np.diag([0.9, 0.9, 4.5, 1]))
    for case in range(cases):
        values = np.random.default_rng(case).normal(500, 100, SHAPE).astype(np.int16).astype(np.float32)
        write_nifti(Volume(values, grid), folder / f"{case:03}.nii.gz", description="synthetic")


def planned(folder: Path, out: Path) -> Manifest:
    """Plan all of a folder."""
    return plan([folder], out, task="enhance", product="enhanced", suffix="_enhanced", options={}, model={})


def rest(seconds: float, device: str) -> Callable[..., Any]:
    """Open the task: sleep, and repeat slices."""
    return partial(_tripled, seconds)


def _tripled(seconds: float, volume: Volume, progress: Callable[[float], None]) -> FakeResult:
    time.sleep(seconds)
    x, y, z = volume.geometry.shape
    return FakeResult(Volume(np.repeat(volume.array, 3, axis=2), volume.geometry.reshaped((x, y, 3 * z))))


def busy(manifest: Path, workers: int) -> tuple[float, float]:
    """Cases an hour and the share of time in which a worker computes, after the first case of each."""
    ends, computing = [], []
    for line in map(json.loads, manifest.read_text().splitlines()):
        if line.get("state") == "done":
            ends.append(_computed(line))
            computing.append(line["stages"]["compute"])
    ends.sort()
    seconds = ends[-1] - ends[workers - 1]
    return 3600 * (len(ends) - workers) / seconds, sum(computing[workers:]) / seconds / workers


def _computed(line: dict[str, Any]) -> float:
    """When the computation of a case ended: its record came after the writing."""
    return datetime.fromisoformat(line["at"]).timestamp() - float(line["stages"]["write"])


if __name__ == "__main__":
    from benchmarks import overlap  # whose functions a worker finds, unlike those of a main module

    overlap.main(
        Path(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 16, float(sys.argv[3]) if sys.argv[3:] else 2.0
    )
