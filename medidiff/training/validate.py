"""Validation through the task itself: heads of other persons, degraded, enhanced and scored."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medidiff.io.nifti import read_nifti
from medidiff.metrics import data_range_of, head_region, psnr
from medidiff.models import Model, build_network
from medidiff.physics.fourier import middle
from medidiff.physics.noise import head_brightness
from medidiff.tasks import reconstruct, simulate_kspace, simulate_thick_slices, super_resolve
from medidiff.training.recipe import Recipe, Validation
from medidiff.volume import Volume

__all__ = ["validation_scores"]

PLANES = 8
"""Of each head that is reconstructed."""


def validation_scores(recipe: Recipe, weights: Mapping[str, Tensor], place: torch.device) -> dict[str, float]:
    """PSNR in the head, dB, of the posterior mean, for every validation head."""
    network = build_network(recipe.card).to(place)
    network.load_state_dict(dict(weights))
    model = Model(network.eval().requires_grad_(False), {"sha256": "", **recipe.card})
    score = _reconstructed if recipe.card["task"] == "reconstruction" else _sharpened
    scores = {}
    for name, axis in zip(recipe.validation.files, recipe.validation.axes, strict=True):
        truth = read_nifti(recipe.data / name)
        scores[name] = round(score(model, truth, "xyz"[axis], recipe.validation, str(place)), 3)
    return scores


def _sharpened(model: Model, truth: Volume, axis: str, how: Validation, device: str) -> float:
    thick = simulate_thick_slices(truth, spacing=how.spacing, axis=axis)
    sharp = super_resolve(thick, model, like=truth.geometry, device=device)
    return _score(sharp.volume, truth, head_region(truth.array))


def _reconstructed(model: Model, truth: Volume, axis: str, how: Validation, device: str) -> float:
    """Eight planes from the middle of a head, a mask that is not trained on, noise of 1 %."""
    across = "xyz".index(axis)
    shape = [PLANES if a == across else n for a, n in enumerate(truth.geometry.shape)]
    cut = middle(truth.geometry.shape, shape)
    slab = Volume(truth.array[cut[1:]], truth.geometry.cropped((shape[0], shape[1], shape[2])))
    lines = min(n for a, n in enumerate(shape) if a != across) / how.acceleration
    told: dict[str, Any] = {"acceleration": how.acceleration, "calibration": min(16, int(0.6 * lines)), "axis": axis}
    scan = simulate_kspace(slab, mask="gaussian", noise=0.01 * head_brightness(truth.array), **told)
    found = reconstruct(scan, "diffusion", model=model, device=device)
    return _score(found.volume, slab, head_region(truth.array)[cut[1:]])


def _score(found: Volume, truth: Volume, region: NDArray[np.bool_]) -> float:
    return psnr(found.array, truth.array, data_range=data_range_of(truth.array, region), region=region)
