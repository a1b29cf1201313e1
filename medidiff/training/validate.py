"""Validation through the task itself: heads of other persons, degraded, enhanced and scored."""

from collections.abc import Mapping

import torch
from torch import Tensor

from medidiff.io.nifti import read_nifti
from medidiff.metrics import data_range_of, head_region, psnr
from medidiff.models import Model, build_network
from medidiff.tasks import simulate_thick_slices, super_resolve
from medidiff.training.recipe import Recipe
from medidiff.volume import Volume

__all__ = ["validation_scores"]


def validation_scores(recipe: Recipe, weights: Mapping[str, Tensor], place: torch.device) -> dict[str, float]:
    """PSNR in the head, dB, of the posterior mean, for every validation head."""
    network = build_network(recipe.card).to(place)
    network.load_state_dict(dict(weights))
    model = Model(network.eval().requires_grad_(False), {"sha256": "", **recipe.card})
    scores = {}
    for name, axis in zip(recipe.validation.files, recipe.validation.axes, strict=True):
        truth = read_nifti(recipe.data / name)
        scores[name] = round(_score(model, truth, "xyz"[axis], recipe.validation.spacing, str(place)), 3)
    return scores


def _score(model: Model, truth: Volume, axis: str, spacing: float, device: str) -> float:
    thick = simulate_thick_slices(truth, spacing=spacing, axis=axis)
    sharp = super_resolve(thick, model, like=truth.geometry, device=device)
    region = head_region(truth.array)
    return psnr(sharp.volume.array, truth.array, data_range=data_range_of(truth.array, region), region=region)
