"""Coil sensitivities from the fully sampled centre of k-space: ESPIRiT (Uecker 2014), in 2D and 3D.

Every small block of the calibration region lies in the span of a few kernels. Which coil images are consistent with
that is told, at each voxel, by the eigenvectors of a small matrix with eigenvalues near 1; these are the maps. The
matrices are evaluated a plane at a time, so a volume needs no more memory than its maps.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

__all__ = ["CROP", "espirit"]

CROP = 0.8
"""Eigenvalue below which a voxel has no map: there is no signal there, or it is not explained (BART's default)."""
THRESHOLD = 0.02
"""Singular values below this fraction of the largest belong to noise (sigpy's default)."""
KERNEL = 5
"""Edge of the blocks. BART's is 6; with 12 calibration lines, maps of 5 explain the data where those of 6 do not."""
CHUNK = {"cpu": 2**16, "cuda": 2**13}
"""Voxels whose eigenvectors are found at once; on a GPU each takes half a megabyte meanwhile."""


def espirit(
    centre: Tensor,
    shape: Sequence[int],
    *,
    axes: Sequence[int],
    sets: int = 1,
    kernel: int = KERNEL,
    threshold: float = THRESHOLD,
    crop: float = CROP,
) -> tuple[Tensor, Tensor]:
    """Find sensitivity maps.

    Parameters
    ----------
    centre
        ``(coil, a, b, c)``: the calibration region of k-space, complex, fully sampled, its own centre in the middle.
    shape
        ``(x, y, z)`` of the maps; equal to the region's along axes that are not encoded, each slice of which has maps
        of its own.
    axes
        The encoded axes.
    sets
        Sets of maps: two where the field of view is smaller than the object, which then lies over itself.
    kernel, threshold, crop
        See `KERNEL`, `THRESHOLD` and `CROP`; the kernel is cut to the region where that is smaller.

    Returns
    -------
    tuple
        Maps ``(set, coil, x, y, z)``, orthonormal over the sets or zero where cropped, their phase that of the first
        principal coil; and the eigenvalues ``(set, x, y, z)``, at most about 1.
    """
    free = [axis for axis in range(3) if axis not in axes]
    if free:
        parts = [
            espirit(
                centre.narrow(free[0] - 3, i, 1),
                [1 if a == free[0] else n for a, n in enumerate(shape)],
                axes=[*axes, free[0]], sets=sets, kernel=kernel, threshold=threshold, crop=crop,
            )
            for i in range(shape[free[0]])
        ]  # fmt: skip
        return torch.cat([m for m, _ in parts], free[0] - 3), torch.cat([v for _, v in parts], free[0] - 3)
    width = [min(kernel, n) for n in centre.shape[-3:]]
    grams = _correlations(_kernels(centre, width, threshold))
    turn = _principal(centre)
    maps = centre.new_zeros((sets, len(centre), *shape))
    values = centre.real.new_zeros((sets, *shape))
    rows = max(1, CHUNK[centre.device.type] // (shape[1] * shape[2]))
    for begin in range(0, shape[0], rows):
        x = slice(begin, min(begin + rows, shape[0]))
        maps[:, :, x], values[:, x] = _eigenmaps(_at_voxels(grams, shape, x), turn, sets, crop)
    return maps, values


def _kernels(centre: Tensor, width: Sequence[int], threshold: float) -> Tensor:
    """``(kernel, coil, a, b, c)``: an orthonormal basis of the blocks of the calibration region (eq. 5 to 7)."""
    blocks = centre
    for axis, edge in enumerate(width):
        blocks = blocks.unfold(1 + axis, edge, 1)
    rows = blocks.permute(1, 2, 3, 0, 4, 5, 6).reshape(-1, len(centre) * width[0] * width[1] * width[2])
    values, vectors = torch.linalg.eigh(rows.mT @ rows.conj())
    kept = values > threshold**2 * values[-1]
    return cast(Tensor, vectors[:, kept].mT.reshape(-1, len(centre), *width))


def _correlations(kernels: Tensor) -> Tensor:
    """``(coil, coil, 2a-1, 2b-1, 2c-1)``: correlations of the kernels, summed, so that they are transformed once.

    The Gram matrix of the transformed kernels at a voxel is the Fourier sum of these (BART's way).
    """
    width = kernels.shape[2:]
    wide = [2 * n - 1 for n in width]
    spectra = torch.fft.fftn(kernels, s=wide, dim=(-3, -2, -1))
    gram = torch.einsum("ni...,nj...->ij...", spectra, spectra.conj())
    lags = torch.fft.fftshift(torch.fft.ifftn(gram, dim=(-3, -2, -1)), dim=(-3, -2, -1))
    return cast(Tensor, lags / torch.tensor(width).prod())


def _at_voxels(lags: Tensor, shape: Sequence[int], x: slice) -> Tensor:
    """``(x, y, z, coil, coil)``: the Fourier sum of the correlations at some planes of voxels."""
    ranges = [torch.arange(n)[x if a == 0 else slice(None)] - n // 2 for a, n in enumerate(shape)]
    waves = [_wave(r, n, lag).to(lags) for r, n, lag in zip(ranges, shape, lags.shape[2:], strict=True)]
    summed = torch.einsum("ijabc,zc->ijabz", lags, waves[2])
    summed = torch.einsum("ijabz,yb->ijayz", summed, waves[1])
    return torch.einsum("ijayz,xa->xyzij", summed, waves[0])


def _wave(positions: Tensor, n: int, lags: int) -> Tensor:
    """``(positions, lags)``: values of ``exp(2 pi i k r / n)``."""
    angle = 2 * torch.pi / n * positions[:, None] * (torch.arange(lags) - lags // 2)
    return torch.polar(torch.ones_like(angle, dtype=torch.float64), angle.double())


def _eigenmaps(grams: Tensor, turn: Tensor, sets: int, crop: float) -> tuple[Tensor, Tensor]:
    """Maps ``(set, coil, x, y, z)`` and eigenvalues ``(set, x, y, z)`` of Gram matrices ``(x, y, z, coil, coil)``."""
    values, vectors = _eigh(grams)
    values, vectors = values.flip(-1)[..., :sets], vectors.flip(-1)[..., :sets]
    phase = torch.einsum("c,...cs->...s", turn.conj(), vectors)
    vectors = vectors * (phase.conj() / phase.abs().clamp_min(1e-12))[..., None, :]
    vectors = vectors * (values > crop)[..., None, :]
    return vectors.permute(4, 3, 0, 1, 2), values.permute(3, 0, 1, 2)


def _eigh(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues and eigenvectors of ``(..., n, n)``, no more than `CHUNK` at once."""
    parts = torch.split(matrices.flatten(0, -3), CHUNK[matrices.device.type])
    found = [torch.linalg.eigh(part) for part in parts]
    values, vectors = (torch.cat(some) for some in zip(*found, strict=True))
    return values.reshape(matrices.shape[:-1]), vectors.reshape(matrices.shape)


def _principal(centre: Tensor) -> Tensor:
    """``(coil,)``: the combination of coils with most signal, whose phase the maps take as 0."""
    flat = centre.flatten(1)
    return cast(Tensor, torch.linalg.eigh(flat @ flat.mH)[1][:, -1])
