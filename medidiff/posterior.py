"""The posterior: a denoiser joined with a measurement is a denoiser that agrees with the measurement."""

from torch import Tensor

from medidiff.diffusion import Denoiser
from medidiff.physics import SliceProfile, consistent

__all__ = ["agreeing", "settled"]

ROUNDS = 6
"""Of `settled`: most of what is below 0 is gone by then, and each costs one consistency step."""


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


def settled(x: Tensor, y: Tensor, operator: SliceProfile, *, noise: float) -> Tensor:
    """Bring a proposal between what was measured and what a magnitude can be, agreeing with the measurement to the end.

    Alternating projections (von Neumann 1933; Bauschke & Borwein 1996): where the truth is in both sets, no step leads
    away from it. A measurement with values below 0 is no magnitude, and asks for agreement alone.

    Parameters
    ----------
    x
        ``(b, 1, X, Y, Z)``.
    y, operator, noise
        ``y = A x + noise``, with the standard deviation of the noise in ``y``.
    """
    x = consistent(x, y, operator, noise=noise)
    for _ in range(ROUNDS if float(y.min()) >= 0 else 0):
        x = consistent(x.clamp_min(0), y, operator, noise=noise)
    return x
