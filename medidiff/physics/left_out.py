"""Samples left out of a trial reconstruction: how well it predicts them tells what maps are worth, and when to stop."""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from medidiff.physics.fourier import middle
from medidiff.physics.linop import LinearOperator

__all__ = ["divided", "misled", "trial_errors"]

LEFT_OUT = 0.1
"""Share of the samples of the calibration region, and of the others, by which a trial is judged."""
GIVEN_UP = 1.3
"""Factor over the least error from which a trial was misled: by noise, or by faults of maps."""


def divided(mask: Tensor, centre: Sequence[int], seed: int) -> tuple[Tensor, list[Tensor]]:
    """Divide a mask into what is shown and what is left out: of a calibration region of this size, and of the rest."""
    inside = torch.zeros_like(mask)
    varies = [mask.shape[a] > 1 for a in range(3)]
    inside[middle(mask.shape, [r if v else 1 for r, v in zip(centre, varies, strict=True)])] = True
    generator = torch.Generator().manual_seed(seed)
    hidden = [_drawn(mask & part, generator) for part in (inside, ~inside)]
    return mask & ~hidden[0] & ~hidden[1], [part for part in hidden if bool(part.any())]


def trial_errors(
    images: Iterable[Tensor], everywhere: LinearOperator, data: Tensor, hidden: Sequence[Tensor]
) -> Iterator[float]:
    """Give the mean over the parts left out of the error's energy over theirs, of one image after another.

    Parameters
    ----------
    images
        As a reconstruction of what is shown goes on.
    everywhere
        Measures all samples.
    data, hidden
        All samples, and where they were left out.
    """
    energies = [max(_energy(data * part), 1e-30) for part in hidden]
    for x in images:
        wrong = everywhere.forward(x) - data
        yield sum(_energy(wrong * p) / e for p, e in zip(hidden, energies, strict=True)) / max(len(hidden), 1)


def misled(errors: Sequence[float]) -> bool:
    """Whether the last of the errors is much above the least."""
    return errors[-1] > GIVEN_UP * min(errors)


def _drawn(mask: Tensor, generator: torch.Generator) -> Tensor:
    """Draw some of the places of a mask; none of one."""
    places = mask.flatten().nonzero()[:, 0]
    order = torch.randperm(len(places), generator=generator).to(places.device)
    drawn = torch.zeros_like(mask)
    if len(places) > 1:
        drawn.view(-1)[places[order[: max(1, round(LEFT_OUT * len(places)))]]] = True
    return drawn


def _energy(x: Tensor) -> float:
    return float(x.abs().square().sum())
