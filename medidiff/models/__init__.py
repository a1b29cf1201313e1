"""Models that ship in the wheel: cards, weights, and what a network is told."""

from medidiff.models.condition import MAPS, NUMBERS, Condition, condition_on, residual_scale
from medidiff.models.inference import MIRRORS, PRECISIONS, denoiser_of
from medidiff.models.learning import Pairs, asked, joined, pairs_of
from medidiff.models.planes import (
    BOLDEST,
    as_channels,
    as_complex,
    plane_denoiser,
    plane_numbers,
    plane_view,
    reach,
    residual_unit,
)
from medidiff.models.store import Model, build_network, check_model, find_model, load_model, read_card, save_model

__all__ = [
    "BOLDEST",
    "MAPS",
    "MIRRORS",
    "NUMBERS",
    "PRECISIONS",
    "Condition",
    "Model",
    "Pairs",
    "as_channels",
    "as_complex",
    "asked",
    "build_network",
    "check_model",
    "condition_on",
    "denoiser_of",
    "find_model",
    "joined",
    "load_model",
    "pairs_of",
    "plane_denoiser",
    "plane_numbers",
    "plane_view",
    "reach",
    "read_card",
    "residual_scale",
    "residual_unit",
    "save_model",
]
