"""Losses: squares, what forgives large errors, and gradients beside."""

import pytest
import torch

from medidiff.training.losses import loss_of
from medidiff.training.recipe import Optimisation

WRONG = torch.randn(2, 1, 6, 5, 4, generator=torch.Generator().manual_seed(0))


def loss(wrong=WRONG, **how):
    return float(loss_of(wrong, Optimisation(1, **how)))


def test_the_loss_is_the_mean_squared_error_unless_asked_otherwise():
    assert loss() == pytest.approx(float(WRONG.square().mean()))


def test_large_errors_count_by_their_size_and_small_ones_by_their_square():
    large, small = 1e3 * WRONG, 1e-3 * WRONG
    assert loss(large, charbonnier=0.1) == pytest.approx(float(large.abs().mean()), rel=1e-3)
    above = loss(small, charbonnier=0.1) - 0.1
    assert above == pytest.approx(float(small.square().mean()) / 0.2, rel=0.05)


def test_an_error_that_is_the_same_everywhere_has_no_gradient():
    flat = torch.full((1, 1, 4, 4, 4), 0.5)
    assert loss(flat, gradient=2.0) == pytest.approx(0.25)


@pytest.mark.parametrize("axis", [2, 3, 4])
def test_gradients_count_along_every_axis(axis):
    steps = torch.arange(4.0).reshape([-1 if a == axis else 1 for a in range(5)]).expand(1, 1, 4, 4, 4)
    assert loss(steps, gradient=0.5) - loss(steps) == pytest.approx(0.5)


def test_planes_have_gradients_too():
    assert loss(torch.arange(4.0).expand(1, 2, 3, 4), gradient=1.0) == pytest.approx(3.5 + 1)
