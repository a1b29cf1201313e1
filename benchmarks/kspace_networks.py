"""Planes alone, planes with their neighbours, or a stack at once: what a network of k-space should be shown.

``python -m benchmarks.kspace_networks --data HEADS --val VAL --output DIR --device cuda``

Three networks of about as many parameters learn from nothing, from the same draws of the first recipe of
`recon-brain`, for as many steps: of two dimensions without and with the planes before and after, and of three
dimensions. All draw stacks of eight planes, thin or thick, which may touch or lie apart. They are scored on draws of
heads of other persons: by how much the error of the image, pulled to its data, is less after each of several passes
than that of the first image, in dB. A line of ``results.jsonl`` for each network; ``table.md`` puts them together.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from safetensors.torch import load_file
from torch import Tensor, nn

from medidiff.diffusion import ConditionalUNet
from medidiff.models import build_network
from medidiff.tasks.device import choose_device
from medidiff.training import Recipe, read_recipe, train_recipe
from medidiff.training.heads import load_heads
from medidiff.training.receivers import Receivers
from medidiff.training.recipe import Group, Validation
from medidiff.training.scans import Scans, draw_scans

__all__ = ["NETWORKS", "PlanesAlone", "Stacks", "main", "table"]

RECIPE = Path(__file__).parents[1] / "medidiff" / "training" / "recipes" / "recon-brain-first.toml"
OWN, NEIGHBOURS = 2, 4
"""Maps of the plane itself, which come first, and of those before and after, which follow."""
VALIDATION = (
    Group("ds002748_*_T1w.nii*", [0, 1], 0.4),
    Group("ds000011_*_T1w.nii*", [1, 2], 0.4),
    Group("niivue_M2208_T2w.nii*", [0, 1, 2], 0.2),
)
"""Heads to score."""


class PlanesAlone(nn.Module):
    """A network of planes that is never shown their neighbours."""

    def __init__(self, card: Mapping[str, Any]) -> None:
        super().__init__()
        self.inner = build_network(card)

    def forward(self, x: Tensor, maps: Tensor, numbers: Tensor, t: Tensor) -> Tensor:
        """``(n, 2, a, b)``, see `medidiff.diffusion.ConditionalUNet`."""
        before, none = maps[:, :OWN], torch.zeros_like(maps[:, OWN : OWN + NEIGHBOURS])
        answer: Tensor = self.inner(x, torch.cat([before, none, maps[:, OWN + NEIGHBOURS :]], 1), numbers, t)
        return answer


class Stacks(nn.Module):
    """A network of three dimensions that answers all planes of a stack at once.

    Parameters
    ----------
    planes
        Of each stack; a batch holds whole stacks.
    shape
        Of `medidiff.diffusion.ConditionalUNet`.
    """

    def __init__(self, planes: int, **shape: Any) -> None:
        super().__init__()
        self.planes, self.inner = planes, ConditionalUNet(dims=3, images=2, **shape)

    def forward(self, x: Tensor, maps: Tensor, numbers: Tensor, t: Tensor) -> Tensor:
        """``(stacks * planes, 2, a, b)``, planes of a stack in order."""
        own = torch.cat([maps[:, :OWN], maps[:, OWN + NEIGHBOURS :]], 1)
        deep = [rearrange(part, "(s n) c a b -> s c a b n", n=self.planes) for part in (x, own)]
        answer: Tensor = self.inner(*deep, numbers[:: self.planes], t[:: self.planes])
        return rearrange(answer, "s c a b n -> (s n) c a b")


def _stacks(recipe: Recipe) -> nn.Module:
    """About as many parameters as those of two dimensions; eight planes can be halved but three times."""
    return Stacks(recipe.optimisation.patches, maps=6, numbers=4, channels=(96, 96, 128), blocks=(2, 2, 1))


NETWORKS = {
    "2D, planes alone": lambda recipe: PlanesAlone(recipe.card),
    "2D, with neighbours": lambda recipe: build_network(recipe.card),
    "3D, stacks of eight": _stacks,
}


def main(arguments: Sequence[str] | None = None) -> Path:
    """Train and score each network; return the folder of what was found."""
    options = _parser().parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    base = _base(options)
    for number, name in enumerate(NETWORKS):
        if name not in (options.only or NETWORKS):
            continue
        recipe = replace(base, output=options.output / f"network-{number}")
        torch.manual_seed(base.seed)
        network = NETWORKS[name](recipe)
        train_recipe(recipe, device=options.device, network=network)
        network.load_state_dict({k: v.float() for k, v in load_file(recipe.output / "model.safetensors").items()})
        row = {"network": name, **_facts(network, recipe), "gained": gained(network, base, options)}
        with (options.output / "results.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)
    lines = [json.loads(line) for line in (options.output / "results.jsonl").read_text().splitlines()]
    rows = list({row["network"]: row for row in lines}.values())
    (options.output / "table.md").write_text(table(rows))
    return Path(options.output)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: what every network gained after each pass."""
    passes = len(rows[0]["gained"])
    titles = ("network", "parameters", "seconds", *(f"pass {n + 1}" for n in range(passes)))
    lines = [f"| {' | '.join(titles)} |", "|" + " --- |" * len(titles)]
    for row in rows:
        figures = (f"{row['parameters'] / 1e6:.1f} M", f"{row['seconds']:.0f}", *(f"{dB:.2f}" for dB in row["gained"]))
        lines.append(f"| {' | '.join((row['network'], *figures))} |")
    return "\n".join(lines) + "\n"


def gained(network: nn.Module, base: Recipe, options: argparse.Namespace) -> list[float]:
    """How much less the error is after each pass than before the first, dB, mean over draws."""
    device = choose_device(options.device)
    network = network.to(device).eval()
    heads = load_heads(replace(base, data=options.val, groups=list(VALIDATION)), device)
    how = base.optimisation
    receivers = Receivers.stock(device, edge=how.patch)
    told: dict[str, Any] = {"groups": how.groups, "patches": how.patches, "size": how.patch}
    draws = [
        _errors(network, draw_scans(heads, receivers, seed=(7, n), **told), options.passes)
        for n in range(options.draws)
    ]
    errors = torch.stack(draws)
    return [round(float(dB), 3) for dB in (10 * torch.log10(errors[:, :1] / errors[:, 1:])).mean((0, 2))]


@torch.inference_mode()
def _errors(network: nn.Module, scans: Scans, passes: int) -> Tensor:
    """``(passes + 1, stacks)`` mean squared errors of the first image and after each pass."""
    errors = []
    for last in (False,) * passes + (True,):
        wrong = (scans.image - scans.target).abs().square().mean((1, 2, 3, 4))
        errors.append(wrong.reshape(-1, scans.planes).mean(1).cpu())
        if not last:
            pairs = scans.pairs()
            told = (pairs.maps, pairs.numbers, torch.ones(len(pairs.maps), device=pairs.maps.device))
            with torch.autocast(pairs.maps.device.type, torch.bfloat16, enabled=pairs.maps.is_cuda):
                answer = network(torch.zeros_like(pairs.residual), *told)
            scans = scans.refined(answer)
    return torch.stack(errors)


def _base(options: argparse.Namespace) -> Recipe:
    """Read the recipe: the mean alone is learnt, so that stacks stay whole."""
    recipe = read_recipe(options.recipe)
    told = {"steps": options.steps, "checkpoint_every": options.steps, "groups": options.groups}
    if options.patch:
        told["patch"] = options.patch
    how = replace(recipe.optimisation, again=0.0, pure_noise=1.0, compile=options.compile, **told)
    card = {**recipe.card, "kind": "regression"}
    return replace(recipe, data=options.data, optimisation=how, card=card, validation=Validation())


def _facts(network: nn.Module, recipe: Recipe) -> dict[str, Any]:
    last = json.loads((recipe.output / "curves.jsonl").read_text().splitlines()[-1])
    parameters = sum(weights.numel() for weights in network.parameters())
    return {"parameters": parameters, "steps": last["step"], "loss": last["loss"], "seconds": last["seconds"]}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kspace_networks", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of training heads")
    parser.add_argument("--val", type=Path, required=True, help="folder of heads to score")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--groups", type=int, default=4, help="stacks in a batch")
    parser.add_argument("--patch", type=int, help="voxels along the edge of a field of view")
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--draws", type=int, default=24)
    parser.add_argument("--only", nargs="*", choices=tuple(NETWORKS), metavar="NETWORK")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--device", default="auto")
    return parser


if __name__ == "__main__":
    torch.set_float32_matmul_precision("high")
    main()
