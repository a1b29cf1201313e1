"""The recipes that ship made the models that ship, part after part, and their cards say so."""

from pathlib import Path

import pytest

from medidiff.models import load_model
from medidiff.training import read_recipe

ROOT = Path(__file__).parents[2]
MODELS = ("sr-brain", "recon-brain")


def parts(card):
    """The recipes that a card names, in order."""
    return [read_recipe(ROOT / name) for name in card["training"]["recipe"]]


@pytest.fixture(params=MODELS)
def card(request):
    return load_model(request.param).card


def test_every_shipped_recipe_is_named_by_a_card():
    shipped = {path.name for path in (ROOT / "medidiff" / "training" / "recipes").glob("*.toml")}
    named = {part.path.name for name in MODELS for part in parts(load_model(name).card)}
    assert shipped == named


def test_each_part_goes_on_from_the_one_before(card):
    first, *others = parts(card)
    assert not first.optimisation.start
    before = first
    for part in others:
        assert part.path.parent / part.optimisation.start == before.output
        before = part


def test_the_last_part_describes_the_model(card):
    last = parts(card)[-1]
    assert {key: card[key] for key in last.card} == dict(last.card)


def test_a_model_is_asked_as_boldly_as_it_was_trained(card):
    assert card.get("stride", 1) == parts(card)[-1].optimisation.stride


def test_the_card_tells_seeds_and_steps_of_every_part(card):
    told = zip(card["training"]["seed"], card["training"]["steps"], parts(card), strict=True)
    for seed, steps, part in told:
        assert seed == part.seed
        assert steps <= part.optimisation.steps
    assert card["training_steps"] == card["training"]["steps"][-1]


def test_the_command_runs_every_part_and_ends_it_where_it_ended(card):
    trainings = card["training"]["command"].split(" && ")[1:]
    told = zip(trainings, card["training"]["recipe"], card["training"]["steps"], parts(card), strict=True)
    for command, recipe, steps, part in told:
        stop = "" if steps == part.optimisation.steps else f" --stop-after {steps}"
        assert command == f"medidiff train {recipe} --data heads{stop}"


def test_every_training_has_its_curve(card):
    lines = (ROOT / "medidiff" / "models" / "weights" / card["name"] / "curves.jsonl").read_text().splitlines()
    for number, steps in enumerate(card["training"]["steps"], 1):
        assert any(f'"part": {number}, "step": {steps},' in line for line in lines)
