"""Where scores count and what they are relative to: the head, and the range of intensities."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu

from medidiff.errors import InputError

__all__ = ["DATA_RANGE_DEFINITION", "HEAD_REGION_DEFINITION", "Array", "Region", "data_range_of", "head_region"]

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
