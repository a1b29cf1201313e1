"""Asking a model about a measurement: the mean, samples, and their spread, all in agreement with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from medidiff.diffusion import Denoiser, posterior_mean, sample, times
from medidiff.errors import UsageError
from medidiff.models import MIRRORS, Condition, Model, condition_on, denoiser_of
from medidiff.physics.noise import NOISE_LEFT
from medidiff.posterior import agreeing, settled
from medidiff.tasks.device import with_less_memory
from medidiff.tasks.familiarity import answered, overheard
from medidiff.tasks.problem import Problem

__all__ = ["MIRRORED", "Inferred", "Options", "ask", "deviation", "infer", "options_of"]

MIRRORED = 2
"""Mirror images that a mean is made of unless asked otherwise: the second is worth most."""
TILES_AT_ONCE = {"cpu": 1, "cuda": 4}


@dataclass(frozen=True)
class Options:
    """How a model is asked; see `medidiff.tasks.super_resolve`."""

    steps: int
    samples: int
    detail: float
    seed: int
    precision: str
    mirrors: int

    @property
    def sampling(self) -> bool:
        """Whether one evaluation is not enough."""
        return self.samples > 1 or self.detail > 0


class Inferred(NamedTuple):
    """Output and standard deviation, ``(1, 1, X, Y, Z)``, in units of the head's brightness; figures of the answer."""

    image: Tensor
    spread: Tensor | None
    figures: dict[str, float]


def options_of(
    model: Model,
    steps: int | None,
    samples: int,
    detail: float,
    seed: int,
    precision: str,
    *,
    mirrors: int = MIRRORED,
) -> Options:
    """Check what is asked; steps that are None are as the model's card says."""
    steps = int(model.card["sampling_steps"]) if steps is None else steps
    if steps < 1 or samples < 1:
        raise UsageError("steps and samples must be 1 or more", found=f"steps {steps}, samples {samples}")
    if not 0 <= detail <= 1:
        raise UsageError("detail must lie between 0 (mean) and 1 (sample)", found=str(detail))
    if not 1 <= mirrors <= len(MIRRORS):
        raise UsageError(f"mirrors must be 1 to {len(MIRRORS)}", found=str(mirrors))
    return Options(steps, samples, detail, seed, precision, mirrors)


def ask(
    model: Model, problem: Problem, options: Options, progress: Callable[[float], None]
) -> tuple[Inferred, list[str]]:
    """`infer` with as many and as large tiles as fit the memory; and what had to be reduced, as a warning."""
    return with_less_memory(
        lambda tile, batch: infer(model, problem, options, tile, batch, progress),
        tile=model.card["tile"],
        multiple=model.network.multiple,
        batch=TILES_AT_ONCE[problem.y.device.type],
    )


def infer(
    model: Model,
    problem: Problem,
    options: Options,
    tile: int,
    batch: int,
    progress: Callable[[float], None],
) -> Inferred:
    """Ask in tiles of an edge, so many at once."""
    condition = condition_on(problem.quiet, problem.operator, noise=NOISE_LEFT * problem.noise)
    calls = 1 + options.sampling * options.steps * options.samples
    done = 0

    def advance(tiles: int, total: int) -> None:
        nonlocal done
        progress((done + tiles / total) / calls)
        done += tiles == total

    heard: list[Tensor] = []
    denoiser = _posterior(model, problem, condition, options, tile, batch, advance, heard)
    noises = _noises(condition.base.shape, options.samples, options.seed)
    mean = posterior_mean(denoiser, noises[0].to(condition.base))
    if not options.sampling:
        figures = answered(problem, condition, heard[0], None)
        return Inferred(_settled(condition.base + condition.scale * mean, problem), None, figures)
    drawn = [sample(denoiser, noise.to(condition.base), times(options.steps)) for noise in noises]
    mean = torch.stack(drawn).mean(0) if len(drawn) > 1 else mean
    factor = float(model.card.get("spread_factor", 1.0))
    chosen = mean + options.detail * factor * (drawn[0] - mean)
    spread = factor * condition.scale * deviation(drawn, mean) if len(drawn) > 1 else None
    figures = answered(problem, condition, heard[0], spread)
    return Inferred(_settled(condition.base + condition.scale * chosen, problem), spread, figures)


def _settled(image: Tensor, problem: Problem) -> Tensor:
    return settled(image, problem.y, problem.operator, noise=problem.noise)


def _posterior(
    model: Model,
    problem: Problem,
    condition: Condition,
    options: Options,
    tile: int,
    batch: int,
    progress: Callable[[int, int], None],
    heard: list[Tensor],
) -> Denoiser:
    """The model, made to agree with the measurement; its first answer before that goes into ``heard``."""
    how = {"precision": options.precision, "mirrors": options.mirrors}
    prior = denoiser_of(model, condition, **how, tile=tile, batch=batch, progress=progress)  # type: ignore[arg-type]
    prior = overheard(prior, heard)
    return agreeing(prior, problem.operator, problem.y, noise=problem.noise, base=condition.base, scale=condition.scale)


def _noises(shape: Sequence[int], samples: int, seed: int) -> list[Tensor]:
    """Noise volumes in antithetic pairs (Hammersley & Morton 1956), drawn on the CPU so that devices agree."""
    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.randn(tuple(shape), generator=generator) for _ in range((samples + 1) // 2)]
    return [noise * sign for noise in drawn for sign in (1, -1)][:samples]


def deviation(drawn: Sequence[Tensor], mean: Tensor) -> Tensor:
    """Standard deviation of the samples, its variance averaged over 3 x 3 x 3 voxels because samples are few."""
    variance = torch.stack([(x - mean).square() for x in drawn]).sum(0) / (len(drawn) - 1)
    smoothed = torch.nn.functional.avg_pool3d(variance, 3, stride=1, padding=1, count_include_pad=False)
    return smoothed.sqrt()
