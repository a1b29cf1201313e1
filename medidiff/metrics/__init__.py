"""How close an image is to its reference: numbers that mean the same wherever they are printed.

Every metric is called ``metric(prediction, reference, *, data_range, region)`` on ``(x, y, z)`` arrays and
returns a float; only voxels of ``region`` count. Those along an axis take ``axis``, too.

``region``
    "Head" and "data range", defined once.
``similarity``, ``detail``, ``spectrum``
    Intensities and structures; fine detail; frequencies along an axis and in shells.
``calibration``
    Whether a standard deviation says how wrong a result is.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from medidiff.metrics.calibration import LEVELS, Calibration, calibration_of
from medidiff.metrics.detail import LOG_SIGMA, gradient_energy_ratio, hfen
from medidiff.metrics.region import DATA_RANGE_DEFINITION, HEAD_REGION_DEFINITION, data_range_of, head_region
from medidiff.metrics.similarity import SSIM_RADIUS, SSIM_SIGMA, mae, nmse, psnr, ssim, ssim_slices
from medidiff.metrics.spectrum import (
    SPECTRAL_FLOOR,
    effective_resolution,
    power_spectrum_error,
    radial_spectrum_error,
    spectral_window,
)

__all__ = [
    "DATA_RANGE_DEFINITION",
    "HEAD_REGION_DEFINITION",
    "LEVELS",
    "LOG_SIGMA",
    "METRICS",
    "SPECTRAL_FLOOR",
    "SSIM_RADIUS",
    "SSIM_SIGMA",
    "Calibration",
    "calibration_of",
    "data_range_of",
    "effective_resolution",
    "gradient_energy_ratio",
    "head_region",
    "hfen",
    "mae",
    "nmse",
    "power_spectrum_error",
    "psnr",
    "radial_spectrum_error",
    "spectral_window",
    "ssim",
    "ssim_slices",
]

METRICS: Mapping[str, Callable[..., float]] = MappingProxyType({
    "psnr": psnr, "ssim": ssim, "ssim_slices": ssim_slices, "nmse": nmse, "mae": mae, "hfen": hfen,
    "gradient_energy_ratio": gradient_energy_ratio, "radial_spectrum_error": radial_spectrum_error,
})  # fmt: skip
"""The metrics that need no axis, by the name that they have in tables."""
