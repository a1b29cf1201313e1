"""A Gaussian blur of volumes on any device."""

from functools import lru_cache

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from medidiff.physics.resolution import along

__all__ = ["blurred"]


def blurred(image: Tensor, sd: float) -> Tensor:
    """Convolve ``(..., X, Y, Z)`` with a Gaussian of ``sd`` voxels; beyond its faces an image goes on as it ends."""
    for axis in range(3):
        image = along(image, _gaussian(image.shape[axis - 3], sd), axis)
    return image


@lru_cache(maxsize=32)
def _gaussian(n: int, sd: float) -> Tensor:
    return torch.from_numpy(gaussian_filter1d(np.eye(n), sd, axis=0, mode="nearest"))
