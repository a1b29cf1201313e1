"""A tiny untrained model, the same every time, whose answers depend on all that it is told."""

import torch
from torch import nn

from medidiff.models import build_network, save_model

CARD = {
    "name": "toy",
    "version": "0",
    "task": "super-resolution",
    "kind": "diffusion",
    "network": {"channels": [16, 32], "blocks": [1, 1], "block_size": 2},
    "tile": 16,
    "overlap": 4,
    "sampling_steps": 2,
    "valid": {
        "target_spacing_mm": [0.7, 1.35],
        "slice_spacing_mm": [2, 7],
        "isotropic_spacing_mm": [1.5, 2.5],
        "contrasts": ["T1w"],
    },
}

PLANE_CARD = CARD | {"task": "reconstruction", "name": "plane toy", "passes": 2}


def make_model(folder, **changes):
    """Save it in ``folder``. Layers that are born as zero are drawn, so that the answers are not zero."""
    torch.manual_seed(0)
    card = CARD | changes
    network = build_network(card)
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    return save_model(network.state_dict(), card, folder)
