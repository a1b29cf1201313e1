"""`medidiff.metrics` in torch, for hundreds of volumes on a GPU: same definitions, same values (tested)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from medidiff.metrics import LOG_SIGMA, SPECTRAL_FLOOR, SSIM_RADIUS, SSIM_SIGMA, spectral_window
from medidiff.physics.resolution import along

__all__ = ["SCORES", "Scorer"]

SCORES = ("psnr", "ssim", "nmse", "hfen", "gradient_energy_ratio", "power_spectrum_error")


class Scorer:
    """Scores of images against one reference whose data range is 1.

    Filters are dense matrices along each axis, with SciPy's borders, so that they cost a multiplication.

    Parameters
    ----------
    reference, region
        ``(x, y, z)``, on the device that shall do the work.
    """

    def __init__(self, reference: Tensor, region: Tensor) -> None:
        self.reference, self.region = reference.double(), region
        shape = reference.shape
        self.window = _filters(shape, SSIM_SIGMA, 0, SSIM_RADIUS, reference)
        self.smooth = _filters(shape, LOG_SIGMA, 0, None, reference)
        self.bend = _filters(shape, LOG_SIGMA, 2, None, reference)
        self.taper = torch.from_numpy(spectral_window(region.cpu().numpy())).to(self.reference)
        self.level = self.reference[region].mean()
        self.local_mean = _filtered(self.reference, self.window)
        self.local_power = _filtered(self.reference.square(), self.window)

    def __call__(self, image: Tensor, axes: Sequence[int]) -> dict[str, float]:
        """Every score of ``SCORES``; the power spectrum is compared along ``axes``, in the mean."""
        p = image.double()
        error = (p - self.reference)[self.region].square()
        return {
            "psnr": float(-10 * torch.log10(error.mean())),
            "ssim": self._ssim(p),
            "nmse": float(error.sum() / self.reference[self.region].square().sum()),
            "hfen": float(self._detail(p - self.reference) / self._detail(self.reference)),
            "gradient_energy_ratio": float(self._gradient_energy(p) / self._gradient_energy(self.reference)),
            "power_spectrum_error": float(np.mean([self._spectral_distance(p, axis) for axis in axes])),
        }

    def _ssim(self, p: Tensor) -> float:
        """Wang et al. 2004, eq. 13, with K1 = 0.01, K2 = 0.03."""
        c1, c2, r = 0.01**2, 0.03**2, self.local_mean
        m = _filtered(p, self.window)
        variances = _filtered(p.square(), self.window) - m.square() + self.local_power - r.square()
        covariance = _filtered(p * self.reference, self.window) - m * r
        local = (2 * m * r + c1) * (2 * covariance + c2) / ((m.square() + r.square() + c1) * (variances + c2))
        return float(local[self.region].mean())

    def _detail(self, image: Tensor) -> Tensor:
        bent = [[self.bend[a] if a == b else self.smooth[a] for a in range(3)] for b in range(3)]
        laplacian = sum((_filtered(image, filters) for filters in bent), torch.zeros_like(image))
        norm: Tensor = torch.linalg.vector_norm(laplacian[self.region])
        return norm

    def _gradient_energy(self, image: Tensor) -> Tensor:
        energy = image.new_zeros(())
        for axis in range(3):
            n = image.shape[axis] - 1
            both = self.region.narrow(axis, 0, n) & self.region.narrow(axis, 1, n)
            energy = energy + image.diff(dim=axis)[both].square().sum()
        return energy

    def _spectral_distance(self, p: Tensor, axis: int) -> float:
        power_p, power_r = (self._line_power(image, axis) for image in (p, self.reference))
        floor = SPECTRAL_FLOOR * float(power_r.mean())
        decibel = 10 * torch.log10(power_p.clamp_min(floor) / power_r.clamp_min(floor))
        return float(decibel.square().mean().sqrt())

    def _line_power(self, image: Tensor, axis: int) -> Tensor:
        spectrum: Tensor = torch.fft.rfft((image - self.level) * self.taper, dim=axis).abs().square()
        return spectrum.movedim(axis, 0)[1:].mean((1, 2))


def _filters(shape: Any, sigma: float, order: int, radius: int | None, like: Tensor) -> list[Tensor]:
    matrices = [
        ndimage.gaussian_filter1d(np.eye(n), sigma, axis=0, order=order, mode="reflect", radius=radius) for n in shape
    ]
    return [torch.from_numpy(matrix).to(like.device) for matrix in matrices]


def _filtered(image: Tensor, filters: list[Tensor]) -> Tensor:
    for axis, matrix in enumerate(filters):
        image = along(image, matrix, axis)
    return image
