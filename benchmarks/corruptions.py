"""Scans that no model of heads should take for usual, made of heads: each is ``(array, spacing, rng) -> array``.

Arrays are ``(x, y, z)`` with a data range of 1 and air near 0. `HARMLESS` are changes that leave a head a usual head;
a detector that warns of them warns in vain.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from medidiff.metrics import head_region

__all__ = ["ALIEN", "HARMLESS"]

Array = NDArray[np.float32]
Spacing = tuple[float, float, float]
Corruption = Callable[[Array, Spacing, Generator], Array]


def inverted(array: Array, spacing: Spacing, rng: Generator) -> Array:
    """Turn bright into dark within the head; air stays dark. A T2w scan is much like this."""
    return np.where(head_region(array), 1.1 - array.clip(0, 1), array).astype(np.float32)


def upside_down(array: Array, spacing: Spacing, rng: Generator) -> Array:
    """Turn bright into dark everywhere: a negative."""
    return np.asarray(1 - array.clip(0, 1), dtype=np.float32)


def noise_alone(array: Array, spacing: Spacing, rng: Generator) -> Array:
    """Magnitudes of complex white noise and nothing else."""
    return np.abs(_complex(array.shape, rng) * 0.4).astype(np.float32)


def very_noisy(array: Array, spacing: Spacing, rng: Generator) -> Array:
    """Rician noise of a fifth of the data range: beyond what the model was trained on."""
    return np.abs(array + 0.2 * _complex(array.shape, rng)).astype(np.float32)


def blurred(array: Array, spacing: Spacing, rng: Generator) -> Array:
    """Smooth by a Gaussian of 5 mm FWHM along all axes."""
    return np.asarray(ndimage.gaussian_filter(array, [5 / 2.355 / s for s in spacing]), dtype=np.float32)


def clipped(array: Array, spacing: Spacing, rng: Generator) -> Array:
    """Saturate at the median of the head, as a badly set window does."""
    return np.minimum(array, np.median(array[head_region(array)])).astype(np.float32)


def ringing(array: Array, spacing: Spacing, rng: Generator) -> Array:
    """Cut k-space at 40 % of its extent along all axes (Gibbs 1899)."""
    spectrum = np.fft.fftshift(np.fft.fftn(array))
    frequencies = np.meshgrid(*[np.linspace(-1, 1, n) for n in array.shape], indexing="ij")
    kept = np.max(np.abs(frequencies), axis=0) <= 0.4
    return np.abs(np.fft.ifftn(np.fft.ifftshift(spectrum * kept))).astype(np.float32)


def moved(array: Array, spacing: Spacing, rng: Generator) -> Array:
    """Let the head jump by up to 6 mm, eight times while k-space is filled along each line of the second axis."""
    lines = np.fft.fftfreq(array.shape[1])
    shot = np.argsort(np.argsort(lines)) * 8 // len(lines)
    shifts = rng.uniform(-6, 6, 8) / spacing[1]
    phase = np.exp(-2j * np.pi * lines * shifts[shot])[None, :, None]
    return np.abs(np.fft.ifft(np.fft.fft(array, axis=1) * phase, axis=1)).astype(np.float32)


def folded(array: Array, spacing: Spacing, rng: Generator) -> Array:
    """Fold the head over itself by two fifths of the field of view."""
    return np.asarray(array + np.roll(array, round(0.4 * array.shape[1]), axis=1), dtype=np.float32)


def spiked(array: Array, spacing: Spacing, rng: Generator) -> Array:
    """Add the stripes of one bad point in k-space, a tenth of the data range high."""
    place = np.meshgrid(*[np.arange(n) / n for n in array.shape], indexing="ij")
    wave = sum(round(0.31 * n) * p for n, p in zip(array.shape, place, strict=True))
    return np.asarray(np.abs(array + 0.1 * np.cos(2 * np.pi * wave)), dtype=np.float32)


def coarse_levels(array: Array, spacing: Spacing, rng: Generator) -> Array:
    """Keep six levels of grey."""
    return np.asarray(np.round(array.clip(0, 1) * 5) / 5, dtype=np.float32)


def ct_like(array: Array, spacing: Spacing, rng: Generator) -> Array:
    """Bright bone of 6 mm around a brain of hardly any contrast."""
    region = head_region(array)
    depth = ndimage.distance_transform_edt(region, sampling=spacing)
    soft = 0.35 + 0.03 * array + 0.01 * rng.standard_normal(array.shape)
    return np.where(region, np.where(depth < 6, 1.0, soft), 0).astype(np.float32)


def water_phantom(array: Array, spacing: Spacing, rng: Generator) -> Array:
    """Model a bottle of water with twelve spheres in it, and 1 % of noise."""
    place = _millimetres(array.shape, spacing)
    image = 0.8 * (np.hypot(place[0], place[1]) < 70) * (np.abs(place[2]) < 75)
    for _ in range(12):
        middle, radius = rng.uniform(-45, 45, 3).reshape(3, 1, 1, 1), rng.uniform(4, 14)
        image[((place - middle) ** 2).sum(0) < radius**2] = rng.uniform(0.1, 1)
    return np.asarray(np.abs(image + 0.01 * _complex(array.shape, rng)), dtype=np.float32)


def shapes(array: Array, spacing: Spacing, rng: Generator) -> Array:
    """Pile up forty boxes of even brightness."""
    place = _millimetres(array.shape, spacing)
    image = np.zeros(array.shape, np.float32)
    for _ in range(40):
        middle, half = rng.uniform(-60, 60, (3, 1, 1, 1)), rng.uniform(5, 35, (3, 1, 1, 1))
        image[(np.abs(place - middle) < half).all(0)] = rng.uniform(0.1, 1)
    return image


def quarter_turn(array: Array, spacing: Spacing, rng: Generator) -> Array:
    """Mirror the head along its first two axes: upside down in its field of view."""
    return np.ascontiguousarray(array[::-1, ::-1])


def brighter(array: Array, spacing: Spacing, rng: Generator) -> Array:
    """Multiply by 7: a unit, not a change."""
    return np.asarray(7 * array, dtype=np.float32)


def shaded(array: Array, spacing: Spacing, rng: Generator) -> Array:
    """Let brightness fall by a third from one side to the other, as a surface coil does."""
    ramp = np.linspace(0.8, 1.2, array.shape[1], dtype=np.float32)[None, :, None]
    return array * ramp


def _complex(shape: tuple[int, ...], rng: Generator) -> NDArray[np.complex128]:
    """White noise of SD 1 in the real and in the imaginary part."""
    return np.asarray(rng.standard_normal(shape) + 1j * rng.standard_normal(shape))


def _millimetres(shape: tuple[int, ...], spacing: Spacing) -> NDArray[np.float64]:
    """``(3, x, y, z)``: place of each voxel from the middle."""
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


ALIEN: Mapping[str, Corruption] = {
    "a negative": upside_down,
    "inverted in the head": inverted,
    "noise alone": noise_alone,
    "20 % noise": very_noisy,
    "blurred to 5 mm": blurred,
    "clipped at the median": clipped,
    "ringing, 40 % of k-space": ringing,
    "motion": moved,
    "folded over": folded,
    "spike in k-space": spiked,
    "six grey levels": coarse_levels,
    "CT-like": ct_like,
    "water phantom": water_phantom,
    "boxes": shapes,
}
HARMLESS: Mapping[str, Corruption] = {"mirrored": quarter_turn, "seven times brighter": brighter, "shaded": shaded}
