"""Seconds and memory of reconstructions: ``python -m benchmarks.kspace_speed --device cpu``.

On a CPU: one slice of 256 x 256 voxels and 8 coils by every method, BART's l1-wavelet beside them, and the diffusion
method with several numbers of passes, with PSNR in the head beside the seconds. On a GPU: a volume of 256 x 256 x 160
voxels and 8 coils. The first line is a warm-up.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import upright
from benchmarks.kspace_peers import bart_wavelet, has_bart
from medidiff.io import read_nifti
from medidiff.kspace import KSpace
from medidiff.metrics import data_range_of, head_region, psnr
from medidiff.models import load_model
from medidiff.physics.fourier import middle
from medidiff.physics.noise import head_brightness
from medidiff.tasks import reconstruct, simulate_kspace
from medidiff.volume import Geometry, Volume

__all__ = ["main", "padded"]

SLICE, VOLUME = (256, 256, 1), (256, 256, 160)
ACCELERATION, NOISE = 8.0, 0.02
BART_WEIGHT = 0.002

Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    """Print a line for each method and return them."""
    given = _arguments(arguments)
    on_gpu = given.device.startswith("cuda")
    truth = padded(read_nifti(given.head), given.shape or (VOLUME if on_gpu else SLICE))
    scan = simulate_kspace(
        truth,
        acceleration=ACCELERATION,
        mask="poisson" if on_gpu else "random",
        calibration=16 if on_gpu else 12,
        noise=NOISE * head_brightness(truth.array),
        axis="z",
    )
    print(f"{'x'.join(map(str, truth.geometry.shape))}, 8 coils, {ACCELERATION:g}x, on {given.device}", flush=True)
    print(
        "| method | evaluations | seconds | peak memory, MB | PSNR in the head, dB |\n| --- | --- | --- | --- | --- |"
    )
    return [_told(name, method, scan, truth) for name, method in _methods(given, on_gpu)]


def padded(volume: Volume, shape: tuple[int, int, int]) -> Volume:
    """Axial slices from the middle, laid into a field of view of this shape."""
    order = upright(volume.geometry)
    array = volume.array.transpose(order)
    kept = tuple(min(have, want) for have, want in zip(array.shape, shape, strict=True))
    whole = np.zeros(shape, np.float32)
    whole[middle(shape, kept)[-3:]] = array[middle(array.shape, kept)[-3:]]
    return Volume(whole, Geometry(shape, np.diag([*volume.geometry.permuted(order).spacing, 1.0])))


def _methods(given: argparse.Namespace, on_gpu: bool) -> list[tuple[str, Callable[[KSpace], Any]]]:
    model = load_model(given.model)
    ours: list[tuple[str, Callable[[KSpace], Any]]] = [
        (f"diffusion, {passes} passes", _ours("diffusion", given.device, model=model, passes=passes))
        for passes in given.passes
    ]
    if on_gpu:
        return [("warm-up", ours[0][1]), *ours]
    classical = [(name, _ours(name, given.device)) for name in ("zero-filled", "cg-sense", "l1-wavelet")]
    return [("warm-up", ours[0][1]), *classical, *([("BART l1-wavelet", _bart)] if has_bart() else []), *ours]


def _ours(method: str, device: str, **told: Any) -> Callable[[KSpace], Any]:
    return lambda scan: reconstruct(scan, method, device=device, **told)


def _bart(scan: KSpace) -> Any:
    return bart_wavelet(scan, weight=BART_WEIGHT)


def _told(name: str, method: Callable[[KSpace], Any], scan: KSpace, truth: Volume) -> Row:
    began = time.perf_counter()
    found = method(scan)
    seconds = time.perf_counter() - began
    image = found if isinstance(found, np.ndarray) else found.volume.array
    record = {} if isinstance(found, np.ndarray) else found.provenance
    region = head_region(np.repeat(truth.array, 5, axis=2) if truth.array.shape[2] < 5 else truth.array)
    region = region[..., : truth.array.shape[2]]
    score = psnr(image, truth.array, data_range=data_range_of(truth.array, region), region=region)
    row = {"method": name, "seconds": seconds, "memory": record.get("peak_memory_mb"), "psnr_head": score}
    print(f"| {name} | {record.get('passes', '')} | {seconds:.2f} | {row['memory'] or ''} | {score:.2f} |", flush=True)
    return row


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", type=Path, required=True, help="an image to measure")
    parser.add_argument("--model", default="recon-brain")
    parser.add_argument("--passes", type=int, nargs="+", default=[1, 2, 4, 6, 8])
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--shape", type=lambda text: tuple(map(int, text.split(","))), help="X,Y,Z instead")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
