"""Sixteen-bit pixels that keep the input's intensity scale, and the window to look at them."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medidiff.errors import InputError

__all__ = ["Rescale", "Window", "rescale_of", "window_of"]

LARGEST = 32767
"""Largest stored value: readers that take unsigned pixels for signed ones are right as well."""

COARSEST_PEAK = 1024
"""Values that reach this far are stored as whole numbers: what is lost is under 0.05 % of the peak, and viewers that
take no notice of a rescale slope in MR (it is not in the standard's list for it) are right as well."""

SAMPLED = 2_000_000
"""About how many voxels the window is chosen from."""


@dataclass(frozen=True)
class Rescale:
    """``value = slope * stored``, so that zero stays zero.

    Parameters
    ----------
    slope
        1, or three significant digits: its decimal string is exact.
    signed
        Whether there are values below zero.
    """

    slope: float
    signed: bool

    def stored(self, values: NDArray[Any]) -> NDArray[Any]:
        """Round values to pixels, ``<i2`` or ``<u2``."""
        rounded = np.rint(np.asarray(values, dtype=np.float64) / self.slope)
        return rounded.clip(-LARGEST, LARGEST).astype("<i2" if self.signed else "<u2")


@dataclass(frozen=True)
class Window:
    """What a viewer shows from black to white, in the units of the values."""

    center: float
    width: float

    @property
    def function(self) -> str:
        """``LINEAR`` must not be narrower than 1 (PS3.3 C.11.2.1.2)."""
        return "LINEAR" if self.width >= 1 else "LINEAR_EXACT"


def rescale_of(array: NDArray[Any]) -> Rescale:
    """Choose a slope of 1 where that is fine enough, else the finest that holds all values.

    Raises
    ------
    InputError
        If the array is complex or not finite.
    """
    if np.iscomplexobj(array):
        raise InputError("complex volume", needed="a real volume", hint="take its magnitude")
    low, high = float(array.min()), float(array.max())
    if not math.isfinite(high - low):
        raise InputError("voxels that are not numbers", found="NaN or Inf", hint="replace them, for instance by 0")
    peak = max(-low, high)
    return Rescale(1.0 if COARSEST_PEAK <= peak <= LARGEST else _rounded_up(peak / LARGEST), low < 0)


def window_of(array: NDArray[Any]) -> Window:
    """Show from the 0.5th percentile to the 99.5th of what is not exactly zero."""
    step = max(1, round((array.size / SAMPLED) ** (1 / 3)))
    sample = array[::step, ::step, ::step]
    seen = sample[sample != 0]
    low, high = np.percentile(seen, (0.5, 99.5)).tolist() if seen.size else (0.0, 1.0)
    low = min(low, 0.0) if (sample == 0).mean() > 0.01 else low
    width = high - low if high > low else max(abs(high), 1.0)
    return Window(float(f"{low + width / 2:.6g}"), float(f"{width:.6g}"))


def _rounded_up(value: float) -> float:
    """Three significant digits, never less than ``value``; 1 for nothing."""
    if value <= 0:
        return 1.0
    exponent = math.floor(math.log10(value)) - 2
    return float(f"{math.ceil(value / 10.0**exponent)}e{exponent}")
