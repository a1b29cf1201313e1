"""Samplers, driven by exact Gaussian denoisers, return the Gaussian."""

import pytest
import torch
from monai.networks.schedulers import DDIMScheduler, DDPMScheduler

from medidiff.diffusion import posterior_mean, sample, sample_with_scheduler, times
from tests.diffusion.gaussians import denoiser_of_gaussian

VARIANCES = (0.04, 0.1, 0.3, 1.0, 2.0)


@pytest.fixture(scope="module")
def noise():
    """Standard normal: mean 0 and variance 1 to the last digit."""
    x = torch.randn((1, 1, 20, 20, 20), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return (x - x.mean()) / x.std()


@pytest.mark.parametrize(("steps", "lowest", "highest"), [(8, 0.87, 1.13), (50, 0.99, 1.04)])
@pytest.mark.parametrize("variance", VARIANCES)
def test_samples_keep_mean_and_variance(variance, steps, lowest, highest, noise):
    x = sample(denoiser_of_gaussian(0.5, variance), noise, times(steps).double())
    assert lowest <= float(x.var()) / variance <= highest
    assert float(x.mean()) == pytest.approx(0.5, abs=1e-3)


def test_more_steps_come_closer(noise):
    apart = [abs(float(sample(denoiser_of_gaussian(0, 0.3), noise, times(n)).var()) / 0.3 - 1) for n in (8, 32, 128)]
    assert apart[0] > apart[1] > apart[2]


def test_evenly_spaced_times_lose_variance(noise):
    even = torch.linspace(1, 0, 9, dtype=torch.float64)
    kept = [float(sample(denoiser_of_gaussian(0, v), noise, even).var()) / v for v in VARIANCES]
    assert min(kept) < 0.6
    assert max(kept) < 0.95


@pytest.mark.parametrize("scheduler", [DDPMScheduler, DDIMScheduler], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("variance", [0.3, 2.0])
def test_monai_schedulers_drive_the_same_denoiser(scheduler, variance):
    plan = scheduler(
        num_train_timesteps=1000, schedule="scaled_linear_beta", prediction_type="sample", clip_sample=False
    )
    plan.set_timesteps(1000)
    start = torch.randn((2, 1, 12, 12, 12), generator=torch.Generator().manual_seed(1))
    x = sample_with_scheduler(denoiser_of_gaussian(0.5, variance), start, plan, seed=2)
    assert float(x.mean()) == pytest.approx(0.5, abs=0.07)
    assert float(x.var()) == pytest.approx(variance, rel=0.08)


def test_a_seed_of_a_scheduler_gives_the_same_sample():
    plan = DDPMScheduler(num_train_timesteps=20, prediction_type="sample", clip_sample=False)
    start, denoise = torch.zeros(1, 1, 4, 4, 4), denoiser_of_gaussian(0, 1)
    first, again, other = (sample_with_scheduler(denoise, start, plan, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_answer_at_pure_noise_is_the_mean(noise):
    torch.testing.assert_close(
        posterior_mean(denoiser_of_gaussian(0.7, 0.4), noise), torch.full_like(noise, 0.7), atol=1e-6, rtol=0
    )


def test_a_denoiser_that_is_sure_is_believed(noise):
    for steps in (1, 2, 7):
        torch.testing.assert_close(
            sample(lambda x, t: torch.full_like(x, 3.0), noise, times(steps)).mean(), 3.0 + 0 * noise.mean()
        )


def test_each_sample_of_a_batch_is_its_own(noise):
    both = torch.cat([noise, -noise])
    drawn = sample(denoiser_of_gaussian(0.5, 0.3), both, times(6))
    torch.testing.assert_close(drawn[:1], sample(denoiser_of_gaussian(0.5, 0.3), noise, times(6)))


def test_the_denoiser_is_asked_once_for_each_step(noise):
    asked: list[torch.Tensor] = []
    told: list[int] = []

    def denoise(x, t):
        asked.append(t)
        return 0 * x

    sample(denoise, noise, times(5), progress=lambda: told.append(1))
    assert [float(t) for t in asked] == pytest.approx(times(5)[:-1].tolist())
    assert len(told) == 5
