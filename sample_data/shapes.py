"""What the phantom is made of: a lattice of points, smooth solids on it, and band-limited noise.

Solids are fields of signed distance, negative inside, in the measures of an adult head; see ``anatomy``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

__all__ = ["SCALE", "Axes", "Field", "Lattice", "Mask", "ellipsoid", "mirror", "random_field", "tube", "union"]

Field = NDArray[np.float32]
Mask = NDArray[np.bool_]
Axes = tuple[Field, Field, Field]

SCALE = 0.69
"""Size of this head against an adult's."""
CENTRE = (0.0, -6.0, 8.5)
"""Where the middle of the lattice lies in the adult's frame, mm (RAS+, origin between the commissures)."""


@dataclass(frozen=True)
class Lattice:
    """Points in RAS+ mm: ``shape`` of them, ``step`` mm apart, centred on the origin."""

    shape: tuple[int, int, int]
    step: float

    @property
    def origin(self) -> NDArray[np.float64]:
        """RAS+ mm of the first point."""
        return -0.5 * self.step * (np.array(self.shape) - 1)

    def axes(self) -> Axes:
        """Coordinates in the adult's frame, mm, each ready to be broadcast."""
        index = np.ogrid[tuple(slice(n) for n in self.shape)]
        x, y, z = ((o + self.step * i) / SCALE + c for o, i, c in zip(self.origin, index, CENTRE, strict=True))
        return x.astype(np.float32), y.astype(np.float32), z.astype(np.float32)


def random_field(lattice: Lattice, wavelength: float, rng: np.random.Generator, band: float = 0.35) -> Field:
    """Draw smooth noise of mean 0 and SD 1 whose power lies around one wavelength (true mm)."""
    step = max(lattice.step, wavelength / 6)
    shape = [int(np.ceil(n * lattice.step / step)) + 8 for n in lattice.shape]
    spectrum = fft.rfftn(rng.standard_normal(shape))
    k = [np.fft.fftfreq(n, step) for n in shape[:2]] + [np.fft.rfftfreq(shape[2], step)]
    radius = np.sqrt(sum(f**2 for f in np.meshgrid(*k, indexing="ij", sparse=True)))
    coarse = fft.irfftn(spectrum * np.exp(-0.5 * ((radius * wavelength - 1) / band) ** 2), s=shape)
    coarse = (coarse - coarse.mean()) / coarse.std()
    return _magnify(coarse.astype(np.float32), lattice, step)


def _magnify(coarse: Field, lattice: Lattice, step: float) -> Field:
    """Sample a coarse periodic field on the lattice, one axis after the other, by cubic splines."""
    for axis, n in enumerate(lattice.shape):
        at = np.arange(n) * lattice.step / step + 3
        filtered = ndimage.spline_filter1d(coarse, axis=axis, output=np.float32)
        start = np.floor(at).astype(int)
        t = (at - start).reshape([-1 if a == axis else 1 for a in range(3)]).astype(np.float32)
        weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
        coarse = sum(np.take(filtered, start + j - 1, axis) * w / 6 for j, w in enumerate(weights))
    return coarse


def ellipsoid(axes: Axes, centre: Sequence[float], radii: Sequence[float | NDArray[Any]]) -> Field:
    """Roughly the signed distance to an ellipsoid, mm; a radius may vary along another axis."""
    scaled = [(a - c) / r for a, c, r in zip(axes, centre, radii, strict=True)]
    norm = np.sqrt(scaled[0] ** 2 + scaled[1] ** 2 + scaled[2] ** 2)
    slope = np.sqrt(sum((s / r) ** 2 for s, r in zip(scaled, radii, strict=True)))
    return np.asarray((norm - 1) * norm / np.maximum(slope, 1e-6), np.float32)


def tube(axes: Axes, *points: tuple[float, float, float, float]) -> Field:
    """Signed distance to a chain of round cones through points ``(x, y, z, radius)``, mm."""
    parts = [_cone(axes, p, q) for p, q in pairwise(points)]
    whole = parts[0]
    for part in parts[1:]:
        whole = union(whole, part, 3.0)
    return whole


def _cone(axes: Axes, p: Sequence[float], q: Sequence[float]) -> Field:
    along = [b - a for a, b in zip(p[:3], q[:3], strict=True)]
    t = sum((a - o) * d for a, o, d in zip(axes, p[:3], along, strict=True)) / sum(d * d for d in along)
    t = np.clip(t, 0, 1)
    away = np.sqrt(sum((a - o - t * d) ** 2 for a, o, d in zip(axes, p[:3], along, strict=True)))
    return np.asarray(away - (p[3] + t * (q[3] - p[3])), np.float32)


def union(a: Field, b: Field, fillet: float) -> Field:
    """Join two solids, rounding the seam over ``fillet`` mm."""
    h = np.clip(0.5 + 0.5 * (b - a) / fillet, 0, 1)
    return np.asarray(b + (a - b) * h - fillet * h * (1 - h), np.float32)


def mirror(axes: Axes) -> Axes:
    """Fold left onto right, so that a paired structure is written once."""
    return np.abs(axes[0]), axes[1], axes[2]
