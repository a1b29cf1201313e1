"""The whole comparison on degraded heads: every method, every score, steps, samples, seeds and coverage.

``python -m benchmarks.compare --data VALIDATION --fit-data TRAINING --model sr-brain --output DIR --device cuda``

Three passes, the most needed first: every method on every case; the step table, seeds and coverage on some cases;
then the tables. ``results.csv`` grows row by row, so what was done is there if time runs out. Peers' weights and
the factor c of the interval are fitted on crops of ``--fit-data``, which must be other persons than ``--data``.
"""

import argparse
import csv
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch

from benchmarks.cases import Spec, cropped, load_heads, measure, specs_of
from benchmarks.coverage import Spread, coverage, decile_coverage, fit_factor
from benchmarks.methods import Weights, compare, sampled_spread, sampling, two_seeds
from benchmarks.scoring import SCORES
from benchmarks.tables import IDENTITY, summary
from medidiff.errors import InputError
from medidiff.evaluation.baselines import Fit, Pair, cubic_dc, fit_weight, tv
from medidiff.models import load_model
from medidiff.tasks.device import choose_device

DC_GRID = (1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
TV_GRID = (3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
COLUMNS = (*IDENTITY, "method", *SCORES, "residual", "seconds")


@dataclass
class Clock:
    """The time that may be spent; work not yet begun when it is over is left out, and said."""

    seconds: float
    started: float = field(default_factory=time.perf_counter)

    def within(self, work: Iterable[Spec], what: str) -> Iterator[Spec]:
        """Yield work while there is time."""
        todo = list(work)
        for number, item in enumerate(todo):
            if time.perf_counter() - self.started > self.seconds:
                print(f"out of time: {len(todo) - number} of {len(todo)} left out in {what}")
                return
            yield item


def main(arguments: Sequence[str] | None = None) -> Path:
    """Run it and return the path of ``summary.md``."""
    options = _parser().parse_args(arguments)
    device, clock = choose_device(options.device), Clock(options.budget)
    options.output.mkdir(parents=True, exist_ok=True)
    kinds = {"spacings": options.spacing, "profiles": options.profile, "isotropic": options.isotropic}
    heads = load_heads(options.data, limit=options.limit)
    specs = specs_of(heads, axes_per_head=options.axes_per_head, **kinds)
    scored = [head.name for head in heads]
    training = load_heads(options.fit_data, limit=options.fit_heads, without=["T2w", *scored])
    fitting = specs_of([cropped(head, options.fit_crop) for head in training], axes_per_head=1, **kinds)
    unfitted = {" ".join(spec.kind) for spec in specs} - {" ".join(spec.kind) for spec in fitting}
    if unfitted:
        raise InputError("no training head to fit weights on", where=str(options.fit_data), needed="; ".join(unfitted))
    models = {"T1w": load_model(options.model), "T2w": load_model(options.t2_model or options.model)}
    regression = load_model(options.regression) if options.regression else None
    weights, notes = fitted_weights(fitting, device)
    notes += [f"{contrast}: {model.label} ({model.card['sha256'][:12]})" for contrast, model in models.items()]
    notes += [f"weights and c fitted on: {', '.join(head.name for head in training)}"]
    facts: dict[str, Any] = {"notes": notes, "seeds": [], "coverage": {}}
    with recorded(options.output / "results.csv") as rows:
        for spec in clock.within(specs, "the comparison"):
            compare(measure(spec, device), models[spec.head.contrast], regression, weights, rows.append)
        trained = [
            sampled_spread(measure(spec, device), models["T1w"], options.samples)
            for spec in clock.within(fitting if options.deep else [], "fitting c")
        ]
        sampled = {}
        for spec in clock.within(specs[: options.deep], "steps and samples"):
            case, model = measure(spec, device), models[spec.head.contrast]
            sampled[spec] = sampling(case, model, options.steps, options.samples, rows.append)
            facts["seeds"].append(spec.facts | two_seeds(case, model))
    if trained and sampled:
        facts["coverage"] = covering(sampled, trained)
    (options.output / "facts.json").write_text(json.dumps(facts, indent=2) + "\n")
    text = summary(rows.kept, notes) + _told(facts["seeds"], facts["coverage"])
    (options.output / "summary.md").write_text(text)
    print(text)
    return Path(options.output / "summary.md")


class Rows:
    """Rows that are on disk as soon as they are known."""

    def __init__(self, file: TextIO) -> None:
        self.kept: list[dict[str, Any]] = []
        self._file, self._table = file, csv.DictWriter(file, COLUMNS, lineterminator="\n")
        self._table.writeheader()

    def append(self, row: dict[str, Any]) -> None:
        """Keep a row."""
        self.kept.append(row)
        self._table.writerow(row)
        self._file.flush()


@contextmanager
def recorded(path: Path) -> Iterator[Rows]:
    """Open the table."""
    with path.open("w", newline="") as file:
        yield Rows(file)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the heads to score")
    parser.add_argument("--fit-data", type=Path, required=True, help="folder of training heads, for weights and c")
    parser.add_argument("--output", type=Path, required=True, help="folder of results.csv, facts.json, summary.md")
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
    parser.add_argument("--deep", type=int, default=8, help="cases for steps, samples, seeds and coverage")
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 5, 10])
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--fit-heads", type=int, default=2)
    parser.add_argument("--fit-crop", type=int, default=128, help="edge of the crops that are fitted on, voxels")
    return parser


def fitted_weights(specs: Sequence[Spec], device: torch.device) -> tuple[Weights, list[str]]:
    """Weights of cubic+DC and TV for each spacing and profile, and the grids in words."""
    weights, notes = {}, []
    for kind in sorted({spec.kind for spec in specs}):
        cases = [measure(spec, device) for spec in specs if spec.kind == kind]
        pairs = [Pair(case.y, case.operator, case.truth, case.region) for case in cases]
        fits: dict[str, Fit] = {
            "cubic+DC": fit_weight(cubic_dc, pairs, DC_GRID),
            "TV": fit_weight(tv, pairs, TV_GRID),
        }
        weights[kind] = (fits["cubic+DC"].weight, fits["TV"].weight)
        notes += [f"weight of {name}, {' '.join(kind)}: {fit}" for name, fit in fits.items()]
    return weights, notes


def covering(sampled: Mapping[Spec, Spread], trained: Sequence[Spread]) -> dict[str, Any]:
    """Coverage of the interval with c fitted on ``trained``: for each kind of case, whole and by decile of SD."""
    factor = fit_factor(trained)
    kinds: dict[str, list[Spread]] = {}
    for spec, spread in sampled.items():
        kinds.setdefault(" ".join((spec.head.contrast, *spec.kind)), []).append(spread)
    table = {
        kind: {
            "cases": len(some),
            "all": float(np.mean([coverage(spread, factor) for spread in some])),
            "deciles": decile_coverage(some, factor),
        }
        for kind, some in sorted(kinds.items())
    }
    return {"c": factor, "fitted on": len(trained), "kinds": table}


def _told(seeds: Sequence[Mapping[str, Any]], covered: Mapping[str, Any]) -> str:
    lines = ["\n## Two seeds\n"] if seeds else []
    for fact in seeds:
        figures = ", ".join(f"{key} {value:.3g}" for key, value in fact.items() if isinstance(value, float))
        lines.append(f"- {fact['head']}, axis {fact['axis']}, {fact['slices']} {fact['profile']}: {figures}")
    if covered:
        lines.append(f"\n## Coverage of mean +- 1.645 c SD, c = {covered['c']:.3f} (nominal 90 %)\n")
        lines.append("c multiplies the SD as delivered, in which the card's `sd_factor` is contained already.\n")
        lines += ["| slices | cases | all | " + " | ".join(f"decile {d}" for d in range(1, 11)) + " |"]
        lines += ["|" + " --- |" * 13]
    for kind, found in covered.get("kinds", {}).items():
        figures = " | ".join(f"{100 * share:.1f}" for share in (found["all"], *found["deciles"]))
        lines.append(f"| {kind} | {found['cases']} | {figures} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
