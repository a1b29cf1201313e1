"""Training volumes: all of them live on the device, and patches are cut around what is not air."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from medidiff.errors import InputError
from medidiff.io.nifti import read_nifti
from medidiff.physics.noise import head_brightness
from medidiff.training.recipe import Group, Recipe

__all__ = ["Head", "load_heads"]

SMALLEST = 96
"""Volumes are padded with air to at least this many voxels."""
CENTRES = 4096


@dataclass(frozen=True, eq=False)
class Head:
    """One training volume.

    Parameters
    ----------
    voxels
        ``(x, y, z)`` on the device: uint8 in 200ths of the head's brightness, or indices into ``labels``.
    spacing
        mm.
    centres
        ``(n, 3)``, some voxels of the head, on the CPU.
    group
        Where it comes from and what may be done with it.
    labels
        The label values, for label maps.
    """

    voxels: Tensor
    spacing: tuple[float, float, float]
    centres: NDArray[np.int64]
    group: Group
    labels: NDArray[np.int64] | None = None

    def patches(self, corners: Sequence[Sequence[int]], order: Sequence[int], size: Sequence[int]) -> Tensor:
        """``(n, 1, *size)`` of the volume with its axes in ``order``: brightness as float32, or label indices."""
        turned = self.voxels.permute(*order)
        cut = [turned[tuple(slice(c, c + n) for c, n in zip(corner, size, strict=True))] for corner in corners]
        stacked = torch.stack(cut)[:, None]
        return stacked.long() if self.labels is not None else stacked.float() / 200


def load_heads(recipe: Recipe, device: torch.device) -> list[Head]:
    """Load every volume of a recipe.

    Raises
    ------
    InputError
        If a group has no files.
    """
    heads = []
    for group in recipe.groups:
        paths = sorted(recipe.data.glob(group.files))
        if not paths:
            raise InputError("no training volumes", where=str(recipe.data), needed=group.files)
        heads += [_load(path, group, device) for path in paths]
    return heads


def _load(path: Path, group: Group, device: torch.device) -> Head:
    volume = read_nifti(path)
    labels = None
    if group.kind == "labels":
        numbers = volume.array.astype(np.int64)
        labels = np.flatnonzero(np.bincount(numbers.ravel()))
        voxels = np.searchsorted(labels, numbers).astype(np.uint8)
        head = volume.array > 0
    else:
        unit = head_brightness(volume.array)
        voxels = np.clip(volume.array / unit * 200 + 0.5, 0, 255).astype(np.uint8)
        head = voxels > 20
    rng = np.random.default_rng(0)
    where = np.argwhere(head)
    chosen = where[rng.integers(len(where), size=CENTRES)]
    lack = [max(0, SMALLEST - int(n)) for n in volume.geometry.shape]
    padded = pad(torch.from_numpy(voxels), [side for n in reversed(lack) for side in (0, n)])
    return Head(padded.to(device), volume.geometry.spacing, chosen, group, labels)
