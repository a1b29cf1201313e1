"""What is known of an acquisition, what is said about it by the user, and what must be assumed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from medidiff.errors import UsageError
from medidiff.physics.noise import estimate_noise
from medidiff.volume import Volume

__all__ = ["NOISE_FLOOR", "Acquisition", "acquisition_of", "noise_of"]

NOISE_FLOOR = 0.02
"""Estimated noise below this fraction of the head's brightness is taken as part of the scan and matched exactly."""


@dataclass(frozen=True)
class Acquisition:
    """How a volume was measured, and where each figure comes from.

    Parameters
    ----------
    axis
        Index of the slice axis.
    thickness
        Full width at half maximum of the profile along each axis, mm.
    profile
        Name of the slice profile.
    used, assumed
        Every figure by name, and those among them that nobody stated.
    """

    axis: int
    thickness: tuple[float, float, float]
    profile: str
    used: Mapping[str, Any] = field(default_factory=dict)
    assumed: tuple[str, ...] = ()


def acquisition_of(volume: Volume, *, axis: int, slice_thickness: float | None, profile: str | None) -> Acquisition:
    """Collect what is known: options first, then the sidecar, then assumptions.

    Spacing comes from the header. Thickness is assumed to be the spacing, and the profile to be Gaussian.

    Raises
    ------
    UsageError
        If the slice thickness is not a positive number.
    """
    sidecar = volume.meta.get("sidecar", {})
    spacing = volume.geometry.spacing
    across = volume.meta.get("slice_axis", axis) == axis  # DICOM says across which axis its slices are thick
    stated = slice_thickness if slice_thickness is not None else _positive(across and sidecar.get("SliceThickness"))
    if stated is not None and not (np.isfinite(stated) and stated > 0):
        raise UsageError("slice thickness must be positive", found=f"{stated} mm")
    thickness = list(spacing)
    thickness[axis] = float(stated or spacing[axis])
    told = profile or sidecar.get("MedidiffSliceProfile")
    assumed = ["slice_thickness_mm"] * (stated is None) + ["profile"] * (told is None)
    name = str(told or "gaussian")
    used = {
        "slice_axis": "xyz"[axis],
        "slice_spacing_mm": spacing[axis],
        "slice_thickness_mm": thickness[axis],
        "profile": name,
    }
    return Acquisition(axis, (thickness[0], thickness[1], thickness[2]), name, used, tuple(assumed))


def noise_of(volume: Volume, *, stated: float | None, brightness: float) -> tuple[float, str]:
    """Standard deviation of the noise, in the volume's units, and where it comes from.

    Returns
    -------
    tuple
        The option's figure, the sidecar's, or an estimate; an estimate under `NOISE_FLOOR` counts as 0.
    """
    if stated is not None:
        if not (np.isfinite(stated) and stated >= 0):
            raise UsageError("noise must be 0 or more", found=str(stated))
        return float(stated), "option"
    told = volume.meta.get("sidecar", {}).get("MedidiffNoiseSD")
    if isinstance(told, int | float) and np.isfinite(told) and told >= 0:
        return float(told), "sidecar"
    finest = np.argsort(volume.geometry.spacing, kind="stable")[:2]
    estimate = estimate_noise(volume.array, axes=[int(axis) for axis in finest])
    if estimate < NOISE_FLOOR * brightness:
        return 0.0, f"estimated {estimate:.4g}, below {NOISE_FLOOR:.0%} of the head's brightness: matched exactly"
    return estimate, "estimated"


def _positive(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and np.isfinite(value) and value > 0 else None
