"""The question that a scan poses: how it was measured, how noisy it is, and on which grid the answer shall be."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from medidiff.errors import InputError
from medidiff.physics.noise import head_brightness
from medidiff.tasks.acquisition import Acquisition, acquisition_of, noise_of
from medidiff.tasks.grid import FEWEST_VOXELS, Plan, plan_grids, slice_axis
from medidiff.tasks.problem import Problem, problem_of
from medidiff.volume import Geometry, Volume

__all__ = ["Posed", "posed"]


@dataclass(frozen=True)
class Posed:
    """A scan as a problem, and all that went into it.

    Parameters
    ----------
    problem
        ``y = A x + noise``.
    plan
        The grids.
    acquisition
        How the scan was measured, as far as it is known.
    noise, origin
        Standard deviation of the noise in the scan's units, and who told it.
    """

    problem: Problem
    plan: Plan
    acquisition: Acquisition
    noise: float
    origin: str


def posed(
    volume: Volume,
    place: torch.device,
    *,
    spacing: float | Sequence[float] | None = None,
    like: Geometry | None = None,
    axis: str = "auto",
    slice_thickness: float | None = None,
    profile: str | None = None,
    noise: float | None = None,
) -> Posed:
    """Pose the problem on a device; see `medidiff.tasks.super_resolve` for what is told.

    Raises
    ------
    MedidiffError
        `InputError`, `UsageError`, `GeometryError` or `AlreadySharp`, in one line.
    """
    plan = plan_grids(volume.geometry, spacing=spacing, like=like, axis=axis)
    unit = _check(volume)
    acquisition = acquisition_of(
        volume, axis=slice_axis(volume.geometry, axis), slice_thickness=slice_thickness, profile=profile
    )
    sigma, origin = noise_of(volume, stated=noise, brightness=unit)
    problem = problem_of(volume, plan, acquisition.thickness, acquisition.profile, sigma, unit, place)
    return Posed(problem, plan, acquisition, sigma, origin)


def _check(volume: Volume) -> float:
    """Brightness of the head; raises if there is nothing to see or too little to infer from."""
    if not np.isfinite(volume.array).all():
        raise InputError("image has NaN or infinite values", where=str(volume.meta.get("source", "")))
    if min(volume.geometry.shape) < FEWEST_VOXELS:
        needed = f"{FEWEST_VOXELS} or more along each axis"
        raise InputError("too few slices", found=f"shape {volume.geometry.shape}", needed=needed)
    brightness = head_brightness(volume.array)
    if brightness <= 0 or float(volume.array.std()) == 0:
        raise InputError("image is empty", found="no positive contrast", where=str(volume.meta.get("source", "")))
    return brightness
