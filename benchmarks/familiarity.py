"""Fit the usual ranges of a model's card on training heads, and see what alarms.

``python -m benchmarks.familiarity --data TRAINING --validation VAL --real THICK --output DIR``

Figures (`medidiff.tasks.familiarity`) of training heads in thick slices, with and without noise, give the ranges; so do
real thick-slice scans of training persons, taken as they are. The margin is the smallest at which sources left out of
the fit alarm in at most 2 % of cases. Then heads of other persons are degraded likewise (false alarms), and corrupted
before that (detections). Figures of the scan are taken of whole heads; those of the network, which cost, of a box at
their middle. Rows are on disk as soon as they are known; ``--part 1/2`` shares the work, and ``--summarise`` puts the
rows of all parts together. ``--write CARD`` puts the ranges into a card.
"""

import argparse
import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.cases import SHARP, Case, Head, Spec, cropped, load_heads, measure, noisy
from benchmarks.compare import Clock, recorded
from benchmarks.corruptions import ALIEN, HARMLESS, Corruption
from benchmarks.familiar_ranges import alarm_rate, choose_margin, detections, ranges
from benchmarks.methods import enhanced
from benchmarks.tables import table
from medidiff.io.nifti import read_nifti
from medidiff.models import Model, load_model
from medidiff.physics.noise import head_brightness
from medidiff.tasks import super_resolve
from medidiff.tasks.device import choose_device
from medidiff.tasks.familiarity import FEATURES, appearance
from medidiff.tasks.grid import plan_grids
from medidiff.tasks.problem import problem_of
from medidiff.volume import Volume

__all__ = ["main"]

COLUMNS = ("role", "source", "scan", "axis", "slices", "profile", "noise", "change", *FEATURES)
KNOWN = SHARP | {"voxelmorph": (0, 1, 2)}
"""Sharp axes as the recipe of `sr-brain` has them."""
KINDS = ((3.0, "rect"), (5.0, "gaussian"))
ISOTROPIC = 2.0
"""Spacing, mm, of voxels coarse along all axes, for the sources of which the model learnt such."""
LEARNT_ISOTROPIC = ("ds000011", "studyforrest", "niimath")
NOISES = (0.0, 0.05)
"""Standard deviations of added noise, in units of the head's brightness."""
AS_IT_IS = "none"
SHOWN = (0.1, 0.3)
"""Margins at which alarms are told beside the one that is chosen."""
WORK = ("training", "validation", "changes", "real")


@dataclass(frozen=True)
class Task:
    """One scan to take figures of: a head, measured, or a file as it is."""

    role: str
    source: str
    spec: Spec | None
    path: Path | None = None
    noise: float = 0.0
    change: str = AS_IT_IS
    samples: int = 1


def main(arguments: Sequence[str] | None = None) -> str:
    """Run it and return what was found, as Markdown."""
    options = _parser().parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    if not options.summarise:
        part, parts = (int(n) for n in options.part.split("/"))
        run = partial(_row, model=load_model(options.model), crop=options.crop, device=choose_device(options.device))
        clock = Clock(options.budget)
        with recorded(options.output / f"figures-{'-'.join(options.only)}-{part}.csv", COLUMNS) as rows:
            todo = [task for task in _tasks(options) if _kind(task) in options.only]
            for task in clock.within(todo[part - 1 :: parts], "figures"):
                rows.append(run(task))
    return _summarised(options.output, options.write)


def _kind(task: Task) -> str:
    """Which of `WORK` a task belongs to."""
    if task.spec is None:
        return "real"
    return "changes" if task.change != AS_IT_IS else task.role


def _tasks(options: argparse.Namespace) -> Iterator[Task]:
    """Scans to fit on, scans of other persons, and scans of these after changes."""
    for role, folder in (("training", options.data), ("validation", options.validation)):
        heads = load_heads(folder, limit=options.limit, without=["inplaneT2"], known=KNOWN)
        for number, head in enumerate(heads):
            sampled = 2 if role == "validation" or number < options.sampled else 1
            yield from _usual(role, head, number, sampled)
        if role == "validation":
            yield from (_changed(head, n, name) for n, head in enumerate(heads) for name in (*ALIEN, *HARMLESS))
    for path in sorted(options.real.glob("*.nii.gz")) if options.real else []:
        held_out = any(word in path.name for word in options.held_out)
        yield Task("validation" if held_out else "training", "real slices", None, path)


def _usual(role: str, head: Head, number: int, samples: int) -> Iterator[Task]:
    source, axis = _source(head), head.sharp[number % len(head.sharp)]
    for spacing, profile in KINDS:
        for noise in NOISES:
            drawn = samples if (spacing, noise) == (5.0, 0.0) else 1
            yield Task(role, source, Spec(head, axis, spacing, profile), noise=noise, samples=drawn)
    if source in LEARNT_ISOTROPIC:
        yield Task(role, source, Spec(head, None, ISOTROPIC, "gaussian"))


def _changed(head: Head, number: int, name: str) -> Task:
    spacing, profile = KINDS[number % len(KINDS)]
    role = "alien" if name in ALIEN else "harmless"
    spec = Spec(head, head.sharp[number % len(head.sharp)], spacing, profile)
    return Task(role, _source(head), spec, change=name)


def _altered(task: Task, spec: Spec) -> Spec:
    """The change that the task asks for, made to its head; the same every time."""
    if task.change == AS_IT_IS:
        return spec
    change: Corruption = {**ALIEN, **HARMLESS}[task.change]
    truth = spec.head.volume
    array = change(truth.array, truth.geometry.spacing, np.random.default_rng(0))
    return replace(spec, head=replace(spec.head, volume=Volume(array, truth.geometry)))


def _source(head: Head) -> str:
    return next((word for word in KNOWN if word in head.name), head.name)


def _row(task: Task, *, model: Model, crop: int, device: torch.device) -> dict[str, Any]:
    facts = {"role": task.role, "source": task.source, "noise": task.noise, "change": task.change}
    if task.spec is None:
        if task.path is None:
            raise ValueError("a task has a head or a path")
        told: dict[str, float] = super_resolve(read_nifti(task.path), model, device=str(device)).provenance[
            "familiarity"
        ]
        return facts | {"scan": task.path.name.split(".")[0], "axis": "z", "slices": "as it is"} | told
    altered = _altered(task, task.spec)
    whole = noisy(measure(altered, device), task.noise)
    unit = head_brightness(whole.volume.array)
    box = noisy(measure(replace(altered, head=cropped(altered.head, crop)), device), task.noise, unit)
    told = _figures(whole, unit) | _answer(box, unit, model, task)
    spec = {key: value for key, value in task.spec.facts.items() if key in COLUMNS}
    return facts | spec | {"scan": task.spec.head.name} | told


def _figures(case: Case, unit: float) -> dict[str, float]:
    """Figures of the whole scan."""
    grid = case.spec.head.volume.geometry
    axis = "auto" if case.spec.axis is None else "xyz"[case.spec.axis]
    plan = plan_grids(case.volume.geometry, like=grid, axis=axis)
    spacing = case.volume.geometry.spacing
    return appearance(problem_of(case.volume, plan, spacing, case.spec.profile, 0.0, unit, case.y.device))


def _answer(case: Case, unit: float, model: Model, task: Task) -> dict[str, float]:
    """Figures of the network's answer in a box, in units of the whole head's brightness."""
    result = enhanced(case, model, samples=task.samples)
    told = result.provenance["familiarity"]
    brighter = float(np.log2(head_brightness(case.volume.array) / unit))
    figures = {"correction": told["correction"] + brighter, "contradiction": told["contradiction"]}
    return figures | ({"spread": told["spread"] + brighter} if "spread" in told else {})


def _summarised(folder: Path, card: Path | None) -> str:
    """Ranges, false alarms against the margin, and detections; the ranges also go into ``ranges.json`` and a card."""
    rows = [
        row for path in sorted(folder.glob("figures-*.csv")) for row in csv.DictReader(path.read_text().splitlines())
    ]
    fitting = [row for row in rows if row["role"] == "training"]
    margin, shares = choose_margin(fitting)
    usual = ranges(fitting, margin)
    scans = sorted({row["scan"] for row in fitting})
    entry = {
        "what": "usual figures of training scans; outside of one, a warning; docs/trust.md",
        "command": "python -m benchmarks.familiarity",
        "fitted_on": f"{len(fitting)} scans, degraded or real, of {len(scans)} training images",
        "margin": margin,
        "usual": usual,
    }
    (folder / "ranges.json").write_text(json.dumps(entry, indent=2) + "\n")
    if card is not None:
        card.write_text(json.dumps(json.loads(card.read_text()) | {"familiar": entry}, indent=2) + "\n")
    fits = {m: ranges(fitting, m) for m in sorted({*SHOWN, margin})}
    checked = [row for row in rows if row["role"] == "validation"]
    lines = [
        f"Margin {margin}. Fitted on {entry['fitted_on']}.\n",
        *table(["figure", "usual from", "to"], [[name, *map(str, bounds)] for name, bounds in usual.items()]),
        "\nAlarms against the margin: of sources left out of the fit, and of other persons.\n",
        *table(
            ["margin", "sources left out", "other persons"],
            [[f"{m:.2f}", f"{s:.1%}", f"{alarm_rate(checked, ranges(fitting, m)):.1%}"] for m, s in shares.items()],
        ),
        "\nShare of scans that alarm, by what was done to them and by margin.\n",
        *detections([row for row in rows if row["role"] != "training"], fits, margin),
    ]
    text = "\n".join(lines) + "\n"
    (folder / "familiarity.md").write_text(text)
    print(text)
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.familiarity", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of training heads")
    parser.add_argument("--validation", type=Path, required=True, help="folder of heads of other persons")
    parser.add_argument("--real", type=Path, help="folder of thick-slice scans to take as they are")
    parser.add_argument("--held-out", nargs="*", default=["sub-09", "sub-10"], help="scans of --real not to fit on")
    parser.add_argument("--output", type=Path, required=True, help="folder of rows and tables")
    parser.add_argument("--model", default="sr-brain")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--limit", type=int, help="heads of each folder, shared out among the sources")
    parser.add_argument("--sampled", type=int, default=0, help="training heads of which samples are drawn too")
    parser.add_argument("--crop", type=int, default=64, help="edge of the box that the network is asked about, voxels")
    parser.add_argument("--budget", type=float, default=1800.0, help="seconds")
    parser.add_argument("--part", default="1/1", help="i/n: do the i-th of n shares of the work")
    parser.add_argument("--only", nargs="+", choices=WORK, default=WORK, help="do this part of the work alone")
    parser.add_argument("--summarise", action="store_true", help="only put rows together that are there")
    parser.add_argument("--write", type=Path, help="card.json to put the ranges into")
    return parser


if __name__ == "__main__":
    main()
