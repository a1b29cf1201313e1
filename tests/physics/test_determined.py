"""The share that is determined is the diagonal of the resolution matrix."""

import pytest
import torch

from medidiff.physics.determined import determined
from medidiff.physics.sense import encoding
from tests.physics.heads import coils, lines

SHAPE = (12, 10, 1)


def exact(operator, shape, weight):
    """The whole matrix, column by column."""
    n = shape[0] * shape[1]
    columns = torch.eye(n, dtype=torch.complex128).reshape(n, 1, *shape)
    matrix = operator.forward(columns).reshape(n, -1).T
    normal = matrix.mH @ matrix
    share = torch.linalg.solve(normal + weight * torch.eye(n), normal).diagonal().real
    return share.reshape(1, *shape)


@pytest.fixture(scope="module")
def operator():
    return encoding(
        lines(10, acceleration=2, calibration=2), coils(SHAPE, number=4)[1].to(torch.complex128), axes=(0, 1)
    )


@pytest.mark.parametrize("noise", [0.01, 0.1, 0.5])
def test_it_is_that_of_the_matrix_on_average(operator, noise):
    y = operator.forward(torch.ones(1, *SHAPE, dtype=torch.complex128))
    found = [determined(operator, y, noise=noise, brightness=1.0, axes=(0, 1), seed=seed) for seed in range(6)]
    wanted = exact(operator, SHAPE, noise**2)
    assert float(torch.stack(found).mean()) == pytest.approx(float(wanted.mean()), abs=0.05)


def test_all_is_determined_where_nothing_is_missing():
    full = encoding(torch.ones(1, 1, 1, dtype=torch.bool), coils(SHAPE, number=4)[1], axes=(0, 1))
    share = determined(
        full, full.forward(torch.ones(1, *SHAPE, dtype=torch.complex64)), noise=1e-3, brightness=1, axes=(0, 1)
    )
    assert share.min() > 0.99


def test_less_is_determined_with_more_noise_or_less_data(operator):
    y = operator.forward(torch.ones(1, *SHAPE, dtype=torch.complex128))
    quiet, loud = (determined(operator, y, noise=s, brightness=1, axes=(0, 1)).mean() for s in (0.01, 0.5))
    assert loud < quiet < 1


def test_single_coils_determine_what_they_sampled():
    half = encoding(lines(10, acceleration=2, calibration=2), None, axes=(0, 1))
    share = determined(
        half, half.forward(torch.ones(1, *SHAPE, dtype=torch.complex64)), noise=0, brightness=1, axes=(0, 1)
    )
    assert float(share.mean()) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_volumes_of_few_planes_have_shares_too(depth):
    shape = (12, 10, depth)
    volume = encoding(lines(10, acceleration=2, calibration=2), coils(shape, number=4)[1], axes=(0, 1, 2))
    y = volume.forward(torch.ones(1, *shape, dtype=torch.complex64))
    share = determined(volume, y, noise=0.01, brightness=1, axes=(0, 1, 2))
    assert share.shape == (1, *shape)
    assert 0 <= float(share.min()) <= float(share.max()) <= 1
