"""Super-resolution: thick slices or low resolution in, a sharper volume that agrees with them out."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from medidiff.models import Model, load_model
from medidiff.physics import relative_residual
from medidiff.tasks.adaptation import Adapting
from medidiff.tasks.adapter import Adapter
from medidiff.tasks.device import (
    choose_device,
    choose_precision,
    forget_peak_memory,
    peak_memory_mb,
)
from medidiff.tasks.example import enhanced_plainly
from medidiff.tasks.familiarity import appearance, familiarity_warnings
from medidiff.tasks.grid import Plan
from medidiff.tasks.inference import MIRRORED, Options, ask, options_of
from medidiff.tasks.posing import posed
from medidiff.tasks.problem import Problem, back, resampled_residual, spread_on
from medidiff.tasks.provenance import provenance_of
from medidiff.tasks.resampling import resample
from medidiff.tasks.result import Result
from medidiff.tasks.validity import validity_warnings
from medidiff.volume import Geometry, Volume

__all__ = ["super_resolve"]

AGAIN = 0.5
"""Share of the pairs of a scan that is learnt at random times, too, where samples are asked for."""
SHARES = (0.2, 0.8)
"""Fractions that are told to be done after the plain enhancement and after adapting."""


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
    mirrors: int = MIRRORED,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    noise: float | None = None,
    adapt: Adapting | None = None,
    progress: Callable[[float], None] | None = None,
) -> Result:
    """Infer the sharp volume behind a thick-slice or low-resolution one. Research use only.

    The output is ``mean + detail c (first sample - mean)``. With one sample and no detail the mean is one evaluation of
    the network at pure noise for each mirror image; with more it is the mean of the samples. The card's
    ``spread_factor`` c makes up for samples that lie too close to their mean; the uncertainty is c times their standard
    deviation.

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
    mirrors
        Mirror images, 1 to 8, whose answers are averaged for the mean: each costs one evaluation and the later ones
        are worth less.
    seed
        Of the noise; the same seed gives the same output.
    device, precision
        auto, cpu, cuda, cuda:N; auto, fp32, bf16, fp16.
    noise
        Standard deviation of the noise in the measurement's units; 0 for exact agreement; by default the sidecar's or
        an estimate.
    adapt
        Tune the model to this scan first, by what its planes tell of it, and use it where that is seen to gain; see
        `medidiff.tasks.adaptation`. The model that was given stays as it is.
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
    loaded = model if isinstance(model, Model) else load_model(model)
    loaded.network.to(place)
    question = posed(
        volume,
        place,
        spacing=spacing,
        like=like,
        axis=axis,
        slice_thickness=slice_thickness,
        profile=profile,
        noise=noise,
    )
    problem, plan, acquisition = question.problem, question.plan, question.acquisition
    options = options_of(loaded, steps, samples, detail, seed, choose_precision(precision, place), mirrors=mirrors)
    tell = progress or (lambda fraction: None)
    chosen, told = (loaded, {}) if adapt is None else _adapted(loaded, adapt, problem, options, tell)
    found, warnings = ask(chosen, problem, options, _within(tell, SHARES[1] if told else 0.0, 1.0))
    warnings += [] if told.get("used", True) else [f"the model was not adapted: {told['reason']}"]
    warnings += validity_warnings(volume, plan, loaded.card, acquisition.axis)
    figures = appearance(problem) | (found.figures if chosen is loaded else {})  # ranges are of the shipped weights
    warnings += familiarity_warnings(figures, loaded.card)
    if options.sampling and chosen is not loaded:
        warnings.append("the model was adapted: its spread is that of the plain one's calibration, not measured again")
    if options.sampling and len(problem.operator.axes) == 3:
        warnings.append("samples of images coarse along all axes are not calibrated: neither spread nor texture")
    result = _delivered(found.image, found.spread, problem, plan, volume)
    facts: dict[str, Any] = {
        **result.provenance,
        **({"adaptation": told} if adapt else {}),
        "acquisition": {"used": dict(acquisition.used), "assumed": list(acquisition.assumed)},
        "noise": {"sd": question.noise, "origin": question.origin, "denoised_for_proposal": question.noise > 0},
        "familiarity": {name: round(value, 4) for name, value in figures.items()},
        "warnings": [*volume.meta.get("warnings", []), *warnings],
        "seconds": round(time.perf_counter() - started, 3),
        "device": str(place),
        "peak_memory_mb": round(peak_memory_mb(place), 1),
    }
    return replace(result, provenance=provenance_of(loaded, vars(options), facts))


def _adapted(
    model: Model, adapt: Adapting, problem: Problem, options: Options, progress: Callable[[float], None]
) -> tuple[Model, dict[str, Any]]:
    """Enhance plainly, learn from the result; returns the model to use and the record.

    Samples need the network at all times, the mean at time 1 alone.
    """
    how = replace(adapt, again=adapt.again or AGAIN * options.sampling)
    adapter = Adapter(model, how, problem.y.device, seed=options.seed, half=options.precision == "bf16")
    before = _within(progress, 0.0, SHARES[0])
    plain = enhanced_plainly(model, problem, options.precision, texture=how.texture, progress=before)
    found = adapter([plain], progress=_within(progress, *SHARES))
    return found.model, found.record


def _within(progress: Callable[[float], None], low: float, high: float) -> Callable[[float], None]:
    """Tell a fraction of a stretch as one of the whole."""
    return lambda fraction: progress(low + (high - low) * min(1.0, fraction))


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
