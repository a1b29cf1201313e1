"""Do lesions survive, and does none appear? Synthetic lesions in sharp heads, degraded and enhanced.

``python -m benchmarks.lesions --data VAL --output DIR --model sr-brain --crop 96``

Soft spheres of 2 to 8 mm, bright and dark, are put into brain tissue at random places, many into one head. The head is
measured in thick slices with and without them, and both measurements are enhanced; so are they by cubic + DC, and by
the pseudo-inverse, which is what the measurement alone determines. What a method makes of a lesion is the difference of
its two images. Without lesions, blobs are counted that the truth does not have. Rows are on disk as soon as they are
known; ``--part 1/2`` shares the work, and ``--summarise`` puts the rows of all parts together.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.cases import Case, Spec, cropped, load_heads, measure, specs_of
from benchmarks.compare import DC_GRID, Clock, recorded
from benchmarks.lesion_picture import draw
from benchmarks.lesion_tables import lesion_summary
from benchmarks.methods import enhanced
from benchmarks.tables import IDENTITY, OURS
from medidiff.evaluation.baselines import cubic_dc
from medidiff.evaluation.blobs import Detector, invented
from medidiff.evaluation.lesions import SIZES, Lesion, painted, recovered, scattered, tissue
from medidiff.models import load_model
from medidiff.physics import project
from medidiff.tasks.device import choose_device

__all__ = ["CUBIC", "INVERSE", "Enhance", "enhancer", "main", "methods_of", "probe"]

Array = NDArray[np.float32]
Enhance = Callable[[Case], Array]
Keep = Callable[[dict[str, Any]], None]

CUBIC, INVERSE = "cubic+DC", "pseudo-inverse"
LESIONS = (*IDENTITY, "seed", "diameter", "sign", "method", "contrast_recovered", "volume", "shift", "detected")
BLOBS = (*IDENTITY, "diameter", "method", "bright", "dark", "tissue_cm3")


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
    """Put lesions into one case, ``repeats`` times, and score each by every method; count blobs without them."""
    volume, spec = case.spec.head.volume, case.spec
    allowed = tissue(volume, spec.head.region)
    plain = {name: method(case) for name, method in methods.items()}
    cubic_centimetres = float(allowed.sum() * np.prod(volume.geometry.spacing) / 1000)
    for name, image in plain.items():
        for size in SIZES:
            bright, dark = invented(image, volume, allowed, diameter=size, contrast=contrast / 2)
            told = {"diameter": size, "method": name, "bright": bright, "dark": dark, "tissue_cm3": cubic_centimetres}
            keep_blobs(spec.facts | told)
    detectors = {name: Detector(image - volume.array, volume.geometry, allowed, SIZES) for name, image in plain.items()}
    for seed in range(repeats):
        lesions = scattered(volume, allowed, contrast=contrast, each=each, seed=seed)
        sick = with_lesions(case, lesions)
        images = {name: method(sick) for name, method in methods.items()}
        for row in _scored(lesions, plain, images, detectors):
            keep(spec.facts | {"seed": seed} | row)
        if pictures is not None and seed == 0:
            draw(sick, lesions, {name: images[name] for name in (CUBIC, OURS)}, pictures)


def with_lesions(case: Case, lesions: Sequence[Lesion]) -> Case:
    """The same measurement of a head that has the lesions too."""
    head = case.spec.head
    volume = replace(head.volume, array=head.volume.array + painted(head.volume.geometry, lesions))
    spec: Spec = replace(case.spec, head=replace(head, volume=volume))
    return measure(spec, case.y.device)


def _scored(
    lesions: Sequence[Lesion], plain: dict[str, Array], images: dict[str, Array], detectors: dict[str, Detector]
) -> Iterator[dict[str, Any]]:
    for name, image in images.items():
        added, detector = image - plain[name], detectors[name]
        for lesion in lesions:
            found = asdict(recovered(added, detector.geometry, lesion))
            found["contrast_recovered"] = found.pop("contrast")
            told = {"diameter": lesion.diameter, "sign": lesion.sign, "method": name}
            yield told | found | {"detected": int(detector.finds(added, lesion))}


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
