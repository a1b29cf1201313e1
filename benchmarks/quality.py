"""How much better than what everyone has: PSNR in the head on degraded heads, method by method.

    python -m benchmarks.quality --model sr-brain --device cuda HEAD.nii:AXIS [HEAD.nii:AXIS ...]

AXIS (0, 1 or 2) must be one along which the head is truly sharp. The weight of TV comes from training heads.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from medidiff.evaluation.baselines import cubic, cubic_dc, trilinear, tv
from medidiff.io.nifti import read_nifti
from medidiff.metrics import data_range_of, gradient_energy_ratio, head_region, psnr, ssim
from medidiff.models import Model, load_model
from medidiff.physics import SliceProfile
from medidiff.physics.noise import head_brightness
from medidiff.tasks import simulate_thick_slices, super_resolve
from medidiff.volume import Volume

TV_WEIGHTS = (3e-4, 1e-3, 3e-3)
DC_WEIGHT = 1e-3


def classical(thick: Volume, truth: Volume, profile: str, device: str) -> dict[str, np.ndarray]:
    """Every classical result for one measurement, in its units."""
    axis = int(np.argmax(np.array(truth.geometry.shape) != np.array(thick.geometry.shape)))
    width = list(thick.geometry.spacing)
    width[axis] = thick.meta["sidecar"]["SliceThickness"]
    operator = SliceProfile(truth.geometry, thick.geometry, thickness=(width[0], width[1], width[2]), profile=profile)
    unit = head_brightness(thick.array)
    y = torch.from_numpy(np.ascontiguousarray(thick.array))[None, None].to(device) / unit
    results = {
        "trilinear": trilinear(y, operator),
        "cubic": cubic(y, operator),
        "cubic+DC": cubic_dc(y, operator, weight=DC_WEIGHT),
    }
    results |= {f"TV {w:g}": tv(y, operator, weight=w, iterations=150) for w in TV_WEIGHTS}
    return {name: (x[0, 0] * unit).cpu().numpy() for name, x in results.items()}


def ours(thick: Volume, truth: Volume, model: Model, device: str) -> dict[str, np.ndarray]:
    """The posterior mean, one sample, and the mean of eight."""
    settings = {"mean": {}, "sample": {"detail": 1.0}, "mean of 8": {"samples": 8}}
    return {
        name: super_resolve(thick, model, like=truth.geometry, device=device, noise=0.0, **how).volume.array
        for name, how in settings.items()
    }


def rows(path: Path, axis: int, model: Model, device: str, emit: Callable[[dict[str, object]], None]) -> None:
    """Score every method on one head at 3 and 5 mm, both profiles."""
    truth = read_nifti(path)
    region = head_region(truth.array)
    span = data_range_of(truth.array, region)
    for spacing in (3.0, 5.0):
        for profile in ("gaussian", "rect"):
            thick = simulate_thick_slices(truth, spacing=spacing, axis="xyz"[axis], profile=profile)
            results = classical(thick, truth, profile, device) | ours(thick, truth, model, device)
            case = {"head": path.name, "axis": axis, "spacing_mm": spacing, "profile": profile}
            how = {"data_range": span, "region": region}
            for name, array in results.items():
                scores = {"method": name, "psnr": round(psnr(array, truth.array, **how), 3)}
                if name in ("cubic", "mean", "sample"):
                    scores["gradient_energy"] = round(gradient_energy_ratio(array, truth.array, **how), 3)
                if name in ("cubic", "mean") and profile == "gaussian":
                    scores["ssim"] = round(ssim(array, truth.array, **how), 4)
                emit(case | scores)


def main() -> None:
    """Score the heads named on the command line; one JSON line per result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("heads", nargs="+", metavar="HEAD:AXIS")
    parser.add_argument("--model", default="sr-brain")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    device = "cuda" if arguments.device == "auto" and torch.cuda.is_available() else arguments.device
    started, model = time.perf_counter(), load_model(arguments.model)

    def emit(row: dict[str, object]) -> None:
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()

    for head in arguments.heads:
        name, _, axis = head.rpartition(":")
        rows(Path(name), int(axis), model, "cpu" if device == "auto" else device, emit)
    sys.stderr.write(f"{time.perf_counter() - started:.0f} s\n")


if __name__ == "__main__":
    main()
