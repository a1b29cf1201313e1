"""What is done to the measurement before an image is made: noise, coils, oversampling, matrix."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from medidiff.errors import InputError
from medidiff.physics.fourier import Fourier, middle

__all__ = ["compressed", "covariance", "cropped", "measured_noise", "resized", "whitened", "without_oversampling"]

OUTERMOST = 0.05
"""Share of the measured samples, those farthest out, whose power is taken for noise."""
STRETCH, FEWEST_PLACES = 0.05, 32
"""Share of an axis that is looked at in one piece for air, and voxels that the axis must have at least."""
SILENT = 0.25
"""Less than this share of what the outermost samples tell is no noise: an image was cut out, or a filter rolled off."""
FEWEST_COILS, DEPENDENT = 4, 1e-8
"""Coils that can tell what they share from what they do not, and the least eigenvalue of their covariance, relative to
the largest, if they are no mixtures of fewer."""
FEWEST_SAMPLES = 64
"""Samples that are needed to tell a noise level."""


def covariance(noise: Tensor) -> Tensor:
    """``(coil, coil)`` covariance of noise samples ``(coil, n)``, complex (Pruessmann 2001, eq. 4)."""
    noise = noise.to(torch.complex128)
    return noise @ noise.mH / noise.shape[-1]


def whitened(data: Tensor, noise: Tensor) -> tuple[Tensor, float]:
    """Make the coils' noise equal and independent (Pruessmann 2001, eq. 19), the overall scale kept.

    Parameters
    ----------
    data
        ``(coil, x, y, z)`` k-space.
    noise
        ``(coil, n)``, samples without a signal, of the same gain and bandwidth.

    Returns
    -------
    tuple
        The data, and the standard deviation of a complex sample in every coil.

    Raises
    ------
    InputError
        If there are too few samples for so many coils, or a coil has no noise at all.
    """
    if noise.shape[-1] < 2 * len(noise):
        needed = f"{2 * len(noise)} or more"
        raise InputError("too few noise samples to whiten with", found=f"{noise.shape[-1]} samples", needed=needed)
    found = covariance(noise)
    factor, failed = torch.linalg.cholesky_ex(found)
    if int(failed):
        raise InputError("the noise samples cannot be whitened: a coil is silent or a copy of another")
    level = float(found.diagonal().real.mean().sqrt())
    mixing = (level * torch.linalg.inv(factor)).to(data.dtype)
    return torch.einsum("ij,j...->i...", mixing, data), level


def measured_noise(data: Tensor, mask: Tensor, *, axes: Sequence[int]) -> tuple[float, str]:
    """Standard deviation of a complex sample's noise, and where it was seen: the least of several upper bounds.

    The samples farthest from the centre of k-space hold little signal; and what there is, coils share, while noise is
    each coil's own: the middle one of the eigenvalues of their covariance tells of noise, where the largest tell of
    signal. Where an axis is fully sampled, a stretch of air along it holds none, whatever is missing along the others.
    The median over samples of their squared magnitude is ``sd^2 ln 2`` for complex Gaussian noise.

    Parameters
    ----------
    data, mask
        ``(coil, x, y, z)`` k-space, and where it was measured.
    axes
        The encoded axes.

    Returns
    -------
    tuple
        In the data's unit, 0 if too little was measured to tell; and the place, in words.
    """
    outer = _outermost(data, mask, axes)
    if outer.shape[1] == 0:
        return 0.0, "nothing"
    far = _level(outer.abs().square())
    bounds = [(far, "outermost samples"), (_unshared(outer), "outermost samples, what coils do not share")]
    for axis in axes:
        if mask.shape[axis] == 1 and data.shape[axis - 3] >= FEWEST_PLACES:
            quiet = _quietest(data, mask, axis)
            bounds += [(quiet if quiet > SILENT * far else 0.0, f"quietest part along {'xyz'[axis]}")]
    return min(bound for bound in bounds if bound[0] > 0 or far == 0)


def _unshared(outer: Tensor) -> float:
    """Middle eigenvalue of the covariance of ``(coil, n)``; 0 where coils are few, or mixtures of fewer."""
    if len(outer) < FEWEST_COILS or outer.shape[1] < 4 * len(outer):
        return 0.0
    values = torch.linalg.eigvalsh(covariance(outer))
    return float(values.median().sqrt()) if values[0] > DEPENDENT * values[-1] else 0.0


def _outermost(data: Tensor, mask: Tensor, axes: Sequence[int]) -> Tensor:
    """``(coil, n)``: the measured samples farthest from the centre; none where too little was measured to tell."""
    shape = data.shape[-3:]
    grids = [
        ((torch.arange(n) - n // 2) / max(n / 2, 1)).reshape([-1 if a == b else 1 for b in range(3)])
        for a, n in enumerate(shape)
        if a in axes
    ]
    power = data.abs().square().amax(0)
    measured = mask.expand(shape) & (power > 0).to(mask.device)
    far = sum(grid.square() for grid in grids).expand(shape).to(data.device)  # type: ignore[union-attr]
    if int(measured.sum()) < FEWEST_SAMPLES:
        return data.new_zeros((len(data), 0))
    return data[:, measured & (far >= _quantile(far[measured], 1 - OUTERMOST))]


def _quietest(data: Tensor, mask: Tensor, axis: int) -> float:
    """Noise in that stretch of a fully sampled axis which has least."""
    power = Fourier([axis]).adjoint(data).abs().square().movedim(axis - 3, 0)
    rest = [n for a, n in enumerate(data.shape[-3:]) if a != axis]
    places = power[:, :, mask.squeeze(axis).expand(rest)]
    n, coils, _ = places.shape
    wide = max(2, round(STRETCH * n))
    return min(
        _level(places[first : first + wide].movedim(1, 0).reshape(coils, -1))
        for first in range(0, n - wide + 1, wide // 2)
    )


def _level(power: Tensor) -> float:
    """Root mean noise power of ``(coil, n)`` samples, by their medians."""
    return float((power.median(1).values / 0.6931).mean().sqrt())


def _quantile(values: Tensor, share: float) -> float:
    ordered = values.sort().values
    return float(ordered[int(share * (len(ordered) - 1))])


def compressed(data: Tensor, *, coils: int) -> tuple[Tensor, Tensor]:
    """Combine coils into fewer virtual ones that keep most of the signal (Huang 2008; Buehrer 2007), by an SVD.

    Parameters
    ----------
    data
        ``(coil, x, y, z)``, whitened where possible.
    coils
        Virtual coils to keep; as many or more than there are changes nothing.

    Returns
    -------
    tuple
        ``(virtual, x, y, z)``, and the ``(virtual, coil)`` matrix, whose rows are orthonormal.
    """
    if len(data) <= coils:
        return data, torch.eye(len(data), dtype=data.dtype, device=data.device)
    _, vectors = torch.linalg.eigh(covariance(data.flatten(1)))
    mixing = vectors[:, -coils:].flip(1).mH.to(data.dtype)
    return torch.einsum("ij,j...->i...", mixing, data), mixing


def cropped(image: Tensor, shape: Sequence[int]) -> Tensor:
    """Keep the middle of the last three axes: voxel ``n // 2`` stays in the middle."""
    return image[middle(image.shape[-3:], shape)]


def without_oversampling(data: Tensor, *, axis: int, samples: int) -> Tensor:
    """Cut the field of view along the readout to ``samples`` of its voxels, in k-space ``(..., x, y, z)``.

    The noise of a sample stays what it was; the readout must be fully sampled.
    """
    shape = list(data.shape[-3:])
    shape[axis] = samples
    along = Fourier([axis])
    return along.forward(cropped(along.adjoint(data), shape))


def resized(image: Tensor, shape: Sequence[int]) -> Tensor:
    """Interpolate ``(..., x, y, z)`` to a finer matrix by zero-filling its k-space; values stay what they were."""
    axes = [a for a, (n, m) in enumerate(zip(image.shape[-3:], shape, strict=True)) if n != m]
    if not axes:
        return image
    filled = image.new_zeros((*image.shape[:-3], *shape))
    filled[middle(shape, image.shape[-3:])] = Fourier(axes).forward(image)
    return Fourier(axes).adjoint(filled) * math.sqrt(filled.numel() / image.numel())
