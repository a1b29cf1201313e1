"""What a network of planes is told of k-space: the image so far, its neighbours, and how it was measured."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad

from medidiff.diffusion import Denoiser, from_velocity
from medidiff.models.condition import COARSE, FINE
from medidiff.models.inference import PRECISIONS
from medidiff.models.store import Model

__all__ = [
    "BOLDEST",
    "PASSES",
    "as_channels",
    "as_complex",
    "plane_denoiser",
    "plane_numbers",
    "plane_view",
    "reach",
    "residual_unit",
]

NOISE_UNIT = 0.01
"""Noise, in units of the image's brightness, that counts as 1 in "log2 noise"."""
PASSES = (1.0, 0.65, 0.55, 0.5, 0.47, 0.45)
"""Typical error of the image that a pass starts from, relative to that of the first; later passes count as the last."""
SETTLED = 3
"""Passes after which what is easy is settled."""
BOLDEST = 2.0
"""Stride above which what is wrong can grow from pass to pass."""


def residual_unit(*, acceleration: float, noise: float, refined: int) -> float:
    """Typical error of the image so far, both it and the noise in units of the image's brightness.

    It grows with the acceleration, and with the noise that so few samples leave.
    """
    missing, noisy = 0.014 * math.log2(1 + acceleration), 0.7 * min(noise, 1.0) * math.sqrt(acceleration)
    return math.hypot(missing, noisy) * PASSES[min(refined, len(PASSES) - 1)]


def reach(refined: int, stride: float) -> float:
    """How far to go towards the answer of a pass that another one follows: all of the way, or ``stride`` times as far.

    Answers are means, and timid once what is easy is settled: over-relaxed (Young 1954), ten passes come further than
    twenty that are not (decision 0034). The last pass of all is to go all of the way and no further.
    """
    return stride if refined >= SETTLED else 1.0


def plane_view(images: Tensor, *, unit: float | Tensor, alone: bool = False) -> tuple[Tensor, Tensor]:
    """Show each plane with the one before and the one after, zeros where there is none, and its detail enlarged.

    Each is turned by the smooth phase of its plane, so that the network meets tissue that is nearly real. Errors are
    small beside the image: what is finer than `FINE`, and what lies between it and `COARSE`, come in the error's unit
    too. A network that is shown neither learns several times as slowly (decision 0024).

    Parameters
    ----------
    images
        ``(..., n, a, b)`` complex, planes in order, in units of their brightness.
    unit
        Of the residual, in the same units; a number or broadcastable to the images.
    alone
        Whether planes shall not see their neighbours.

    Returns
    -------
    Tensor
        ``(..., n, 10, a, b)``: real and imaginary parts, see `medidiff.models.store.PLANES`.
    Tensor
        ``(..., n, a, b)`` of magnitude 1, by which residuals are to be multiplied before the network sees them; its
        answers by the conjugate.
    """
    coarse, fine = _blurred(images, COARSE), _blurred(images, FINE)
    turn = torch.polar(torch.ones_like(images.real), -coarse.angle())
    none = torch.zeros_like(images[..., :1, :, :])
    before, after = (torch.zeros_like(images),) * 2
    if not alone:
        before = torch.cat([none, images[..., :-1, :, :]], -3)
        after = torch.cat([images[..., 1:, :, :], none], -3)
    parts = (images, before, after, (images - fine) / unit, (fine - coarse) / unit)
    return torch.cat([as_channels(part * turn) for part in parts], -3), turn


def _blurred(images: Tensor, sd: float) -> Tensor:
    """``(..., a, b)``, convolved with a Gaussian, periodically."""
    a, b = (torch.fft.fftfreq(n, device=images.device) for n in images.shape[-2:])
    kept = torch.exp(-2 * (math.pi * sd) ** 2 * (a[:, None] ** 2 + b**2))
    blurred: Tensor = torch.fft.ifft2(torch.fft.fft2(images) * kept)
    return blurred


def plane_numbers(*, acceleration: float, noise: float, coils: int, refined: int) -> list[float]:
    """Say how all planes were measured; ``noise`` in units of their brightness, ``refined`` passes done before."""
    done = min(refined, len(PASSES) - 1)
    return [math.log2(acceleration), math.log2(1 + min(noise, 1.0) / NOISE_UNIT), math.log2(coils), float(done)]


def as_channels(images: Tensor) -> Tensor:
    """``(..., a, b)`` complex to ``(..., 2, a, b)``."""
    return torch.stack([images.real, images.imag], -3)


def as_complex(channels: Tensor) -> Tensor:
    """``(..., 2, a, b)`` to ``(..., a, b)`` complex."""
    real, imaginary = channels.unbind(-3)
    return torch.complex(real.contiguous(), imaginary.contiguous())


def plane_denoiser(
    model: Model, maps: Tensor, numbers: Tensor, *, precision: str, batch: int, progress: Callable[[int], None]
) -> Denoiser:
    """Give a network of planes its condition; what is left is ``(r_t, t) -> r0`` on the normalised residual.

    Planes are continued periodically to a size that the network takes, as a Fourier transform takes them.

    Parameters
    ----------
    model
        On the device of the condition; sees nothing but zeros at time 1.
    maps, numbers
        ``(n, 10, a, b)`` and ``(numbers,)``.
    precision
        A key of `PRECISIONS`, for the network alone.
    batch
        Planes at once.
    progress
        Called with the planes done each time.
    """
    device, (a, b) = maps.device, maps.shape[-2:]
    lacks = (-b % model.network.multiple, -a % model.network.multiple)

    def planes(r: Tensor, some: Tensor, t: Tensor) -> Tensor:
        x = torch.zeros_like(r) if float(t) == 1 else r
        wide, told = (pad(part, (0, lacks[0], 0, lacks[1]), mode="circular") for part in (x, some))
        many = len(r)
        with torch.autocast(device.type, PRECISIONS[precision], enabled=precision != "fp32"):
            v = model.network(wide, told, numbers.expand(many, -1), t.expand(many))
        progress(many)
        return from_velocity(x, v.float()[..., :a, :b], t.expand(many))

    def denoise(r: Tensor, t: Tensor) -> Tensor:
        """``(k, n, 2, a, b)`` and ``(k,)``."""
        answers = []
        for one, when in zip(r, t, strict=True):
            parts = zip(torch.split(one, batch), torch.split(maps, batch), strict=True)
            answers.append(torch.cat([planes(part, some, when) for part, some in parts]))
        return torch.stack(answers)

    return torch.inference_mode()(denoise)
