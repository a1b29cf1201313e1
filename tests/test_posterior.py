"""A denoiser joined with a measurement is one that agrees with the measurement."""

import pytest
import torch

from medidiff.physics import consistent
from medidiff.posterior import agreeing, settled
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


@pytest.mark.parametrize("name", list(OPERATORS))
def test_a_magnitude_is_settled_nearer_to_the_truth_and_to_agreement(name):
    operator = OPERATORS[name]
    truth = drawn((1, 1, *operator.fine.shape)).clamp_min(0)
    y = operator.forward(truth)
    plain = consistent(truth + 0.5 * drawn(truth.shape, seed=1), y, operator, noise=0.0)
    found = settled(plain, y, operator, noise=0.0)
    assert (found - truth).norm() < (plain - truth).norm()
    assert found.clamp_max(0).norm() < 0.7 * plain.clamp_max(0).norm()
    assert (operator.forward(found) - y).norm() < 1e-3 * y.norm()


def test_what_is_no_magnitude_is_pulled_to_agreement_alone():
    operator = OPERATORS["z"]
    y, x = drawn((1, 1, *operator.coarse.shape)), drawn((1, 1, *operator.fine.shape), seed=1)
    assert y.min() < 0
    assert torch.equal(settled(x, y, operator, noise=0.0), consistent(x, y, operator, noise=0.0))
