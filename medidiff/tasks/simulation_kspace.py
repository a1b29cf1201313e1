"""K-space made from a magnitude image, as coils about the head would measure it."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from medidiff.errors import UsageError
from medidiff.kspace import KSpace
from medidiff.physics.antenna import coil_maps, smooth_phase
from medidiff.physics.fourier import Fourier
from medidiff.physics.masks import LINE_MASKS, partial_fourier, poisson_disc
from medidiff.tasks.grid import slice_axis
from medidiff.volume import Volume

__all__ = ["MASKS", "simulate_kspace"]

MASKS = (*LINE_MASKS, "poisson")
"""Sampling masks by name: those of lines measure a stack of slices, that of points a volume."""


def simulate_kspace(
    volume: Volume,
    *,
    coils: int = 8,
    acceleration: float = 4.0,
    mask: str = "equispaced",
    calibration: int = 24,
    partial: float = 1.0,
    noise: float = 0.0,
    axis: str = "auto",
    seed: int = 0,
) -> KSpace:
    """Give an image a smooth phase, see it with coils, and measure part of its k-space.

    Parameters
    ----------
    volume
        ``(x, y, z)``, a magnitude image.
    coils
        Loops about the head; 1 is a coil that sees all alike.
    acceleration
        Samples of a full acquisition over those that are measured.
    mask
        One of `MASKS`.
    calibration
        Lines, or edge of the square, that are fully sampled in the middle.
    partial
        Partial Fourier: the fraction of lines that are measured at all, above 0.5; on top of the acceleration.
    noise
        Standard deviation of a complex sample, in the volume's units.
    axis
        x, y or z: the axis across the slices, or the readout of a volume; auto takes the coarsest.
    seed
        Of phase, coils, mask and noise.

    Returns
    -------
    KSpace
        On the volume's grid, with ``meta["noise_sd"]``.

    Raises
    ------
    UsageError
        If a figure makes no sense, or the mask leaves nothing to accelerate.
    """
    if mask not in MASKS:
        raise UsageError("unknown mask", found=mask, needed=" or ".join(MASKS))
    if coils < 1 or not (np.isfinite(noise) and noise >= 0):
        raise UsageError("coils must be 1 or more and noise 0 or more", found=f"{coils} and {noise}")
    across = slice_axis(volume.geometry, axis)
    sampled = _mask(volume.geometry.shape, across, mask, acceleration, calibration, partial, seed)
    encoded = (0, 1, 2) if mask == "poisson" else tuple(a for a in range(3) if a != across)
    image = torch.polar(torch.from_numpy(np.abs(volume.array)), smooth_phase(volume.geometry, seed=seed))
    seen = image * coil_maps(volume.geometry, coils=coils, seed=seed) if coils > 1 else image[None]
    data = Fourier(encoded).forward(seen)
    draw = torch.randn((*data.shape, 2), generator=torch.Generator().manual_seed(seed))
    measured = (data + noise / 2**0.5 * torch.view_as_complex(draw)) * torch.from_numpy(sampled)
    meta = {**volume.meta, "noise_sd": noise, "simulated": True}
    return KSpace(measured.numpy(), volume.geometry, encoded, np.broadcast_to(sampled, data.shape[1:]), meta=meta)


def _mask(
    shape: tuple[int, int, int],
    across: int,
    name: str,
    acceleration: float,
    calibration: int,
    partial: float,
    seed: int,
) -> NDArray[np.bool_]:
    """Broadcastable to ``(x, y, z)``: lines along the last axis in plane, or points across the readout."""
    a, b = (axis for axis in range(3) if axis != across)
    options: dict[str, Any] = {"acceleration": acceleration, "calibration": calibration, "seed": seed}
    places = [1, 1, 1]
    places[b] = shape[b]
    late = partial_fourier(shape[b], fraction=partial).reshape(places)
    if name != "poisson":
        return np.asarray(LINE_MASKS[name](shape[b], **options).reshape(places) & late)
    places[a] = shape[a]
    return np.asarray(poisson_disc((shape[a], shape[b]), **options).reshape(places) & late)
