"""Small heads in folders, for every test of the evaluation."""

import numpy as np
import pytest
from scipy import ndimage

from medidiff.io.nifti import write_nifti
from medidiff.volume import Geometry, Volume

GRID = Geometry((20, 22, 24), np.diag([1.0, 1.0, 1.2, 1.0]))


def head(seed=0, grid=GRID):
    """A bright ball with texture in air of zeros."""
    texture = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=grid.shape), 1.2)
    apart = np.linalg.norm((np.indices(grid.shape).T - (np.array(grid.shape) - 1) / 2) / np.array(grid.shape), axis=-1)
    return np.where(apart.T < 0.42, 100 + 100 * texture, 0).astype(np.float32)


def blurred(array, sd=0.7):
    return ndimage.gaussian_filter(array, sd)


def save(folder, name, array, grid=GRID):
    path = folder / f"{name}.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_nifti(Volume(array, grid), path, description="test")
    return path


def study(root, subjects=4, methods=("good", "bad")):
    """References of several people, and methods that blur them more and more."""
    for seed in range(subjects):
        truth = head(seed)
        save(root / "r", f"sub-{seed:02}_acq-{'ab'[seed % 2]}_T1w", truth)
        for place, method in enumerate(methods):
            save(root / method, f"sub-{seed:02}_acq-{'ab'[seed % 2]}_T1w_enhanced", blurred(truth, 0.4 + 0.3 * place))
    return {method: root / method for method in methods}


@pytest.fixture
def folders(tmp_path):
    return tmp_path / "p", tmp_path / "r", tmp_path / "out"
