"""One loop: draw, predict, average; checkpoints resume bit for bit on a CPU."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from medidiff.diffusion import ConditionalUNet, Noised, noised
from medidiff.errors import ModelError, UsageError
from medidiff.models import Pairs, asked, build_network, load_model, save_model
from medidiff.training.lessons import lessons
from medidiff.training.losses import loss_of
from medidiff.training.recipe import Optimisation, Recipe, read_recipe
from medidiff.training.team import Team, join, leave
from medidiff.training.validate import validation_scores

__all__ = ["train", "train_recipe"]

CHECKPOINT, CURVES = "checkpoint.pt", "curves.jsonl"
Progress = Callable[[Mapping[str, Any]], None]


def train(
    recipe_path: Path,
    *,
    resume: bool = True,
    data: Path | None = None,
    stop_after: int | None = None,
    device: str = "auto",
    progress: Progress = lambda line: None,
) -> Path:
    """Train the model that a recipe describes.

    Parameters
    ----------
    recipe_path
        TOML; paths in it are relative to it.
    resume
        Go on from the last checkpoint, if there is one.
    data
        Folder of the volumes, where it is not the recipe's.
    stop_after
        Stop, with a checkpoint, once this many steps are done, whole passes; the schedule stays the recipe's.
    device
        auto, cpu, cuda or cuda:N.
    progress
        Called with each line of the curves.

    Returns
    -------
    Path
        Folder of the trained model: averaged weights, card, curves and checkpoint.

    Raises
    ------
    MedidiffError
        If the recipe, the data or the checkpoint cannot be used.
    """
    recipe = read_recipe(recipe_path)
    recipe = recipe if data is None else replace(recipe, data=data)
    folder = train_recipe(recipe, resume=resume, stop_after=stop_after, device=device, progress=progress)
    leave()
    return folder


def train_recipe(
    recipe: Recipe,
    *,
    resume: bool = True,
    stop_after: int | None = None,
    device: str = "auto",
    network: nn.Module | None = None,
    progress: Progress = lambda line: None,
) -> Path:
    """Train by a recipe that was read, and perhaps changed; see `train`.

    Another ``network`` than the card's may be given, for comparison: it starts as it is, and its weights are written
    with a card that does not describe them, for its maker to load.
    """
    team = join(device)
    recipe.output.mkdir(parents=True, exist_ok=True)
    state = _State(recipe, team, network)
    if resume:
        state.load()
    elif team.leads:
        (recipe.output / CURVES).unlink(missing_ok=True)
    last = _last(recipe, state.step, stop_after)
    for step, pairs in lessons(recipe, team, state.step, last, lambda: state.answer):
        loss = state.advance(step, pairs)
        if team.leads:
            _keep_records(recipe, state, float(loss), last, progress)
    if team.leads:
        save_model(state.average, {**recipe.card, "training_steps": state.step}, recipe.output)
    team.wait()
    return recipe.output


def _last(recipe: Recipe, done: int, stop_after: int | None) -> int:
    """The step to end with."""
    steps = recipe.optimisation.steps
    last = steps if stop_after is None else min(steps, stop_after)
    if done > last:
        found, needed = f"{done} steps", f"{last} or less to stop there"
        raise UsageError(
            "checkpoint is further", where=str(recipe.output), found=found, needed=needed, hint="use --fresh"
        )
    return last


def _keep_records(recipe: Recipe, state: "_State", loss: float, last: int, progress: Progress) -> None:
    """Note the loss, validate and save, each when it is time."""
    done = state.step
    if done % 100 == 0 or done == last:
        _note(recipe, {"step": done, "loss": round(loss, 5), "seconds": state.seconds()}, progress)
    if recipe.validation.files and done % recipe.validation.every == 0:
        _note(recipe, {"step": done, **validation_scores(recipe, state.average, state.team.place)}, progress)
    if done % recipe.optimisation.checkpoint_every == 0 or done == last:
        state.save()


class _State:
    """Weights, their running average and the optimiser's memory."""

    def __init__(self, recipe: Recipe, team: Team, network: nn.Module | None = None) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.team, self.step, self._started = recipe, team, 0, time.perf_counter()
        self.answer = torch.empty(0)
        self._before, place = 0.0, team.place
        how = recipe.optimisation
        self.network = (_network(recipe) if network is None else network).to(place)
        compiled = how.compile and place.type == "cuda"
        self.forward: Callable[..., Tensor] = torch.compile(self.network, dynamic=False) if compiled else self.network
        self.average = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=how.rate,
            weight_decay=how.decay,
            betas=(0.9, 0.99),
            fused=place.type == "cuda",
        )

    def seconds(self) -> float:
        return round(self._before + time.perf_counter() - self._started, 1)

    def advance(self, step: int, pairs: Pairs) -> Tensor:
        """One step of the optimiser; returns the loss."""
        how = self.recipe.optimisation
        for group in self.optimiser.param_groups:
            group["lr"] = _rate(how, step)
        regression, blind = self.recipe.card["kind"] == "regression", step >= how.noisy_start
        learnt, (x, v, t) = _asked(pairs, how, self.team.seed(self.recipe.seed, step), regression, blind)
        place = self.team.place.type
        with torch.autocast(place, torch.bfloat16, enabled=place == "cuda"):
            answer = self.forward(x, learnt.maps, learnt.numbers, t)
        self.answer = answer.detach()[: len(pairs.residual)]
        loss = loss_of(answer.float() - v, how)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.team.average(self.network)
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self._remember(step)
        self.step = step + 1
        return loss.detach()

    def _remember(self, step: int) -> None:
        keep = min(self.recipe.optimisation.average, (1 + step) / (10 + step))
        with torch.no_grad():
            new = self.network.state_dict()
            torch._foreach_lerp_(list(self.average.values()), [new[k] for k in self.average], 1 - keep)

    def save(self) -> None:
        path = self.recipe.output / CHECKPOINT
        state = {
            "of": _identity(self.recipe),
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "seconds": self.seconds(),
        }
        torch.save(state, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def load(self) -> None:
        path = self.recipe.output / CHECKPOINT
        if not path.exists():
            return
        state = torch.load(path, map_location=self.team.place, weights_only=True)
        try:
            if state["of"] != _identity(self.recipe):
                raise ValueError(state["of"])
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise ModelError("checkpoint is of another recipe", where=str(path), hint="use --fresh") from error
        self.average, self.step, self._before = state["average"], state["step"], state["seconds"]


def _identity(recipe: Recipe) -> list[str]:
    """What makes two trainings different ones, though their networks are alike."""
    return [recipe.card["name"], recipe.card["version"], str(recipe.seed), recipe.optimisation.start]


def _network(recipe: Recipe) -> ConditionalUNet:
    """Build the network of the card, from random weights or trained ones."""
    return _started(recipe) if recipe.optimisation.start else build_network(recipe.card)


def _started(recipe: Recipe) -> ConditionalUNet:
    """Build the network with a trained model's weights; it may be shown more maps."""
    start = recipe.optimisation.start
    folder = recipe.path.parent / start
    model = load_model(folder if folder.is_dir() else start)
    network = build_network(recipe.card)
    given = model.network.widened(network.maps) if network.maps > model.network.maps else model.network
    try:
        network.load_state_dict(given.state_dict())
    except RuntimeError as error:
        raise ModelError("model to start from has another network", where=model.label) from error
    return network


def _asked(
    pairs: Pairs, how: Optimisation, seed: tuple[int, ...], regression: bool, blind: bool
) -> tuple[Pairs, Noised]:
    """What is learnt of a batch: each pair once, and a share of them ``again`` at a random time."""
    if regression or not how.again:
        return pairs, _noised(pairs.residual, seed, how.pure_noise, regression and blind, how.skew)
    return asked(pairs, lambda r0, pure, blind: _noised(r0, seed, pure, blind, how.skew), again=how.again, blind=blind)


def _noised(r0: Tensor, seed: tuple[int, ...], pure: float, blind: bool, skew: float) -> Noised:
    """Noisy residual, the velocity to predict, and the time; a share of the batch is noise and nothing else."""
    generator = torch.Generator(r0.device).manual_seed(seed[0] * 1_000_003 + seed[1] + sum(seed[2:]) * 999_983_777)
    return noised(r0, generator, pure=pure, blind=blind, skew=skew)


def _rate(how: Optimisation, step: int) -> float:
    """Linear warm-up, then half a cosine to a hundredth."""
    if step < how.warm_up:
        return how.rate * (step + 1) / how.warm_up
    phase = (step - how.warm_up) / max(1, how.steps - how.warm_up)
    return how.rate * (0.505 + 0.495 * float(torch.cos(torch.tensor(phase * torch.pi))))


def _note(recipe: Recipe, line: Mapping[str, Any], progress: Progress) -> None:
    with (recipe.output / CURVES).open("a") as file:
        file.write(json.dumps(line) + "\n")
    progress(line)
