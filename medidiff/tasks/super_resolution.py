"""Super-resolution: thick slices or low resolution in, a sharper volume that agrees with them out."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from medidiff.diffusion import Denoiser, posterior_mean, sample, times
from medidiff.errors import InputError, UsageError
from medidiff.models import Condition, Model, condition_on, denoiser_of, load_model
from medidiff.physics import relative_residual
from medidiff.physics.noise import NOISE_LEFT, head_brightness
from medidiff.posterior import agreeing, settled
from medidiff.tasks.acquisition import acquisition_of, noise_of
from medidiff.tasks.device import (
    choose_device,
    choose_precision,
    forget_peak_memory,
    peak_memory_mb,
    with_less_memory,
)
from medidiff.tasks.familiarity import answered, appearance, familiarity_warnings, overheard
from medidiff.tasks.grid import FEWEST_VOXELS, Plan, plan_grids, resample, slice_axis
from medidiff.tasks.problem import Problem, back, problem_of, resampled_residual, spread_on
from medidiff.tasks.provenance import provenance_of
from medidiff.tasks.result import Result
from medidiff.tasks.validity import validity_warnings
from medidiff.volume import Geometry, Volume

__all__ = ["super_resolve"]

TILES_AT_ONCE = {"cpu": 1, "cuda": 4}


@dataclass(frozen=True)
class _Options:
    steps: int
    samples: int
    detail: float
    seed: int
    precision: str

    @property
    def sampling(self) -> bool:
        """Whether one evaluation is not enough."""
        return self.samples > 1 or self.detail > 0


def super_resolve(
    volume: Volume,
    model: Model | str | Path = "sr-brain",
    *,
    spacing: float | Sequence[float] | None = None,
    like: Geometry | None = None,
    axis: str = "auto",
    slice_thickness: float | None = None,
    profile: str | None = None,
    steps: int | None = None,
    samples: int = 1,
    detail: float = 0.0,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    noise: float | None = None,
    progress: Callable[[float], None] | None = None,
) -> Result:
    """Infer the sharp volume behind a thick-slice or low-resolution one. Research use only.

    The output is ``mean + detail c (first sample - mean)``. With one sample and no detail the mean is one evaluation of
    the network at pure noise; with more it is the mean of the samples. The card's ``spread_factor`` c makes up for
    samples that lie too close to their mean; the uncertainty is c times their standard deviation.

    Parameters
    ----------
    volume
        ``(x, y, z)``, the measurement; ``meta["sidecar"]`` may state the slice thickness.
    model
        Name or folder of a model, or one already loaded.
    spacing, like
        Target spacing in mm (one figure or one for each axis), or the very grid to deliver on.
    axis
        Slice axis: auto, x, y or z of the array.
    slice_thickness, profile
        Full width at half maximum in mm, and the profile's name, where they are known better than the sidecar.
    steps
        Network evaluations for each sample; by default the model card's.
    samples
        How many posterior samples to draw; from 2 on, their standard deviation is the uncertainty.
    detail
        0 for the mean, 1 for a sample with natural texture.
    seed
        Of the noise; the same seed gives the same output.
    device, precision
        auto, cpu, cuda, cuda:N; auto, fp32, bf16, fp16.
    noise
        Standard deviation of the noise in the measurement's units; 0 for exact agreement; by default the sidecar's or
        an estimate.
    progress
        Called with the fraction done.

    Returns
    -------
    Result
        With the residual against the measurement before and after.

    Raises
    ------
    MedidiffError
        `InputError`, `UsageError`, `GeometryError`, `AlreadySharp`, `ModelError` or `ResourceError`, in one line.
    """
    started, place = time.perf_counter(), choose_device(device)
    forget_peak_memory(place)
    plan = plan_grids(volume.geometry, spacing=spacing, like=like, axis=axis)
    loaded = model if isinstance(model, Model) else load_model(model)
    loaded.network.to(place)
    unit = _check(volume)
    acquisition = acquisition_of(
        volume, axis=slice_axis(volume.geometry, axis), slice_thickness=slice_thickness, profile=profile
    )
    sigma, origin = noise_of(volume, stated=noise, brightness=unit)
    options = _options(loaded, steps, samples, detail, seed, choose_precision(precision, place))
    problem = problem_of(volume, plan, acquisition.thickness, acquisition.profile, sigma, unit, place)
    (mean, spread, answer), warnings = with_less_memory(
        lambda tile, batch: _infer(loaded, problem, options, tile, batch, progress or (lambda fraction: None)),
        tile=loaded.card["tile"],
        multiple=loaded.network.multiple,
        batch=TILES_AT_ONCE[place.type],
    )
    warnings += validity_warnings(volume, plan, loaded.card, acquisition.axis)
    figures = appearance(problem) | answer
    warnings += familiarity_warnings(figures, loaded.card)
    if options.sampling and len(problem.operator.axes) == 3:
        warnings.append("samples of images coarse along all axes are not calibrated: neither spread nor texture")
    result = _delivered(mean, spread, problem, plan, volume)
    facts: dict[str, Any] = {
        **result.provenance,
        "acquisition": {"used": dict(acquisition.used), "assumed": list(acquisition.assumed)},
        "noise": {"sd": sigma, "origin": origin, "denoised_for_proposal": sigma > 0},
        "familiarity": {name: round(value, 4) for name, value in figures.items()},
        "warnings": [*volume.meta.get("warnings", []), *warnings],
        "seconds": round(time.perf_counter() - started, 3),
        "device": str(place),
        "peak_memory_mb": round(peak_memory_mb(place), 1),
    }
    return replace(result, provenance=provenance_of(loaded, vars(options), facts))


def _delivered(mean: Tensor, spread: Tensor | None, problem: Problem, plan: Plan, volume: Volume) -> Result:
    """Volumes on the grid that was asked for, with the residuals and grids that go into the record."""
    before = relative_residual(problem.operator.upsample(problem.y), problem.y, problem.operator)
    after = relative_residual(mean, problem.y, problem.operator)
    output = back(mean, problem, plan.working, volume)
    uncertainty = None if spread is None else back(spread, problem, plan.working, volume)
    grids = {"input": volume.geometry.as_dict(), "output": plan.target.as_dict()}
    residuals = {"before": before, "after": after}
    if not plan.direct:
        output = resample(output, plan.target)
        uncertainty = None if uncertainty is None else spread_on(uncertainty, plan.target)
        grids["working"] = plan.working.as_dict()
        residuals["after_resampling"] = resampled_residual(output, volume, plan, problem)
    return Result(output, uncertainty, before, after, {"geometry": grids, "data_residual": residuals})


def _check(volume: Volume) -> float:
    """Brightness of the head; raises if there is nothing to see or too little to infer from."""
    if not np.isfinite(volume.array).all():
        raise InputError("image has NaN or infinite values", where=str(volume.meta.get("source", "")))
    if min(volume.geometry.shape) < FEWEST_VOXELS:
        needed = f"{FEWEST_VOXELS} or more along each axis"
        raise InputError("too few slices", found=f"shape {volume.geometry.shape}", needed=needed)
    brightness = head_brightness(volume.array)
    if brightness <= 0 or float(volume.array.std()) == 0:
        raise InputError("image is empty", found="no positive contrast", where=str(volume.meta.get("source", "")))
    return brightness


def _options(model: Model, steps: int | None, samples: int, detail: float, seed: int, precision: str) -> _Options:
    steps = int(model.card["sampling_steps"]) if steps is None else steps
    if steps < 1 or samples < 1:
        raise UsageError("steps and samples must be 1 or more", found=f"steps {steps}, samples {samples}")
    if not 0 <= detail <= 1:
        raise UsageError("detail must lie between 0 (mean) and 1 (sample)", found=str(detail))
    return _Options(steps, samples, detail, seed, precision)


def _infer(
    model: Model,
    problem: Problem,
    options: _Options,
    tile: int,
    batch: int,
    progress: Callable[[float], None],
) -> tuple[Tensor, Tensor | None, dict[str, float]]:
    """Output and standard deviation, ``(1, 1, X, Y, Z)``, in units of the head's brightness; figures of the answer."""
    condition = condition_on(problem.quiet, problem.operator, noise=NOISE_LEFT * problem.noise)
    calls = 1 + options.sampling * options.steps * options.samples
    done = 0

    def advance(tiles: int, total: int) -> None:
        nonlocal done
        progress((done + tiles / total) / calls)
        done += tiles == total

    heard: list[Tensor] = []
    denoiser = _posterior(model, problem, condition, options.precision, tile, batch, advance, heard)
    noises = _noises(condition.base.shape, options.samples, options.seed)
    mean = posterior_mean(denoiser, noises[0].to(condition.base))
    if not options.sampling:
        figures = answered(problem, condition, heard[0], None)
        return _settled(condition.base + condition.scale * mean, problem), None, figures
    drawn = [sample(denoiser, noise.to(condition.base), times(options.steps)) for noise in noises]
    mean = torch.stack(drawn).mean(0) if len(drawn) > 1 else mean
    factor = float(model.card.get("spread_factor", 1.0))
    chosen = mean + options.detail * factor * (drawn[0] - mean)
    spread = factor * condition.scale * _deviation(drawn, mean) if len(drawn) > 1 else None
    figures = answered(problem, condition, heard[0], spread)
    return _settled(condition.base + condition.scale * chosen, problem), spread, figures


def _settled(image: Tensor, problem: Problem) -> Tensor:
    return settled(image, problem.y, problem.operator, noise=problem.noise)


def _posterior(
    model: Model,
    problem: Problem,
    condition: Condition,
    precision: str,
    tile: int,
    batch: int,
    progress: Callable[[int, int], None],
    heard: list[Tensor],
) -> Denoiser:
    """The model, made to agree with the measurement; its first answer before that goes into ``heard``."""
    prior = denoiser_of(model, condition, precision=precision, tile=tile, batch=batch, progress=progress)
    prior = overheard(prior, heard)
    return agreeing(prior, problem.operator, problem.y, noise=problem.noise, base=condition.base, scale=condition.scale)


def _noises(shape: Sequence[int], samples: int, seed: int) -> list[Tensor]:
    """Noise volumes in antithetic pairs (Hammersley & Morton 1956), drawn on the CPU so that devices agree."""
    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.randn(tuple(shape), generator=generator) for _ in range((samples + 1) // 2)]
    return [noise * sign for noise in drawn for sign in (1, -1)][:samples]


def _deviation(drawn: Sequence[Tensor], mean: Tensor) -> Tensor:
    """Standard deviation of the samples, its variance averaged over 3 x 3 x 3 voxels because samples are few."""
    variance = torch.stack([(x - mean).square() for x in drawn]).sum(0) / (len(drawn) - 1)
    smoothed = torch.nn.functional.avg_pool3d(variance, 3, stride=1, padding=1, count_include_pad=False)
    return smoothed.sqrt()
