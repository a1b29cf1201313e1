"""The posterior: a denoiser joined with a measurement is a denoiser that agrees with the measurement."""

from torch import Tensor

from medidiff.diffusion import Denoiser
from medidiff.physics import SliceProfile, consistent

__all__ = ["agreeing"]


def agreeing(
    denoiser: Denoiser, operator: SliceProfile, y: Tensor, *, noise: float, base: Tensor, scale: float
) -> Denoiser:
    """Pull every answer of a denoiser to what the scanner measured.

    The diffusion runs on the normalised residual ``r = (x - base) / scale``; the measurement is of ``x``.

    Parameters
    ----------
    denoiser
        ``(r_t, t) -> r0``.
    operator, y, noise
        ``y = A x + noise``, with the standard deviation of the noise in ``y``.
    base, scale
        ``(b, 1, X, Y, Z)`` and the unit of the residual.
    """

    def denoise(r: Tensor, t: Tensor) -> Tensor:
        x = base + scale * denoiser(r, t)
        return (consistent(x, y, operator, noise=noise) - base) / scale

    return denoise
