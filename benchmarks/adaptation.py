"""Measure what adapting to a scan is worth: plain, adapted, the scan alone, and the classical peers, case by case.

``python -m benchmarks.adaptation --data VAL --fit-data TRAINING --model sr-brain --output DIR --left-out ds000011``

Every case of `benchmarks.compare` with thick slices: scores, seconds, the steps that there was time for and what the
held-out part of the scan foretold. ``self-supervised`` is the same network, from random weights, that learns from the
scan alone, as ECLARE and SMORE do; it gets five times the seconds. ``study`` is one model, adapted as `medidiff adapt`
does to scans of all heads in ``--study`` (their noise is estimated), which enhances cases that it has not seen. Rows
are on disk as soon as they are known; several processes may share the work: ``--part 1/2``. ``summary.md`` puts
together all parts that are there.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.adaptation_tables import ADAPTED, ALONE, STUDY, read, summary
from benchmarks.cases import Case, cropped, load_heads, measure, noisy, specs_of
from benchmarks.compare import COLUMNS, Clock, fits, recorded
from benchmarks.methods import compare, enhanced, image_of, row
from benchmarks.scoring import Scorer
from medidiff.errors import InputError
from medidiff.models import Model, build_network, load_model
from medidiff.tasks import Adapting, Result, adapt_model
from medidiff.tasks.device import choose_device

__all__ = ["FROM_NOTHING", "main", "untrained"]

ALL_COLUMNS = (*COLUMNS, "site", "used", "steps", "foretold", "all_the_way", "reason")
FROM_NOTHING = Adapting(rate=5e-4, warm_up=100, noisy_start=100)
"""How a network learns that knows nothing; without noise at the start it was seen to stay at zero for long."""
LONGER = 5
"""Times the seconds of an adaptation that a network from nothing gets."""
Way = Callable[[Case], tuple[Result, Mapping[str, Any]]]
"""To an enhanced case, and what was said of adapting."""


def main(arguments: Sequence[str] | None = None) -> Path:
    """Run it and return the folder of what was measured."""
    options = _parser().parse_args(arguments)
    device, clock = choose_device(options.device), Clock(options.budget)
    part, parts = (int(n) for n in options.part.split("/"))
    options.output.mkdir(parents=True, exist_ok=True)
    kinds = {"spacings": options.spacing, "profiles": options.profile}
    heads = load_heads(options.data, limit=options.limit)
    names = [head.name for head in heads]
    _refuse_known(options.study, names)
    heads = [cropped(head, options.crop) for head in heads] if options.crop else heads
    specs = specs_of(heads, axes_per_head=options.axes_per_head, **kinds)
    weights, notes = fits(options, specs, names, {**kinds, "isotropic": ()}, device, options.noise)
    model = load_model(options.model)
    ways = _ways(options, model, device)
    with recorded(options.output / f"results-{part}.csv", ALL_COLUMNS) as rows:
        for spec in clock.within(specs[part - 1 :: parts], "the cases"):
            case = noisy(measure(spec, device), options.noise)
            site = {"site": "left out" if options.left_out and options.left_out in spec.head.name else "known"}
            compare(case, model, None, weights, lambda known, site=site: rows.append(known | site))  # type: ignore[misc]
            for name, way in ways.items():
                rows.append(_adapted(case, name, way) | site)
    named = f"{model.label} ({model.card['sha256'][:12]}) on {device}"
    notes += [f"{named}, left out: {options.left_out or 'nothing said'}, noise {options.noise:g}"]
    (options.output / f"notes-{part}.txt").write_text("\n".join(notes) + "\n")
    (options.output / "summary.md").write_text(summary(read(options.output)))
    return Path(options.output)


def _refuse_known(study: Path | None, names: Sequence[str]) -> None:
    """A study's model is scored on heads that it has not seen."""
    known = {path.name.split(".")[0] for path in study.iterdir()} & set(names) if study else ()
    if known:
        raise InputError("heads to score are in the study", where=str(study), found=", ".join(sorted(known)))


def untrained(model: Model, seed: int = 0) -> Model:
    """Give the network of a model random weights; its last layer is born as zero, so it answers the upsampled scan."""
    torch.manual_seed(seed)
    return Model(build_network(model.card).eval().requires_grad_(False), model.card)


def _ways(options: argparse.Namespace, model: Model, device: torch.device) -> dict[str, Way]:
    """What is compared with the plain model."""
    told = {name: getattr(options, name) for name in ("tuned", "texture", "patches", "size", "loyalty")}
    tuned = Adapting(options.seconds, options.steps, options.rate, **told)
    longer = {"seconds": LONGER * tuned.bound(device), "steps": options.steps and LONGER * options.steps}
    alone = replace(FROM_NOTHING, rate=options.alone_rate or FROM_NOTHING.rate, **longer)
    alone = replace(alone, patches=options.patches, size=options.size)
    ways: dict[str, Way] = {
        ADAPTED: lambda case: _told(enhanced(case, model, adapt=tuned)),
        ALONE: lambda case: _told(enhanced(case, untrained(model), adapt=alone)),
    }
    ways = {name: way for name, way in ways.items() if name in options.methods}
    return ways | ({STUDY: _studying(options, model, tuned, device)} if options.study else {})


def _told(result: Result) -> tuple[Result, Mapping[str, Any]]:
    return result, result.provenance["adaptation"]


def _studying(options: argparse.Namespace, model: Model, tuned: Adapting, device: torch.device) -> Way:
    """Adapt a model to a study for each kind of slices, before any case is enhanced with it."""
    heads = [cropped(head, options.crop) if options.crop else head for head in load_heads(options.study)]
    specs = specs_of(heads, axes_per_head=1, spacings=options.spacing, profiles=options.profile)
    models: dict[tuple[str, str], tuple[Model, Mapping[str, Any]]] = {}
    for kind in sorted({spec.kind for spec in specs}):
        scans = [noisy(measure(spec, device), options.noise) for spec in specs if spec.kind == kind]
        how = replace(tuned, again=0.5, seconds=tuned.seconds and tuned.seconds * len(scans))
        models[kind] = _studied(scans, model, how, None if options.noise else 0.0)

    def way(case: Case) -> tuple[Result, Mapping[str, Any]]:
        studied, told = models[case.spec.kind]
        return enhanced(case, studied), told

    return way


def _studied(
    scans: Sequence[Case], model: Model, how: Adapting, noise: float | None
) -> tuple[Model, Mapping[str, Any]]:
    """The model of a study, or the one from before where it has nothing to teach."""
    device, profile = str(scans[0].y.device), scans[0].spec.profile
    volumes = [scan.volume for scan in scans]
    try:
        found = adapt_model(volumes, model, adapt=how, profile=profile, noise=noise, device=device)
    except InputError as refusal:
        return model, {"used": False, "reason": refusal.found}
    return found, {"used": True, **found.card["adapted"]}


def _adapted(case: Case, name: str, way: Way) -> dict[str, Any]:
    """Scores of a way, and what it says of itself."""
    told: dict[str, Any] = {}

    def image() -> torch.Tensor:
        result, said = way(case)
        told.update(said)
        return image_of(result, case)

    scores = row(case, Scorer(case.truth, case.region), name, image)
    facts = {"used": told["used"], "steps": told.get("steps"), "foretold": told.get("gain_db")}
    facts["all_the_way"] = told.get("gain_all_the_way_db")
    return {**scores, **facts, "reason": told.get("reason", "")}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adaptation", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the heads to score")
    parser.add_argument("--fit-data", type=Path, required=True, help="folder of training heads, for the peers' weights")
    parser.add_argument("--output", type=Path, required=True, help="folder of rows, notes and summary.md")
    parser.add_argument("--model", default="sr-brain")
    parser.add_argument(
        "--left-out", default="", metavar="WORD", help="in names of heads whose site is not in training"
    )
    parser.add_argument("--methods", nargs="*", choices=(ADAPTED, ALONE), default=(ADAPTED, ALONE))
    parser.add_argument("--study", type=Path, help="folder of heads of the cases' scanner, to adapt one model to")
    parser.add_argument("--seconds", type=float, help="of an adaptation; by default as enhance --adapt")
    parser.add_argument("--steps", type=int, help="of an adaptation")
    parser.add_argument("--rate", type=float, help="of an adaptation")
    parser.add_argument("--loyalty", type=float, default=Adapting.loyalty, help="of an adaptation")
    parser.add_argument("--tuned", default="", help="pattern of the parameters that are tuned")
    parser.add_argument("--patches", type=int, help="of each step of an adaptation")
    parser.add_argument("--size", type=int, help="edge of these patches, voxels")
    parser.add_argument("--texture", type=float, default=0.0, help="of what is learnt from: 0 the mean, 1 a sample")
    parser.add_argument("--alone-rate", type=float, help="of a network that knows nothing")
    parser.add_argument("--part", default="1/1", help="i/n: do the i-th of n shares of the work")
    parser.add_argument("--budget", type=float, default=540.0, help="seconds after which no case is begun")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--limit", type=int, help="so many heads only")
    parser.add_argument("--crop", type=int, help="edge of the middle of the heads that is used, voxels")
    parser.add_argument("--axes-per-head", type=int, default=1)
    parser.add_argument("--spacing", type=float, nargs="+", default=[3.0, 5.0])
    parser.add_argument("--profile", nargs="+", default=["gaussian", "rect"])
    parser.add_argument("--noise", type=float, default=0.0, help="SD over the head's brightness, told to every method")
    parser.add_argument("--fit-heads", type=int, default=2)
    parser.add_argument("--fit-crop", type=int, default=128, help="edge of the crops that are fitted on, voxels")
    return parser


if __name__ == "__main__":
    main()
