"""Other reconstructions of the same k-space: BART's l1-wavelets with BART's maps, and DDS with our prior."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medidiff.diffusion import alpha_sigma
from medidiff.io.kspace.bart import read_cfl, write_cfl
from medidiff.kspace import KSpace
from medidiff.physics import Fourier, conjugate_gradients
from medidiff.tasks.measurement import Measurement
from medidiff.tasks.planes import first_estimate, planes_of
from medidiff.tasks.refinement import Network, Prior, brightness

__all__ = ["bart_wavelet", "dds", "has_bart"]

CG_STEPS = 5
"""Of data consistency in each step of DDS (Chung 2024, sec. 3)."""
ETA = 0.85
"""Share of fresh noise in each step of DDS."""


def has_bart() -> bool:
    """Whether Debian's ``bart`` is there."""
    return shutil.which("bart") is not None


def bart_wavelet(kspace: KSpace, *, weight: float, iterations: int = 100) -> NDArray[np.float32]:
    """Magnitude of ``bart pics -l1`` slice by slice, with maps by ``bart ecalib -m 1``; ``(x, y, z)``.

    Parameters
    ----------
    kspace
        A stack of slices along z, or a volume with its readout along z.
    weight
        Of the wavelets, in BART's scale of the data.
    """
    data = torch.from_numpy(kspace.data)
    slices = (Fourier((2,)).adjoint(data) if 2 in kspace.encoded else data).numpy()
    return np.stack([_bart_slice(slices[..., z], weight, iterations) for z in range(slices.shape[3])], -1)


def _bart_slice(data: NDArray[np.complex64], weight: float, iterations: int) -> NDArray[np.float32]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_cfl(data.transpose(1, 2, 0)[:, :, None], folder / "y.cfl")
        _bart(folder, "ecalib", "-m", "1", "y", "maps")
        _bart(folder, "pics", "-S", "-l1", "-r", str(weight), "-i", str(iterations), "y", "maps", "x")
        return np.abs(np.asarray(read_cfl(folder / "x.cfl"))).reshape(data.shape[1:]).astype(np.float32)


def _bart(folder: Path, *arguments: str) -> None:
    subprocess.run(["bart", *arguments], cwd=folder, check=True, capture_output=True)  # noqa: S603, S607


def dds(measurement: Measurement, prior: Prior, *, evaluations: int) -> Tensor:
    """``(set, x, y, z)``: decomposed diffusion sampling (Chung, Lee & Ye 2024, algorithm 1) with our network.

    From noise, DDIM steps at equal distances; each answer is followed by `CG_STEPS` conjugate gradients on the data.
    """
    planes = planes_of(measurement)
    image = first_estimate(planes.operator, planes.y, allowed=planes.allowed)
    unit, denoise = Network(measurement, prior, planes, brightness(image)).about(image, 0)
    generator = torch.Generator().manual_seed(prior.seed)

    def drawn() -> Tensor:
        return torch.view_as_complex(torch.randn((1, *image.shape, 2), generator=generator)).to(image.device)

    r = drawn()
    for now, after in zip(times := torch.linspace(1, 0, evaluations + 1), times[1:], strict=False):
        r0 = denoise(r, now.to(image.device).expand(1))
        x, _ = conjugate_gradients(planes.operator, planes.y, start=image + unit * r0, iterations=CG_STEPS)
        r0 = (x - image) / unit
        (alpha, sigma), (alpha_after, sigma_after) = alpha_sigma(now), alpha_sigma(after)
        eps = (r - alpha * r0) / sigma
        fresh = ETA * sigma_after
        r = alpha_after * r0 + (sigma_after**2 - fresh**2).clamp_min(0).sqrt() * eps + fresh * drawn()
    return planes.given((image + unit * r)[0])
