"""How much fine detail there is, and whether it is the right one."""

import numpy as np
from scipy import ndimage

from medidiff.metrics.checks import box, checked, ratio
from medidiff.metrics.region import Array, Region

__all__ = ["gradient_energy_ratio", "hfen"]

LOG_SIGMA, LOG_RADIUS = 1.5, 6
"""Laplacian of Gaussian of Ravishankar & Bresler 2011; voxels."""


def hfen(prediction: Array, reference: Array, *, data_range: float, region: Region) -> float:
    """High-frequency error norm: ``||LoG(p) - LoG(r)|| / ||LoG(r)||`` with a LoG of SD 1.5 voxels.

    Ravishankar & Bresler 2011, as a ratio and in 3D. 0 is perfect; an image without detail scores about 1.
    """
    p, r = checked(prediction, reference, data_range, region)
    near = box(region, LOG_RADIUS)
    error, detail = (ndimage.gaussian_laplace(image[near], LOG_SIGMA)[region[near]] for image in (p - r, r))
    return ratio(np.linalg.norm(error), np.linalg.norm(detail), "reference has no detail in the region")


def gradient_energy_ratio(prediction: Array, reference: Array, *, data_range: float, region: Region) -> float:
    """Sharpness: ``sum |grad p|^2 / sum |grad r|^2``; below 1 is blurred, above 1 is too sharp or noisy.

    Differences of neighbours, in voxel units, wherever both neighbours are in the region.
    """
    p, r = checked(prediction, reference, data_range, region)
    energy = [sum(_difference_energy(image, region, axis) for axis in range(3)) for image in (p, r)]
    return ratio(energy[0], energy[1], "reference is flat in the region")


def _difference_energy(image: Array, region: Region, axis: int) -> float:
    inside = np.logical_and(*(np.take(region, np.arange(a, region.shape[axis] - 1 + a), axis) for a in (0, 1)))
    return float(np.sum(np.diff(image, axis=axis)[inside] ** 2))
