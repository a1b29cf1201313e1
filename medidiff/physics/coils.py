"""Sensitivity maps for a measurement: the candidates, and the choice among them by samples that were left out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import cast

import torch
from torch import Tensor

from medidiff.physics.espirit import CROP, KERNEL, espirit
from medidiff.physics.fourier import Fourier, middle
from medidiff.physics.iterate import gradient_steps
from medidiff.physics.left_out import divided, misled, trial_errors
from medidiff.physics.sense import encoding

__all__ = ["LOW_RESOLUTION", "USEFUL", "Maps", "calibration", "choose_maps", "low_resolution_maps"]

MOST_LINES = 24
"""Of the calibration region along each axis; more only cost time."""
FEWEST_LINES = 4
"""Of the calibration region along each axis; with fewer there are no maps to be had."""
MOST_ITERATIONS = 20
"""Of a trial reconstruction: how many are best is told by the samples left out, too."""
MOST_PLANES = 32
"""Across the readout, or slices, in which maps are judged."""
USEFUL = 0.8
"""Error above which no maps are used: those of pure noise reach 0.9, since the calibration region made them, too."""
LOW_RESOLUTION = "low resolution"
WORTH = 0.98
"""Factor by which the error must fall for a more complex model to be chosen."""


@dataclass(frozen=True)
class Maps:
    """Sensitivities, and how they came about.

    Parameters
    ----------
    maps
        ``(set, coil, x, y, z)``; None where every coil is an image of its own.
    kind
        What they are, in words.
    errors
        Of each candidate: energy of the error of left-out samples over their energy, the mean of that of the
        calibration region and that of the others. 1 is no better than zeros, which the zero-filled image takes.
    iterations
        After how many conjugate gradients from the zero-filled image that error was least; None if it is not known.
    """

    maps: Tensor | None
    kind: str
    errors: dict[str, float] = field(default_factory=dict)
    iterations: int | None = None


def calibration(data: Tensor, mask: Tensor, *, axes: Sequence[int]) -> Tensor | None:
    """Cut out the largest fully sampled block in the middle of k-space, equally wide along all undersampled axes.

    Parameters
    ----------
    data, mask
        ``(coil, x, y, z)``, and where it was measured.
    axes
        The encoded axes.

    Returns
    -------
    Tensor or None
        ``(coil, a, b, c)``, at most `MOST_LINES` along encoded axes; None if it has less than `FEWEST_LINES`.
    """
    shape = data.shape[-3:]
    full = mask.expand(shape)
    for edge in range(MOST_LINES, FEWEST_LINES - 1, -1):
        widths = [min(n, edge if mask.shape[a] > 1 else MOST_LINES) if a in axes else n for a, n in enumerate(shape)]
        if bool(full[middle(shape, widths)].all()):
            return data[middle(shape, widths)]
    return None


def low_resolution_maps(centre: Tensor, shape: Sequence[int], *, axes: Sequence[int]) -> Tensor:
    """Divide the coils' low-resolution images by their root sum of squares (McKenzie 2002), ``(1, coil, x, y, z)``."""
    filled = centre.new_zeros((len(centre), *shape))
    window = centre
    for axis in axes:
        n = centre.shape[1 + axis]
        taper = torch.hann_window(n + 2, periodic=False, device=centre.device)[1:-1]
        window = window * taper.reshape([-1 if a == axis else 1 for a in range(3)])
    filled[middle(shape, centre.shape[1:])] = window
    images = Fourier(axes).adjoint(filled)
    return cast(Tensor, images / torch.linalg.vector_norm(images, dim=0).clamp_min(1e-30))[None]


def choose_maps(
    data: Tensor, mask: Tensor, *, axes: Sequence[int], kernel: int = KERNEL, crop: float = CROP, seed: int = 0
) -> Maps:
    """Find the maps that best predict measured samples that they were not shown (docs/decisions/0012).

    ESPIRiT with one and with two sets and low-resolution maps are tried; where none predicts better than zeros do,
    each coil is taken by itself, which is what the zero-filled image does.

    Parameters
    ----------
    data, mask
        ``(coil, x, y, z)`` k-space, and where it was measured.
    axes
        The encoded axes.
    kernel, crop
        Of ESPIRiT.
    seed
        Of the samples that are left out.
    """
    coils, shape = len(data), data.shape[1:]
    if coils == 1:
        return Maps(None, "one coil", {})
    centre = calibration(data, mask, axes=axes)
    if centre is None:
        return Maps(None, "coil by coil: too few calibration lines", {})
    shown, hidden = divided(mask, centre.shape[1:], seed)
    best: Tensor | None = None
    kind, errors = "coil by coil: no maps explain the data", {"coil by coil": 1.0}
    iterations = 0
    trial, planes = _trial(data, mask, axes)
    for name, maps in _candidates(centre, shape, axes, kernel, crop):
        part = maps.index_select(planes[0] - 3, planes[1])
        open_axes = [a for a in axes if mask.shape[a] > 1]
        found = _errors(trial, shown, hidden, part, open_axes)
        errors[name] = min(found)
        if errors[name] < min([USEFUL, *(WORTH * error for other, error in errors.items() if other != name)]):
            best, kind, iterations = maps, name, found.index(min(found))
    return Maps(best, kind, errors, iterations if hidden else None)


def _candidates(
    centre: Tensor, shape: Sequence[int], axes: Sequence[int], kernel: int, crop: float
) -> Iterator[tuple[str, Tensor]]:
    """Give maps by name, the simplest model first."""
    maps, _ = espirit(centre, shape, axes=axes, sets=2, kernel=kernel, crop=crop)
    yield "ESPIRiT", maps[:1]
    if bool(maps[1].any()):
        yield "ESPIRiT, two sets", maps
    yield LOW_RESOLUTION, low_resolution_maps(centre, shape, axes=axes)


def _trial(data: Tensor, mask: Tensor, axes: Sequence[int]) -> tuple[Tensor, tuple[int, Tensor]]:
    """Transform along fully sampled axes, which leaves planes that do not know each other, and take some of them.

    Also returned is along which axis they were taken, and which.
    """
    along = [a for a in axes if mask.shape[a] == 1] or [a for a in range(3) if a not in axes] or [0]
    data = Fourier([a for a in axes if mask.shape[a] == 1]).adjoint(data)
    n = data.shape[along[0] - 3]
    most = n if mask.shape[along[0]] > 1 else min(n, MOST_PLANES)
    planes = torch.linspace(0, n - 1, most, device=data.device).round().long()
    return data.index_select(along[0] - 3, planes), (along[0], planes)


def _errors(data: Tensor, shown: Tensor, hidden: Sequence[Tensor], maps: Tensor, axes: Sequence[int]) -> list[float]:
    """Mean over the parts left out of the error's energy over theirs, before and after each iteration."""
    if not hidden:
        return [0.0]
    operator, everywhere = encoding(shown, maps, axes=axes), encoding(torch.ones_like(shown), maps, axes=axes)
    known = data * shown
    images = islice(gradient_steps(operator, known, start=operator.adjoint(known)), MOST_ITERATIONS + 1)
    errors: list[float] = []
    for error in trial_errors(images, everywhere, data, hidden):
        errors.append(error)
        if misled(errors):  # it only grows from here
            break
    return errors
