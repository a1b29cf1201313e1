"""Two small heads and a recipe for a tiny network."""

import numpy as np
import pytest
from scipy import ndimage

from medidiff.io import write_nifti
from medidiff.volume import Geometry, Volume

RECIPE = """
data = "data"
output = "run"
seed = 7

[optimisation]
steps = {steps}
patch = 16
groups = 2
patches = 2
warm_up = 2
checkpoint_every = 2

[[groups]]
files = "head_*.nii.gz"
sharp = [0, 2]
weight = 0.7
isotropic = true

[[groups]]
files = "labels.nii.gz"
sharp = [0, 1, 2]
weight = 0.3
kind = "labels"
{extra}
[card]
name = "tiny"
version = "0"
task = "super-resolution"
kind = "{kind}"
tile = 32
overlap = 8
sampling_steps = 2

[card.network]
channels = [16, 32]
blocks = [1, 1]
block_size = 2

[card.valid]
target_spacing_mm = [0.7, 1.35]
slice_spacing_mm = [2.0, 7.0]
isotropic_spacing_mm = [1.5, 2.5]
"""

RECONSTRUCTION = {
    'task = "super-resolution"': 'task = "reconstruction"\npasses = 2',
    "patch = 16": "patch = 32\npasses = 2\nagain = 0.5",
    "sharp = [0, 2]": "sharp = [0, 1]",
}


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Folder with two textured heads and a label map."""
    folder = tmp_path_factory.mktemp("training") / "data"
    folder.mkdir()
    rng = np.random.default_rng(0)
    radius = np.linalg.norm(np.indices((48, 44, 40)) - np.array([23.5, 21.5, 19.5])[:, None, None, None], axis=0)
    grid = Geometry(radius.shape, np.diag([1, 1.1, 0.9, 1]))
    for i in range(2):
        texture = ndimage.gaussian_filter(rng.normal(size=radius.shape), 1.2)
        array = np.where(radius < 18, 100 + 300 * texture, 0).clip(0).astype(np.float32)
        write_nifti(Volume(array, grid), folder / f"head_{i}.nii.gz", description="test")
    labels = np.select([radius < 8, radius < 13, radius < 18], [2, 3, 24], 0).astype(np.float32)
    write_nifti(Volume(labels, grid), folder / "labels.nii.gz", description="test")
    return folder


@pytest.fixture
def recipe(data, tmp_path):
    """Write the recipe with changes and return its path."""

    def write(name="recipe", steps=4, kind="diffusion", extra=""):
        text = RECIPE.format(steps=steps, kind=kind, extra=extra)
        path = tmp_path / name / "recipe.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace('data = "data"', f'data = "{data}"'))
        return path

    return write


@pytest.fixture
def kspace_recipe(recipe):
    """Turn the recipe into one of a reconstruction."""

    def write(name="recipe", **told):
        path = recipe(name, **told)
        text = path.read_text()
        for old, new in RECONSTRUCTION.items():
            assert old in text
            text = text.replace(old, new)
        path.write_text(text)
        return path

    return write
