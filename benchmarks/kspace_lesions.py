"""Do lesions survive undersampled k-space, and does none appear? ``benchmarks.lesions``, for reconstructions.

``python -m benchmarks.kspace_lesions --data VAL --limit 3 --device cpu --output DIR``

A slab of axial slices is measured by eight synthetic coils, 4- and 8-fold, by lines at random and by a Poisson disc,
with noise of 1 % of the head's brightness, with lesions and without, by the same noise. The slab is where most brain is
deep; lesions lie wholly inside it. ``lesions.md`` puts all rows of a folder together.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Head, load_heads, upright
from benchmarks.compare import Clock, recorded
from benchmarks.lesion_tables import lesion_summary
from benchmarks.probing import BLOBS, LESIONS, probe_head
from benchmarks.reconstruction import ACCELERATIONS, LINES
from benchmarks.tables import OURS
from medidiff.errors import UsageError
from medidiff.evaluation.lesions import SIZES, tissue
from medidiff.kspace import KSpace
from medidiff.models import load_model
from medidiff.physics.noise import head_brightness
from medidiff.tasks import reconstruct, simulate_kspace
from medidiff.volume import Geometry, Volume

__all__ = ["main", "slab"]

MASKS = ("random", "poisson")
NOISE = 0.01
MARGIN = max(SIZES) / 2 + 1
"""Least distance of a lesion's centre from the slab's ends, mm."""
CLASSICAL = ("cg-sense", "l1-wavelet")

Region = NDArray[np.bool_]


def main(arguments: Sequence[str] | None = None) -> str:
    """Run it and return the tables."""
    given = _parser().parse_args(arguments)
    given.output.mkdir(parents=True, exist_ok=True)
    clock, methods = Clock(given.budget), _methods(given)
    told = {"contrast": given.contrast, "each": given.each, "repeats": given.repeats}
    with (
        recorded(given.output / "lesions-1.csv", LESIONS) as rows,
        recorded(given.output / "blobs-1.csv", BLOBS) as blobs,
    ):
        for head, number, facts in clock.within(list(_cases(given)), "lesions"):
            some, allowed = slab(head, given.slices)
            scan = _scanner(some, number)
            probe_head(some, facts, scan, methods, rows.append, blobs.append, allowed=allowed, **told)
    return lesion_summary(given.output)


def slab(head: Head, slices: int) -> tuple[Head, Region]:
    """So many axial slices with the most room for lesions, slices last; and where in them these may be.

    Raises
    ------
    UsageError
        If there are no such slices, or no room for a lesion between the first and the last.
    """
    order = upright(head.volume.geometry)
    array, geometry = head.volume.array.transpose(order), head.volume.geometry.permuted(order)
    region = head.region.transpose(order)
    allowed = tissue(Volume(array, geometry), region)
    margin = int(np.ceil(MARGIN / geometry.spacing[2]))
    if not 2 * margin < slices <= array.shape[2]:
        needed = f"more than {2 * margin}, and at most the head's {array.shape[2]}"
        raise UsageError("no slab of so many slices", where=head.name, found=str(slices), needed=needed)
    inner = np.ones(slices - 2 * margin)
    first = int(np.convolve(allowed.sum((0, 1))[margin : array.shape[2] - margin], inner, "valid").argmax())
    affine = geometry.affine.copy()
    affine[:3, 3] = geometry.world(np.array([0, 0, first]))
    kept = slice(first, first + slices)
    cut = np.ascontiguousarray(array[..., kept])
    inside = np.zeros(cut.shape, bool)
    inside[..., margin : slices - margin] = True
    some = replace(head, volume=Volume(cut, Geometry(cut.shape, affine)), region=region[..., kept])
    return some, allowed[..., kept] & inside


def _cases(given: argparse.Namespace) -> Iterator[tuple[Head, int, dict[str, Any]]]:
    """Every head with each acceleration and mask; a number that tells which."""
    for head in load_heads(given.data, limit=given.limit):
        for number, (acceleration, mask) in enumerate(product(ACCELERATIONS, MASKS)):
            facts = {"head": head.name, "contrast": head.contrast, "axis": "z"}
            yield head, number, facts | {"slices": f"{acceleration:g}x", "profile": mask}


def _scanner(some: Head, number: int) -> Callable[[Head], KSpace]:
    """Measure a head like ``some`` with the mask, the coils and the noise of this number."""
    acceleration, mask = list(product(ACCELERATIONS, MASKS))[number]
    noise = NOISE * head_brightness(some.volume.array)
    told: dict[str, Any] = {"acceleration": acceleration, "mask": mask, "calibration": LINES[acceleration]}
    return lambda head: simulate_kspace(head.volume, **told, noise=noise, axis="z", seed=number)


def _methods(given: argparse.Namespace) -> dict[str, Callable[[KSpace], NDArray[np.float32]]]:
    def of(method: str, **told: Any) -> Callable[[KSpace], NDArray[np.float32]]:
        return lambda scan: reconstruct(scan, method, device=given.device, **told).volume.array

    return {name: of(name) for name in CLASSICAL} | {OURS: of("diffusion", model=load_model(given.model))}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kspace_lesions", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of heads that are in no training")
    parser.add_argument("--output", type=Path, required=True, help="folder of rows and tables")
    parser.add_argument("--model", default="recon-brain")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds after which no case is begun")
    parser.add_argument("--limit", type=int, help="heads, shared out among the sources")
    parser.add_argument("--slices", type=int, default=16, help="of the slab")
    parser.add_argument("--contrast", type=float, default=0.3, help="of a lesion, over the local brightness")
    parser.add_argument("--each", type=int, default=3, help="lesions of each size and sign in one slab, at most")
    parser.add_argument("--repeats", type=int, default=1, help="times that lesions are put at other places")
    return parser


if __name__ == "__main__":
    main()
