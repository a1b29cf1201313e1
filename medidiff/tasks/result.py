"""What a task gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from medidiff.kspace import KSpace
from medidiff.volume import Volume

__all__ = ["Result", "SimulatedKSpace"]


@dataclass(frozen=True, eq=False)
class Result:
    """An enhanced volume and the proof that it agrees with the measurement.

    Parameters
    ----------
    volume
        In the input's intensity scale.
    uncertainty
        Standard deviation at each voxel, in the same scale; None where nothing was sampled.
    residual_before, residual_after
        ``||A x - y|| / ||y||`` of the plain interpolation and of the result.
    provenance
        Everything needed to make it again, ready for JSON.
    inferred
        Of undersampled k-space: the share of each voxel that the measurement does not determine, from 0 to 1.
    """

    volume: Volume
    uncertainty: Volume | None
    residual_before: float
    residual_after: float
    provenance: Mapping[str, Any]
    inferred: Volume | None = None


@dataclass(frozen=True, eq=False)
class SimulatedKSpace(Result):
    """K-space made from a volume; ``volume`` is what it was made from.

    Parameters
    ----------
    kspace
        What was measured.
    """

    kspace: KSpace = field(kw_only=True)
