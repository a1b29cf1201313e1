"""Whether sensitivity maps are believed: those that let images invent what no sample tells of are given up."""

from collections.abc import Callable
from typing import Any

import torch

from medidiff.physics.coils import LOW_RESOLUTION
from medidiff.physics.plausible import inferred_power
from medidiff.physics.sense import encoding
from medidiff.tasks.measurement import Measurement
from medidiff.tasks.methods import Estimate, Settings
from medidiff.tasks.trial import trial_of
from medidiff.tasks.wavelets import MOST, amount_of, sparse, sparse_in_trial

__all__ = ["believable", "calibrated"]

INVENTING = 1.5
"""Power where nothing was measured, over what is expected there, above which maps let images invent it."""
FAILED = "calibration fails, for what its blurred maps explain is predicted ever worse"


def calibrated(measurement: Measurement, seed: int) -> Measurement:
    """Give up the coils' blurred images as maps, unless wavelets neither are misled nor invent by them.

    They are chosen where ESPIRiT predicts worse: sometimes as good maps, sometimes because lines are too few for any
    (decision 0036).
    """
    if measurement.full or measurement.maps.kind != LOW_RESOLUTION:
        return measurement
    told: dict[str, Any] = {"amount": amount_of(measurement, Settings.weight), "seed": seed}
    iterations, _ = sparse_in_trial(trial_of(measurement, seed), **told)
    if iterations < MOST:
        return measurement.without_maps(FAILED)
    image, _ = sparse(measurement, **told)
    return believable(measurement, lambda _: Estimate(image, witnesses=(image,)))[0]


def believable(measurement: Measurement, solve: Callable[[Measurement], Estimate]) -> tuple[Measurement, Estimate]:
    """Solve; once more coil by coil if the maps let images invent what no sample tells of (decision 0036).

    Parameters
    ----------
    measurement
        With maps or coil by coil.
    solve
        Finds images; its witnesses are judged.

    Returns
    -------
    tuple
        The measurement that was solved at last, and the estimate.
    """
    estimate, maps = solve(measurement), measurement.maps.maps
    if maps is None or not estimate.witnesses:
        return measurement, estimate
    y, mask, axes = measurement.y, measurement.mask, measurement.axes
    everywhere = encoding(torch.ones_like(mask), maps, axes=axes)
    power = max(inferred_power(everywhere, x, y, mask, axes=axes) for x in estimate.witnesses)
    if power <= INVENTING:
        return measurement, estimate
    measurement = measurement.without_maps(f"with maps, {power:.1f} times as much is inferred as heads have there")
    return measurement, solve(measurement)
