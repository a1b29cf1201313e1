"""Do lesions survive, and does none appear? Synthetic lesions in sharp heads, degraded and enhanced.

``python -m benchmarks.lesions --data VAL --output DIR --model sr-brain --crop 96``

Soft spheres of 2 to 8 mm, bright and dark, are put into brain tissue at random places, many into one head. The head is
measured in thick slices with and without them, and both measurements are enhanced; so are they by cubic + DC, and by
the pseudo-inverse, which is what the measurement alone determines. What a method makes of a lesion is the difference of
its two images. Without lesions, blobs are counted that the truth does not have. Rows are on disk as soon as they are
known; ``--part 1/2`` shares the work, and ``--summarise`` puts the rows of all parts together.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.cases import Case, cropped, load_heads, measure, specs_of
from benchmarks.compare import DC_GRID, Clock, recorded
from benchmarks.lesion_picture import draw
from benchmarks.lesion_tables import lesion_summary
from benchmarks.methods import enhanced
from benchmarks.probing import BLOBS, LESIONS, Keep, probe_head
from benchmarks.tables import OURS
from medidiff.evaluation.baselines import cubic_dc
from medidiff.evaluation.lesions import Lesion, tissue
from medidiff.models import load_model
from medidiff.physics import project
from medidiff.tasks.device import choose_device

__all__ = ["CUBIC", "INVERSE", "Enhance", "enhancer", "main", "methods_of", "probe"]

Array = NDArray[np.float32]
Enhance = Callable[[Case], Array]

CUBIC, INVERSE = "cubic+DC", "pseudo-inverse"


def main(arguments: Sequence[str] | None = None) -> str:
    """Run it and return the tables."""
    options = _parser().parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    if not options.summarise:
        _run(options)
    return lesion_summary(options.output)


def _run(options: argparse.Namespace) -> None:
    device, clock = choose_device(options.device), Clock(options.budget)
    ours = enhancer(options.model, options.detail)
    part, parts = (int(n) for n in options.part.split("/"))
    heads = [
        cropped(head, options.crop) if options.crop else head for head in load_heads(options.data, limit=options.limit)
    ]
    specs = specs_of(heads, spacings=options.spacing, profiles=options.profile, axes_per_head=options.axes_per_head)
    drawn: set[tuple[str, str]] = set()
    with (
        recorded(options.output / f"lesions-{part}.csv", LESIONS) as rows,
        recorded(options.output / f"blobs-{part}.csv", BLOBS) as blobs,
    ):
        for spec in clock.within(specs[part - 1 :: parts], "lesions"):
            pictured = None if (spec.head.contrast, spec.slices) in drawn else options.output
            drawn.add((spec.head.contrast, spec.slices))
            probe(
                measure(spec, device),
                methods_of(ours),
                rows.append,
                blobs.append,
                contrast=options.contrast,
                each=options.each,
                repeats=options.repeats,
                pictures=pictured,
            )


def enhancer(name: str, detail: float = 0.0) -> Enhance:
    """Our posterior mean on the truth's grid, noise-free; with ``detail`` 1 a sample."""
    model = load_model(name)

    def enhance(case: Case) -> Array:
        result = enhanced(case, model, detail=detail)
        return result.volume.array

    return enhance


def methods_of(ours: Enhance) -> dict[str, Enhance]:
    """Methods by name: what the data determine, interpolation that agrees with them, and ours."""
    weight = min(DC_GRID)
    return {
        INVERSE: lambda case: _array(project(torch.zeros_like(case.truth), case.y, case.operator, weight=weight)),
        CUBIC: lambda case: _array(cubic_dc(case.y, case.operator, weight=weight)),
        OURS: ours,
    }


def _array(x: torch.Tensor) -> Array:
    return np.asarray(x.cpu().numpy(), dtype=np.float32)


def probe(
    case: Case,
    methods: dict[str, Enhance],
    keep: Keep,
    keep_blobs: Keep,
    *,
    contrast: float,
    each: int,
    repeats: int = 1,
    pictures: Path | None = None,
) -> None:
    """Put lesions into a head and measure it in slices as the case was; see `benchmarks.probing.probe_head`."""
    spec = case.spec
    probe_head(
        spec.head,
        spec.facts,
        lambda head: measure(replace(spec, head=head), case.y.device),
        methods,
        keep,
        keep_blobs,
        allowed=tissue(spec.head.volume, spec.head.region),
        contrast=contrast,
        each=each,
        repeats=repeats,
        draw=None if pictures is None else partial(_drawn, pictures),
    )


def _drawn(folder: Path, sick: Case, lesions: Sequence[Lesion], images: Mapping[str, Array]) -> None:
    draw(sick, lesions, {name: images[name] for name in (CUBIC, OURS)}, folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lesions", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of sharp heads that are in no training")
    parser.add_argument("--output", type=Path, required=True, help="folder of rows, tables and pictures")
    parser.add_argument("--model", default="sr-brain")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--budget", type=float, default=1200.0, help="seconds")
    parser.add_argument("--part", default="1/1", help="i/n: do the i-th of n shares of the work")
    parser.add_argument("--summarise", action="store_true", help="only put rows together that are there")
    parser.add_argument("--limit", type=int, help="heads, shared out among the sources")
    parser.add_argument("--crop", type=int, help="keep so many voxels along each axis, at the middle of the head")
    parser.add_argument("--spacing", type=float, nargs="+", default=[3.0, 5.0], help="of the slices, mm")
    parser.add_argument("--profile", nargs="+", default=["gaussian"])
    parser.add_argument("--axes-per-head", type=int, default=1)
    parser.add_argument("--detail", type=float, default=0.0, help="of ours: 0 for the mean, 1 for a sample")
    parser.add_argument("--contrast", type=float, default=0.3, help="of a lesion, over the local brightness")
    parser.add_argument("--each", type=int, default=4, help="lesions of each size and sign in one head, at most")
    parser.add_argument("--repeats", type=int, default=2, help="times that lesions are put at other places")
    return parser


if __name__ == "__main__":
    main()
