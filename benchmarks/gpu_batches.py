"""How busy GPUs are kept by a real batch: ``python -m benchmarks.gpu_batches --heads DIR --output DIR``.

Forty thick-slice scans are made of the heads. `medidiff enhance` runs over them at a setting that keeps the network
busy for seconds per case, on one GPU and on all, and at the default setting on one, with cases overlapping and one
after another. Printed: scans an hour, the share of time in which `nvidia-smi dmon` saw a GPU compute (from the first
finished case to the last one's), and the mean seconds of each stage, of which the longest names the bottleneck.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from medidiff.io import read_nifti
from medidiff.io.nifti import write_nifti
from medidiff.tasks import simulate_thick_slices

__all__ = ["Setting", "made", "main"]

SPACING = 4.0
LONG = ("--samples", "2")


@dataclass(frozen=True)
class Setting:
    """Name, devices, what else is asked for, and how many of the scans."""

    name: str
    devices: str
    asked: tuple[str, ...] = ()
    cases: int = 40


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Print a line for each setting and return them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--devices", default="cuda:0,cuda:1")
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--default-cases", type=int, default=40, help="cases of the run at the default setting")
    parser.add_argument("--one-by-one", type=int, default=12, help="cases of the run without overlap")
    given = parser.parse_args(arguments)
    scans = made(sorted(given.heads.glob("*.nii*")), given.output / "in", given.cases)
    print("| setting | devices | scans an hour | GPU busy | read, s | compute, s | write, s |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    return [_ran(setting, scans, given.output) for setting in _settings(given)]


def _settings(given: argparse.Namespace) -> list[Setting]:
    one = given.devices.split(",")[0]
    several = [given.devices] if given.devices != one else []
    return [
        *(Setting("two samples", devices, LONG, given.cases) for devices in (one, *several)),
        Setting("default", one, (), given.default_cases),
        Setting("default, one by one", one, ("--in-flight", "1"), given.one_by_one),
    ]


def made(heads: Sequence[Path], folder: Path, cases: int) -> list[Path]:
    """Write thick slices of the heads, along each axis in turn, until there are enough; what is there stays."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, (head, axis) in enumerate(islice(_turns(heads), cases)):
        path = folder / f"{number:03}.nii.gz"
        if not path.exists():
            thick = simulate_thick_slices(read_nifti(head), spacing=SPACING, axis=axis)
            write_nifti(thick, path, description="simulated")
        paths.append(path)
    return paths


def _turns(heads: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    for axis in cycle("xyz"):
        yield from ((head, axis) for head in heads)


def _ran(setting: Setting, scans: Sequence[Path], output: Path) -> dict[str, Any]:
    out = output / f"{setting.name.replace(' ', '-').replace(',', '')}-{setting.devices.count(',') + 1}"
    command = [sys.executable, "-m", "medidiff.cli", "enhance", "-i", *map(str, scans[: setting.cases]), "-o", str(out)]
    with _watched(output / "dmon.txt") as load:
        subprocess.run(  # noqa: S603
            [*command, "--device", setting.devices, "--quiet", *setting.asked], check=True, stdout=subprocess.DEVNULL
        )
    row = told(out / "manifest.jsonl", setting.devices.count(",") + 1) | {"busy": load()}
    stages = " | ".join(f"{row[stage]:.2f}" for stage in ("read", "compute", "write"))
    busy = "" if row["busy"] is None else f"{row['busy']:.0%}"
    print(f"| {setting.name} | {setting.devices} | {row['rate']:.0f} | {busy} | {stages} |", flush=True)
    return {"setting": setting.name, "devices": setting.devices, **row}


def told(manifest: Path, workers: int) -> dict[str, float]:
    """Scans an hour after the first of each worker, and the mean seconds of each stage."""
    done = [line for line in map(json.loads, manifest.read_text().splitlines()) if line.get("state") == "done"]
    ends = sorted(datetime.fromisoformat(line["at"]).timestamp() for line in done)
    rate = 3600 * (len(ends) - workers) / (ends[-1] - ends[workers - 1])
    stages = {name: float(np.mean([line["stages"][name] for line in done])) for name in ("read", "compute", "write")}
    return {"rate": rate, **stages}


@contextmanager
def _watched(log: Path) -> Iterator[Any]:
    """Run ``nvidia-smi dmon`` meanwhile, where there is one; gives what reads its mean once the run is over."""
    try:
        with log.open("w") as file:
            monitor = subprocess.Popen(["nvidia-smi", "dmon", "-s", "u", "-d", "1"], stdout=file)  # noqa: S607
    except FileNotFoundError:
        yield lambda: None
        return
    try:
        yield lambda: busy(log.read_text())
    finally:
        monitor.terminate()


def busy(log: str) -> float:
    """Mean use of the GPUs that computed at all, from the first second all of them did to the last one."""
    seconds: dict[str, list[float]] = {}
    for line in log.splitlines():
        if not line.startswith("#") and line.split()[1:2]:
            seconds.setdefault(line.split()[0], []).append(float(line.split()[1].replace("-", "0")))
    used = np.array([row for row in seconds.values() if max(row) > 0])
    working = np.flatnonzero(used.max(0) > 0)
    first = max(int(np.flatnonzero(row)[0]) for row in used)
    return float(used[:, first : working[-1] + 1].mean()) / 100


if __name__ == "__main__":
    main()
