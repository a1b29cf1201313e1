"""How images are found that explain a measurement. A method is a plain function; add one by adding a line."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from medidiff.errors import UsageError
from medidiff.physics.coils import calibration
from medidiff.physics.iterate import conjugate_gradients, fista, shrinking_steps
from medidiff.physics.left_out import divided, misled, trial_errors
from medidiff.physics.sense import encoding
from medidiff.physics.wavelet import Wavelet, soft_threshold
from medidiff.tasks.measurement import Measurement
from medidiff.tasks.refinement import Prior, refine

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
    ``warnings`` are for the record.
    """

    images: Tensor
    iterations: int = 0
    coilwise: bool = False
    samples: Tensor | None = None
    warnings: tuple[str, ...] = ()


Method = Callable[[Measurement, Settings], Estimate]
"""The seam for other methods: a prior comes in here, with ``measurement.operator`` and ``measurement.noise``."""

MOST_CG, MOST_FISTA = 30, 80
LEVELS = 4
TRIED = 16
"""Planes in which it is tried whether maps mislead."""
MISLED = "sensitivity maps predict samples left out ever worse: wavelets ended after {} iterations"


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
    """Minimise ``||A x - y||^2 / 2 + weight ||W x||_1`` by FISTA (Lustig 2007, eq. 3), detail coefficients alone.

    The wavelets are shifted at random before every step (Figueiredo & Nowak 2003), and images of several sets or
    coils are shrunk jointly. Where the last iterations would fit faults of the maps, it ends before them.
    """
    y, operator = measurement.y, measurement.operator
    start = operator.adjoint(y)
    amount = settings.weight * brightness(start)
    iterations = settings.iterations or _before_misled(measurement, amount, settings.seed)
    shrink = _shrinking(y.shape[-3:], measurement.encoded, amount, settings.seed)
    x, taken = fista(operator, y, shrink, start=start, iterations=iterations)
    ended = settings.iterations is None and iterations < MOST_FISTA
    return Estimate(x, taken, warnings=(MISLED.format(iterations),) if ended else ())


def _shrinking(shape: Sequence[int], axes: Sequence[int], amount: float, seed: int) -> Callable[[Tensor, int], Tensor]:
    """The proximal map of the wavelets' norm along some axes."""
    wavelet = Wavelet(shape, axes=axes, levels=LEVELS)
    generator = torch.Generator().manual_seed(seed)
    dims = tuple(axis - 3 for axis in wavelet.axes)

    def shrink(x: Tensor, iteration: int) -> Tensor:
        shifts = torch.randint(0, 2**wavelet.levels, (len(dims),), generator=generator).tolist()
        w = wavelet.forward(x.roll(shifts, dims) if dims else x)
        kept = w[wavelet.corner].clone()
        w = soft_threshold(w, amount, dim=-4)
        w[wavelet.corner] = kept
        x = wavelet.adjoint(w)
        return x.roll([-s for s in shifts], dims) if dims else x

    return shrink


def _before_misled(measurement: Measurement, amount: float, seed: int) -> int:
    """All iterations; but as many as predicted left-out samples best where the last ones predict them much worse.

    Maps of few calibration lines may explain the data by images that are not so, and the more the closer the fit. It is
    tried in some of the planes that do not share data, with wavelets along their axes alone.
    """
    if measurement.maps.maps is None:
        return MOST_FISTA
    y, mask, maps = _some_planes(measurement, measurement.y, measurement.mask, measurement.maps.maps)
    centre = calibration(y, mask, axes=measurement.encoded)
    if centre is None:  # single lines far from others cannot be predicted, whatever the maps
        return MOST_FISTA
    shown, hidden = divided(mask, centre.shape[1:], seed)
    shows, everywhere = (encoding(kept, maps, axes=measurement.axes) for kept in (shown, torch.ones_like(shown)))
    known, shrink = y * shown, _shrinking(y.shape[-3:], measurement.axes, amount, seed)
    images = islice(shrinking_steps(shows, known, shrink, start=shows.adjoint(known)), MOST_FISTA)
    errors = list(trial_errors(images, everywhere, y, hidden))
    return errors.index(min(errors)) + 1 if misled(errors) else MOST_FISTA


def _some_planes(measurement: Measurement, *parts: Tensor) -> list[Tensor]:
    """Of tensors ``(..., x, y, z)`` at most `TRIED` planes across the first axis along which they do not share data."""
    across = [axis for axis in range(3) if axis not in measurement.axes]
    if not across:
        return list(parts)
    n = measurement.y.shape[across[0] - 3]
    planes = torch.linspace(0, n - 1, min(n, TRIED), device=measurement.y.device).round().long()
    return [x.index_select(across[0] - 3, planes) if x.shape[across[0] - 3] == n else x for x in parts]


def diffusion(measurement: Measurement, settings: Settings) -> Estimate:
    """Refine by a network that knows heads, with its answers pulled to the data; see `medidiff.tasks.refinement`.

    The samples' deviation from the mean is multiplied by the model's ``spread_factor``.
    """
    if settings.prior is None:
        raise UsageError("diffusion needs a model")
    found = refine(measurement, settings.prior)
    factor = float(settings.prior.model.card.get("spread_factor", 1))
    samples = found.mean + factor * (found.samples - found.mean) if len(found.samples) else None
    image = found.mean if samples is None else found.mean + settings.detail * (samples[0] - found.mean)
    return Estimate(image, found.evaluations, samples=samples)


METHODS: Mapping[str, Method] = {
    "zero-filled": zero_filled,
    "cg-sense": cg_sense,
    "l1-wavelet": l1_wavelet,
    "diffusion": diffusion,
}
"""Methods by the name that options have for them."""


def brightness(images: Tensor) -> float:
    """Give the 99.9th percentile of the magnitude over all sets."""
    size = torch.linalg.vector_norm(images, dim=-4).flatten().sort().values
    return float(size[int(0.999 * (len(size) - 1))])
