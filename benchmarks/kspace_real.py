"""A real complex image, measured by synthetic coils: ``python -m benchmarks.kspace_real IMAGE.mat --columns 180``.

Its phase and its noise are a scanner's, of which the reconstruction is told nothing. BART's weight is the best of a
grid for each mask, on the very image that it is scored on. PSNR of all voxels, dB.
"""

import argparse
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.kspace_peers import bart_wavelet
from benchmarks.reconstruction import ACCELERATIONS, LINES, MASKS
from medidiff.kspace import KSpace
from medidiff.metrics import psnr
from medidiff.physics import Fourier
from medidiff.physics.antenna import coil_maps
from medidiff.physics.masks import LINE_MASKS, poisson_disc
from medidiff.tasks import reconstruct
from medidiff.volume import Geometry

__all__ = ["main", "measured"]

COILS, NOISE = 8, 0.01
WEIGHTS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
HEADINGS = ("acceleration", "mask", "BART (best weight)", "diffusion", "gain", "noise found", "residual over it")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for each mask, and the mean and the least gain."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", type=Path, help="MATLAB file with a complex image im_ori")
    parser.add_argument("--columns", type=int, help="so many of its columns alone")
    parser.add_argument("--device", default="auto")
    given = parser.parse_args(arguments)
    image = _read(given.image)[:, : given.columns]
    print(f"| {' | '.join(HEADINGS)} |\n|{' --- |' * len(HEADINGS)}")
    gains = [_compared(image, scan, name, given.device) for name, scan in measured(image)]
    print(f"\nmean gain {np.mean(gains):+.2f} dB, least {min(gains):+.2f}")


def measured(image: NDArray[np.complex64]) -> Iterator[tuple[str, KSpace]]:
    """Measure ``(a, b)`` with each acceleration and mask; noise of `NOISE` is added to its own."""
    geometry = Geometry((*image.shape, 1), np.diag([1.0, 1.0, 5.0, 1.0]))
    seen = coil_maps(geometry, coils=COILS, seed=3) * torch.from_numpy(image)[..., None]
    draw = np.random.default_rng(0).normal(size=(*seen.shape, 2)) @ [1, 1j] * NOISE / 2**0.5
    full = Fourier((0, 1)).forward(seen).numpy() + draw
    for acceleration, mask in product(ACCELERATIONS, MASKS):
        lines = {"acceleration": acceleration, "calibration": LINES[acceleration], "seed": 1}
        if mask == "poisson":
            kept = poisson_disc(image.shape, **lines)[..., None]  # type: ignore[arg-type]
        else:
            kept = LINE_MASKS[mask](image.shape[1], **lines).reshape(1, -1, 1)
        where = np.broadcast_to(kept, geometry.shape)
        yield f"{acceleration:g} | {mask}", KSpace((full * kept).astype(np.complex64), geometry, (0, 1), where)


def _read(path: Path) -> NDArray[np.complex64]:
    """Read the image, in units of its 99th percentile."""
    with h5py.File(path) as file:
        parts = file["im_ori"][()]
    image = (parts["real"] + 1j * parts["imag"]).astype(np.complex64)
    return np.asarray(image / np.percentile(np.abs(image), 99))


def _compared(image: NDArray[np.complex64], scan: KSpace, name: str, device: str) -> float:
    truth, everywhere = np.abs(image)[..., None], np.ones((*image.shape, 1), bool)

    def score(found: NDArray[np.float32]) -> float:
        return psnr(found, truth, data_range=float(truth.max()), region=everywhere)

    theirs = {weight: score(bart_wavelet(scan, weight=weight)) for weight in WEIGHTS}
    best = max(theirs, key=lambda weight: theirs[weight])
    ours = reconstruct(scan, device=device)
    told, gain = ours.provenance, score(ours.volume.array) - theirs[best]
    figures = (f"{theirs[best]:.2f} ({best:g})", f"{theirs[best] + gain:.2f}", f"{gain:+.2f}")
    noise = (f"{told['kspace']['noise']:.4f}", f"{told['data_residual']['over_noise']:.2f}")
    print(f"| {name} | {' | '.join((*figures, *noise))} |", flush=True)
    return gain


if __name__ == "__main__":
    main()
