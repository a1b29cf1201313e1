"""How well the classical methods reconstruct simulated k-space, with grids for what is tuned by hand.

    python -m benchmarks.kspace sharp/*.nii.gz --slices 4 --accelerations 2,4,8

Eight coils, smooth phase, noise of 2 % of the head's brightness, lines at random with 24 (8-fold: 12) in the middle.
PSNR in dB against the image itself: over all voxels with its maximum as range (fastMRI's convention), and in the head.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import upright
from medidiff.io import read_nifti
from medidiff.kspace import KSpace
from medidiff.metrics import data_range_of, head_region, nmse, psnr
from medidiff.physics.noise import head_brightness
from medidiff.tasks import reconstruct, simulate_kspace
from medidiff.volume import Volume

__all__ = ["main"]

COILS, NOISE = 8, 0.02
WEIGHTS = (0.0003, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02)
ITERATIONS = (2, 4, 8, 16, 32)


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Print a line for each acceleration, method and setting, the mean over images; return them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="+", type=Path)
    parser.add_argument("--slices", type=int, default=4, help="from the middle of each image")
    parser.add_argument("--accelerations", default="2,4,8")
    parser.add_argument("--mask", default="random")
    given = parser.parse_args(arguments)
    slabs = [_slab(path, given.slices) for path in given.images]
    lines = []
    print(f"{len(slabs)} images, {COILS} coils, {given.mask}, noise {NOISE:.0%}")
    print("accel  method       setting            NMSE   PSNR   PSNR head  seconds")
    for acceleration, (method, setting) in product(map(float, given.accelerations.split(",")), _settings()):
        scores = [_scored(slab, acceleration, given.mask, method, setting) for slab in slabs]
        line = {"acceleration": acceleration, "method": method, **setting}
        line |= {name: float(np.mean([score[name] for score in scores])) for name in scores[0]}
        lines.append(line)
        told = ", ".join(f"{name} {value}" for name, value in setting.items()) or "default"
        print(
            f"{acceleration:5g}  {method:11}  {told:17} {line['nmse']:.4f}  {line['psnr']:.2f}  "
            f"{line['psnr head']:9.2f}  {line['seconds']:7.2f}",
            flush=True,
        )
    return lines


def _settings() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "zero-filled", {}
    yield "cg-sense", {}
    yield from (("cg-sense", {"noise": 0.0, "iterations": n}) for n in ITERATIONS)
    yield from (("l1-wavelet", {"weight": weight}) for weight in WEIGHTS)


def _slab(path: Path, slices: int) -> Volume:
    """Axial slices from the middle of a head."""
    volume = read_nifti(path)
    order = upright(volume.geometry)
    array, geometry = volume.array.transpose(order), volume.geometry.permuted(order)
    shape = (*geometry.shape[:2], min(slices, geometry.shape[2]))
    first = geometry.shape[2] // 2 - shape[2] // 2
    return Volume(array[..., first : first + shape[2]], geometry.cropped(shape))


def _scored(slab: Volume, acceleration: float, mask: str, method: str, setting: dict[str, Any]) -> dict[str, float]:
    result = reconstruct(_measured(slab, acceleration, mask), method, device="cpu", **setting)
    found, truth = result.volume.array, slab.array
    everywhere, head = np.ones(truth.shape, bool), _head(truth)
    score: Callable[..., float] = psnr
    return {
        "nmse": nmse(found, truth, data_range=float(truth.max()), region=everywhere),
        "psnr": score(found, truth, data_range=float(truth.max()), region=everywhere),
        "psnr head": score(found, truth, data_range=data_range_of(truth, head), region=head),
        "seconds": float(result.provenance["seconds"]),
    }


def _head(truth: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Find the head in few slices as if these were repeated."""
    return head_region(np.repeat(truth, 5, axis=2))[..., ::5]


def _measured(slab: Volume, acceleration: float, mask: str) -> KSpace:
    noise = NOISE * head_brightness(slab.array)
    lines = 24 if acceleration < 8 else 12
    return simulate_kspace(
        slab, coils=COILS, acceleration=acceleration, mask=mask, calibration=lines, noise=noise, axis="z"
    )


if __name__ == "__main__":
    main()
