"""A Gaussian blur: SciPy's, whatever the shape, and one that keeps what is flat."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from medidiff.physics.blur import blurred


@pytest.mark.parametrize("sd", [0.7, 1.5, 5.0])
def test_it_is_scipys_on_any_shape(sd):
    image = np.random.default_rng(0).normal(size=(2, 1, 9, 14, 5))
    wanted = np.stack([gaussian_filter(one[0], sd, mode="nearest")[None] for one in image])
    np.testing.assert_allclose(blurred(torch.from_numpy(image), sd).numpy(), wanted, atol=1e-12)


def test_what_is_flat_stays_as_it_is():
    flat = torch.full((1, 1, 6, 7, 8), 0.3)
    torch.testing.assert_close(blurred(flat, 5.0), flat)
