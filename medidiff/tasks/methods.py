"""How images are found that explain a measurement. A method is a plain function; add one by adding a line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from medidiff.errors import UsageError
from medidiff.physics.iterate import conjugate_gradients
from medidiff.tasks.measurement import Measurement
from medidiff.tasks.refinement import Prior, Rival, refine
from medidiff.tasks.trial import Trial, trial_of
from medidiff.tasks.wavelets import MOST, amount_of, sparse, sparse_in_trial

__all__ = ["METHODS", "Estimate", "Method", "Settings", "cg_sense", "diffusion", "l1_wavelet", "zero_filled"]


@dataclass(frozen=True)
class Settings:
    """What a person may choose.

    Parameters
    ----------
    iterations
        At most; None is the method's own number.
    weight
        Of the wavelets, relative to the brightness of the zero-filled image.
    seed
        Of what is drawn.
    prior
        Of the diffusion method: the model, and how it is asked.
    detail
        Of the diffusion method: 0 gives the mean, 1 the first sample.
    """

    iterations: int | None = None
    weight: float = 0.003
    seed: int = 0
    prior: Prior | None = None
    detail: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """Images ``(set, x, y, z)``, complex, one of each set of maps or of each coil, and the iterations they took.

    ``samples``, ``(k, set, x, y, z)``, are other images that explain the measurement, where a method draws such;
    ``warnings`` and ``told`` are for the record; ``witnesses``, ``(set, x, y, z)`` each, show whether the sensitivity
    maps let images invent what is not there.
    """

    images: Tensor
    iterations: int = 0
    coilwise: bool = False
    samples: Tensor | None = None
    warnings: tuple[str, ...] = ()
    told: Mapping[str, Any] = field(default_factory=dict)
    witnesses: tuple[Tensor, ...] = ()


Method = Callable[[Measurement, Settings], Estimate]
"""The seam for other methods: a prior comes in here, with ``measurement.operator`` and ``measurement.noise``."""

MOST_CG = 30
TRIAL_PASSES = 2
"""Evaluations by which the share of wavelets is found: few tell as much as many (decision 0035)."""
RIVAL_TIME = 0.3
"""About what wavelets take of the time on a CPU."""
MISLED = "sensitivity maps predict samples left out ever worse: wavelets ended after {} iterations"
USELESS = "wavelets predict samples left out hardly better than zeros do: this is the zero-filled image"


def zero_filled(measurement: Measurement, settings: Settings) -> Estimate:
    """Take what was not measured for 0, coil by coil."""
    return Estimate(measurement.coilwise.adjoint(measurement.y), coilwise=True)


def cg_sense(measurement: Measurement, settings: Settings) -> Estimate:
    """Find least squares by conjugate gradients (Pruessmann 2001).

    They end once the residual is the noise, or after as many iterations as predicted left-out samples best.
    """
    x, taken = conjugate_gradients(
        measurement.operator,
        measurement.y,
        start=measurement.operator.adjoint(measurement.y),
        allowed=measurement.allowed,
        iterations=_iterations(measurement, settings),
        tolerance=1e-4,
    )
    return Estimate(x, taken)


def _iterations(measurement: Measurement, settings: Settings) -> int:
    """As many as asked for; else as predicted left-out samples best, for each more fits noise and faults of maps."""
    told = measurement.maps.iterations
    return settings.iterations or (MOST_CG if told is None else told)


def l1_wavelet(measurement: Measurement, settings: Settings) -> Estimate:
    """Find what is sparse in wavelets, see `medidiff.tasks.wavelets.sparse`.

    Where the last iterations would fit faults of the maps, it ends before them.
    """
    amount, seed = amount_of(measurement, settings.weight), settings.seed
    if settings.iterations or len(measurement.y) == 1:
        x, taken = sparse(measurement, amount=amount, seed=seed, iterations=settings.iterations or MOST)
        return Estimate(x, taken)
    iterations, _ = sparse_in_trial(trial_of(measurement, seed), amount=amount, seed=seed)
    x, taken = sparse(measurement, amount=amount, seed=seed, iterations=iterations)
    return Estimate(x, taken, warnings=_misled(iterations), witnesses=(x,))


def _misled(iterations: int) -> tuple[str, ...]:
    if iterations == 0:
        return (USELESS,)
    return (MISLED.format(iterations),) if iterations < MOST else ()


def diffusion(measurement: Measurement, settings: Settings) -> Estimate:
    """Refine by a network that knows heads, with its answers pulled to the data; see `medidiff.tasks.refinement`.

    What is sparse in wavelets is a rival: passes start half way to it, and the mean goes as much of the way to it as
    predicts best what was left out of a trial (decision 0035). The samples' deviation from the mean is multiplied by
    the model's ``spread_factor``.
    """
    if settings.prior is None:
        raise UsageError("diffusion needs a model")
    rival, warnings = _rival(measurement, _between(settings.prior, 0, RIVAL_TIME))
    found = refine(measurement, _between(settings.prior, RIVAL_TIME, 1), rival)
    factor = float(settings.prior.model.card.get("spread_factor", 1))
    samples = found.mean + factor * (found.samples - found.mean) if len(found.samples) else None
    image = found.mean if samples is None else found.mean + settings.detail * (samples[0] - found.mean)
    if rival is None:
        return Estimate(image, found.evaluations, samples=samples)
    told = {"wavelet_share": round(rival.share, 4)}
    evaluations, seen = found.evaluations + TRIAL_PASSES, (rival.images, found.mean)
    return Estimate(image, evaluations, samples=samples, warnings=warnings, told=told, witnesses=seen)


def _rival(measurement: Measurement, prior: Prior) -> tuple[Rival | None, tuple[str, ...]]:
    """Find what is sparse in wavelets, its share in the mean, and warnings.

    Where maps mislead, what they predict tells nothing, and there is no share. Coils that no maps link have no rival:
    wavelets know too little of each.
    """
    if measurement.maps.maps is None and len(measurement.y) > 1:
        return None, ()
    amount, seed = amount_of(measurement, Settings.weight), prior.seed
    trial = trial_of(measurement, seed)
    iterations, tried = sparse_in_trial(trial, amount=amount, seed=seed)
    images, _ = sparse(measurement, amount=amount, seed=seed, iterations=iterations, progress=prior.progress)
    share = 0.0 if iterations < MOST else _share(trial, prior, tried)
    return Rival(images, share), _misled(iterations)


def _share(trial: Trial, prior: Prior, tried: Tensor) -> float:
    """How much of what is sparse in wavelets predicts best what was left out."""
    quick = replace(prior, passes=TRIAL_PASSES, samples=0, progress=lambda share: None)
    return trial.share(refine(trial.shown, quick, Rival(tried)).mean, tried)


def _between(prior: Prior, begin: float, end: float) -> Prior:
    """Give a prior whose progress is a part of all that is done."""
    return replace(prior, progress=lambda share: prior.progress(begin + (end - begin) * share))


METHODS: Mapping[str, Method] = {
    "zero-filled": zero_filled,
    "cg-sense": cg_sense,
    "l1-wavelet": l1_wavelet,
    "diffusion": diffusion,
}
"""Methods by the name that options have for them."""
