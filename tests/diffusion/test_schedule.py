"""The schedule: amplitudes, times and the two ways to say the same answer."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medidiff.diffusion import alpha_sigma, from_velocity, times, velocity
from medidiff.diffusion.schedule import time_of


@given(st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_the_squares_of_the_amplitudes_sum_to_one(t):
    alpha, sigma = alpha_sigma(torch.tensor(t, dtype=torch.float64))
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones(len(t), dtype=torch.float64))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_the_image_comes_back_from_its_velocity(t):
    generator = torch.Generator().manual_seed(0)
    t = torch.tensor(t, dtype=torch.float64)
    x0, eps = (torch.randn(len(t), 1, 3, 4, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    alpha, sigma = (a.reshape(-1, 1, 1, 1, 1) for a in alpha_sigma(t))
    torch.testing.assert_close(from_velocity(alpha * x0 + sigma * eps, velocity(x0, eps, t), t), x0)


def test_at_the_ends_there_is_the_image_or_the_noise():
    x0, eps, ends = torch.full((2, 3), 2.0), torch.full((2, 3), 5.0), torch.tensor([0.0, 1.0])
    torch.testing.assert_close(velocity(x0, eps, ends), torch.stack([eps[0], -x0[1]]))


@given(st.floats(0, 1))
def test_time_is_told_by_the_amplitude(t):
    alpha, _ = alpha_sigma(torch.tensor(t, dtype=torch.float64))
    assert float(time_of(alpha)) == pytest.approx(t, abs=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 8, 50])
def test_times_fall_from_one_to_zero(steps):
    t = times(steps)
    assert t.shape == (steps + 1,)
    assert (float(t[0]), float(t[-1])) == (1, 0)
    assert (t.diff() < 0).all()
