"""How close an image is to its reference: numbers that mean the same wherever they are printed.

Every metric is called ``metric(prediction, reference, *, data_range, region)`` on ``(x, y, z)`` arrays and
returns a float; only voxels of ``region`` count. "Head" and "data range" are defined here, once.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.metrics import structural_similarity

from medidiff.errors import InputError

__all__ = [
    "DATA_RANGE_DEFINITION",
    "HEAD_REGION_DEFINITION",
    "METRICS",
    "data_range_of",
    "gradient_energy_ratio",
    "head_region",
    "hfen",
    "mae",
    "nmse",
    "power_spectrum_error",
    "psnr",
    "spectral_window",
    "ssim",
]

Array = NDArray[Any]
Region = NDArray[np.bool_]

HEAD_REGION_DEFINITION = (
    "The reference's voxels above a threshold, with holes filled in each slice, in three directions; their largest "
    "connected part, closed by 2 voxels and filled again. Where three quarters or more of the voxels below Otsu's "
    "threshold are exactly zero (skull-stripped) the threshold is zero. Elsewhere it lies one third of the way from "
    "the median of the voxels below Otsu's threshold to that threshold, on the reference smoothed by a Gaussian of SD "
    "1 voxel, and parts thinner than 5 voxels are opened away before the largest is taken."
)
DATA_RANGE_DEFINITION = "The reference's 99.9th percentile inside the head region, minus 0."

SSIM_SIGMA, SSIM_RADIUS = 1.5, 5
"""Gaussian window of Wang et al. 2004; 11 voxels wide, as scikit-image truncates it (3.5 SD)."""

LOG_SIGMA, LOG_RADIUS = 1.5, 6
"""Laplacian of Gaussian of Ravishankar & Bresler 2011; voxels."""

SPECTRAL_FLOOR = 1e-7
"""Power below this fraction of the reference's mean power counts as this much (-70 dB)."""


def head_region(reference: Array) -> Region:
    """Find the head; see ``HEAD_REGION_DEFINITION``.

    Parameters
    ----------
    reference
        ``(x, y, z)``, skull-stripped on exact zeros or a whole head on a noisy background.

    Returns
    -------
    ndarray of bool
        ``(x, y, z)``.

    Raises
    ------
    InputError
        If the reference is constant or not finite.
    """
    image = np.asarray(reference, dtype=np.float32)
    if image.size == 0 or not np.isfinite(image).all() or image.min() == image.max():
        raise InputError("no head can be found in an image that is constant or not finite", where="reference")
    smooth = ndimage.gaussian_filter(image, 1.0)
    otsu = float(threshold_otsu(smooth))
    if np.mean(image[smooth < otsu] == 0) >= 0.75:
        return _filled(_closed(_largest(_filled(image > 0))))
    air = float(np.median(smooth[smooth < otsu]))
    head = _filled(smooth > air + (otsu - air) / 3)
    opened = ndimage.binary_opening(head, _CROSS, iterations=2)
    return _filled(_closed(_largest(opened if opened.any() else head)))


_CROSS = ndimage.generate_binary_structure(3, 1)


def _largest(mask: Region) -> Region:
    labels, _ = ndimage.label(mask)
    return np.asarray(labels == 1 + np.argmax(np.bincount(labels.ravel())[1:]))


def _closed(mask: Region) -> Region:
    return np.asarray(ndimage.binary_closing(np.pad(mask, 2), _CROSS, iterations=2)[2:-2, 2:-2, 2:-2])


def _filled(mask: Region) -> Region:
    """Fill holes slice by slice: a neck cut by the field of view opens the head in 3D, but not in slices across it."""
    filled = np.array(mask)
    for axis in range(3):
        cross = np.expand_dims(ndimage.generate_binary_structure(2, 1), axis)
        filled |= ndimage.binary_fill_holes(mask, cross)
    return filled


def data_range_of(reference: Array, region: Region) -> float:
    """Give the span of intensities that scores are relative to, in the reference's units.

    See ``DATA_RANGE_DEFINITION``. An empty region, or one without positive values, raises ``InputError``.
    """
    if not np.any(region):
        raise InputError("region is empty", where="data_range_of", needed="one voxel or more")
    span = float(np.percentile(np.asarray(reference)[region], 99.9))
    if not span > 0:
        raise InputError("reference has no positive intensities in the region", found=f"99.9th percentile {span:g}")
    return span


def psnr(prediction: Array, reference: Array, *, data_range: float, region: Region) -> float:
    """Peak signal-to-noise ratio, dB; infinite for equal images."""
    p, r = _pair(prediction, reference, data_range, region)
    error = float(np.mean((p - r)[region] ** 2))
    return float("inf") if error == 0 else float(10 * np.log10(data_range**2 / error))


def ssim(prediction: Array, reference: Array, *, data_range: float, region: Region) -> float:
    """Structural similarity with a 3D Gaussian window of SD 1.5 voxels, averaged over the region.

    Wang et al. 2004; the same map as ``skimage.metrics.structural_similarity(gaussian_weights=True,
    use_sample_covariance=False)``, at most 1. Axes shorter than 11 voxels are refused with ``InputError``.
    """
    p, r = _pair(prediction, reference, data_range, region)
    if min(r.shape) <= 2 * SSIM_RADIUS:
        raise InputError("image is too small for SSIM", found=f"shape {r.shape}", needed="11 voxels or more per axis")
    box = _box(region, SSIM_RADIUS, least=2 * SSIM_RADIUS + 1)
    _, local = structural_similarity(
        p[box], r[box], data_range=data_range, gaussian_weights=True, sigma=SSIM_SIGMA,
        use_sample_covariance=False, full=True,
    )  # fmt: skip
    return float(np.mean(local[region[box]]))


def nmse(prediction: Array, reference: Array, *, data_range: float, region: Region) -> float:
    """Squared error over the reference's energy: ``||p - r||^2 / ||r||^2`` (fastMRI); the range only gets checked."""
    p, r = _pair(prediction, reference, data_range, region)
    return _ratio(np.sum((p - r)[region] ** 2), np.sum(r[region] ** 2), "reference is zero in the region")


def mae(prediction: Array, reference: Array, *, data_range: float, region: Region) -> float:
    """Mean absolute error, as a fraction of the data range."""
    p, r = _pair(prediction, reference, data_range, region)
    return float(np.mean(np.abs(p - r)[region]) / data_range)


def hfen(prediction: Array, reference: Array, *, data_range: float, region: Region) -> float:
    """High-frequency error norm: ``||LoG(p) - LoG(r)|| / ||LoG(r)||`` with a LoG of SD 1.5 voxels.

    Ravishankar & Bresler 2011, as a ratio and in 3D. 0 is perfect; an image without detail scores about 1.
    """
    p, r = _pair(prediction, reference, data_range, region)
    box = _box(region, LOG_RADIUS)
    error, detail = (ndimage.gaussian_laplace(image[box], LOG_SIGMA)[region[box]] for image in (p - r, r))
    return _ratio(np.linalg.norm(error), np.linalg.norm(detail), "reference has no detail in the region")


def gradient_energy_ratio(prediction: Array, reference: Array, *, data_range: float, region: Region) -> float:
    """Sharpness: ``sum |grad p|^2 / sum |grad r|^2``; below 1 is blurred, above 1 is too sharp or noisy.

    Differences of neighbours, in voxel units, wherever both neighbours are in the region.
    """
    p, r = _pair(prediction, reference, data_range, region)
    energy = [sum(_difference_energy(image, region, axis) for axis in range(3)) for image in (p, r)]
    return _ratio(energy[0], energy[1], "reference is flat in the region")


def _difference_energy(image: Array, region: Region, axis: int) -> float:
    inside = np.logical_and(*(np.take(region, np.arange(a, region.shape[axis] - 1 + a), axis) for a in (0, 1)))
    return float(np.sum(np.diff(image, axis=axis)[inside] ** 2))


def power_spectrum_error(prediction: Array, reference: Array, *, data_range: float, region: Region, axis: int) -> float:
    """Log-spectral distance along one axis, dB: RMS over frequencies of ``10 log10(P_p / P_r)``.

    Gray & Markel 1976. ``P(f)`` is the power of the 1D Fourier transforms along ``axis``, averaged over all lines,
    of the image minus the reference's mean in the region, times `spectral_window`; f runs from the lowest non-zero
    frequency to Nyquist. 0 is perfect. Power is floored at ``SPECTRAL_FLOOR`` of the reference's mean.
    """
    p, r = _pair(prediction, reference, data_range, region)
    window, level = spectral_window(region), float(np.mean(r[region]))
    power_p, power_r = (_line_power((image - level) * window, axis) for image in (p, r))
    floor = SPECTRAL_FLOOR * float(np.mean(power_r))
    if floor == 0:
        raise InputError("reference is flat in the region", where="power_spectrum_error")
    decibel = 10 * np.log10(np.maximum(power_p, floor) / np.maximum(power_r, floor))
    return float(np.sqrt(np.mean(decibel**2)))


def spectral_window(region: Region) -> NDArray[np.float32]:
    """Taper from 0 at the region's edge to 1 some four voxels inside, so that the edge adds no high frequencies."""
    soft = ndimage.gaussian_filter(region.astype(np.float32), 2.0, mode="constant")
    return np.asarray(np.where(region, np.clip(2 * soft - 1, 0, 1), 0), dtype=np.float32)


def _line_power(image: Array, axis: int) -> Array:
    spectrum = np.moveaxis(np.abs(np.fft.rfft(image, axis=axis)) ** 2, axis, 0)[1:]
    return np.asarray(spectrum.mean(axis=(1, 2)))


def _pair(prediction: Array, reference: Array, data_range: float, region: Region) -> tuple[Array, Array]:
    p, r = (np.asarray(image, dtype=np.float64) for image in (prediction, reference))
    if not p.shape == r.shape == region.shape or r.ndim != 3 or region.dtype != np.bool_:
        found = f"prediction {p.shape}, reference {r.shape}, region {region.shape} of {region.dtype}"
        raise InputError("images cannot be compared", found=found, needed="three equal 3D shapes and a bool region")
    if not (np.isfinite(data_range) and data_range > 0):
        raise InputError("data range must be positive", found=f"{data_range}")
    if not region.any():
        raise InputError("region is empty", needed="one voxel or more")
    return p, r


def _box(region: Region, margin: int, least: int = 1) -> tuple[slice, ...]:
    """Bounding box of the region with what a filter of radius ``margin`` sees, at least ``least`` wide."""
    box = []
    for axis, size in enumerate(region.shape):
        inside = np.flatnonzero(region.any(axis=tuple(a for a in range(3) if a != axis)))
        start, stop = max(0, inside[0] - margin), min(size, inside[-1] + 1 + margin)
        box.append(slice(max(0, min(start, stop - least)), max(stop, min(size, start + least))))
    return tuple(box)


def _ratio(above: Any, below: Any, why: str) -> float:
    if below == 0:
        raise InputError(f"metric is undefined: {why}")
    return float(above / below)


METRICS: Mapping[str, Callable[..., float]] = MappingProxyType({
    "psnr": psnr, "ssim": ssim, "nmse": nmse, "mae": mae, "hfen": hfen, "gradient_energy_ratio": gradient_energy_ratio,
})  # fmt: skip
"""The metrics that need no axis, by the name that they have in tables."""
