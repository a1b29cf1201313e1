"""Planes are measured as a scanner would, learnt from in passes, and closer to the truth after each good answer."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from medidiff.errors import UsageError
from medidiff.models import as_complex, load_model, plane_view, residual_unit
from medidiff.training import read_recipe, train
from medidiff.training import scans as training_scans
from medidiff.training.heads import load_heads
from medidiff.training.lessons import lessons
from medidiff.training.receivers import COUNTS, UNRULY, Receivers, drawn_mask, drawn_phase
from medidiff.training.scans import draw_scans
from medidiff.training.team import Team

CPU = torch.device("cpu")


def power(x):
    return float(x.abs().square().sum())


@pytest.fixture(scope="module")
def receivers():
    return Receivers.stock(CPU, edge=48, arrays=2, masks=3)


@pytest.fixture
def path(kspace_recipe):
    return kspace_recipe


@pytest.fixture
def scans(path, receivers):
    heads = load_heads(read_recipe(path()), CPU)

    def draw(seed=1, **told):
        return draw_scans(heads, receivers, seed=(seed, 0), **({"groups": 2, "patches": 3, "size": 48} | told))

    return draw


@pytest.mark.parametrize("coils", [1, *COUNTS])
def test_sensitivities_are_smooth_and_of_unit_size(receivers, coils):
    maps = receivers.maps(np.random.default_rng(0), coils, (3, 40, 36), millimetres=4)
    assert maps.shape == (coils, 3, 40, 36)
    torch.testing.assert_close(torch.linalg.vector_norm(maps, dim=0), torch.ones(3, 40, 36))
    for dim in (-1, -2):
        assert maps.diff(dim=dim).abs().max() < 0.5


def test_phases_are_smooth_but_for_a_region_of_some():
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    phases = [drawn_phase(rng, generator, (2, 80, 72), CPU) for _ in range(100)]
    assert all(phase.shape == (2, 80, 72) for phase in phases)
    steps = torch.stack([phase.diff(dim=-1).abs() for phase in phases])
    assert 0.05 < float((steps.flatten(1).amax(1) > 0.6).float().mean()) < UNRULY + 0.1
    assert float((steps > 0.6).float().mean()) < 0.05
    assert float(steps.flatten(1).quantile(0.5, dim=1).max()) < 0.5


@pytest.mark.parametrize("share", [0, 1])
def test_tissues_may_differ_in_phase(scans, monkeypatch, share):
    monkeypatch.setattr(training_scans, "TINTED", share)
    monkeypatch.setattr(training_scans, "COILS", (1,))
    monkeypatch.setattr(training_scans, "ODDS", (1.0,))
    monkeypatch.setattr(training_scans, "drawn_phase", lambda rng, noise, shape, device: torch.zeros(shape))
    target = scans(groups=1).target
    per_brightness = (target.angle() / target.abs())[target.abs() > 0.2]
    assert float(per_brightness.std()) < 1e-4
    assert (abs(float(per_brightness.mean())) > 1e-3) == share


def test_masks_keep_the_middle_and_leave_out_the_rest(receivers):
    rng = np.random.default_rng(0)
    for coils in (1, 8):
        for _ in range(30):
            mask = drawn_mask(rng, receivers, (48, 36), coils=coils)
            assert mask.shape in ((1, 36), (48, 36))
            assert mask[len(mask) // 2, 18]
            assert 1.2 < mask.numel() / int(mask.sum()) < 16


@pytest.mark.parametrize(("hard", "least", "most"), [(0.0, 0.2, 0.45), (0.6, 0.6, 0.85), (1.0, 1.0, 1.0)])
def test_lines_are_as_often_hard_as_the_recipe_says(receivers, hard, least, most):
    rng, told = np.random.default_rng(0), replace(receivers, hard=hard)
    masks = [drawn_mask(rng, told, (1, 320), coils=8) for _ in range(600)]
    lines = [mask.numel() / int(mask.sum()) for mask in masks if mask.shape == (1, 320)]
    assert least <= np.mean(np.array(lines) > 5.5) <= most


def test_a_single_coil_is_never_hard(receivers):
    one, other = (
        [drawn_mask(rng, replace(receivers, hard=hard), (48, 64), coils=1) for _ in range(20)]
        for hard, rng in ((0.0, np.random.default_rng(3)), (1.0, np.random.default_rng(3)))
    )
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_recipe_tells_how_often_lines_are_hard(path, monkeypatch):
    made, stock = [], Receivers.stock

    def noted(*args, **told):
        made.append(told["hard"])
        return stock(*args, **told)

    monkeypatch.setattr(Receivers, "stock", noted)
    recipe = path()
    recipe.write_text(recipe.read_text().replace("passes = 2\nagain", "passes = 2\nhard = 0.4\nagain", 1))
    train(recipe, stop_after=2, device="cpu")
    assert made == [0.4]


def test_the_same_seed_draws_the_same(scans):
    one, same, other = (scans(seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.agree.y, same.agree.y)
    assert one.agree.y.shape != other.agree.y.shape or not torch.equal(one.agree.y, other.agree.y)


def test_shapes_are_what_the_network_takes(scans):
    batch = scans()
    pairs = batch.pairs()
    many, _, a, b = pairs.residual.shape
    assert many == 6
    assert pairs.maps.shape == (many, 10, a, b)
    assert pairs.numbers.shape == (many, 4)


@pytest.mark.parametrize("seed", range(6))
def test_the_target_explains_the_data_and_the_first_image_is_not_it(scans, seed):
    batch = scans(seed)
    y, operator = batch.agree.y, batch.agree.operator
    assert power(operator.forward(batch.target) - y) < 0.5 * power(y)
    assert power(batch.image - batch.target) > 0


@pytest.mark.parametrize("seed", range(4))
def test_a_right_answer_makes_the_target_the_next_image(scans, seed):
    batch = scans(seed)
    pairs = batch.pairs()
    better = batch.refined(-pairs.residual)
    assert better.passes == 1
    assert power(better.image - batch.target) < 0.3 * power(batch.image - batch.target)
    assert better.pairs().numbers[:, -1].eq(1).all()


@pytest.mark.parametrize(("passes", "share"), [(0, 1.0), (2, 1.0), (3, 0.5), (6, 0.5)])
def test_the_next_image_lies_beyond_the_answers_of_later_passes(scans, passes, share):
    batch = replace(scans(stride=2.0), passes=passes)
    better = batch.refined(-share * batch.pairs().residual)
    assert power(better.image - batch.target) < 0.3 * power(batch.image - batch.target)


def test_no_answer_leaves_the_image_near_where_it_was(scans):
    batch = scans()
    same = batch.refined(torch.zeros_like(batch.pairs().residual))
    assert power(same.image - batch.target) < 1.2 * power(batch.image - batch.target)


def test_the_network_learns_the_residual_that_inference_asks_for(scans):
    batch, place = scans(), 0
    pairs = batch.pairs()
    for acceleration, noise, _, alone in batch.told:
        some = slice(place, place + batch.planes)
        unit = residual_unit(acceleration=acceleration, noise=noise, refined=0)
        image, target = (x[some, 0, ..., 0] / batch.bright[some, 0, ..., 0] for x in (batch.image, batch.target))
        maps, turn = plane_view(image, unit=unit, alone=alone)
        torch.testing.assert_close(pairs.maps[some], maps)
        torch.testing.assert_close(as_complex(pairs.residual[some]) * unit, (target - image) * turn)
        place += batch.planes


def test_a_stopped_training_goes_on_bit_for_bit(path):
    whole = train(path("whole"), device="cpu")
    train(path("stopped"), device="cpu", stop_after=2)
    resumed = train(path("stopped"), device="cpu")
    one, other = (torch.load(folder / "checkpoint.pt", weights_only=True)["network"] for folder in (whole, resumed))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert load_model(resumed).card["task"] == "reconstruction"


def residuals(file):
    """Of five passes, each from half of the right answer to the one before."""
    given: list[torch.Tensor] = []
    for _, pairs in lessons(read_recipe(file), Team(CPU), 0, 5, lambda: -0.5 * given[-1]):
        given.append(pairs.residual)
    return given


def test_a_recipe_tells_how_far_later_passes_go(path, receivers, monkeypatch):
    monkeypatch.setattr(Receivers, "stock", lambda *place, **told: receivers)
    found = []
    for stride in ("1.0", "2.0"):
        file = path(steps=5)
        text = file.read_text().replace("passes = 2\nagain", f"passes = 5\nstride = {stride}\nagain")
        file.write_text(text.replace("checkpoint_every = 2", "checkpoint_every = 5"))
        found.append(residuals(file))
    same = [torch.equal(one, other) for one, other in zip(*found, strict=True)]
    assert same == [True, True, True, True, False]


@pytest.mark.parametrize("stride", ["0.5", "2.5"])
def test_passes_that_could_run_away_are_not_trained_for(path, stride):
    file = path()
    file.write_text(file.read_text().replace("passes = 2\nagain", f"passes = 2\nstride = {stride}\nagain"))
    with pytest.raises(UsageError, match="'stride' in the recipe makes no sense"):
        read_recipe(file)


def test_training_does_not_stop_between_passes(path):
    with pytest.raises(UsageError, match="whole passes"):
        train(path(), device="cpu", stop_after=3)


def test_validation_reconstructs(path):
    extra = '[validation]\nfiles = ["head_0.nii.gz"]\naxes = [2]\nevery = 2\nacceleration = 2\n'
    lines: list[Mapping[str, Any]] = []
    train(path(steps=2, extra=extra), device="cpu", progress=lines.append)
    (score,) = [line["head_0.nii.gz"] for line in lines if "head_0.nii.gz" in line]
    assert np.isfinite(score)
