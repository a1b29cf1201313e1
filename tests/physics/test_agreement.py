"""The proximal step takes the weight that is best, without being told how wrong the proposal is."""

import pytest
import torch

from medidiff.physics import Agreement, Fourier, conjugate_gradients
from medidiff.physics.sense import encoding
from tests.physics.heads import coils, lines

SHAPE = (48, 40, 1)
WEIGHTS = [0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0]


def randn(like, seed):
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.complex64)


@pytest.fixture(scope="module")
def operator():
    return encoding(lines(40, acceleration=3), coils(SHAPE, number=6)[1], axes=(0, 1))


@pytest.fixture(scope="module")
def truth():
    return coils(SHAPE, number=6)[0]


def scene(operator, truth, *, noise, wrong):
    clean = operator.forward(truth)
    y = clean + noise * randn(clean, 1) * (clean != 0)
    return Agreement(operator, y, noise=noise), truth + wrong * randn(truth, 2)


def error(x, truth):
    return float(torch.linalg.vector_norm(x - truth))


@pytest.mark.parametrize("noise", [0.01, 0.03])
@pytest.mark.parametrize("wrong", [0.02, 0.1])
def test_the_error_of_a_proposal_is_found_from_the_data(operator, truth, noise, wrong):
    agree, proposal = scene(operator, truth, noise=noise, wrong=wrong)
    assert float(agree.variance(proposal).sqrt()) == pytest.approx(wrong, rel=0.25)


@pytest.mark.parametrize("noise", [0.01, 0.03])
@pytest.mark.parametrize("wrong", [0.02, 0.1])
def test_no_weight_of_a_grid_does_better_by_more_than_a_twentieth(operator, truth, noise, wrong):
    agree, proposal = scene(operator, truth, noise=noise, wrong=wrong)
    grid = [conjugate_gradients(operator, agree.y, start=proposal, weight=w, iterations=30)[0] for w in WEIGHTS]
    assert error(agree(proposal), truth) <= 1.05 * min(error(x, truth) for x in grid)
    assert error(agree(proposal), truth) < error(proposal, truth)


def test_a_proposal_that_agrees_is_kept(operator, truth):
    agree, _ = scene(operator, truth, noise=0.02, wrong=0.0)
    assert error(agree(truth), truth) < 0.1 * error(truth + 0.02 * randn(truth, 3), truth)


def test_without_noise_the_data_are_fitted(operator, truth):
    agree, proposal = scene(operator, truth, noise=0.0, wrong=0.1)
    before, after = (torch.linalg.vector_norm(operator.forward(x) - agree.y) for x in (proposal, agree(proposal)))
    assert after < 0.05 * before


def test_each_of_a_batch_has_a_weight_of_its_own(operator, truth):
    agree, proposal = scene(operator, truth, noise=0.02, wrong=0.1)
    both = torch.stack([truth, proposal])
    together = Agreement(operator, torch.stack([agree.y] * 2), noise=0.02)
    small, large = together.variance(both).flatten().tolist()
    assert small < 0.01 * large
    torch.testing.assert_close(together(both)[1], agree(proposal), atol=2e-4, rtol=1e-3)


def test_the_step_is_the_same_every_time(operator, truth):
    (one, proposal), (other, _) = (scene(operator, truth, noise=0.02, wrong=0.1) for _ in range(2))
    assert torch.equal(one(proposal), other(proposal))


@pytest.mark.parametrize(("noise", "wide"), [(0.1, 0.1), (0.05, 0.2)])
def test_samples_of_the_prior_become_samples_of_the_posterior(noise, wide):
    """One coil, half of k-space: a measured sample's variance is s^2 v / (s^2 + v), any other's is v."""
    mask = lines(40, acceleration=2)
    single = encoding(mask, None, axes=(0, 1))
    mean = coils(SHAPE, number=1)[0]
    agree, _ = scene(single, mean + wide * randn(mean, 4), noise=noise, wrong=0.0)
    generator = torch.Generator().manual_seed(0)
    proposals = [mean + wide * randn(mean, 10 + k) for k in range(24)]
    drawn = torch.stack([agree(x, y=agree.noisier(generator)) for x in proposals])
    spread = Fourier((0, 1)).forward(drawn).var(0).abs()
    measured, other = spread[:, :, mask[0, :, 0]].mean(), spread[:, :, ~mask[0, :, 0]].mean()
    assert float(other) == pytest.approx(wide**2, rel=0.1)
    assert float(measured) == pytest.approx(noise**2 * wide**2 / (noise**2 + wide**2), rel=0.25)
    same = torch.stack([agree(x) for x in proposals])
    assert float(Fourier((0, 1)).forward(same).var(0).abs()[:, :, mask[0, :, 0]].mean()) < 0.5 * float(measured)


def test_what_was_not_measured_stays_zero_however_noisy(operator, truth):
    agree, _ = scene(operator, truth, noise=0.02, wrong=0.0)
    noisier = agree.noisier(torch.Generator().manual_seed(0))
    assert bool((noisier[agree.y == 0] == 0).all())
    added = (noisier - agree.y)[agree.y != 0]
    assert float(added.abs().square().mean().sqrt()) == pytest.approx(0.02, rel=0.05)
