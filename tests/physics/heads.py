"""A head in k-space, small and the same every time."""

import numpy as np
import torch

from medidiff.physics.antenna import coil_maps, smooth_phase
from medidiff.physics.fourier import Fourier
from medidiff.physics.masks import equispaced_lines
from medidiff.volume import Geometry

ELLIPSES = (
    (1.0, 0.0, 0.0, 0.8, 0.66),
    (-0.5, 0.0, 0.0, 0.7, 0.56),
    (0.4, 0.2, 0.2, 0.25, 0.2),
    (0.3, -0.3, -0.1, 0.1, 0.3),
)
"""Value, centre and half axes, in units of half the field of view."""


def grid(shape=(48, 40, 1), spacing=4.0):
    """Voxels about the middle of the scanner."""
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = -spacing * (np.array(shape) - 1) / 2
    return Geometry(shape, affine)


def head(shape=(48, 40, 1)):
    """``(x, y, z)`` magnitude: ellipses, smaller towards the ends of the third axis."""
    axes = [(np.arange(n) - n // 2) / (n / 2) for n in shape]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    shrink = np.sqrt(np.maximum(1 - (z * 0.9) ** 2, 0.1)) if shape[2] > 1 else 1.0
    image = np.zeros(shape)
    for value, cx, cy, a, b in ELLIPSES:
        image += value * (((x - cx) / a / shrink) ** 2 + ((y - cy) / b / shrink) ** 2 < 1)
    return torch.from_numpy(image).float()


def coils(shape=(48, 40, 1), *, number=6, seed=0):
    """Complex image ``(1, x, y, z)`` and maps ``(1, coil, x, y, z)``."""
    geometry = grid(shape)
    image = torch.polar(head(shape), smooth_phase(geometry, seed=seed))
    return image[None], coil_maps(geometry, coils=number, seed=seed)[None]


def measured(shape=(48, 40, 1), *, number=6, axes=(0, 1), noise=0.0, seed=0):
    """Image, maps and fully sampled ``(coil, x, y, z)`` k-space with complex noise of this SD."""
    image, maps = coils(shape, number=number, seed=seed)
    y = Fourier(axes).forward(image * maps[0])
    draw = torch.randn((*y.shape, 2), generator=torch.Generator().manual_seed(seed))
    return image, maps, y + noise / 2**0.5 * torch.view_as_complex(draw)


def lines(n=40, acceleration=2.0, calibration=12, seed=0):
    """``(1, n, 1)`` mask of equispaced lines along y."""
    mask = equispaced_lines(n, acceleration=acceleration, calibration=calibration, seed=seed)
    return torch.from_numpy(mask).reshape(1, n, 1)


def error(found, truth):
    """Energy of the error over that of the truth."""
    return float((torch.linalg.vector_norm(found - truth) / torch.linalg.vector_norm(truth)).square())
