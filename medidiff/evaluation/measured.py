"""What the measurement says of an image, and the baselines that are made of it on the fly."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from medidiff.errors import InputError, UsageError
from medidiff.evaluation.baselines import cubic, cubic_dc, trilinear, tv
from medidiff.evaluation.images import Image, is_array
from medidiff.io.kspace import is_kspace_name, read_kspace
from medidiff.kspace import KSpace
from medidiff.physics import SliceProfile, relative_residual
from medidiff.tasks import reconstruct
from medidiff.tasks.acquisition import acquisition_of
from medidiff.tasks.methods import Settings
from medidiff.volume import Geometry, Volume

__all__ = ["BASELINES", "KSPACE_BASELINES", "Baseline", "Measured", "baseline_named", "read_measured"]

DC_WEIGHT, TV_WEIGHT = 1e-4, 5e-4
"""Weights that were best, or as good, on training heads at 3 and 5 mm (docs/quality.md)."""

Interpolation = Callable[[Tensor, SliceProfile, float], Tensor]
BASELINES: Mapping[str, tuple[Interpolation, float]] = MappingProxyType({
    "trilinear": (lambda y, operator, weight: trilinear(y, operator), 0.0),
    "cubic": (lambda y, operator, weight: cubic(y, operator), 0.0),
    "cubic+dc": (lambda y, operator, weight: cubic_dc(y, operator, weight=weight), DC_WEIGHT),
    "tv": (lambda y, operator, weight: tv(y, operator, weight=weight), TV_WEIGHT),
})  # fmt: skip
"""What is made of thick slices, and the weight that it takes."""
KSPACE_BASELINES = ("zero-filled", "cg-sense", "l1-wavelet")
"""What is made of k-space."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What a scanner measured of a case: an image with thick slices, or k-space."""

    source: Volume | KSpace

    @cached_property
    def shown(self) -> Volume:
        """Something to look at: the image itself, or the zero-filled one."""
        return self.source if isinstance(self.source, Volume) else reconstruct(self.source, "zero-filled").volume

    def residual(self, image: Volume) -> float | None:
        """``||A x - y|| / ||y||``; None of k-space, since a magnitude holds no phase.

        Raises
        ------
        GeometryError
            If no operator leads from the image's grid to the measurement's.
        """
        if isinstance(self.source, KSpace):
            return None
        operator, y = self._problem(self.source, image.geometry)
        return relative_residual(torch.from_numpy(np.array(image.array, order="C")), y, operator)

    def baseline(self, named: "Baseline", grid: Geometry) -> Volume:
        """Make a baseline of the measurement: on ``grid``, or on k-space's own.

        Raises
        ------
        MedidiffError
            If the baseline is not one of such a measurement, or no operator leads to the grid.
        """
        kspace = isinstance(self.source, KSpace)
        if kspace != (named.method in KSPACE_BASELINES):
            found = "k-space" if kspace else "an image"
            needed = f"one of {', '.join(KSPACE_BASELINES if kspace else BASELINES)}"
            raise InputError(f"{named.name} is not made of {found}", found=found, needed=needed)
        if isinstance(self.source, KSpace):
            weight = Settings.weight if named.weight is None else named.weight
            return reconstruct(self.source, named.method, weight=weight).volume
        operator, y = self._problem(self.source, grid)
        method, usual = BASELINES[named.method]
        x = method(y, operator, usual if named.weight is None else named.weight)
        return Volume(x.numpy(), grid, {"source": named.name})

    @staticmethod
    def _problem(source: Volume, fine: Geometry) -> tuple[SliceProfile, Tensor]:
        told = acquisition_of(source, axis=source.geometry.coarsest, slice_thickness=None, profile=None)
        operator = SliceProfile(fine, source.geometry, thickness=told.thickness, profile=told.profile)
        return operator, torch.from_numpy(np.array(source.array, order="C"))


def read_measured(image: Image) -> Measured:
    """Read a measurement; a file called like k-space that holds one 3D array of real numbers is an image.

    Raises
    ------
    MedidiffError
        If it cannot be read.
    """
    if image.stack is None and is_kspace_name(image.path) and not _is_image(image):
        return Measured(read_kspace(image.path))
    return Measured(image.read())


def _is_image(image: Image) -> bool:
    try:
        return is_array(image.path) and image.read() is not None
    except InputError:
        return False


@dataclass(frozen=True)
class Baseline:
    """A method and, where it is not the usual one, its weight."""

    name: str
    method: str
    weight: float | None = None


def baseline_named(text: str) -> Baseline:
    """Understand ``tv`` or ``tv:0.001``.

    Raises
    ------
    UsageError
        If there is no such baseline, or it has no such weight.
    """
    method, _, weight = text.strip().partition(":")
    weighted = ("cubic+dc", "tv", "l1-wavelet")
    if method not in (*BASELINES, *KSPACE_BASELINES):
        raise UsageError("unknown baseline", found=method, needed=", ".join((*BASELINES, *KSPACE_BASELINES)))
    try:
        number = float(weight) if weight else None
    except ValueError:
        number = float("nan")
    if number is not None and (method not in weighted or not (np.isfinite(number) and number > 0)):
        needed = f"a positive weight, of {', '.join(weighted)} alone"
        raise UsageError("baseline cannot have this weight", found=text, needed=needed)
    return Baseline(text.strip(), method, number)
