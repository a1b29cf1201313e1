"""Weights are safetensors with a JSON card beside them; nothing ever unpickles a stranger's file."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from medidiff.diffusion import ConditionalUNet
from medidiff.errors import ModelError
from medidiff.models.condition import MAPS, NUMBERS

__all__ = ["SHIPPED", "Model", "build_network", "check_model", "find_model", "load_model", "read_card", "save_model"]

SHIPPED = Path(__file__).parent / "weights"
CARD, WEIGHTS = "card.json", "model.safetensors"
PLANES = tuple(
    f"{part} of the {where}"
    for where in ("plane", "one before", "one after", "plane's finest detail", "plane's finer detail")
    for part in ("real", "imag")
)
PLANE_NUMBERS = ("log2 acceleration", "log2 noise", "log2 coils", "passes done")
FIRST_MAPS = 4
"""Maps that a network of volumes sees whose card does not say how many."""
INPUTS: Mapping[str, Mapping[str, int]] = {
    "super-resolution": {"maps": FIRST_MAPS, "numbers": len(NUMBERS), "dims": 3, "images": 1},
    "reconstruction": {"maps": len(PLANES), "numbers": len(PLANE_NUMBERS), "dims": 2, "images": 2},
}
"""What goes into the network of each task, unless its card says otherwise."""


@dataclass(frozen=True, eq=False)
class Model:
    """A network and what is known about it.

    Parameters
    ----------
    network
        In evaluation mode, float32.
    card
        Name, version, task, kind, network, tile, valid range, training, scores and the sha256 of the weights.
    """

    network: ConditionalUNet
    card: Mapping[str, Any]

    @property
    def label(self) -> str:
        """Name and version."""
        return f"{self.card['name']} {self.card['version']}"


def build_network(card: Mapping[str, Any]) -> ConditionalUNet:
    """Make the untrained network that a card describes.

    Raises
    ------
    ModelError
        If its task is unknown, or it wants to be shown what nobody shows.
    """
    if card["task"] not in INPUTS:
        raise ModelError(
            "unknown task", where=str(card.get("name")), found=str(card["task"]), needed=" or ".join(INPUTS)
        )
    shape, inputs = dict(card["network"]), INPUTS[card["task"]]
    maps, known = shape.get("maps", inputs["maps"]), max(inputs["maps"], len(MAPS))
    if maps > known:
        raise ModelError("network wants more maps than there are", found=str(maps), needed=f"{known} or fewer")
    return ConditionalUNet(
        **{**inputs, "maps": maps},
        channels=shape["channels"],
        blocks=shape["blocks"],
        block_size=shape["block_size"],
    )


def find_model(name: str | Path) -> Path:
    """Folder of a shipped model, by its name, or of any model, by its path.

    Raises
    ------
    ModelError
        If there is none.
    """
    for folder in (SHIPPED / str(name), Path(name)):
        if (folder / CARD).is_file():
            return folder
    shipped = sorted(path.parent.name for path in SHIPPED.glob(f"*/{CARD}"))
    raise ModelError(
        "no such model",
        where=str(name),
        needed=f"a folder with {CARD} or one of {', '.join(shipped) or 'none shipped'}",
    )


def read_card(name: str | Path) -> dict[str, Any]:
    """Card of a model, without its weights.

    Raises
    ------
    ModelError
        If the card is not JSON or lacks what inference needs.
    """
    path = find_model(name) / CARD
    try:
        card: Any = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ModelError("card cannot be read", where=str(path), found=str(error)) from error
    needed = {"name", "version", "task", "kind", "network", "tile", "overlap", "sampling_steps", "sha256", "valid"}
    if not isinstance(card, dict):
        raise ModelError("card cannot be read", where=str(path), found=type(card).__name__, needed="a JSON object")
    if lacking := sorted(needed - set(card)):
        raise ModelError("card is incomplete", where=str(path), found=f"no {', '.join(lacking)}")
    return dict(card)


def check_model(name: str | Path) -> dict[str, Any]:
    """Card of a model whose weights are those that the card tells of; they are not loaded.

    Raises
    ------
    ModelError
        If the model is missing or damaged.
    """
    card, path = read_card(name), find_model(name) / WEIGHTS
    if not path.is_file() or _sha256(path) != card["sha256"]:
        raise ModelError("weights are missing or damaged", where=str(path), needed=f"sha256 {card['sha256']}")
    return card


def load_model(name: str | Path) -> Model:
    """Load a model and check its weights against its card.

    Raises
    ------
    ModelError
        If the model is missing, damaged, or of another shape than its card says.
    """
    card, path = check_model(name), find_model(name) / WEIGHTS
    try:
        network = build_network(card)
        network.load_state_dict({key: value.float() for key, value in load_file(path).items()})
    except (RuntimeError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelError("weights do not fit the card's network", where=str(path)) from error
    return Model(network.eval().requires_grad_(False), card)


def save_model(weights: Mapping[str, Tensor], card: Mapping[str, Any], folder: Path, *, exact: bool = False) -> Path:
    """Write weights as bfloat16 and the card with their sha256; the folder is whole or not there.

    An adapted model differs from its original by less than the steps of bfloat16: ``exact`` keeps float32.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / WEIGHTS
    temporary = path.with_suffix(".part")
    kept = torch.float32 if exact else torch.bfloat16
    save_file({key: value.detach().cpu().to(kept).contiguous() for key, value in weights.items()}, temporary)
    temporary.replace(path)
    text = json.dumps({**card, "sha256": _sha256(path)}, indent=2)
    (folder / CARD).write_text(text + "\n")
    return folder


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
