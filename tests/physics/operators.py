"""One list of operators, of every kind that scanners ask for, through one set of property tests."""

import numpy as np
import torch

from medidiff.physics import SliceProfile
from medidiff.volume import Geometry
from tests.strategies import rotation


def operator_along(axis, *, shape=(9, 10, 11), ratio=3.0, relative=1.0, profile="gaussian", turn=(0, 0, 0)):
    """Slices along ``axis`` of the fine ``shape``, ``ratio`` times as far apart, ``relative`` spacings thick."""
    affine = np.eye(4)
    affine[:3, :3] = rotation(*turn) * [0.9, 1.0, 1.1]
    affine[:3, 3] = 5, -7, 3
    fine = Geometry(shape, affine)
    spacing = np.array(fine.spacing)
    spacing[axis] *= ratio
    coarse = fine.refined(spacing)
    x, y, z = (relative * s for s in coarse.spacing)
    return SliceProfile(fine, coarse, thickness=(x, y, z), profile=profile)


def low_resolution(shape=(8, 10, 12), ratios=(2, 1.6, 2.4)):
    """Coarser along every axis."""
    fine = Geometry(shape, np.diag([-1.0, 1.0, 1.0, 1.0]))
    coarse = fine.refined(np.array(fine.spacing) * ratios)
    return SliceProfile(fine, coarse, thickness=coarse.spacing)


OPERATORS = {
    "x": operator_along(0),
    "y": operator_along(1),
    "z": operator_along(2),
    "odd sizes": operator_along(2, shape=(7, 5, 13), ratio=4),
    "non-integer ratio": operator_along(2, shape=(6, 7, 17), ratio=2.6),
    "gaps": operator_along(1, relative=0.5),
    "overlaps": operator_along(0, relative=1.8),
    "rect": operator_along(2, profile="rect"),
    "rect with gaps": operator_along(2, profile="rect", relative=0.4),
    "oblique": operator_along(2, turn=(0.3, -0.2, 0.1)),
    "every axis": low_resolution(),
    "one slice": operator_along(2, shape=(5, 6, 4), ratio=4),
    "same grid": operator_along(2, ratio=1.0),
}


def drawn(shape, *, seed=0, dtype=torch.float64):
    """A standard normal tensor, the same every time."""
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed), dtype=dtype)


def dense(operator):
    """``(coarse voxels, fine voxels)``: the operator as one matrix, row by row from its adjoint's definition."""
    fine = int(np.prod(operator.fine.shape))
    unit = torch.eye(fine, dtype=torch.float64).reshape(fine, *operator.fine.shape)
    return operator.forward(unit).reshape(fine, -1).T
