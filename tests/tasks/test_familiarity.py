"""What looks like nothing that the model knows is said; what is usual is not."""

import json
from typing import Any

import numpy as np
import pytest
import torch

from medidiff.models import Model, condition_on, read_card
from medidiff.physics import project
from medidiff.tasks import super_resolve
from medidiff.tasks.familiarity import FEATURES, answered, appearance, familiarity_warnings, overheard
from medidiff.tasks.grid import plan_grids, turned
from medidiff.tasks.problem import problem_of
from medidiff.volume import Volume

WARNING = "does not look like what the model knows"


def problem(thick, sharp, noise=0.0, unit=1000.0):
    plan = plan_grids(thick.geometry, like=sharp.geometry)
    return problem_of(thick, plan, thick.geometry.spacing, "gaussian", noise, unit, torch.device("cpu"))


def static(thick, seed=0):
    """Noise and nothing else, as bright as the head."""
    array = np.abs(np.random.default_rng(seed).normal(0, 400, thick.geometry.shape)).astype(np.float32)
    return Volume(array, thick.geometry, thick.meta)


def widened(figures, share=0.3):
    """Ranges about one scan's figures."""
    return {"usual": {name: [value - share, value + share] for name, value in figures.items()}}


def known(model, figures):
    return Model(model.network, {**model.card, "familiar": widened(figures)})


def warned(result):
    return [line for line in result.provenance["warnings"] if WARNING in line]


@pytest.fixture(scope="module")
def figures(enhanced):
    return enhanced.provenance["familiarity"]


def test_a_card_without_ranges_gives_no_warning(enhance, thick, enhanced, figures):
    assert set(figures) == set(FEATURES) - {"spread"}
    assert all(np.isfinite(list(figures.values())))
    json.dumps(figures)
    assert not warned(enhanced)
    assert not warned(enhance(static(thick)))


def test_familiar_scans_pass_and_alien_ones_warn_in_one_line(model, thick, figures):
    options: dict[str, Any] = {"device": "cpu", "precision": "fp32", "noise": 0}
    some = known(model, figures)
    assert not warned(super_resolve(thick, some, **options))
    brighter = Volume(thick.array * 7, thick.geometry, thick.meta)
    assert not warned(super_resolve(brighter, some, **options))
    (line,) = warned(super_resolve(static(thick), some, **options))
    low, high = some.card["familiar"]["usual"]["smoothness"]
    assert f"(usual from {low:.3g} up to {high:.3g})" in line
    assert FEATURES["smoothness"] in line
    assert "\n" not in line


def test_the_spread_of_samples_is_looked_at_where_there_is_one(enhance, thick):
    spread = enhance(thick, samples=2).provenance["familiarity"]["spread"]
    line = familiarity_warnings({"spread": spread}, {"familiar": {"usual": {"spread": [spread + 1, None]}}})
    assert line
    assert not familiarity_warnings({}, {"familiar": {"usual": {"spread": [spread + 1, None]}}})


@pytest.mark.parametrize(
    ("bounds", "value", "outside"),
    [
        ([1, 2], 1.5, False),
        ([1, 2], 0.5, True),
        ([1, 2], 2.5, True),
        ([None, 2], -9, False),
        ([None, 2], 3, True),
        ([1, None], 9, False),
        ([None, None], float("nan"), True),
    ],
)
def test_a_figure_is_held_to_the_bounds_that_there_are(bounds, value, outside):
    assert bool(familiarity_warnings({"gradient": value}, {"familiar": {"usual": {"gradient": bounds}}})) == outside


def test_figures_do_not_depend_on_the_order_of_the_axes(thick, sharp):
    plain = appearance(problem(thick, sharp))
    order = (2, 0, 1)
    again = appearance(problem(turned(thick, order), turned(sharp, order)))
    assert again == pytest.approx(plain, rel=1e-5)


def test_noise_is_rough_blur_is_smooth_and_steps_are_flat(thick, sharp):
    plain, rough = (appearance(problem(v, sharp)) for v in (thick, static(thick)))
    assert rough["smoothness"] == pytest.approx(-0.5, abs=0.1)
    assert rough["tails"] < 0.5
    assert rough["gradient"] > plain["gradient"]
    levels = Volume(np.round(thick.array / 250).astype(np.float32) * 250, thick.geometry)
    assert appearance(problem(levels, sharp))["flat"] > 2 * plain["flat"] + 0.1
    hazy = Volume(np.maximum(thick.array, 90), thick.geometry)
    assert appearance(problem(hazy, sharp))["air_level"] == pytest.approx(0.09, abs=0.005)


def test_an_image_of_head_alone_or_of_air_alone_has_figures(thick, sharp):
    full = Volume(thick.array * 0 + 500 + thick.array * 0.1, thick.geometry)
    empty = Volume(thick.array * 0.01, thick.geometry)
    for some in (full, empty):
        assert np.isfinite(list(appearance(problem(some, sharp)).values())).all()


def answer(given, proposal):
    return answered(given, condition_on(given.quiet, given.operator), proposal, None)


def test_what_the_data_do_not_see_contradicts_nothing_and_what_they_see_does(thick, sharp):
    given = problem(thick, sharp)
    noise = torch.randn((1, 1, *given.operator.fine.shape), generator=torch.Generator().manual_seed(0))
    zero = torch.zeros_like(given.y)
    hidden = project(noise, zero, given.operator, weight=1e-6)
    seen = noise - hidden
    assert answer(given, hidden)["contradiction"] < 0.05
    assert answer(given, seen)["contradiction"] > 0.3
    small, large = (answer(given, factor * hidden)["correction"] for factor in (1, 4))
    assert large == pytest.approx(small + 2)


def test_what_the_noise_explains_is_no_contradiction(thick, sharp):
    drawn = np.random.default_rng(0).normal(0, 50, thick.array.shape)
    rough = Volume((thick.array + drawn).astype(np.float32), thick.geometry)
    clean, noisy = problem(thick, sharp), problem(rough, sharp, noise=50.0)
    truth = torch.from_numpy(np.ascontiguousarray(sharp.array / 1000))[None, None]
    for given in (clean, noisy):
        condition = condition_on(given.quiet, given.operator, noise=given.noise)
        told = answered(given, condition, (truth - condition.base) / condition.scale, None)
        assert told["contradiction"] == pytest.approx(0, abs=0.1)
    deaf = problem(rough, sharp, noise=0.0)
    condition = condition_on(deaf.quiet, deaf.operator)
    assert answered(deaf, condition, (truth - condition.base) / condition.scale, None)["contradiction"] > 0.2


def test_listening_changes_nothing_and_keeps_the_first_answer():
    heard: list[torch.Tensor] = []
    denoiser = overheard(lambda r, t: r + t, heard)
    first, second = (denoiser(torch.full((1,), value), torch.ones(1)) for value in (1.0, 5.0))
    assert (first, second) == (torch.tensor([2.0]), torch.tensor([6.0]))
    assert heard == [torch.tensor([2.0])]


def test_the_first_answer_is_the_networks_own_not_the_one_that_agrees(enhanced):
    assert enhanced.residual_after < 1e-3
    assert enhanced.provenance["familiarity"]["contradiction"] > 0.05


def test_the_shipped_card_knows_heads_and_not_noise(thick, sharp):
    card = read_card("sr-brain")
    usual = card["familiar"]["usual"]
    assert set(usual) == set(FEATURES)
    for low, high in usual.values():
        assert high is not None
        assert low is None or low < high
    assert familiarity_warnings(appearance(problem(static(thick), sharp)), card)
