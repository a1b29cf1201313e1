"""A sampler is a plain function of a denoiser, a noisy image and the times to visit."""

from collections.abc import Callable

import torch
from monai.networks.schedulers import DDIMScheduler, DDPMScheduler
from torch import Tensor

from medidiff.diffusion.schedule import Denoiser, alpha_sigma, time_of

__all__ = ["posterior_mean", "sample", "sample_with_scheduler"]


def posterior_mean(denoiser: Denoiser, noise: Tensor) -> Tensor:
    """Answer at pure noise: one evaluation, the smallest expected squared error."""
    return denoiser(noise, torch.ones(noise.shape[0], device=noise.device))


def sample(denoiser: Denoiser, noise: Tensor, times: Tensor, *, progress: Callable[[], None] = lambda: None) -> Tensor:
    """Follow the probability-flow ODE from noise to an image (DPM-Solver++ 2M; Lu et al. 2022, algorithm 2).

    The first step, from infinite noise, is a DDIM step (Song et al. 2021, eq. 12), and so is the last.

    Parameters
    ----------
    denoiser
        ``(x_t, t) -> x0``.
    noise
        ``(b, ...)``, standard normal.
    times
        ``(steps + 1,)``, falling from 1 to 0.
    progress
        Called after each step.
    """
    x, previous, ratio = noise, None, 0.0
    for index in range(len(times) - 1):
        now, after = times[index], times[index + 1]
        x0 = denoiser(x, now.to(x.device).expand(x.shape[0]))
        (alpha, sigma), (alpha_after, sigma_after) = alpha_sigma(now), alpha_sigma(after)
        step = _log_snr(after) - _log_snr(now)
        second_order = previous is not None and index < len(times) - 2 and torch.isfinite(step) and ratio > 0
        guess = x0 + (x0 - previous) * (step / (2 * ratio)) if second_order and previous is not None else x0
        eps_scale = (sigma_after / sigma).to(x.device)
        x = eps_scale * x + (alpha_after - sigma_after / sigma * alpha).to(x.device) * guess
        previous, ratio = x0, float(step) if torch.isfinite(step) else 0.0
        progress()
    return x


def _log_snr(t: Tensor) -> Tensor:
    """Half the log signal-to-noise ratio, ``log(alpha / sigma)``."""
    alpha, sigma = alpha_sigma(t.double())
    return torch.log(alpha.clamp_min(0)) - torch.log(sigma) if alpha > 1e-9 else torch.tensor(-torch.inf)


def sample_with_scheduler(
    denoiser: Denoiser, noise: Tensor, scheduler: DDPMScheduler | DDIMScheduler, *, seed: int = 0
) -> Tensor:
    """Let one of MONAI's schedulers, set to ``prediction_type="sample"``, drive the same denoiser.

    Use as many steps as it was made with: at few steps its formulas do not agree with its spacing.
    """
    generator = torch.Generator(noise.device).manual_seed(seed)
    x = noise
    for step in scheduler.timesteps:
        alpha = scheduler.alphas_cumprod[int(step)].sqrt()
        x0 = denoiser(x, time_of(alpha).to(x.device).expand(x.shape[0]))
        x, _ = scheduler.step(x0, int(step), x, generator=generator)
    return x
