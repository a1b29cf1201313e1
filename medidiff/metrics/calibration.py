"""Whether a standard deviation says how wrong a result is."""

from dataclasses import dataclass

import numpy as np
from scipy.special import erfinv

from medidiff.errors import InputError
from medidiff.metrics.checks import checked
from medidiff.metrics.region import Array, Region

__all__ = ["LEVELS", "Calibration", "calibration_of"]

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Nominal coverages that are looked at."""
TENTHS = 10


@dataclass(frozen=True)
class Calibration:
    """How errors and predicted standard deviations go together.

    Parameters
    ----------
    covered
        For each of `LEVELS` the share of voxels whose truth lies in the interval mean +- z SD, z that of a Gaussian.
    sd, error
        For each tenth of the voxels, from the smallest SD to the largest, the root mean square of SD and of error.
    """

    covered: tuple[float, ...]
    sd: tuple[float, ...]
    error: tuple[float, ...]

    @property
    def coverage_90(self) -> float:
        """Share of voxels within mean +- 1.645 SD; 0.9 is right."""
        return self.covered[LEVELS.index(0.9)]

    @property
    def calibration_error(self) -> float:
        """Mean distance of the coverage curve from the diagonal (Kuleshov 2018, as a mean of absolute values)."""
        return float(np.mean(np.abs(np.array(self.covered) - LEVELS)))

    @property
    def sd_error(self) -> float:
        """Relative distance of error from SD, root mean square over the tenths: ENCE (Levi 2022) with squares.

        nan where a tenth of the voxels has SD 0: no error is a multiple of it.
        """
        sd, error = np.array(self.sd), np.array(self.error)
        return float(np.sqrt(np.mean((error / sd - 1) ** 2))) if sd.all() else float("nan")


def calibration_of(prediction: Array, reference: Array, sd: Array, *, region: Region) -> Calibration:
    """Compare errors with a predicted standard deviation in the region; all ``(x, y, z)``, one unit of intensity.

    Raises
    ------
    InputError
        If shapes differ, the SD is negative, not finite or zero everywhere, or there are fewer than ten voxels.
    """
    p, r = checked(prediction, reference, 1.0, region)
    spread, _ = checked(sd, reference, 1.0, region, called="uncertainty")
    error, spread = np.abs(p - r)[region], spread[region]
    if spread.min() < 0 or spread.max() == 0:
        found = f"{spread.min():.3g} to {spread.max():.3g}"
        raise InputError("uncertainty is not a standard deviation", found=found, needed="0 or more, not all 0")
    if spread.size < TENTHS:
        raise InputError("region is too small for a calibration", found=f"{spread.size} voxels", needed=f"{TENTHS}")
    half_widths = np.sqrt(2) * erfinv(np.array(LEVELS))
    covered = tuple(float(np.mean(error <= z * spread)) for z in half_widths)
    tenths = np.array_split(np.argsort(spread, kind="stable"), TENTHS)
    sizes = [tuple(_rms(values[tenth]) for tenth in tenths) for values in (spread, error)]
    return Calibration(covered, sizes[0], sizes[1])


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
