"""K-space made ready for inference: whitened, cropped, compressed, calibrated; and the operator that explains it."""

import math
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from medidiff.errors import UsageError
from medidiff.kspace import KSpace
from medidiff.physics.coils import Maps, choose_maps
from medidiff.physics.fourier import Fourier, middle
from medidiff.physics.linop import LinearOperator
from medidiff.physics.receive import compressed, measured_noise, whitened, without_oversampling
from medidiff.physics.sense import encoding

__all__ = ["Measurement", "measure"]


@dataclass(frozen=True)
class Measurement:
    """``y = A x + noise``, where ``x`` are images ``(set, x, y, z)``.

    Parameters
    ----------
    operator
        ``A``; its norm is 1 at most.
    y
        ``(coil, x, y, z)``, transformed along the fully sampled axes, which are positions from here on.
    mask
        Where it was measured, broadcastable to ``(x, y, z)``.
    axes, encoded
        Axes of ``y`` that are still frequencies, and those that were.
    noise
        Standard deviation of a complex sample, in units of ``y``.
    maps
        How coils see the images.
    told
        What was done, and with which figures, ready for JSON.
    """

    operator: LinearOperator
    y: Tensor
    mask: Tensor
    axes: tuple[int, ...]
    encoded: tuple[int, ...]
    noise: float
    maps: Maps
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def full(self) -> bool:
        """Whether nothing is missing."""
        return bool(self.mask.all())

    @property
    def coilwise(self) -> LinearOperator:
        """The measurement of coil images, each by its own coil."""
        return encoding(self.mask, None, axes=self.axes)

    def without_maps(self, why: str) -> "Measurement":
        """Give the same measurement of coil images, each by its own coil."""
        maps = Maps(None, f"coil by coil: {why}", self.maps.errors)
        return replace(self, operator=self.coilwise, maps=maps, told=self.told | {"maps": maps.kind})

    @property
    def allowed(self) -> float:
        """``||A x - y||`` that the noise explains: its SD times the root of the number of samples."""
        samples = int(self.mask.expand(self.y.shape[-3:]).sum()) * len(self.y)
        return self.noise * math.sqrt(samples)

    def residual(self, x: Tensor) -> float:
        """``||A x - y||``."""
        return float(torch.linalg.vector_norm(self.operator.forward(x) - self.y))


def measure(
    kspace: KSpace,
    *,
    coils: int,
    kernel: int,
    crop: float,
    noise: float | None,
    seed: int,
    device: torch.device,
    calibrate: bool = True,
) -> Measurement:
    """Prepare k-space; see `medidiff.tasks.reconstruct` for the arguments. Without ``calibrate``, without maps.

    Raises
    ------
    MedidiffError
        If the noise scan cannot be used, or a figure makes no sense.
    """
    if noise is not None and not (np.isfinite(noise) and noise >= 0):
        raise UsageError("noise must be 0 or more", found=str(noise))
    data = torch.from_numpy(np.ascontiguousarray(kspace.data)).to(device)
    mask = torch.from_numpy(kspace.sampled.copy()).to(device)
    given = None if kspace.maps is None else torch.from_numpy(np.ascontiguousarray(kspace.maps)).to(device)
    told: dict[str, Any] = {"coils": len(data), "acceleration": round(mask.numel() / int(mask.sum()), 3)}
    level = None
    if kspace.noise is not None and given is None:
        data, level = whitened(data, torch.from_numpy(np.ascontiguousarray(kspace.noise)).to(device))
    data, given, told["oversampling_removed"] = _cropped(kspace, data, mask, given)
    noise, told["noise_from"] = _noise(kspace, noise, level, data, mask)
    if given is None:
        data, _ = compressed(data, coils=coils)
        none = None if calibrate else Maps(None, "not asked for", {})
        maps = none or _found(data, mask, kspace.encoded, kernel, crop, seed)
    else:
        maps = Maps(_normalised(given), "given", {})
    told |= {"virtual_coils": len(data), "noise": noise, "maps": maps.kind, "left_out_error": maps.errors}
    axes = tuple(a for a in kspace.encoded if mask.shape[a] > 1)
    y = Fourier([a for a in kspace.encoded if a not in axes]).adjoint(data)
    operator = encoding(mask, maps.maps, axes=axes)
    return Measurement(operator, y, mask, axes, kspace.encoded, noise, maps, told)


def _found(data: Tensor, mask: Tensor, encoded: tuple[int, ...], kernel: int, crop: float, seed: int) -> Maps:
    """Maps found plane by plane: of a volume, in the planes that are left after the transform along its readout."""
    if bool(mask.all()):
        return Maps(None, "none needed: fully sampled", {})
    ranked = sorted(encoded, key=lambda axis: mask.shape[axis] == 1)
    axes = sorted(ranked[: max(2, sum(mask.shape[axis] > 1 for axis in encoded))])
    planes = Fourier([axis for axis in encoded if axis not in axes]).adjoint(data)
    return choose_maps(planes, mask, axes=axes, kernel=kernel, crop=crop, seed=seed)


def _cropped(
    kspace: KSpace, data: Tensor, mask: Tensor, maps: Tensor | None
) -> tuple[Tensor, Tensor | None, dict[str, str]]:
    """Cut the field of view along fully sampled axes, where that loses nothing."""
    done = {}
    for axis in kspace.encoded:
        n, kept = data.shape[axis - 3], (kspace.keep or data.shape[1:])[axis]
        if kept < n and mask.shape[axis] == 1:
            data = without_oversampling(data, axis=axis, samples=kept)
            shape = [kept if a == axis else data.shape[a - 3] for a in range(3)]
            maps = None if maps is None else maps[middle(maps.shape[-3:], shape)]
            done["xyz"[axis]] = f"{n} to {kept}"
    return data, maps, done


def _noise(kspace: KSpace, stated: float | None, level: float | None, data: Tensor, mask: Tensor) -> tuple[float, str]:
    """Standard deviation of a sample and where it is from: stated, noise scan, file, or the samples themselves."""
    if stated is not None:
        return float(stated), "option"
    if level is not None:
        return level, "noise scan, whitened"
    if "noise_sd" in kspace.meta:
        return float(kspace.meta["noise_sd"]), "file"
    return measured_noise(data, mask, axes=kspace.encoded)


def _normalised(maps: Tensor) -> Tensor:
    """Scale maps at each voxel to a root sum of squares of 1, over sets and coils."""
    size = torch.linalg.vector_norm(maps, dim=(0, 1))
    return cast(Tensor, maps / size.clamp_min(1e-30))
