"""A denoiser joined with a measurement is one that agrees with the measurement."""

import pytest
import torch

from medidiff.physics import consistent
from medidiff.posterior import agreeing
from tests.physics.operators import OPERATORS, drawn


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_every_answer_is_pulled_to_the_measurement(noise):
    operator, scale = OPERATORS["z"], 0.2
    y, base = drawn((1, 1, *operator.coarse.shape)), drawn((1, 1, *operator.fine.shape), seed=1)
    r, t = drawn((2, 1, *operator.fine.shape), seed=2), torch.tensor([0.2, 1.0])
    denoise = agreeing(lambda r, t: r * t.reshape(-1, 1, 1, 1, 1), operator, y, noise=noise, base=base, scale=scale)
    answers = base + scale * denoise(r, t)
    expected = [consistent(base + scale * r[i : i + 1] * t[i], y, operator, noise=noise) for i in range(2)]
    torch.testing.assert_close(answers, torch.cat(expected))
    if not noise:
        assert (operator.forward(answers) - y).abs().max() < 1e-2


def test_an_answer_that_agrees_is_kept():
    operator = OPERATORS["x"]
    base, r = drawn((1, 1, *operator.fine.shape)), drawn((1, 1, *operator.fine.shape), seed=1)
    y = operator.forward(base + 0.1 * r)
    denoise = agreeing(lambda r, t: r, operator, y, noise=0.0, base=base, scale=0.1)
    torch.testing.assert_close(denoise(r, torch.ones(1)), r)
