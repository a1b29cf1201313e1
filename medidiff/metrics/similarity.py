"""How far intensities are apart, and how alike structures are."""

import numpy as np
from skimage.metrics import structural_similarity

from medidiff.errors import InputError
from medidiff.metrics.checks import box, checked, ratio
from medidiff.metrics.region import Array, Region

__all__ = ["mae", "nmse", "psnr", "ssim", "ssim_slices"]

SSIM_SIGMA, SSIM_RADIUS = 1.5, 5
"""Gaussian window of Wang et al. 2004; 11 voxels wide, as scikit-image truncates it (3.5 SD)."""

SLICE_RADIUS = 3
"""Uniform window of 7 x 7, as fastMRI has it (Zbontar 2018)."""


def psnr(prediction: Array, reference: Array, *, data_range: float, region: Region) -> float:
    """Peak signal-to-noise ratio, dB; infinite for equal images."""
    p, r = checked(prediction, reference, data_range, region)
    error = float(np.mean((p - r)[region] ** 2))
    return float("inf") if error == 0 else float(10 * np.log10(data_range**2 / error))


def ssim(prediction: Array, reference: Array, *, data_range: float, region: Region) -> float:
    """Structural similarity with a 3D Gaussian window of SD 1.5 voxels, averaged over the region.

    Wang et al. 2004; the same map as ``skimage.metrics.structural_similarity(gaussian_weights=True,
    use_sample_covariance=False)``, at most 1. Axes shorter than 11 voxels are refused with ``InputError``.
    """
    p, r = checked(prediction, reference, data_range, region)
    if min(r.shape) <= 2 * SSIM_RADIUS:
        raise InputError("image is too small for SSIM", found=f"shape {r.shape}", needed="11 voxels or more per axis")
    near = box(region, SSIM_RADIUS, least=2 * SSIM_RADIUS + 1)
    _, local = structural_similarity(
        p[near], r[near], data_range=data_range, gaussian_weights=True, sigma=SSIM_SIGMA,
        use_sample_covariance=False, full=True,
    )  # fmt: skip
    return float(np.mean(local[region[near]]))


def ssim_slices(prediction: Array, reference: Array, *, data_range: float, region: Region, axis: int = 2) -> float:
    """Structural similarity of slices across ``axis``, as fastMRI defines it (Zbontar 2018).

    A uniform window of 7 x 7 pixels and the sample covariance, `skimage.metrics.structural_similarity` as it is; of
    every slice the mean over the region's pixels that are 3 or more from the border, then the mean over the slices
    that have such pixels. With the whole volume as region and its maximum as range these are fastMRI's figures.
    """
    p, r = (np.moveaxis(image, axis, 0) for image in checked(prediction, reference, data_range, region))
    if min(p.shape[1:]) <= 2 * SLICE_RADIUS:
        raise InputError("slices are too small for SSIM", found=f"{p.shape[1:]}", needed="7 pixels or more per side")
    inner = (slice(SLICE_RADIUS, -SLICE_RADIUS),) * 2
    counted = [mask[inner] for mask in np.moveaxis(region, axis, 0)]
    scores = [
        structural_similarity(slice_p, slice_r, data_range=data_range, full=True)[1][inner][mask].mean()
        for slice_p, slice_r, mask in zip(p, r, counted, strict=True)
        if mask.any()
    ]
    if not scores:
        raise InputError("region lies within 3 pixels of the border", where="ssim_slices")
    return float(np.mean(scores))


def nmse(prediction: Array, reference: Array, *, data_range: float, region: Region) -> float:
    """Squared error over the reference's energy: ``||p - r||^2 / ||r||^2`` (fastMRI); the range only gets checked."""
    p, r = checked(prediction, reference, data_range, region)
    return ratio(np.sum((p - r)[region] ** 2), np.sum(r[region] ** 2), "reference is zero in the region")


def mae(prediction: Array, reference: Array, *, data_range: float, region: Region) -> float:
    """Mean absolute error, as a fraction of the data range."""
    p, r = checked(prediction, reference, data_range, region)
    return float(np.mean(np.abs(p - r)[region]) / data_range)
