"""Diffusion: the network, the schedule and the samplers; they know nothing of MRI."""

from medidiff.diffusion.learning import Noised, noised
from medidiff.diffusion.network import ConditionalUNet
from medidiff.diffusion.sampling import posterior_mean, sample, sample_with_scheduler
from medidiff.diffusion.schedule import Denoiser, alpha_sigma, from_velocity, times, velocity

__all__ = [
    "ConditionalUNet",
    "Denoiser",
    "Noised",
    "alpha_sigma",
    "from_velocity",
    "noised",
    "posterior_mean",
    "sample",
    "sample_with_scheduler",
    "times",
    "velocity",
]
