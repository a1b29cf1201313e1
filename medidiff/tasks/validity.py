"""What lies outside what the model knows is said aloud."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from medidiff.tasks.grid import SHARP_RATIO, Plan
from medidiff.volume import Volume

__all__ = ["validity_warnings"]

COVERAGE_MM = 80.0
"""A head that is covered by less than this along some axis is outside what the models have seen."""
BLURRED = 0.35
"""A measured axis whose gradients are below this fraction of the sharpest in-plane axis is called interpolated."""


def validity_warnings(volume: Volume, plan: Plan, card: Mapping[str, Any], axis: int) -> list[str]:
    """Compare an input with the valid range on the model's card."""
    valid = card["valid"]
    return [
        *_spacing(plan, valid),
        *_ratio(volume, valid),
        *_coverage(volume),
        *_sharpness(volume, axis),
    ]


def _spacing(plan: Plan, valid: Mapping[str, Any]) -> list[str]:
    low, high = valid["target_spacing_mm"]
    outside = [s for s in plan.working.spacing if not low * 0.95 <= s <= high * 1.05]
    told = ", ".join(f"{s:.2f}" for s in outside)
    return [f"inferring at {told} mm is outside the model's {low} to {high} mm"] if outside else []


def _ratio(volume: Volume, valid: Mapping[str, Any]) -> list[str]:
    """Voxels that are about as coarse along all axes are held to another range than slices."""
    finest, coarsest = min(volume.geometry.spacing), max(volume.geometry.spacing)
    low, high = valid["isotropic_spacing_mm" if coarsest < SHARP_RATIO * finest else "slice_spacing_mm"]
    if low * 0.95 <= coarsest <= high * 1.05:
        return []
    return [f"input spacing {coarsest:.2f} mm is outside the model's {low} to {high} mm"]


def _coverage(volume: Volume) -> list[str]:
    short = [f"{'xyz'[a]} {extent:.0f} mm" for a, extent in enumerate(volume.geometry.extent) if extent < COVERAGE_MM]
    return [f"field of view is small ({', '.join(short)}): the model knows whole heads and brains"] if short else []


def _sharpness(volume: Volume, axis: int) -> list[str]:
    """Gradients per mm along the slice axis cannot exceed the in-plane ones unless the slice axis is sharp too."""
    gradients = [float(np.abs(np.diff(volume.array, axis=a)).mean()) / volume.geometry.spacing[a] for a in range(3)]
    inplane = [gradients[a] for a in range(3) if a != axis]
    if min(inplane) < BLURRED * max(inplane):
        return ["one in-plane axis is much smoother than the other: it may have been interpolated"]
    return []
