"""What frequencies along an axis hold, and up to which of them there is detail."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medidiff.errors import InputError
from medidiff.metrics.checks import checked
from medidiff.metrics.region import Array, Region

__all__ = ["effective_resolution", "power_spectrum_error", "radial_spectrum_error", "spectral_window"]

SPECTRAL_FLOOR = 1e-7
"""Power below this fraction of the reference's mean power counts as this much (-70 dB)."""

HALF = 0.25
"""Power at which a modulation is half of the reference's (MTF50)."""

SHORTEST, FLAT = 4, 1e-9
"""Voxels along an axis that has a spectrum, and the share of the largest value that is rounding and not contrast."""


def power_spectrum_error(prediction: Array, reference: Array, *, data_range: float, region: Region, axis: int) -> float:
    """Log-spectral distance along one axis, dB: RMS over frequencies of ``10 log10(P_p / P_r)``.

    Gray & Markel 1976. ``P(f)`` is the power of the 1D Fourier transforms along ``axis``, averaged over all lines,
    of the image minus the reference's mean in the region, times `spectral_window`; f runs from the lowest non-zero
    frequency to Nyquist. 0 is perfect. Power is floored at ``SPECTRAL_FLOOR`` of the reference's mean.
    """
    power_p, power_r = _powers(prediction, reference, data_range, region, axis)
    return _log_distance(power_p, power_r)


def radial_spectrum_error(prediction: Array, reference: Array, *, data_range: float, region: Region) -> float:
    """Log-spectral distance over all directions, dB: as `power_spectrum_error`, of the 3D spectrum in shells.

    Power is averaged over shells of equal frequency in cycles per voxel, one bin of the shortest axis wide, from the
    lowest to Nyquist. 0 is perfect.
    """
    images = _centred(prediction, reference, data_range, region)
    _long_enough(min(region.shape))
    shells = _shells(region.shape)
    return _log_distance(*(_shell_power(image, shells) for image in images))


def effective_resolution(
    prediction: Array, reference: Array, *, data_range: float, region: Region, axis: int, spacing: float
) -> float:
    """Voxel size, mm, that the detail along an axis is worth: half a period of the first frequency that is halved.

    The frequency is the lowest at which the prediction's modulation is half of the reference's (MTF50), that is a
    quarter of its power ``P(f)`` as in `power_spectrum_error`. Power is averaged over three neighbouring frequencies,
    and the ratio taken as 1 at the lowest of them, so that blur along another axis does not count. A Gaussian blur of
    FWHM w reads about 1.13 w. Where modulation is halved nowhere it is ``spacing``. It knows power and not whether the
    detail is right: a noisy image reads well. Where there is nothing to compare it is refused with ``InputError``.
    """
    smooth = [ndimage.uniform_filter1d(power, 3) for power in _powers(prediction, reference, data_range, region, axis)]
    if not min(smooth[0][0], smooth[1].min()) > 0:
        raise InputError("an image is flat along the axis", where="effective resolution")
    kept = smooth[0] / smooth[1]
    kept = kept / kept[0]
    below = np.flatnonzero(kept < HALF)
    if not below.size:
        return float(spacing)
    first = int(below[0])
    place = float(np.interp(HALF, kept[[first, first - 1]], [first, first - 1]))
    return float(spacing * region.shape[axis] / (2 * (place + 1)))


def spectral_window(region: Region) -> NDArray[np.float32]:
    """Taper from 0 at the region's edge to 1 some four voxels inside, so that the edge adds no high frequencies."""
    soft = ndimage.gaussian_filter(region.astype(np.float32), 2.0, mode="constant")
    return np.asarray(np.where(region, np.clip(2 * soft - 1, 0, 1), 0), dtype=np.float32)


def _powers(p: Array, r: Array, data_range: float, region: Region, axis: int) -> tuple[Array, Array]:
    """Power along an axis of both images, from the lowest frequency that is not zero to Nyquist."""
    images = _centred(p, r, data_range, region)
    _long_enough(region.shape[axis])
    return _line_power(images[0], axis), _line_power(images[1], axis)


def _centred(p: Array, r: Array, data_range: float, region: Region) -> tuple[Array, Array]:
    """Both images minus the reference's mean, tapered to 0 at the region's edge."""
    p, r = checked(p, r, data_range, region)
    window, inside = spectral_window(region), r[region]
    if np.ptp(inside) <= FLAT * np.abs(inside).max():
        raise InputError("reference is flat in the region", where="power spectrum")
    if not window.any():
        raise InputError("region is too thin for a spectrum", needed="some 4 voxels")
    level = float(np.mean(inside))
    spectra = (p - level) * window, (r - level) * window
    if not all(np.isfinite(image).all() for image in spectra):
        raise InputError("values outside of the region are not finite", where="power spectrum")
    return spectra


def _long_enough(size: int) -> None:
    if size < SHORTEST:
        raise InputError("axis is too short for a spectrum", found=f"{size} voxels", needed=f"{SHORTEST} or more")


def _line_power(image: Array, axis: int) -> Array:
    spectrum = np.moveaxis(np.abs(np.fft.rfft(image, axis=axis)) ** 2, axis, 0)[1:]
    return np.asarray(spectrum.mean(axis=(1, 2)))


def _shells(shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Shell of every frequency of a real transform, 0 for the mean, and beyond Nyquist the last one plus one."""
    frequencies = np.meshgrid(
        *[np.fft.rfftfreq(n) if axis == 2 else np.fft.fftfreq(n) for axis, n in enumerate(shape)], indexing="ij"
    )
    size = np.sqrt(sum(f**2 for f in frequencies)) * min(shape)
    return np.asarray(np.minimum(np.round(np.round(size, 9)), min(shape) // 2 + 1), dtype=np.intp)


def _shell_power(image: Array, shells: NDArray[np.intp]) -> Array:
    """Mean power of each shell; what a real transform leaves out, the mirror of what it has, counts as well."""
    power = np.abs(np.fft.rfftn(image)) ** 2
    last = np.arange(power.shape[2])
    twice = np.where((last == 0) | (2 * last == image.shape[2]), 1.0, 2.0)
    weights = np.broadcast_to(twice, power.shape).ravel()
    total, count = (np.bincount(shells.ravel(), each) for each in (power.ravel() * weights, weights))
    return np.asarray((total / np.maximum(count, 1))[1 : min(image.shape) // 2 + 1])


def _log_distance(power_p: Array, power_r: Array) -> float:
    """RMS over frequencies of the ratio of powers, dB."""
    floor = SPECTRAL_FLOOR * float(np.mean(power_r))
    if floor == 0:
        raise InputError("reference is flat along the axis", where="power spectrum")
    decibel = 10 * np.log10(np.maximum(power_p, floor) / np.maximum(power_r, floor))
    return float(np.sqrt(np.mean(decibel**2)))
