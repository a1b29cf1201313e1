"""Images that are sparse in wavelets, and how long to look for them."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice, tee

import torch
from torch import Tensor

from medidiff.physics.coils import USEFUL
from medidiff.physics.iterate import fista, shrinking_steps
from medidiff.physics.left_out import misled
from medidiff.physics.wavelet import Wavelet, soft_threshold
from medidiff.tasks.measurement import Measurement
from medidiff.tasks.planes import plane_order
from medidiff.tasks.trial import Trial

__all__ = ["MOST", "amount_of", "sparse", "sparse_in_trial"]

MOST = 80
"""Iterations of FISTA."""
LEVELS = 4


def amount_of(measurement: Measurement, weight: float) -> float:
    """How much wavelets are shrunk: the weight times the 99.9th percentile of the zero-filled image's magnitude."""
    size = torch.linalg.vector_norm(measurement.operator.adjoint(measurement.y), dim=-4).flatten().sort().values
    return weight * float(size[int(0.999 * (len(size) - 1))])


def sparse(
    measurement: Measurement,
    *,
    amount: float,
    seed: int,
    iterations: int = MOST,
    progress: Callable[[float], None] = lambda share: None,
) -> tuple[Tensor, int]:
    """Minimise ``||A x - y||^2 / 2 + amount ||W x||_1`` by FISTA (Lustig 2007, eq. 3), detail coefficients alone.

    The wavelets are shifted at random before every step (Figueiredo & Nowak 2003), and images of several sets or
    coils are shrunk jointly.

    Parameters
    ----------
    measurement
        Undersampled; with maps or coil by coil.
    amount
        By which coefficients are shrunk, see `amount_of`.
    seed
        Of the shifts.
    iterations
        At most.
    progress
        Called with the share of them that is done.

    Returns
    -------
    tuple
        ``(set, x, y, z)``, and the number of iterations taken.
    """
    shrink = _shrinking(measurement.y.shape[-3:], measurement.encoded, amount, seed)

    def told(x: Tensor, iteration: int) -> Tensor:
        progress((iteration + 1) / iterations)
        return shrink(x, iteration)

    start = measurement.operator.adjoint(measurement.y)
    return fista(measurement.operator, measurement.y, told, start=start, iterations=iterations)


def sparse_in_trial(trial: Trial, *, amount: float, seed: int) -> tuple[int, Tensor]:
    """After how many iterations to end, and the trial's image after as many.

    All of them; but as many as predicted left-out samples best where the last ones predict them much worse. Maps of few
    calibration lines may explain the data by images that are not so, and the more the closer the fit. None of them
    where coils that no maps link are hardly better predicted than by zeros. It is tried with wavelets along the axes of
    planes alone.
    """
    shown = trial.shown
    axes = [axis for axis in shown.encoded if axis in plane_order(shown)[:2]]
    shrink = _shrinking(shown.y.shape[-3:], axes, amount, seed)
    start = shown.operator.adjoint(shown.y)
    images, judged = tee(islice(shrinking_steps(shown.operator, shown.y, shrink, start=start), MOST))
    errors, best, last = _judged(images, trial.errors(judged), start)
    if shown.maps.maps is None:
        useless = len(shown.y) > 1 and min(errors, default=0) > USEFUL
        return (0, start) if useless else (MOST, last)
    if not trial.calibrated or not misled(errors):
        return MOST, last
    return errors.index(min(errors)) + 1, best


def _judged(images: Iterator[Tensor], errors: Iterator[float], start: Tensor) -> tuple[list[float], Tensor, Tensor]:
    """All errors, the image with the least of them, and the last one."""
    told: list[float] = []
    best = image = start
    for image, error in zip(images, errors, strict=True):
        best = image if error < min(told, default=float("inf")) else best
        told.append(error)
    return told, best, image


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
