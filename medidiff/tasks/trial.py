"""A trial: some planes reconstructed without a part of their samples, to see what predicts these."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from medidiff.physics.coils import calibration
from medidiff.physics.left_out import divided, trial_errors
from medidiff.physics.linop import LinearOperator
from medidiff.physics.sense import encoding
from medidiff.tasks.measurement import Measurement
from medidiff.tasks.planes import plane_order

__all__ = ["Trial", "trial_of"]

TRIED = 8
"""Planes, at most, that do not share data."""


@dataclass(frozen=True)
class Trial:
    """A measurement of which a part was left out.

    Parameters
    ----------
    shown
        What is left of the measurement, of some of its planes.
    everywhere, y
        The operator of all places, and ``(coil, x, y, z)`` of these planes, nothing left out.
    hidden
        Where it was left out: in the calibration region, if there is one, and in the rest.
    calibrated
        Whether there is a calibration region: where not, samples far from others are left out, which nobody predicts.
    """

    shown: Measurement
    everywhere: LinearOperator
    y: Tensor
    hidden: list[Tensor]
    calibrated: bool

    def errors(self, images: Iterable[Tensor]) -> Iterator[float]:
        """Give the error of each image where samples were left out; see `medidiff.physics.left_out.trial_errors`."""
        return trial_errors(images, self.everywhere, self.y, self.hidden)

    def share(self, image: Tensor, other: Tensor) -> float:
        """How much of the way from an image to another predicts best what was left out; from 0 to 1.

        Least squares, beyond the calibration region: there most is inferred. Both are ``(set, x, y, z)``, made of what
        was shown. As in stacked regressions (Breiman 1996), the noise of what was left out adds none to what is found.
        """
        if not self.hidden:
            return 0.0
        way = self.hidden[-1] * self.everywhere.forward(other - image)
        left = self.y - self.everywhere.forward(image)
        along, size = (float(torch.vdot(way.flatten(), x.flatten()).real) for x in (left, way))
        return min(max(along / size, 0.0), 1.0) if size > 0 else 0.0


def trial_of(measurement: Measurement, seed: int) -> Trial:
    """Leave a tenth of the samples out, of at most `TRIED` planes.

    Parameters
    ----------
    measurement
        Undersampled.
    seed
        Of what is left out.
    """
    maps = measurement.maps.maps
    y, mask, *seen = _some_planes(measurement, measurement.y, measurement.mask, *([] if maps is None else [maps]))
    found = seen[0] if seen else None
    centre = calibration(y, mask, axes=measurement.encoded)
    shown, hidden = divided(mask, (1, 1, 1) if centre is None else centre.shape[1:], seed)
    operators = [encoding(kept, found, axes=measurement.axes) for kept in (shown, torch.ones_like(shown))]
    left = replace(
        measurement,
        operator=operators[0],
        y=y * shown,
        mask=shown,
        maps=replace(measurement.maps, maps=found),
    )
    return Trial(left, operators[1], y, hidden, centre is not None)


def _some_planes(measurement: Measurement, *parts: Tensor) -> list[Tensor]:
    """Of tensors ``(..., x, y, z)`` at most `TRIED` planes of the network's, if these do not share data."""
    across = plane_order(measurement)[2]
    if across in measurement.axes:
        return list(parts)
    n = measurement.y.shape[across - 3]
    planes = torch.linspace(0, n - 1, min(n, TRIED), device=measurement.y.device).round().long()
    return [x.index_select(across - 3, planes) if x.shape[across - 3] == n else x for x in parts]
