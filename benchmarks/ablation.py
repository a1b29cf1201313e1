"""What each choice of a recipe is worth: one change at a time, from one start, scored on people and sites left out.

``python -m benchmarks.ablation --data HEADS --val VAL --output DIR --without ds000011 inplane --start MODEL``

Every variant goes on from the same weights for as many steps with one thing changed; the first two differ in the seed
alone, and tell what is chance. Without ``--start`` they learn from nothing, which takes thousands of steps to tell
anything. A line of ``results.jsonl`` for each as soon as it is known; ``table.md`` puts all of them together.
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.cases import SHARP, Case, Spec, load_heads, measure
from benchmarks.methods import enhanced, image_of
from benchmarks.scoring import Scorer
from medidiff.models import MAPS, Model, load_model
from medidiff.tasks.device import choose_device
from medidiff.training import Recipe, read_recipe, train_recipe
from medidiff.training.recipe import Group, Optimisation

__all__ = ["CHANGES", "changed", "main", "table"]

RECIPE = Path(__file__).parents[1] / "medidiff" / "training" / "recipes" / "sr-brain-first.toml"
BATCH = {"groups": 4, "patches": 2, "again": 0.5}
FURTHER = {"rate": 3e-4, "warm_up": 40, "average": 0.99, "noisy_start": 0}
"""Of what goes on from a start; what learns from nothing keeps the recipe's."""
CHANGES: Mapping[str, Mapping[str, Any]] = {
    "nothing": {},
    "another seed": {"seed": 12},
    "loss: gradients too": {"gradient": 0.5},
    "loss: Charbonnier": {"charbonnier": 0.2},
    "contrast: 70 % remapped": {"remap": 0.7},
    "contrast: none remapped": {"remap": 0.0},
    "label maps: none": {"labels": 0.0},
    "label maps: twice": {"labels": 2.0},
    "noise: none": {"noisy": 0.0},
    "noise: two thirds": {"noisy": 2 / 3},
    "shading: none": {"shaded": 0.0},
    "random times: none": {"again": 0.0, "patches": 3, "pure_noise": 1.0, "kind": "regression"},
    "random times: every pair": {"again": 1.0, "groups": 6, "patches": 1},
    "noise schedule: noisier times": {"skew": 0.5},
    "noise schedule: cleaner times": {"skew": 2.0},
    "patch: 48": {"patch": 48, "patches": 5},
    "patch: 96": {"patch": 96, "groups": 2, "patches": 1},
    "network: shown details": {"network": {"maps": len(MAPS)}},
    "network: wide at the top": {"network": {"maps": len(MAPS), "channels": [160, 64, 64]}},
    "network: narrow at the top": {"network": {"maps": len(MAPS), "channels": [96, 128, 128]}},
    "network: two levels": {"network": {"maps": len(MAPS), "channels": [128, 128], "blocks": [2, 1]}},
    "rate: twice": {"rate": 6e-4},
    "rate: half": {"rate": 1.5e-4},
    "length: twice": {"longer": 2},
}
"""What is changed: fields of the recipe's optimisation or of all its groups, and what `changed` takes besides."""
KINDS = ("scanner known", "scanner left out", "contrast left out")
SAMPLE, ENERGY = "sample", "gradient energy"


def main(arguments: Sequence[str] | None = None) -> Path:
    """Train and score every variant; return the folder of what was found."""
    options = _parser().parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    base, device = _base(options), choose_device(options.device)
    cases = [(kind, measure(spec, device)) for kind, spec in _specs(options)]
    began, last = time.perf_counter(), 0.0
    for name in options.only or CHANGES:
        if last and time.perf_counter() - began + last > options.budget:
            print(f"out of time: {name} and what follows")
            break
        started = time.perf_counter()
        folder = train_recipe(changed(base, options.output / "models", **CHANGES[name]), device=options.device)
        row = {"change": name, **_facts(folder), **_scores(folder, cases)}
        last = time.perf_counter() - started
        with (options.output / "results.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)
    rows = [json.loads(line) for line in (options.output / "results.jsonl").read_text().splitlines()]
    (options.output / "table.md").write_text(table(rows))
    return Path(options.output)


def changed(
    recipe: Recipe,
    folder: Path,
    *,
    labels: float = 1.0,
    seed: int = 11,
    longer: int = 1,
    kind: str = "diffusion",
    network: Mapping[str, Any] = {},
    **how: Any,
) -> Recipe:
    """Change a recipe that is trained into a new folder.

    Parameters
    ----------
    recipe, folder
        What to change, and the folder of all models.
    labels, seed, longer, kind, network
        Factors of the weight of label maps and of the steps; the seed; the model's kind; changes of its network.
    how
        Fields of its optimisation, or of all its groups.
    """
    groups = [
        replace(group, weight=group.weight * (labels if group.kind == "labels" else 1.0), **_of(Group, how))
        for group in recipe.groups
    ]
    optimisation = replace(recipe.optimisation, **_of(Optimisation, how))
    optimisation = replace(optimisation, steps=longer * optimisation.steps)
    told = {"groups": [group for group in groups if group.weight], "optimisation": optimisation, "seed": seed}
    told |= {"card": {**recipe.card, "kind": kind, "network": {**recipe.card["network"], **network}}}
    return replace(recipe, output=folder / f"{len(list(folder.glob('*'))):02}", **told)  # type: ignore[arg-type]


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """PSNR in the head by kind and of samples, less that of the first row, in Markdown."""
    titles = ("change", *(f"{kind}, dB" for kind in KINDS), "one sample, dB", "its gradient energy")
    titles = (*titles, "loss", "seconds", "parameters")
    lines = [f"| {' | '.join(titles)} |", "|" + " --- |" * len(titles)]
    for number, row in enumerate(rows):
        scores = [_told(row, rows[0], kind, number) for kind in (*KINDS, SAMPLE)]
        energy = f"{row[ENERGY]:.3f}" if ENERGY in row else ""
        facts = (energy, f"{row['loss']:.3f}", f"{row['seconds']:.0f}", f"{row['parameters'] / 1e6:.1f} M")
        lines.append(f"| {' | '.join((row['change'], *scores, *facts))} |")
    return "\n".join(lines) + "\n"


def _told(row: Mapping[str, Any], first: Mapping[str, Any], kind: str, number: int) -> str:
    if row.get(kind) is None:
        return ""
    return f"{row[kind]:.2f}" if not number else f"{row[kind] - first[kind]:+.3f}"


def _base(options: argparse.Namespace) -> Recipe:
    """Read the recipe, without the sites left out, from the start that was given."""
    recipe = read_recipe(options.recipe)
    kept = [group for group in recipe.groups if not any(word in group.files for word in options.without)]
    first: dict[str, Any] = {"noisy_start": options.steps // 10}
    if options.start:
        first = {"start": str(options.start.resolve()), **FURTHER}
    told = {**BATCH, **first, "steps": options.steps, "checkpoint_every": options.steps, "compile": options.compile}
    known = _of(Optimisation, told | ({"patch": options.patch} if options.patch else {}))
    return replace(recipe, data=options.data, groups=kept, optimisation=replace(recipe.optimisation, **known))


def _specs(options: argparse.Namespace) -> list[tuple[str, Spec]]:
    """Thick slices of every head, 5 mm and 3 mm in turns, and what is left out in them."""
    heads = load_heads(options.val)
    words = [word for word in options.without if word in SHARP]
    kinds = [KINDS[2] if head.contrast == "T2w" else KINDS[any(word in head.name for word in words)] for head in heads]
    looked_at = ((5.0, "gaussian"), (3.0, "rect"))
    return [
        (kind, Spec(head, head.sharp[turn % len(head.sharp)], *looked_at[turn]))
        for kind, head in zip(kinds, heads, strict=True)
        for turn in range(options.turns)
    ]


def _of(kind: type, how: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in how.items() if name in names}


def _facts(folder: Path) -> dict[str, Any]:
    """Last loss, seconds and parameters of a training."""
    last = json.loads((folder / "curves.jsonl").read_text().splitlines()[-1])
    parameters = sum(p.numel() for p in load_model(folder).network.parameters())
    return {"loss": last["loss"], "seconds": last["seconds"], "parameters": parameters}


def _scores(folder: Path, cases: Sequence[tuple[str, Case]]) -> dict[str, Any]:
    """Mean PSNR of each kind, and of every case; of single samples, the means over all cases."""
    model = load_model(folder)
    scores = [(kind, _scored(case, model)["psnr"]) for kind, case in cases]
    samples = [_scored(case, model, detail=1.0) for _, case in cases if model.card["kind"] == "diffusion"]
    told = {SAMPLE: _mean(samples, "psnr"), ENERGY: _mean(samples, "gradient_energy_ratio")} if samples else {}
    means = {kind: round(float(np.mean(found)), 3) for kind in KINDS if (found := [s for k, s in scores if k == kind])}
    return {**means, **told, "cases": [round(score, 3) for _, score in scores]}


def _scored(case: Case, model: Model, **how: Any) -> dict[str, float]:
    return Scorer(case.truth, case.region)(image_of(enhanced(case, model, **how), case), case.spec.axes)


def _mean(scores: Sequence[Mapping[str, float]], name: str) -> float:
    return round(float(np.mean([one[name] for one in scores])), 3)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablation", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of training heads")
    parser.add_argument("--val", type=Path, required=True, help="folder of heads to score")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--start", type=Path, help="folder of the model that all variants go on from")
    parser.add_argument(
        "--without", nargs="*", default=[], metavar="WORD", help="leave out groups with it in their files"
    )
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--patch", type=int, help="edge of the patches, unless that is what is changed")
    parser.add_argument("--turns", type=int, default=2, choices=(1, 2), help="measurements of each head")
    parser.add_argument("--only", nargs="*", choices=tuple(CHANGES), metavar="CHANGE")
    parser.add_argument("--budget", type=float, default=540.0, help="seconds after which no variant is begun")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--device", default="auto")
    return parser


if __name__ == "__main__":
    torch.set_float32_matmul_precision("high")
    main()
