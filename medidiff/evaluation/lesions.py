"""Synthetic lesions, put into a sharp reference to see what becomes of them: soft spheres, bright or dark."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medidiff.errors import InputError
from medidiff.volume import Geometry, Volume

__all__ = ["SIZES", "Lesion", "Recovery", "painted", "recovered", "scattered", "sphere", "tissue", "window_of"]

Array = NDArray[np.float32]
Region = NDArray[np.bool_]
Box = tuple[slice, slice, slice]

SIZES = (2.0, 4.0, 6.0, 8.0)
"""Diameters at half height, mm."""
SOFT = 0.3
"""Width of a lesion's edge, mm: the scale of the logistic curve it falls by."""
REACH = 3.0
"""How far around a lesion its trace is looked for, mm."""
DEPTH = 15.0
"""Least depth of a lesion below the surface of the head, mm: under scalp and skull."""
APART = 18.0
"""Least distance between the centres of two lesions, mm."""
TISSUE = 0.5
"""Brightness of brain tissue, at least, over the median of the head."""
INSIDE = 2.0
"""Least distance of a lesion's centre from what is darker than tissue, mm."""


@dataclass(frozen=True)
class Lesion:
    """One lesion.

    Parameters
    ----------
    centre
        In voxels, not whole ones.
    diameter
        At half height, mm.
    amplitude
        Brightness added in its middle, in units of the image; below 0 it is dark.
    """

    centre: tuple[float, float, float]
    diameter: float
    amplitude: float

    @property
    def sign(self) -> int:
        """1 for bright, -1 for dark."""
        return 1 if self.amplitude > 0 else -1


@dataclass(frozen=True)
class Recovery:
    """What is left of a lesion.

    Parameters
    ----------
    contrast
        Its amplitude over the true one, by least squares.
    volume
        Voxels above half of the true amplitude, over the true number of such.
    shift
        Distance of the centres of mass of what exceeds half of the own maximum, mm; NaN if nothing has the right sign.
    """

    contrast: float
    volume: float
    shift: float


def sphere(geometry: Geometry, centre: Sequence[float], diameter: float, box: Box) -> Array:
    """Draw a soft sphere of height 1 about ``centre`` (voxels) into a box of the grid: ``(x, y, z)`` of the box."""
    r = _distance(geometry, centre, box)
    return np.asarray(1 / (1 + np.exp((r - diameter / 2) / SOFT)), dtype=np.float32)


def _distance(geometry: Geometry, centre: Sequence[float], box: Box) -> NDArray[np.float64]:
    """Distance from the centre, mm."""
    axes = [
        (np.arange(part.start, part.stop) - c) * s for part, c, s in zip(box, centre, geometry.spacing, strict=True)
    ]
    x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)
    return np.asarray(np.sqrt(x**2 + y**2 + z**2))


def window_of(geometry: Geometry, centre: Sequence[float], diameter: float) -> Box:
    """Box of voxels around a lesion, within the grid; `REACH` mm beyond its edge."""
    half = (diameter / 2 + REACH) / np.array(geometry.spacing)
    low = np.maximum(np.ceil(np.array(centre) - half), 0).astype(int)
    high = np.minimum(np.floor(np.array(centre) + half) + 1, geometry.shape).astype(int)
    return (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))


def tissue(volume: Volume, region: Region) -> Region:
    """Where lesions may be: deep in the upper part of the head, in tissue that is not dark.

    Parameters
    ----------
    volume
        ``(x, y, z)``, the reference.
    region
        ``(x, y, z)``, its head.
    """
    spacing = volume.geometry.spacing
    depth = ndimage.distance_transform_edt(np.pad(region, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
    height = volume.geometry.affine[2, :3] @ np.indices(region.shape).reshape(3, -1)
    upper = height.reshape(region.shape) >= height[region.ravel()].mean()
    smooth = ndimage.gaussian_filter(volume.array, [1 / s for s in spacing])
    bright = ndimage.distance_transform_edt(smooth >= TISSUE * np.median(volume.array[region]), sampling=spacing)
    return np.asarray((depth >= DEPTH) & upper & (bright >= INSIDE))


def scattered(
    volume: Volume, allowed: Region, *, contrast: float, each: int, seed: int, sizes: Sequence[float] = SIZES
) -> list[Lesion]:
    """Choose random places, well apart, for lesions of every size, bright and dark in turn.

    Parameters
    ----------
    volume
        ``(x, y, z)``, the reference.
    allowed
        ``(x, y, z)``, where centres may be.
    contrast
        Amplitude as a share of the mean of the image within the lesion.
    each
        How many of each size and sign, at most: fewer if there is no more room.
    seed
        Of the places.

    Raises
    ------
    InputError
        If there is no room for one of each.
    """
    rng = np.random.default_rng(seed)
    places = rng.permutation(np.argwhere(allowed)) + rng.uniform(-0.5, 0.5, (int(allowed.sum()), 3))
    spacing, chosen = np.array(volume.geometry.spacing), np.empty((0, 3))
    kinds = [(size, sign) for size in sizes for sign in (1, -1)]
    for place in places:
        if len(chosen) < each * len(kinds) and (np.linalg.norm((chosen - place) * spacing, axis=1) >= APART).all():
            chosen = np.concatenate([chosen, place[None]])
    if len(chosen) < len(kinds):
        needed = f"room for {len(kinds)}, {APART:g} mm apart"
        raise InputError("too little tissue for lesions", found=f"{len(chosen)} places", needed=needed)
    return [_lesion(volume, place.tolist(), *kind, contrast) for place, kind in zip(chosen, cycle(kinds), strict=False)]


def _lesion(volume: Volume, place: list[float], size: float, sign: int, contrast: float) -> Lesion:
    box = window_of(volume.geometry, place, size)
    weights = sphere(volume.geometry, place, size, box)
    local = float((weights * volume.array[box]).sum() / weights.sum())
    x, y, z = place
    return Lesion((x, y, z), size, sign * contrast * local)


def painted(geometry: Geometry, lesions: Iterable[Lesion]) -> Array:
    """``(x, y, z)``: what the lesions add to an image."""
    image = np.zeros(geometry.shape, np.float32)
    for lesion in lesions:
        box = window_of(geometry, lesion.centre, lesion.diameter)
        image[box] += lesion.amplitude * sphere(geometry, lesion.centre, lesion.diameter, box)
    return image


def recovered(difference: Array, geometry: Geometry, lesion: Lesion) -> Recovery:
    """Tell how much of a lesion is in the difference of two images, with it and without.

    Parameters
    ----------
    difference
        ``(x, y, z)``, the enhanced image with lesions minus that without.
    """
    box = window_of(geometry, lesion.centre, lesion.diameter)
    true = abs(lesion.amplitude) * sphere(geometry, lesion.centre, lesion.diameter, box)
    found = lesion.sign * difference[box]
    half = abs(lesion.amplitude) / 2
    apart = (_middle(found) - _middle(true)) * np.array(geometry.spacing)
    return Recovery(
        contrast=float((found * true).sum() / (true * true).sum()),
        volume=float((found > half).sum() / max((true > half).sum(), 1)),
        shift=float(np.linalg.norm(apart)),
    )


def _middle(image: Array) -> NDArray[np.float64]:
    """Centre of mass of what exceeds half of the maximum; NaN where nothing is above 0."""
    kept = np.where(image >= image.max() / 2, image, 0) if image.max() > 0 else np.full_like(image, np.nan)
    return np.array([float((kept * index).sum() / kept.sum()) for index in np.indices(image.shape)])
