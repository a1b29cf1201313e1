"""Cartesian sampling masks, seeded: the same seed gives the same mask on every machine.

Masks of lines are 1D over one phase-encoded axis, masks of points 2D over two; ``True`` is measured. All keep a fully
sampled centre, which calibration needs, and give the acceleration asked for over the whole of k-space, the centre
included.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from medidiff.errors import UsageError

__all__ = ["LINE_MASKS", "equispaced_lines", "gaussian_lines", "partial_fourier", "poisson_disc", "random_lines"]

Mask = NDArray[np.bool_]

GAUSSIAN_WIDTH = 1 / 6
"""Standard deviation of the Gaussian density, as a fraction of k-space."""
DISC_GROWTH = 4.0
"""How much larger the discs of the Poisson mask are at the corners than in the centre."""


def random_lines(n: int, *, acceleration: float, calibration: int, seed: int = 0) -> Mask:
    """Draw lines uniformly outside the centre (Zbontar 2018, sec. 4.9; with the exact number of lines).

    Parameters
    ----------
    n
        Lines of a full acquisition.
    acceleration
        Of the whole, 1 or more.
    calibration
        Lines in the fully sampled centre.
    seed
        Of the draw.

    Raises
    ------
    UsageError
        If the centre alone needs more lines than the acceleration leaves.
    """
    return _drawn(n, acceleration, calibration, seed, np.ones(n))


def gaussian_lines(n: int, *, acceleration: float, calibration: int, seed: int = 0) -> Mask:
    """Draw lines with a density that falls off as a Gaussian of SD `GAUSSIAN_WIDTH`; see `random_lines`."""
    distance = (np.arange(n) - n // 2) / n
    return _drawn(n, acceleration, calibration, seed, np.exp(-((distance / GAUSSIAN_WIDTH) ** 2) / 2) + 1e-9)


def equispaced_lines(n: int, *, acceleration: float, calibration: int, seed: int = 0) -> Mask:
    """Take lines at equal distances, not always whole numbers, from a random offset; see `random_lines`.

    The distance is widened so that the centre counts towards the acceleration (Zbontar 2018, corrected).
    """
    mask = _centre(n, calibration)
    left = _left(n, acceleration, mask)
    if left:
        outside = np.flatnonzero(~mask)
        offset = np.random.default_rng(seed).random()
        mask[outside[((np.arange(left) + offset) * len(outside) / left).astype(int)]] = True
    return mask


def partial_fourier(n: int, *, fraction: float) -> Mask:
    """Leave out the first lines, as scanners do: 0.75 keeps the last three quarters.

    Raises
    ------
    UsageError
        If the fraction does not include the centre, or is more than 1.
    """
    if not 0.5 < fraction <= 1:
        raise UsageError("partial Fourier fraction must be above 0.5 and at most 1", found=str(fraction))
    return np.arange(n) >= n - round(fraction * n)


def poisson_disc(shape: Sequence[int], *, acceleration: float, calibration: int, seed: int = 0) -> Mask:
    """Draw points that keep a distance that grows from the centre outwards (Bridson 2007; Lustig & Pauly 2010).

    Parameters
    ----------
    shape
        ``(a, b)`` of the two phase-encoded axes.
    acceleration
        Of the whole, met to a hundredth.
    calibration
        Edge of the fully sampled square in the centre.
    seed
        Of the draw.

    Raises
    ------
    UsageError
        If the centre alone needs more samples than the acceleration leaves.
    """
    a, b = shape
    centre = np.outer(_centre(a, min(calibration, a)), _centre(b, min(calibration, b)))
    wanted = int(centre.sum()) + _left(a * b, acceleration, centre)
    order = np.random.default_rng(seed).permutation(a * b)
    low, high = 0.0, 2 * float(np.sqrt(acceleration))
    for _ in range(12):
        middle = (low + high) / 2
        mask = _thrown(centre, order, middle)
        low, high = (middle, high) if mask.sum() > wanted else (low, middle)
    return _trimmed(_thrown(centre, order, low), centre, order, wanted)


def _thrown(centre: Mask, order: NDArray[np.int64], radius: float) -> Mask:
    """Go through all points in order and take those that lie in no disc of one taken before."""
    a, b = centre.shape
    mask, covered = centre.copy(), centre.copy()
    far = np.hypot((np.arange(a)[:, None] - a // 2) / (a / 2), (np.arange(b) - b // 2) / (b / 2)) / np.sqrt(2)
    radii = radius * (1 + DISC_GROWTH * far) / (1 + DISC_GROWTH / 2)
    discs = [_disc(r) for r in range(int(2 * radii.max()) + 2)]
    for i, j in zip(*np.unravel_index(order, centre.shape), strict=True):
        if covered[i, j]:
            continue
        mask[i, j] = True
        disc = discs[int(2 * radii[i, j])]
        r = len(disc) // 2
        top, left = max(0, i - r), max(0, j - r)
        window = covered[top : i + r + 1, left : j + r + 1]
        window |= disc[top - i + r :, left - j + r :][: window.shape[0], : window.shape[1]]
    return mask


def _disc(doubled: int) -> Mask:
    """Points at most ``doubled / 2`` from the middle."""
    r = -(-doubled // 2)
    return np.asarray(np.hypot(*np.mgrid[-r : r + 1, -r : r + 1]) <= doubled / 2)


def _trimmed(mask: Mask, centre: Mask, order: NDArray[np.int64], wanted: int) -> Mask:
    """Drop the points that were drawn last until there are as many as wanted."""
    flat, kept = mask.ravel(), centre.ravel()
    taken = order[(flat & ~kept)[order]]
    flat[taken[wanted - int(kept.sum()) :]] = False
    return flat.reshape(mask.shape)


def _drawn(n: int, acceleration: float, calibration: int, seed: int, density: NDArray[np.float64]) -> Mask:
    mask = _centre(n, calibration)
    left = _left(n, acceleration, mask)
    weights = np.where(mask, 0, density)
    if left:
        chosen = np.random.default_rng(seed).choice(n, left, replace=False, p=weights / weights.sum())
        mask[chosen] = True
    return mask


def _centre(n: int, calibration: int) -> Mask:
    start = n // 2 - calibration // 2
    return (np.arange(n) >= start) & (np.arange(n) < start + calibration)


def _left(n: int, acceleration: float, centre: Mask) -> int:
    """How many samples the acceleration leaves outside the centre."""
    if not (np.isfinite(acceleration) and acceleration >= 1):
        raise UsageError("acceleration must be 1 or more", found=str(acceleration))
    left = round(n / acceleration) - int(centre.sum())
    if left < 0:
        found, needed = f"{int(centre.sum())} of {n} samples", f"at most {round(n / acceleration)}"
        raise UsageError(
            "the calibration region leaves no sample to accelerate", found=found, needed=needed,
            hint="ask for fewer calibration lines or less acceleration",
        )  # fmt: skip
    return left


LINE_MASKS: Mapping[str, Callable[..., Mask]] = {
    "random": random_lines,
    "equispaced": equispaced_lines,
    "gaussian": gaussian_lines,
}
"""Masks of lines by the name that options have for them."""
