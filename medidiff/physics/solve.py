"""The exact data-consistency solve for separable operators, with a weight tied to the noise.

``x + A^T (A A^T + lam I)^-1 (y - A x)`` is the posterior mean for a prior ``N(x, tau^2 I)`` and noise
``N(0, (lam tau^2) I)`` (Rasmussen & Williams 2006, eq. 2.23). ``A A^T`` is a Kronecker product of small matrices, so
their eigenvectors solve it exactly.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from medidiff.physics.resolution import SliceProfile, along

__all__ = ["EXACT", "consistent", "project", "relative_residual"]

EXACT = 1e-4
"""Smallest weight, relative to the largest eigenvalue of ``A A^T``: noise-free data are matched to about 1e-4."""


@dataclass(frozen=True)
class _Spectrum:
    """Eigenvectors of ``A A^T`` along each axis, and its eigenvalues on the coarse grid."""

    vectors: tuple[Tensor | None, Tensor | None, Tensor | None]
    values: Tensor

    def rotate(self, y: Tensor) -> Tensor:
        for axis, basis in enumerate(self.vectors):
            y = along(y, None if basis is None else basis.T, axis)
        return y

    def restore(self, y: Tensor) -> Tensor:
        for axis, basis in enumerate(self.vectors):
            y = along(y, basis, axis)
        return y


def _spectrum(operator: SliceProfile, like: Tensor) -> _Spectrum:
    vectors: list[Tensor | None] = []
    values = torch.ones((1, 1, 1), dtype=torch.float64)
    for axis, spectrum in enumerate(operator.spectra):
        if spectrum is None:
            vectors.append(None)
            continue
        eigenvalues, basis = spectrum
        vectors.append(basis.to(device=like.device, dtype=like.dtype))
        values = values * eigenvalues.clamp_min(0).reshape([-1 if a == axis else 1 for a in range(3)])
    return _Spectrum((vectors[0], vectors[1], vectors[2]), values.to(like.device, like.real.dtype))


def project(x: Tensor, y: Tensor, operator: SliceProfile, *, weight: float) -> Tensor:
    """Pull ``x`` to the measurement with a fixed weight.

    Parameters
    ----------
    x
        ``(..., X, Y, Z)``, the proposal.
    y
        ``(..., x, y, z)``, the measurement.
    operator
        How ``y`` was measured.
    weight
        ``lam``, relative to the largest eigenvalue of ``A A^T``.
    """
    spectrum = _spectrum(operator, y)
    rotated = spectrum.rotate(y - operator.forward(x))
    lam = weight * spectrum.values.max()
    return x + operator.adjoint(spectrum.restore(rotated / (spectrum.values + lam)))


def consistent(x: Tensor, y: Tensor, operator: SliceProfile, *, noise: float) -> Tensor:
    """Pull ``x`` to the measurement until the residual is the noise (Morozov 1966, discrepancy principle).

    Parameters
    ----------
    x
        ``(..., X, Y, Z)``, the proposal; leading axes are a batch, each with its own weight.
    y
        ``(..., x, y, z)``, the measurement.
    operator
        How ``y`` was measured.
    noise
        Standard deviation of the noise in ``y``, in its units; 0 for exact consistency.

    Returns
    -------
    Tensor
        ``(..., X, Y, Z)`` with ``||A x - y|| = noise sqrt(n)``, or ``x`` itself where it already agrees better.
    """
    spectrum = _spectrum(operator, y)
    rotated = spectrum.rotate(y - operator.forward(x))
    lam = _discrepancy_weight(rotated, spectrum.values, noise)
    return x + operator.adjoint(spectrum.restore(rotated / (spectrum.values + lam)))


def _discrepancy_weight(rotated: Tensor, values: Tensor, noise: float) -> Tensor:
    """``lam`` per batch element, ``(..., 1, 1, 1)``, with ``||lam / (e + lam) r|| = noise sqrt(n)``, by bisection."""
    power = rotated.abs().square()
    coarse = [a - 3 for a in range(3) if values.shape[a] == 1]
    power = power.sum(coarse, keepdim=True) if coarse else power
    allowed = noise**2 * rotated.shape[-3:].numel()
    low = torch.full_like(power.sum((-3, -2, -1), keepdim=True), EXACT * float(values.max()))
    high = low * 1e12
    for _ in range(60):
        middle = (low * high).sqrt()
        residual = ((middle / (values + middle)).square() * power).sum((-3, -2, -1), keepdim=True)
        low, high = torch.where(residual <= allowed, middle, low), torch.where(residual <= allowed, high, middle)
    return low


def relative_residual(x: Tensor, y: Tensor, operator: SliceProfile) -> float:
    """``||A x - y|| / ||y||``, the printed proof that the output agrees with the measurement."""
    return float(torch.linalg.vector_norm(operator.forward(x) - y) / torch.linalg.vector_norm(y).clamp_min(1e-12))
