"""Reconstruct eight slices of each head at two accelerations and four kinds of masks by every method.

    python -m benchmarks.reconstruction --data VAL --fit-data TRAINING --output DIR --device cuda

Simulated: eight coils, smooth phase, noise of 1, 2 and 3 % of the head's brightness in turn. Gaussian masks are in no
training. The weight of BART's wavelets is taken, for each acceleration, from a grid on training heads, which is
printed. PSNR, SSIM and NMSE in fastMRI's convention (target RSS, range the volume's maximum, 7 x 7 uniform window) and
PSNR in the head. A row for each case and method, on disk as soon as it is known.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.cases import upright
from benchmarks.compare import Clock, recorded
from benchmarks.kspace_peers import bart_wavelet, dds, has_bart
from medidiff.io import read_nifti
from medidiff.kspace import KSpace
from medidiff.metrics import data_range_of, head_region, nmse, psnr, ssim_slices
from medidiff.models import load_model
from medidiff.physics.espirit import CROP, KERNEL
from medidiff.physics.fourier import middle
from medidiff.physics.noise import head_brightness
from medidiff.tasks import reconstruct, simulate_kspace
from medidiff.tasks.device import choose_device
from medidiff.tasks.measurement import measure
from medidiff.tasks.refinement import Asked, prior_of
from medidiff.volume import Volume

__all__ = ["Case", "Spec", "cases_of", "main", "scored"]

SLICES, APART = 8, 6.0
"""Slices of each head, and mm between them."""
MASKS, ACCELERATIONS = ("random", "equispaced", "gaussian", "poisson"), (4.0, 8.0)
NOISES = (0.01, 0.02, 0.03)
LINES = {4.0: 20, 8.0: 12}
WEIGHTS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
SCORES = ("psnr", "ssim", "nmse", "psnr_head", "residual_over_noise", "seconds")
COLUMNS = ("head", "slices", "mask", "acceleration", "noise", "method", *SCORES)

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """A stack of slices, and what was measured of it."""

    head: str
    listed: tuple[int, ...]
    truth: Volume
    region: NDArray[np.bool_]
    scan: KSpace
    mask: str
    acceleration: float
    noise: float

    def facts(self) -> dict[str, Any]:
        """What tells the case."""
        told = {"head": self.head, "slices": " ".join(map(str, self.listed)), "mask": self.mask}
        return told | {"acceleration": self.acceleration, "noise": self.noise}


def cases_of(paths: Sequence[Path], *, slices: int = SLICES) -> list["Spec"]:
    """List every mask and acceleration of so many slices of each head; the noise goes through its levels."""
    kinds = list(enumerate(product(ACCELERATIONS, MASKS)))
    return [Spec(path, number, acceleration, mask, slices) for path in paths for number, (acceleration, mask) in kinds]


class Spec(NamedTuple):
    """A case that is not measured yet, and its number among those of its head."""

    path: Path
    number: int
    acceleration: float
    mask: str
    slices: int

    def measured(self) -> Case:
        """Measure it."""
        truth, region, listed, bright = _stack(self.path, self.slices)
        noise = NOISES[self.number % len(NOISES)]
        scan = simulate_kspace(
            truth,
            acceleration=self.acceleration,
            mask=self.mask,
            calibration=LINES[self.acceleration],
            noise=noise * bright,
            axis="z",
            seed=self.number,
        )
        name = self.path.name.split(".")[0]
        return Case(name, listed, truth, region, scan, self.mask, self.acceleration, noise)


@lru_cache(1)
def _stack(path: Path, slices: int) -> tuple[Volume, NDArray[np.bool_], tuple[int, ...], float]:
    """Axial slices about the middle of the head, across the axis nearest to head-foot.

    Of even size: with odd ones BART's maps or images go wrong, though its transform is the same as ours.
    """
    volume = read_nifti(path)
    order = upright(volume.geometry)
    array, geometry = volume.array.transpose(order), volume.geometry.permuted(order)
    even = (geometry.shape[0] // 2 * 2, geometry.shape[1] // 2 * 2, geometry.shape[2])
    array, geometry = array[middle(array.shape, even)], geometry.cropped(even)
    region = head_region(array)
    step = max(1, round(APART / geometry.spacing[2]))
    centre = int(np.median(np.argwhere(region.any((0, 1)))))
    listed = tuple(int(z) for z in centre + step * (np.arange(slices) - slices // 2) if 0 <= z < array.shape[2])
    affine = geometry.affine.copy()
    affine[:3, 2] *= step
    affine[:3, 3] = geometry.world(np.array([0, 0, listed[0]]))
    stack = np.ascontiguousarray(array[..., list(listed)])
    cut = Volume(stack, type(geometry)(stack.shape, affine))
    return cut, np.ascontiguousarray(region[..., list(listed)]), listed, head_brightness(volume.array)


def scored(case: Case, image: Image) -> dict[str, float]:
    """Score an image in fastMRI's convention and in the head."""
    everywhere, top = np.ones(image.shape, bool), float(case.truth.array.max())
    told: dict[str, Any] = {"data_range": top, "region": everywhere}
    in_head: dict[str, Any] = {"data_range": data_range_of(case.truth.array, case.region), "region": case.region}
    return {
        "psnr": psnr(image, case.truth.array, **told),
        "ssim": ssim_slices(image, case.truth.array, **told),
        "nmse": nmse(image, case.truth.array, **told),
        "psnr_head": psnr(image, case.truth.array, **in_head),
    }


def main(arguments: Sequence[str] | None = None) -> Path:
    """Run it and return the folder of what was measured."""
    given = _arguments(arguments)
    given.output.mkdir(parents=True, exist_ok=True)
    clock = Clock(given.budget)
    weights = _fitted(sorted(given.fit_data.glob("*.nii*"))[: given.fit_heads]) if "bart" in given.methods else {}
    specs = cases_of(sorted(given.data.glob("*.nii*")))[given.part - 1 :: given.parts]
    with recorded(given.output / f"reconstruction-{given.part}.csv", COLUMNS) as rows:
        for spec in clock.within(specs, "the comparison"):
            case = spec.measured()
            for name, method in _methods(given, weights).items():
                rows.append(case.facts() | _row(case, name, method))
    return Path(given.output)


Method = Callable[[Case], tuple[Image, float]]
"""The image, and its residual over the noise."""


def _row(case: Case, name: str, method: Method) -> dict[str, Any]:
    began = time.perf_counter()
    image, residual = method(case)
    seconds = time.perf_counter() - began
    return {"method": name, **scored(case, image), "residual_over_noise": residual, "seconds": seconds}


def _methods(given: argparse.Namespace, weights: dict[float, float]) -> dict[str, Method]:
    """What was asked for, by the name that rows have."""
    found: dict[str, Method] = {}
    for name in given.methods:
        if name == "bart":
            found["BART l1-wavelet"] = lambda case: (bart_wavelet(case.scan, weight=weights[case.acceleration]), np.nan)
        elif name == "diffusion":
            model = load_model(given.model)
            for passes in given.passes:
                found[f"diffusion, {passes} passes"] = _ours("diffusion", given.device, model=model, passes=passes)
        elif name == "dds":
            for evaluations in (20, 49):
                found[f"DDS, {evaluations}"] = _dds(given, evaluations)
        else:
            found[name] = _ours(name, given.device)
    return found


def _ours(method: str, device: str, **told: Any) -> Method:
    def run(case: Case) -> tuple[Image, float]:
        result = reconstruct(case.scan, method, device=device, **told)
        return result.volume.array, float(result.provenance["data_residual"]["over_noise"])

    return run


def _dds(given: argparse.Namespace, evaluations: int) -> Method:
    device = choose_device(given.device)
    prior = prior_of(given.model, Asked(), device=device, progress=lambda share: None)

    def run(case: Case) -> tuple[Image, float]:
        scan = measure(case.scan, coils=12, kernel=KERNEL, crop=CROP, noise=None, seed=0, device=device)
        images = dds(scan, prior, evaluations=evaluations)
        image = torch.linalg.vector_norm(images, dim=0).cpu().numpy()
        return image, scan.residual(images) / scan.allowed

    return run


def _fitted(paths: Sequence[Path]) -> dict[float, float]:
    """Weights of BART's wavelets with the best mean PSNR in the head on training heads; prints the grid."""
    best = {}
    cases = [spec.measured() for spec in cases_of(paths)]
    for acceleration in ACCELERATIONS:
        some = [case for case in cases if case.acceleration == acceleration]
        means = {
            w: float(np.mean([scored(c, bart_wavelet(c.scan, weight=w))["psnr_head"] for c in some])) for w in WEIGHTS
        }
        best[acceleration] = max(means, key=lambda w: means[w])
        edge = "" if best[acceleration] in WEIGHTS[1:-1] else " (at the edge of the grid)"
        told = ", ".join(f"{w:g}: {mean:.2f} dB{'*' if w == best[acceleration] else ''}" for w, mean in means.items())
        print(f"weight of BART, {acceleration:g}x: {told}{edge}", flush=True)
    return best


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="heads to score")
    parser.add_argument("--fit-data", type=Path, help="training heads, for BART's weight")
    parser.add_argument("--fit-heads", type=int, default=2)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--model", default="recon-brain")
    parser.add_argument("--passes", type=int, nargs="+", default=[4])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds")
    parser.add_argument("--part", default="1/1", help="this share of the cases, such as 2/3")
    known = ["zero-filled", "cg-sense", "l1-wavelet", *(["bart"] if has_bart() else []), "diffusion", "dds"]
    parser.add_argument("--methods", nargs="+", default=known)
    given = parser.parse_args(arguments)
    given.part, given.parts = map(int, given.part.split("/"))
    return given


if __name__ == "__main__":
    main()
