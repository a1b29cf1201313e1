"""The inverse problem behind a scan: operator and measurement as tensors, and the way back to a volume."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from medidiff.physics import SliceProfile, relative_residual
from medidiff.physics.noise import denoised
from medidiff.tasks.grid import Plan, turned
from medidiff.tasks.resampling import resample
from medidiff.volume import Geometry, Volume

__all__ = ["Problem", "back", "problem_of", "resampled_residual", "spread_on"]


@dataclass(frozen=True)
class Problem:
    """``y = A x + noise`` in units of the head's brightness, with the slice axis last.

    The network is told ``quiet``, the measurement with less noise; agreement is with ``y`` itself.
    """

    operator: SliceProfile
    y: Tensor
    quiet: Tensor
    noise: float
    unit: float
    order: tuple[int, int, int]


def problem_of(
    volume: Volume,
    plan: Plan,
    thickness: tuple[float, float, float],
    profile: str,
    noise: float,
    unit: float,
    place: torch.device,
) -> Problem:
    """Build the operator between the measured and the working grid; thickness in mm, noise and unit in the volume's."""
    ratios = np.array(volume.geometry.spacing) / np.array(plan.working.spacing)
    last = 2 - int(np.argmax(np.round(ratios[::-1], 3)))
    rest = [axis for axis in range(3) if axis != last]
    order = (rest[0], rest[1], last)
    coarse = turned(volume, order)
    operator = SliceProfile(
        plan.working.permuted(order),
        coarse.geometry,
        thickness=(thickness[order[0]], thickness[order[1]], thickness[order[2]]),
        profile=profile,
    )
    measured = np.asarray(coarse.array / unit, dtype=np.float32, order="C")
    y, quiet = (
        torch.from_numpy(array)[None, None].to(place) for array in (measured, denoised(measured, noise=noise / unit))
    )
    return Problem(operator, y, quiet, noise / unit, unit, order)


def back(x: Tensor, problem: Problem, grid: Geometry, source: Volume) -> Volume:
    """Turn the axes and the intensities back to the input's."""
    array = (x[0, 0] * problem.unit).float().cpu().numpy()
    straight = np.ascontiguousarray(array.transpose(np.argsort(problem.order)))
    return Volume(straight, grid, {"source": source.meta.get("source", "")})


def spread_on(uncertainty: Volume, target: Geometry) -> Volume:
    """Resample a standard deviation; a spline may dip below 0, a spread may not."""
    resampled = resample(uncertainty, target)
    return Volume(resampled.array.clip(0), target, resampled.meta)


def resampled_residual(output: Volume, volume: Volume, plan: Plan, problem: Problem) -> float:
    """``||A x - y|| / ||y||`` of what was delivered, read back on the working grid."""
    again = turned(resample(output, plan.working), problem.order)
    x = torch.from_numpy(np.ascontiguousarray(again.array))[None, None].to(problem.y) / problem.unit
    return relative_residual(x, problem.y, problem.operator)
