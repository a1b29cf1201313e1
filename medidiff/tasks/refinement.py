"""The diffusion method: an image refined in passes, each a network's answer pulled to the data, and samples from there.

A pass asks the network for the posterior mean given the image so far, and makes the answer agree with the measurement,
or, where another pass follows, what lies beyond it; the next pass starts from that, as a network that was trained on
its own answers (Chen et al. 2023, self-conditioning).
Samples are drawn by the shared sampler given the last image, with the same agreement inside every step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from medidiff.diffusion import Denoiser, posterior_mean, sample, times
from medidiff.errors import ModelError, UsageError
from medidiff.models import (
    BOLDEST,
    Model,
    as_channels,
    as_complex,
    load_model,
    plane_denoiser,
    plane_numbers,
    plane_view,
    reach,
    residual_unit,
)
from medidiff.physics import Agreement
from medidiff.tasks.device import choose_precision
from medidiff.tasks.measurement import Measurement
from medidiff.tasks.planes import Planes, first_estimate, planes_of

__all__ = ["Asked", "Network", "Prior", "Refined", "Rival", "brightness", "prior_of", "refine"]

PLANES_AT_ONCE = {"cpu": 1, "cuda": 16}
MIRRORS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))
"""Axes along which planes are mirrored in one pass after another: what a network prefers does not add up."""
DEFAULT_PASSES = 4


@dataclass(frozen=True)
class Asked:
    """What a person asks of a model; what is None is as its card says. See `medidiff.tasks.reconstruct`."""

    passes: int | None = None
    steps: int | None = None
    samples: int = 1
    detail: float = 0.0
    seed: int = 0
    precision: str = "auto"


@dataclass(frozen=True)
class Prior:
    """A model, and how it is asked.

    Parameters
    ----------
    model
        Of task "reconstruction", on the device of the measurement.
    passes, stride
        Evaluations for the mean, and how far the later ones go (`medidiff.models.reach`).
    samples, steps
        How many samples are drawn, and evaluations for each.
    seed
        Of the samples.
    precision, batch
        Of the network: a key of `medidiff.models.PRECISIONS`, and planes at once.
    progress
        Called with the share that is done.
    """

    model: Model
    passes: int
    stride: float = 1.0
    samples: int = 0
    steps: int = 8
    seed: int = 0
    precision: str = "fp32"
    batch: int = 1
    progress: Callable[[float], None] = lambda share: None

    def told(self) -> dict[str, Any]:
        """Give all that decides the answer, ready for JSON."""
        card = self.model.card
        model = {"name": card["name"], "version": card["version"], "sha256": card["sha256"]}
        figures = {
            "passes": self.passes,
            "stride": self.stride,
            "samples": self.samples,
            "steps": self.steps,
            "precision": self.precision,
        }
        return {"model": model, **figures}


@dataclass(frozen=True)
class Rival:
    """``(set, x, y, z)`` of another method: passes start half way to it, and the mean goes a share of the way to it."""

    images: Tensor
    share: float = 0.0


@dataclass(frozen=True)
class Refined:
    """``(set, x, y, z)`` the mean, ``(k, set, x, y, z)`` samples or none, and the evaluations for one."""

    mean: Tensor
    samples: Tensor
    evaluations: int


def prior_of(
    model: Model | str | Path, asked: Asked, *, device: torch.device, progress: Callable[[float], None]
) -> Prior:
    """Load a model and check how it is to be asked.

    Raises
    ------
    ModelError
        If the model cannot be loaded, or is of another task.
    UsageError
        If a figure makes no sense.
    """
    if (
        asked.samples < 1
        or not 0 <= asked.detail <= 1
        or any(n is not None and n < 1 for n in (asked.passes, asked.steps))
    ):
        raise UsageError("samples, passes and steps must be 1 or more, and detail from 0 to 1", found=str(asked))
    model = model if isinstance(model, Model) else load_model(model)
    if model.card["task"] != "reconstruction":
        raise ModelError(
            "model is of another task", where=model.label, found=model.card["task"], needed="reconstruction"
        )
    stride = model.card.get("stride", 1)
    if not isinstance(stride, int | float) or not 1 <= stride <= BOLDEST:
        raise ModelError("stride in the card makes no sense", where=model.label, found=str(stride), needed="1 to 2")
    model.network.to(device)
    return Prior(
        model,
        passes=asked.passes or int(model.card.get("passes", DEFAULT_PASSES)),
        stride=float(stride),
        samples=asked.samples if asked.samples > 1 else int(asked.detail > 0),
        steps=asked.steps or int(model.card["sampling_steps"]),
        seed=asked.seed,
        precision=choose_precision(asked.precision, device),
        batch=PLANES_AT_ONCE[device.type],
        progress=progress,
    )


def refine(measurement: Measurement, prior: Prior, rival: Rival | None = None) -> Refined:
    """Find the mean, and draw samples given it.

    Parameters
    ----------
    measurement
        Undersampled; with maps or coil by coil.
    prior
        What is expected of images.
    rival
        Whose errors are others: half of each is less than either.
    """
    planes = planes_of(measurement)
    agree = Agreement(planes.operator, planes.y, noise=measurement.noise)
    image = first_estimate(planes.operator, planes.y, allowed=planes.allowed)
    network = Network(measurement, prior, planes, brightness(image))
    other, share = (image, 0.0) if rival is None else (planes.taken(rival.images), rival.share)
    image = (image + other) / 2
    for refined in range(prior.passes):
        unit, denoise = network.about(image, refined)
        far = reach(refined, prior.stride) if refined + 1 < prior.passes else 1.0
        image = agree(image + far * unit * posterior_mean(denoise, torch.zeros_like(image)[None])[0])
    image = image + share * (other - image)
    drawn = _drawn(network, agree, image) if prior.samples else image[None][:0]
    return Refined(planes.given(image), planes.given(drawn), prior.passes + prior.steps * (prior.samples > 0))


def brightness(images: Tensor) -> float:
    """Give the 99th percentile of the magnitude, the unit that the network knows."""
    size = images.abs().flatten().sort().values
    return max(float(size[int(0.99 * (len(size) - 1))]), 1e-30)


def _drawn(network: "Network", agree: Agreement, image: Tensor) -> Tensor:
    """``(k, m, set, a, b, d)``: samples of what the image may be, each pulled to data with noise of its own."""
    unit, denoise = network.about(image, network.prior.passes)
    generator = torch.Generator().manual_seed(network.prior.seed)
    found = []
    for _ in range(network.prior.samples):
        noise = torch.view_as_complex(torch.randn((1, *image.shape, 2), generator=generator)).to(image.device)
        agreeing = _agreeing(denoise, partial(agree, y=agree.noisier(generator)), image, unit)
        found.append(image + unit * sample(agreeing, noise, times(network.prior.steps)))
    return torch.cat(found)


def _agreeing(denoise: Denoiser, agree: Callable[[Tensor], Tensor], image: Tensor, unit: float) -> Denoiser:
    """Give the denoiser of residuals to an image whose answers agree with the data."""
    return lambda r, t: (agree(image + unit * denoise(r, t)) - image) / unit


class Network:
    """A network with all that it is told of a measurement, whatever the image so far."""

    def __init__(self, measurement: Measurement, prior: Prior, planes: Planes, bright: float) -> None:
        self.prior, self.planes, self.bright, self._done = prior, planes, bright, 0
        self._acceleration = measurement.mask.numel() / int(measurement.mask.sum())
        self._noise = measurement.noise / bright
        self._coils = 1 if measurement.maps.maps is None else len(measurement.y)

    def about(self, image: Tensor, refined: int) -> tuple[float, Denoiser]:
        """Unit of the residual to an image, and the denoiser of ``(k, m, set, a, b, d)`` residuals in that unit."""
        mirror = MIRRORS[refined % len(MIRRORS)]
        listed = self.planes.listed(image).flip(mirror) / self.bright
        known: dict[str, Any] = {"acceleration": self._acceleration, "noise": self._noise, "refined": refined}
        numbers, unit = plane_numbers(coils=self._coils, **known), residual_unit(**known)
        maps, turn = plane_view(listed, unit=unit)
        total = (self.prior.passes + self.prior.samples * self.prior.steps) * listed.shape[:2].numel()

        def progress(many: int) -> None:
            self._done += many
            self.prior.progress(self._done / total)

        ask = plane_denoiser(
            self.prior.model,
            maps.flatten(0, 1),
            torch.tensor(numbers, device=image.device),
            precision=self.prior.precision,
            batch=self.prior.batch,
            progress=progress,
        )

        def denoise(r: Tensor, t: Tensor) -> Tensor:
            channels = as_channels(self.planes.listed(r).flip(mirror) * turn)
            answer = ask(channels.flatten(1, 2), t).reshape(channels.shape)
            return self.planes.unlisted((as_complex(answer) * turn.conj()).flip(mirror))

        return unit * self.bright, denoise
