"""Blobs that an image shows and its reference does not: a matched filter, against the local brightness."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.signal import fftconvolve

from medidiff.evaluation.lesions import REACH, Lesion, sphere, window_of
from medidiff.volume import Geometry, Volume

__all__ = ["Detector", "blob_contrast", "invented", "response"]

Array = NDArray[np.float32]
Region = NDArray[np.bool_]

FALSE_PLACES = 0.01
"""Share of the places without a lesion at which a detector says that there is one."""


def blob_contrast(image: Array, geometry: Geometry, diameter: float) -> Array:
    """``(x, y, z)``: amplitude of a sphere of this diameter at each voxel, above its surroundings, by least squares.

    A constant has none: surroundings reach 3 mm beyond the edge, and edges of the image are mirrored.
    """
    filter_ = _filter(geometry, diameter)
    margins = [(n // 2, n // 2) for n in filter_.shape]
    padded = np.pad(image, margins, mode="reflect")
    found = fftconvolve(padded, filter_[::-1, ::-1, ::-1], mode="valid")
    return np.asarray(found, dtype=np.float32)


def _filter(geometry: Geometry, diameter: float) -> Array:
    """Odd kernel whose product with a sphere of height 1 on any constant is 1."""
    half = np.ceil((diameter / 2 + REACH) / np.array(geometry.spacing)).astype(int)
    grid = Geometry((2 * half + 1).tolist(), geometry.affine)
    return _matched(sphere(grid, half.tolist(), diameter, _whole(grid)))


def _matched(template: Array) -> Array:
    """Least-squares amplitude of a template beside an unknown constant, as weights (a matched filter; Turin 1960)."""
    centred = template - template.mean()
    return np.asarray(centred / (centred * template).sum(), dtype=np.float32)


def _whole(grid: Geometry) -> tuple[slice, slice, slice]:
    x, y, z = grid.shape
    return (slice(0, x), slice(0, y), slice(0, z))


def response(image: Array, geometry: Geometry, lesion: Lesion) -> float:
    """Amplitude that the matched filter finds at a lesion's very place; below 0 where it is of the other sign."""
    box = window_of(geometry, lesion.centre, lesion.diameter)
    weights = _matched(sphere(geometry, lesion.centre, lesion.diameter, box))
    return lesion.sign * float((weights * image[box]).sum())


class Detector:
    """An observer who knows the anatomy and where to look, and must tell a lesion from a method's own errors.

    It says "lesion" where the filter's answer exceeds what it exceeds at 1 % of the places without a lesion.

    Parameters
    ----------
    error
        ``(x, y, z)``, the enhanced image minus the truth, both without lesions.
    allowed
        ``(x, y, z)``, the places.
    """

    def __init__(self, error: Array, geometry: Geometry, allowed: Region, sizes: Sequence[float]) -> None:
        self.geometry = geometry
        self.error = error
        self.thresholds = {size: self._thresholds(blob_contrast(error, geometry, size)[allowed]) for size in sizes}

    @staticmethod
    def _thresholds(answers: Array) -> dict[int, float]:
        return {sign: float(np.quantile(sign * answers, 1 - FALSE_PLACES)) for sign in (1, -1)}

    def finds(self, added: Array, lesion: Lesion) -> bool:
        """Whether a lesion is found in the error plus what the lesions ``added`` to the enhanced image."""
        answer = response(self.error + added, self.geometry, lesion)
        return answer > self.thresholds[lesion.diameter][lesion.sign]


def invented(image: Array, truth: Volume, allowed: Region, *, diameter: float, contrast: float) -> tuple[int, int]:
    """Count bright and dark blobs of this size in an image whose truth has none there.

    A blob counts once, at the maximum of the filter's answer to ``image - truth``, where that and the answer to the
    image itself reach ``contrast`` times the local brightness while the truth's own answer stays below half of it.

    Parameters
    ----------
    image
        ``(x, y, z)``, on the grid of ``truth``, in its units.
    allowed
        ``(x, y, z)``, where blobs count.
    diameter
        mm.
    contrast
        Least amplitude, as a share of the truth's mean about the place.
    """
    geometry = truth.geometry
    shown = blob_contrast(image, geometry, diameter)
    there = blob_contrast(truth.array, geometry, diameter)
    least = contrast * ndimage.gaussian_filter(truth.array, [diameter / 2 / s for s in geometry.spacing])
    counts = [_peaks(sign * shown, sign * there, least, allowed, geometry, diameter) for sign in (1, -1)]
    return counts[0], counts[1]


def _peaks(shown: Array, there: Array, least: Array, allowed: Region, geometry: Geometry, diameter: float) -> int:
    new = shown - there
    counts = allowed & (new >= least) & (shown >= least) & (there < least / 2) & (least > 0)
    size = [2 * max(1, round(diameter / 2 / s)) + 1 for s in geometry.spacing]
    peaks = counts & (new == ndimage.maximum_filter(new, size))
    return int(ndimage.label(peaks, np.ones((3, 3, 3)))[1])
