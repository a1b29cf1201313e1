"""How bright a head is and how noisy its measurement is, read off the measurement itself."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from skimage.restoration import denoise_nl_means

__all__ = ["NOISE_LEFT", "denoised", "estimate_noise", "head_brightness"]

Array = NDArray[np.float32]

FOREGROUND = 0.1
"""Fraction of the brightest voxels' value above which a voxel counts as head."""
HEAD_OVER_AIR = 2.0
"""Most that the noise in the head exceeds that in the air, where coils are combined and k-space was undersampled."""
FEWEST_IN_AIR = 1000
"""Voxels of air that are needed to tell its noise; air of 0 was blanked and tells nothing."""
STRENGTH = 0.08
"""Strength of the filter, over the root of the noise: a network takes out much of a strong noise itself, and little of
a weak one; see docs/decisions/0005."""
NOISE_LEFT = 0.7
"""Noise that a network is told of after the filter, over what there was."""


def head_brightness(array: Array) -> float:
    """Intensity that counts as 1 for a model: the 99th percentile of the voxels above a tenth of the brightest ones.

    Parameters
    ----------
    array
        ``(x, y, z)``, any intensity unit.

    Returns
    -------
    float
        In the array's unit; 0 for an image without positive values.
    """
    bright = float(np.quantile(array, 0.999))
    return float(np.quantile(array[array >= FOREGROUND * bright], 0.99)) if bright > 0 else 0.0


def estimate_noise(array: Array, *, axes: Sequence[int]) -> float:
    """Standard deviation of white noise, from mixed second differences inside the head.

    The mask ``[1 -2 1] x [1 -2 1] / 6`` cancels planes and edges along either axis (Immerkaer 1996, eq. 2); the
    median makes it blind to much of the anatomy. What is left of it counts as noise: on seven heads degraded to 3 and
    5 mm it read 0.2 to 1.7 % without added noise, 2.1 to 2.8 % with 2 % added and 8.4 to 8.9 % with 8 %; on ten real
    T2w scans 2.4 to 2.7 %, mostly cortex. So it is held to `HEAD_OVER_AIR` times the noise in the air, where there is
    air that was not blanked (0.5 to 0.8 % on those scans).

    Parameters
    ----------
    array
        ``(x, y, z)``.
    axes
        The two axes with the finest sampling.
    """
    head = array >= FOREGROUND * head_brightness(array)
    difference = array
    for axis in axes:
        if array.shape[axis] < 3:
            return 0.0
        difference = np.diff(difference, n=2, axis=axis)
        head = np.take(head, range(1, head.shape[axis] - 1), axis)
    if not head.any():
        return 0.0
    found = float(np.median(np.abs(difference[head]))) / 6 / 0.6745
    air = _air_noise(array)
    return found if air is None else min(found, HEAD_OVER_AIR * air)


def _air_noise(array: Array) -> float | None:
    """Noise behind the magnitudes far from the head, by the median of a Rayleigh distribution (Edelstein 1984)."""
    head = binary_dilation(array >= FOREGROUND * head_brightness(array), iterations=4)
    air = np.abs(array[~head & (array != 0)])
    return float(np.median(air)) / 1.1774 if air.size >= FEWEST_IN_AIR else None


def denoised(array: Array, *, noise: float) -> Array:
    """Remove white noise by non-local means (Buades 2005; Darbon 2008), for a proposal to start from.

    Parameters
    ----------
    array
        ``(x, y, z)``, in units of the head's brightness.
    noise
        Its standard deviation, in the same unit; 0 returns the array itself.
    """
    if noise <= 0:
        return array
    strength = STRENGTH * noise**0.5
    quiet = denoise_nl_means(array, patch_size=3, patch_distance=3, h=strength, sigma=noise, fast_mode=True)
    return np.asarray(quiet, dtype=np.float32)
