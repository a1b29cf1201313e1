"""The exact denoiser of a Gaussian: samplers that are right return that Gaussian."""

from medidiff.diffusion import alpha_sigma


def denoiser_of_gaussian(mean, variance):
    """``E[x0 | x_t]`` of ``N(mean, variance I)``."""

    def denoise(x, t):
        alpha, sigma = alpha_sigma(t.reshape(-1, *[1] * (x.ndim - 1)))
        return mean + alpha * variance / (alpha**2 * variance + sigma**2) * (x - alpha * mean)

    return denoise
