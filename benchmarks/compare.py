"""Measure every method on degraded heads: scores, steps, samples, seeds, and error beside predicted SD.

``python -m benchmarks.compare --data VAL --fit-data TRAINING --calibration CALIBRATION --model sr-brain --output DIR``

Three folders of different persons: heads to score, training heads (crops of which the peers' weights are fitted on),
and heads for the uncertainty. Passes: every method on every case; samples of the heads for the uncertainty, and of some
cases; step counts and two seeds; noise. Rows and spreads are on disk as soon as they are known. Several processes may
share the work, one for each GPU, say: ``--part 1/2``. Then ``python -m benchmarks.summarise DIR`` puts the tables
together.
"""

import argparse
import csv
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO, TypeVar

import torch

from benchmarks.cases import Spec, cropped, load_heads, measure, noisy, specs_of
from benchmarks.coverage import save_spread
from benchmarks.methods import Weights, compare, sampled_spread, sampling, stepping, two_seeds, with_noise
from benchmarks.scoring import SCORES
from benchmarks.tables import IDENTITY
from medidiff.errors import InputError
from medidiff.evaluation.baselines import Fit, Pair, cubic_dc, fit_weight, tv
from medidiff.models import load_model
from medidiff.tasks.device import choose_device

Work = TypeVar("Work")

__all__ = ["Clock", "fits", "fitted_weights", "main", "recorded"]

DC_GRID = (1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
TV_GRID = (1e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
PASSES = ("comparison", "calibration", "samples", "steps", "noise")
COLUMNS = (*IDENTITY, "method", *SCORES, "residual", "seconds")


@dataclass
class Clock:
    """The time that may be spent; work not yet begun when it is over is left out, and said."""

    seconds: float
    started: float = field(default_factory=time.perf_counter)

    def within(self, work: Iterable[Work], what: str) -> Iterator[Work]:
        """Yield work while there is time."""
        todo = list(work)
        for number, item in enumerate(todo):
            if time.perf_counter() - self.started > self.seconds:
                print(f"out of time: {len(todo) - number} of {len(todo)} left out in {what}")
                return
            yield item


def main(arguments: Sequence[str] | None = None) -> Path:
    """Run it and return the folder of what was measured."""
    options = _parser().parse_args(arguments)
    device, clock = choose_device(options.device), Clock(options.budget)
    part, parts = (int(n) for n in options.part.split("/"))
    options.output.mkdir(parents=True, exist_ok=True)
    kinds = {"spacings": options.spacing, "profiles": options.profile, "isotropic": options.isotropic}
    heads = load_heads(options.data, limit=options.limit)
    specs = specs_of(heads, axes_per_head=options.axes_per_head, **kinds)
    models = {"T1w": load_model(options.model), "T2w": load_model(options.t2_model or options.model)}
    regression = load_model(options.regression) if options.regression else None
    fitting = {"comparison", "noise"} & set(options.passes)
    weights, notes = fits(options, specs, [head.name for head in heads], kinds, device) if fitting else ({}, [])
    notes += [f"{contrast}: {model.label} ({model.card['sha256'][:12]})" for contrast, model in models.items()]
    calibrating = load_heads(options.calibration) if options.calibration else []
    notes += [f"c is fitted on: {', '.join(head.name for head in calibrating)}"] if calibrating else []
    facts: dict[str, Any] = {"notes": notes, "seeds": [], "noise": []}

    def compared(spec: Spec) -> None:
        compare(measure(spec, device), models[spec.head.contrast], regression, weights, rows.append)

    def sampled(spec: Spec) -> None:
        spread = sampling(measure(spec, device), models[spec.head.contrast], options.samples, rows.append)
        save_spread(options.output, spec.facts, "scored", spread)

    def calibrated(spec: Spec) -> None:
        spread = sampled_spread(measure(spec, device), models[spec.head.contrast], options.samples)
        save_spread(options.output, spec.facts, "calibration", spread)

    def stepped(spec: Spec) -> None:
        case, model = measure(spec, device), models[spec.head.contrast]
        stepping(case, model, options.steps, rows.append)
        facts["seeds"].append(spec.facts | two_seeds(case, model))

    def noisy(spec: Spec) -> None:
        case, model = measure(spec, device), models[spec.head.contrast]
        facts["noise"] += [spec.facts | with_noise(case, model, sd, weights) for sd in options.noise]

    passes: dict[str, tuple[Callable[[Spec], None], list[Spec]]] = {
        "comparison": (compared, specs),
        "calibration": (calibrated, specs_of(calibrating, axes_per_head=1, **kinds)),
        "samples": (sampled, specs[: options.deep]),
        "steps": (stepped, specs[: options.stepped]),
        "noise": (noisy, specs[: options.stepped]),
    }
    with recorded(options.output / f"results-{part}.csv") as rows:
        for name in options.passes:
            work, todo = passes[name]
            for spec in clock.within(todo[part - 1 :: parts], name):
                work(spec)
    (options.output / f"facts-{part}.json").write_text(json.dumps(facts, indent=2) + "\n")
    return Path(options.output)


def fits(
    options: argparse.Namespace,
    specs: Sequence[Spec],
    scored: Sequence[str],
    kinds: dict[str, Any],
    device: Any,
    noise: float = 0.0,
) -> tuple[Weights, list[str]]:
    """Peers' weights from crops of training heads with as much noise, and the grids in words."""
    training = load_heads(options.fit_data, limit=options.fit_heads, without=["T2", *scored])
    fitting = specs_of([cropped(head, options.fit_crop) for head in training], axes_per_head=1, **kinds)
    unfitted = {" ".join(spec.kind) for spec in specs} - {" ".join(spec.kind) for spec in fitting}
    if unfitted:
        raise InputError("no training head to fit weights on", where=str(options.fit_data), needed="; ".join(unfitted))
    weights, notes = fitted_weights(fitting, device, noise)
    return weights, [*notes, f"weights are fitted on: {', '.join(head.name for head in training)}"]


class Rows:
    """Rows that are on disk as soon as they are known."""

    def __init__(self, file: TextIO, columns: Sequence[str]) -> None:
        self._file, self._table = file, csv.DictWriter(file, columns, lineterminator="\n")
        self._table.writeheader()

    def append(self, row: dict[str, Any]) -> None:
        """Keep a row."""
        self._table.writerow(row)
        self._file.flush()


@contextmanager
def recorded(path: Path, columns: Sequence[str] = COLUMNS) -> Iterator[Rows]:
    """Open the table."""
    with path.open("w", newline="") as file:
        yield Rows(file, columns)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the heads to score")
    parser.add_argument("--fit-data", type=Path, required=True, help="folder of training heads, for the peers' weights")
    parser.add_argument("--calibration", type=Path, help="folder of heads, neither, on which c is fitted")
    parser.add_argument("--output", type=Path, required=True, help="folder of rows, facts and spreads")
    parser.add_argument("--part", default="1/1", help="i/n: do the i-th of n shares of the work")
    parser.add_argument("--passes", nargs="+", choices=PASSES, default=PASSES, help="which, in this order")
    parser.add_argument("--model", default="sr-brain")
    parser.add_argument("--regression", help="the same network trained as plain regression")
    parser.add_argument("--t2-model", help="a run that saw no T2w head of --data, if --model did")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--budget", type=float, default=150.0, help="seconds after which nothing new is begun")
    parser.add_argument("--limit", type=int, help="so many heads only")
    parser.add_argument("--axes-per-head", type=int, default=3)
    parser.add_argument("--spacing", type=float, nargs="+", default=[3.0, 5.0])
    parser.add_argument("--isotropic", type=float, nargs="*", default=[2.0], help="voxels coarse along all axes, mm")
    parser.add_argument("--profile", nargs="+", default=["gaussian", "rect"])
    parser.add_argument("--deep", type=int, default=8, help="cases to draw samples of")
    parser.add_argument("--stepped", type=int, default=4, help="cases for the table of steps, two seeds and noise")
    parser.add_argument("--noise", type=float, nargs="*", default=[0.01, 0.02, 0.05], help="SD over brightness")
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--fit-heads", type=int, default=2)
    parser.add_argument("--fit-crop", type=int, default=128, help="edge of the crops that are fitted on, voxels")
    return parser


def fitted_weights(specs: Sequence[Spec], device: torch.device, noise: float = 0.0) -> tuple[Weights, list[str]]:
    """Weights of cubic+DC and TV for each spacing and profile, and the grids in words."""
    weights, notes = {}, []
    for kind in sorted({spec.kind for spec in specs}):
        cases = [noisy(measure(spec, device), noise) for spec in specs if spec.kind == kind]
        pairs = [Pair(case.y, case.operator, case.truth, case.region) for case in cases]
        fits: dict[str, Fit] = {
            "cubic+DC": fit_weight(cubic_dc, pairs, DC_GRID),
            "TV": fit_weight(tv, pairs, TV_GRID),
        }
        weights[kind] = (fits["cubic+DC"].weight, fits["TV"].weight)
        notes += [f"weight of {name}, {' '.join(kind)}: {fit}" for name, fit in fits.items()]
    return weights, notes


if __name__ == "__main__":
    main()
