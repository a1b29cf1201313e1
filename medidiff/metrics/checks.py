"""What every metric makes sure of before it answers."""

from typing import Any

import numpy as np

from medidiff.errors import InputError
from medidiff.metrics.region import Array, Region

__all__ = ["box", "checked", "ratio"]


def checked(
    prediction: Array, reference: Array, data_range: float, region: Region, *, called: str = "prediction"
) -> tuple[Array, Array]:
    """Return both images as float64 ``(x, y, z)``; messages call the first what it is ``called``.

    Raises
    ------
    InputError
        If shapes differ, the region is empty or not bool, the range is not positive, or a value in the region is not
        finite.
    """
    p, r = (np.asarray(image, dtype=np.float64) for image in (prediction, reference))
    if not p.shape == r.shape == region.shape or r.ndim != 3 or region.dtype != np.bool_:
        found = f"{called} {p.shape}, reference {r.shape}, region {region.shape} of {region.dtype}"
        raise InputError("images cannot be compared", found=found, needed="three equal 3D shapes and a bool region")
    if not (np.isfinite(data_range) and data_range > 0):
        raise InputError("data range must be positive", found=f"{data_range}")
    if not region.any():
        raise InputError("region is empty", needed="one voxel or more")
    for name, image in ((called, p), ("reference", r)):
        if bad := int(np.count_nonzero(~np.isfinite(image[region]))):
            raise InputError(f"{name} has values that are not finite", found=f"{bad} voxels of the region")
    return p, r


def box(region: Region, margin: int, least: int = 1) -> tuple[slice, ...]:
    """Bounding box of the region with what a filter of radius ``margin`` sees, at least ``least`` wide."""
    box = []
    for axis, size in enumerate(region.shape):
        inside = np.flatnonzero(region.any(axis=tuple(a for a in range(3) if a != axis)))
        start, stop = max(0, inside[0] - margin), min(size, inside[-1] + 1 + margin)
        box.append(slice(max(0, min(start, stop - least)), max(stop, min(size, start + least))))
    return tuple(box)


def ratio(above: Any, below: Any, why: str) -> float:
    """Divide, or refuse to in the words of ``why``."""
    if below == 0:
        raise InputError(f"metric is undefined: {why}")
    return float(above / below)
