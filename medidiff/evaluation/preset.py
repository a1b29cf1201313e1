"""How scores are taken: presets that fix region, range, window and crop, and what they say about themselves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from medidiff.errors import InputError, UsageError
from medidiff.evaluation.axes import SLICE_AXES, across_slices
from medidiff.metrics import DATA_RANGE_DEFINITION, HEAD_REGION_DEFINITION, data_range_of
from medidiff.volume import Volume

__all__ = ["ALONG", "DEFINITIONS", "DIRECTIONS", "EXTRA", "PRESETS", "Preset", "Rules", "definition", "masked", "merit"]

XYZ = "xyz"
ALONG: Mapping[str, tuple[str, int]] = {
    f"{name}_{letter}": (name, axis)
    for name in ("power_spectrum_error", "effective_resolution")
    for axis, letter in enumerate(XYZ)
}
"""Metrics along an axis of the world (R, A, S; of arrays without a grid their own axes) by their names in tables."""

DEFINITIONS: Mapping[str, str] = MappingProxyType({
    "psnr": "peak signal-to-noise ratio, dB: 10 log10(range^2 / mean squared error)",
    "ssim": "structural similarity, 3D Gaussian window of SD 1.5 and 11 voxels (Wang 2004)",
    "ssim_slices": "structural similarity slice by slice, uniform window of 7 x 7 pixels, sample covariance (fastMRI)",
    "nmse": "squared error over the reference's energy",
    "mae": "mean absolute error over the range",
    "hfen": "high-frequency error norm: error over reference, both by a Laplacian of Gaussian of SD 1.5 voxels",
    "gradient_energy_ratio": "energy of differences of neighbours over the reference's; 1 is right",
    "radial_spectrum_error": "log-spectral distance over shells of the 3D spectrum, dB",
    "power_spectrum_error": "log-spectral distance along the array's axis nearest to x, y, z of the world (RAS), dB",
    "effective_resolution": "half a period of the first frequency whose modulation is half of the reference's, mm",
    "data_residual": "||A x - y|| / ||y|| against the measurement given as input",
    "coverage_90": "share of voxels whose truth lies within mean +- 1.645 SD; 0.9 is right",
    "calibration_error": "mean distance of the coverage curve from the diagonal",
    "sd_error": "relative distance of error from predicted SD over tenths of the voxels, root mean square",
})  # fmt: skip

EXTRA = ("data_residual", "coverage_90", "calibration_error", "sd_error")
"""Scores of cases with a measurement, and with an uncertainty."""

DIRECTIONS: Mapping[str, Callable[[float], float]] = MappingProxyType({
    "psnr": lambda value: value,
    "ssim": lambda value: value,
    "ssim_slices": lambda value: value,
    "gradient_energy_ratio": lambda value: -abs(float(np.log(max(value, 1e-12)))),
    "coverage_90": lambda value: -abs(value - 0.9),
})  # fmt: skip


def merit(metric: str, value: float) -> float:
    """Turn a score so that more is better; of what should be 1 or 0.9, the nearness to that."""
    return DIRECTIONS[metric](value) if metric in DIRECTIONS else -value


@dataclass(frozen=True)
class Preset:
    """A named way to score.

    Parameters
    ----------
    name, metrics
        Its name, and what is reported in this order.
    region
        ``head`` or ``all``.
    range_told
        What intensities are relative to.
    square
        Whether slices are cropped to the middle square of their shorter side, as fastMRI does.
    """

    name: str
    metrics: tuple[str, ...]
    region: str
    range_told: str
    square: bool = False

    def span(self, reference: np.ndarray[Any, Any], region: np.ndarray[Any, Any]) -> float:
        """Range of intensities, from the reference alone."""
        if not self.square:
            return data_range_of(reference, region)
        span = float(reference.max())
        if not span > 0:
            raise InputError("reference has no positive intensities", found=f"maximum {span:g}")
        return span


WHOLE = ("psnr", "ssim", "ssim_slices", "nmse", "mae", "hfen", "gradient_energy_ratio")
PRESETS: Mapping[str, Preset] = MappingProxyType({
    "volume": Preset(
        "volume",
        (*WHOLE, "radial_spectrum_error", *ALONG),
        "head",
        DATA_RANGE_DEFINITION,
    ),
    "fastmri": Preset(
        "fastmri",
        tuple(name for name in WHOLE if name != "ssim"),
        "all",
        "The reference's maximum over the cropped volume.",
        square=True,
    ),
})  # fmt: skip


@dataclass(frozen=True)
class Rules:
    """How a run scores: a preset and what was asked for instead of its defaults.

    Parameters
    ----------
    preset
        The named way.
    region
        ``head``, ``all`` or a mask: an image, or a folder of images paired with the references.
    data_range
        In the references' units, where it is given.
    resample
        Whether predictions are brought onto the references' grids.
    slice_axis
        Axis of the reference's array that slices lie across, ``x``, ``y`` or ``z``, or ``auto``.
    """

    preset: Preset = field(default_factory=lambda: PRESETS["volume"])
    region: str | Path = "head"
    data_range: float | None = None
    resample: bool = False
    slice_axis: str = "auto"

    def __post_init__(self) -> None:
        if self.slice_axis not in SLICE_AXES:
            raise UsageError("unknown slice axis", found=self.slice_axis, needed=", ".join(SLICE_AXES))
        if self.data_range is not None and not (np.isfinite(self.data_range) and self.data_range > 0):
            raise UsageError("data range must be positive", found=f"{self.data_range}")

    def told(self) -> dict[str, Any]:
        """Everything that decides the figures, for the results."""
        region = {"head": HEAD_REGION_DEFINITION, "all": "Every voxel."}
        crop = "The middle square of each slice, as wide as its shorter side." if self.preset.square else "None."
        return {
            "preset": self.preset.name,
            "region": str(self.region),
            "region_definition": region.get(str(self.region), "Voxels of the mask that are not zero."),
            "data_range": self.preset.range_told if self.data_range is None else f"{self.data_range:g}, as given.",
            "crop": crop,
            "slices": self._slices_told(),
            "resample": "Cubic B-splines onto the reference's grid." if self.resample else "Never.",
            "metrics": {name: definition(name) for name in (*self.preset.metrics, *EXTRA)},
        }

    def _slices_told(self) -> str:
        if self.slice_axis != "auto":
            return f"Across {self.slice_axis} of the reference's array."
        arrays = " Of arrays without a grid, across the first axis." if self.preset.square else ""
        return f"Across the axis with the coarsest spacing, of several that nearest to S, A, R of the world.{arrays}"

    def across(self, reference: Volume) -> int:
        """Axis of the reference's array that slices lie across; fastMRI's arrays are (slice, y, x)."""
        if self.slice_axis == "auto" and self.preset.square and reference.meta.get("gridless"):
            return 0
        return across_slices(reference.geometry, self.slice_axis)

    def crop(self, shape: tuple[int, ...], across: int) -> tuple[slice, ...]:
        """Part of the volume that is scored."""
        if not self.preset.square:
            return tuple(slice(None) for _ in shape)
        side = min(n for axis, n in enumerate(shape) if axis != across)
        return tuple(
            slice(None) if axis == across else slice((n - side) // 2, (n - side) // 2 + side)
            for axis, n in enumerate(shape)
        )


def definition(metric: str) -> str:
    """Say what a metric is."""
    return DEFINITIONS[ALONG[metric][0] if metric in ALONG else metric]


def masked(region: Volume, reference: Volume) -> np.ndarray[Any, Any]:
    """Read a region off a mask on the reference's grid.

    Raises
    ------
    InputError
        If it lies on another grid or is empty.
    """
    same = region.geometry.shape == reference.geometry.shape
    gridless = region.meta.get("gridless") or reference.meta.get("gridless")
    if not same or not (gridless or region.geometry.allclose(reference.geometry)):
        found = f"{region.geometry.shape}" if not same else "the same shape elsewhere in space"
        where = str(region.meta.get("source", "region"))
        needed = f"{reference.geometry.shape}"
        raise InputError("region is not on the reference's grid", where=where, found=found, needed=needed)
    inside = np.asarray(region.array != 0)
    if not inside.any():
        raise InputError("region is empty", where=str(region.meta.get("source", "region")))
    return inside
