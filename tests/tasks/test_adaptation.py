"""Adapting is seeded and bounded, tells what it did and gained, and is not used where it gained nothing."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from medidiff.errors import ResourceError, UsageError
from medidiff.models import Model, Pairs, build_network
from medidiff.tasks import Adapting, adapter, rehearse, simulate_thick_slices
from medidiff.tasks.adapter import SHARES, Adapter
from medidiff.tasks.exam import parts_of
from medidiff.tasks.example import Example
from medidiff.tasks.posing import posed
from medidiff.tasks.tuning import Tuning
from medidiff.volume import Volume
from tests.toy import CARD

CPU = torch.device("cpu")
FEW = Adapting(steps=3, rate=2e-3)


@pytest.fixture
def adapted(enhance, thick, hopeful):
    return enhance(thick, adapt=FEW)


@pytest.fixture
def mistaken(model):
    """The tiny model, all of whose answers are too high."""
    network = copy.deepcopy(model.network)
    *_, bias = (p for name, p in network.named_parameters() if name.startswith("unet.out") and name.endswith("bias"))
    bias.data += 2
    return Model(network, {**model.card, "blind_start": True})


@pytest.fixture
def example(thick, sharp):
    return Example(torch.from_numpy(sharp.array / 1000), posed(thick, CPU, noise=0).problem.operator, 0.0)


@pytest.fixture
def hopeless(monkeypatch):
    """Whatever is learnt, the held-out part does not show it."""
    monkeypatch.setattr(adapter, "score", lambda exam, answer: 30.0)


def told(result):
    return result.provenance["adaptation"]


def test_an_adapted_result_agrees_with_the_measurement_and_differs_from_the_plain_one(adapted, enhanced):
    assert adapted.residual_after <= 1e-3
    assert np.abs(adapted.volume.array - enhanced.volume.array).max() > 1


def test_the_record_tells_what_was_done_and_gained(adapted):
    record = json.loads(json.dumps(told(adapted)))
    assert record["used"] is True
    assert record["gain_db"] == 1.5
    assert record["held_out_psnr_db"] == {"plain": 30.0, "adapted": 31.5}
    assert {"steps": 3, "rate": 2e-3, "learnt_from": 1, "patches_per_step": 2, "seed": 0}.items() <= record.items()
    assert record["seconds"] > 0
    assert record["parameters"] == sum(p.numel() for p in build_network(CARD).parameters())


def test_without_it_nothing_is_recorded(enhanced):
    assert "adaptation" not in enhanced.provenance


def test_the_same_seed_and_steps_give_the_same_result_and_others_do_not(adapted, enhance, thick):
    def array(**options):
        return enhance(thick, **options).volume.array

    assert np.array_equal(array(adapt=FEW), adapted.volume.array)
    assert not np.array_equal(array(adapt=replace(FEW, steps=4)), adapted.volume.array)
    assert not np.array_equal(array(adapt=FEW, seed=1), adapted.volume.array)


@pytest.mark.usefixtures("hopeful")
def test_steps_that_ended_by_the_clock_can_be_repeated_by_their_number(enhance, thick, monkeypatch):
    monkeypatch.setattr(adapter, "FEWEST", 1)
    timed = enhance(thick, adapt=replace(FEW, steps=None, seconds=0.5))
    assert told(timed)["steps"] >= 1
    assert told(timed)["seconds"] < 5
    again = enhance(thick, adapt=replace(FEW, steps=told(timed)["steps"]))
    assert np.array_equal(again.volume.array, timed.volume.array)


def test_the_model_that_was_given_stays_as_it_is(enhance, thick, model):
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    enhance(thick, adapt=FEW)
    assert all(torch.equal(value, before[name]) for name, value in model.network.state_dict().items())
    assert not any(p.requires_grad or p.grad is not None for p in model.network.parameters())


@pytest.mark.usefixtures("hopeless")
def test_where_nothing_is_gained_the_result_is_the_plain_one_and_that_is_said(enhance, thick, enhanced):
    result = enhance(thick, adapt=FEW)
    assert np.array_equal(result.volume.array, enhanced.volume.array)
    assert told(result)["used"] is False
    assert told(result)["steps"] == 3
    assert any("the model was not adapted: +0.000 dB" in line for line in result.provenance["warnings"])


@pytest.mark.parametrize(
    ("gain", "many", "used"), [(0.09, 4, False), (0.11, 4, True), (0.19, 3, False), (0.21, 3, True)]
)
def test_a_gain_that_may_be_chance_is_none_and_more_is_needed_after_many_steps(
    gain, many, used, model, example, monkeypatch
):
    monkeypatch.setattr(adapter, "MANY", many)
    scores = iter((30.0, *(30.0 + gain,) * len(SHARES)))
    monkeypatch.setattr(adapter, "score", lambda exam, answer: next(scores))
    found = Adapter(model, FEW, CPU)([example])
    assert found.record["used"] is used
    assert (found.model is model) is not used


@pytest.mark.parametrize(
    ("gains", "many", "used"),
    [
        ((0.16, 0.23, 0.20, 0.04), 3, False),
        ((0.19, 0.29, 0.33, 0.29), 3, True),
        ((0.16, 0.23, 0.20, 0.04), 4, True),
    ],
)
def test_after_many_steps_all_of_the_way_must_gain_too(gains, many, used, model, example, monkeypatch):
    monkeypatch.setattr(adapter, "MANY", many)
    scores = iter((30.0, *(30.0 + gain for gain in gains)))
    monkeypatch.setattr(adapter, "score", lambda exam, answer: next(scores))
    found = Adapter(model, FEW, CPU)([example])
    assert found.record["used"] is used
    assert found.record["share"] == SHARES[gains.index(max(gains))]
    assert found.record["gain_all_the_way_db"] == gains[-1]
    assert (found.record.get("reason", "").startswith("+0.040 dB all of the way")) is not used


@pytest.mark.parametrize("good", [0, 1])
def test_answers_that_are_no_numbers_are_never_used(good, model, example, monkeypatch):
    scores = iter((30.0, *(31.0,) * good, *(float("nan"),) * (len(SHARES) - good)))
    monkeypatch.setattr(adapter, "score", lambda exam, answer: next(scores))
    found = Adapter(model, FEW, CPU)([example])
    assert found.record["used"] is bool(good)
    assert found.record["share"] == (SHARES[0] if good else SHARES[-1])
    assert "NaN" not in json.dumps(found.record)


def test_an_image_sharp_along_no_axis_is_enhanced_plainly_and_that_is_said(enhance, sharp):
    low = Volume(sharp.array[::2, ::2, ::2], sharp.geometry.reshaped((12, 11, 12)))
    plain, result = enhance(low, spacing=1), enhance(low, spacing=1, adapt=FEW)
    assert np.array_equal(result.volume.array, plain.volume.array)
    assert told(result) == {"used": False, "reason": "too small, or no axis is sharp: nothing to learn"}
    assert any("nothing to learn" in line for line in result.provenance["warnings"])


def test_a_noisy_scan_is_learnt_from_with_its_noise(enhance, sharp):
    noisy = simulate_thick_slices(sharp, spacing=4, axis="z", noise=40, seed=1)
    result = enhance(noisy, noise=None, adapt=FEW)
    assert told(result)["steps"] == 3
    allowed = 40 * np.sqrt(noisy.array.size) / np.linalg.norm(noisy.array)
    assert result.residual_after <= 1.2 * allowed


def test_no_time_is_said_before_anything_is_done(enhance, thick, model):
    with pytest.raises(ResourceError, match=r"no time to adapt the model .* for 20 steps here.*do not adapt"):
        enhance(thick, adapt=Adapting(seconds=1e-3))
    with pytest.raises(ResourceError, match="no time to adapt"):
        rehearse(model, Adapting(seconds=1e-3), device="cpu")
    rehearse(model, Adapting(), device="cpu")


def test_patches_that_do_not_fit_the_memory_are_fewer_or_smaller(model, example, monkeypatch):
    original = Tuning.loss

    def short_of_memory(self, pairs, asked, *, half):
        if pairs.residual.numel() > 16**3:
            raise torch.OutOfMemoryError
        return original(self, pairs, asked, half=half)

    monkeypatch.setattr(Tuning, "loss", short_of_memory)
    found = Adapter(model, FEW, CPU)([example])
    assert found.record["patches_per_step"] == 1


@pytest.mark.parametrize(
    "options", [{"steps": 0}, {"seconds": 0.0}, {"seconds": -1.0}, {"rate": 0.0}, {"patches": 0}, {"size": -8}], ids=str
)
def test_adapting_for_nothing_is_refused(options):
    with pytest.raises(UsageError, match="to adapt must be"):
        Adapting(**options)


def test_a_scan_has_its_seconds_unless_steps_are_told():
    assert Adapting().bound(CPU) == 300
    assert Adapting().bound(torch.device("cuda")) == 20
    assert Adapting().bound(CPU, scans=3) == 900
    assert Adapting(steps=5).bound(CPU) == np.inf
    assert Adapting(steps=5, seconds=7).bound(CPU, scans=3) == 7


def test_a_device_has_its_pace_where_none_is_told():
    gpu = torch.device("cuda")
    assert tuple(Adapting().pace(CPU)) == (1e-4, 2, 48)
    assert tuple(Adapting().pace(gpu)) == (3e-4, 12, 64)
    assert tuple(Adapting(rate=1e-3, patches=5, size=32).pace(gpu)) == (1e-3, 5, 32)


def test_the_record_tells_the_pace(model, example):
    roomy = Model(model.network, {**model.card, "tile": 96})
    assert Adapter(roomy, Adapting(steps=1), CPU).size == 48
    record = Adapter(roomy, Adapting(steps=1, size=16, patches=3), CPU)([example]).record
    assert (record["rate"], record["patches_per_step"], record["size"]) == (1e-4, 3, 16)


def test_samples_are_learnt_for_where_they_are_asked_for(enhance, thick):
    sampled = enhance(thick, adapt=FEW, samples=2)
    assert told(sampled)["again"] == 0.5
    assert sampled.uncertainty is not None
    assert sampled.residual_after <= 1e-3


def test_the_spread_of_an_adapted_model_is_said_not_to_be_calibrated(adapted, enhance, thick, hopeful):
    said = "the model was adapted: its spread"
    sampled = enhance(thick, adapt=FEW, samples=2)
    assert any(line.startswith(said) for line in sampled.provenance["warnings"])
    others = (adapted, enhance(thick, samples=2))
    assert not any(line.startswith(said) for result in others for line in result.provenance["warnings"])


@pytest.mark.usefixtures("hopeful")
def test_what_is_learnt_from_may_have_the_texture_of_a_sample(adapted, enhance, thick):
    textured = enhance(thick, adapt=replace(FEW, texture=1.0))
    assert told(textured)["texture"] == 1.0
    assert not np.array_equal(textured.volume.array, adapted.volume.array)


def test_progress_rises_to_one(enhance, thick):
    seen: list[float] = []
    enhance(thick, adapt=FEW, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)


def seen_by(monkeypatch):
    """What each step is asked: noisy images and times."""
    seen = []
    original = Tuning.step

    def spied(self, pairs, asked, **how):
        seen.append(asked)
        return original(self, pairs, asked, **how)

    monkeypatch.setattr(Tuning, "step", spied)
    return seen


@pytest.mark.parametrize(("start", "blind"), [(0, [True] * 3), (2, [False, False, True])])
def test_the_mean_is_asked_of_zeros_after_a_noisy_start(start, blind, model, example, monkeypatch):
    knowing = Model(model.network, {**model.card, "blind_start": True})
    seen = seen_by(monkeypatch)
    Adapter(knowing, replace(FEW, noisy_start=start), CPU)([example])
    assert [not x.any() for x, _, _ in seen] == blind
    assert all((t == 1).all() for _, _, t in seen)


def test_a_network_that_is_wrong_about_the_scan_is_put_right_by_it(mistaken, example):
    record = Adapter(mistaken, Adapting(steps=25, rate=2e-2, noisy_start=5), CPU)([example]).record
    assert record["used"] is True
    assert record["gain_db"] > 1


def test_other_heads_may_be_learnt_from_beside_the_scan(model, example):
    asked_for = []

    def general(step, many, size):
        asked_for.append((step, many, size))
        return ready._drawn(parts_of([example], 8), 100 + step, many)

    ready = Adapter(model, FEW, CPU)
    found = ready([example], general=general)
    assert asked_for[:3] == [(step, 1, 16) for step in range(3)]
    assert found.record["steps"] == 3


@pytest.mark.usefixtures("hopeful")
def test_only_the_parameters_that_are_named_are_tuned(model, example):
    found = Adapter(model, replace(FEW, tuned=r"^unet\.out"), CPU)([example]).model.network.state_dict()
    moved = {name for name, value in model.network.state_dict().items() if not torch.equal(value, found[name])}
    assert moved
    assert all(name.startswith("unet.out") for name in moved)
    with pytest.raises(UsageError, match="no parameters to tune"):
        Tuning(model.network, rate=1, warm_up=1, tuned="nothing is called so")


def test_the_average_is_of_the_weights_passed_and_forgets_the_first(model):
    tuning = Tuning(model.network, rate=1e-2, warm_up=1, tuned=r"^unet\.out.*bias")
    pairs = Pairs(torch.ones(1, 1, 8, 8, 8), torch.ones(1, 4, 8, 8, 8), torch.ones(1, 11))
    asked = torch.zeros(1, 1, 8, 8, 8), -pairs.residual, torch.ones(1)
    first = tuning.parameters[0].detach().clone()
    losses = [tuning.step(pairs, asked) for _ in range(6)]
    assert losses == sorted(losses, reverse=True)
    last = tuning.parameters[0].detach().clone()
    (name,) = [n for n, p in tuning.network.named_parameters() if p is tuning.parameters[0]]
    mean = tuning.blended(1.0).get_parameter(name).clone()
    assert ((mean - first).abs() > 0).any()
    assert (mean - first).norm() < (last - first).norm()
    torch.testing.assert_close(tuning.blended(0.25).get_parameter(name), first + 0.25 * (mean - first))
    assert torch.equal(tuning.blended(0.0).get_parameter(name), model.network.get_parameter(name))


@pytest.mark.parametrize("best", SHARES)
def test_of_all_shares_of_the_way_the_one_that_is_best_where_it_has_not_learnt_is_taken(
    best, model, example, monkeypatch
):
    seen: list[dict[str, torch.Tensor]] = []

    def scored(exam, answer):
        seen.append({name: value.clone() for name, value in answer.args[0].state_dict().items()})
        return 31.0 if len(seen) == 2 + SHARES.index(best) else 30.0

    monkeypatch.setattr(adapter, "score", scored)
    found = Adapter(model, FEW, CPU)([example])
    assert found.record["share"] == best
    for name, value in found.model.network.state_dict().items():
        torch.testing.assert_close(value, torch.lerp(seen[0][name], seen[-1][name], best))


def test_the_more_loyal_to_what_it_was_the_less_a_network_changes(mistaken, example):
    def moved(loyalty):
        found = Adapter(mistaken, replace(FEW, steps=8, rate=2e-2, loyalty=loyalty), CPU)([example])
        return sum(
            float((a - b).square().sum())
            for a, b in zip(found.model.network.parameters(), mistaken.network.parameters(), strict=True)
        )

    free, loyal = moved(0.0), moved(1e6)
    assert loyal < 0.5 * free


def test_what_is_learnt_lies_between_the_truth_and_the_answer_from_before(model):
    pairs = Pairs(torch.ones(1, 1, 8, 8, 8), torch.ones(1, 4, 8, 8, 8), torch.ones(1, 11))
    asked = torch.zeros(1, 1, 8, 8, 8), -pairs.residual, torch.ones(1)

    def loss(loyalty):
        tuning = Tuning(model.network, rate=1e-2, warm_up=1, loyalty=loyalty)
        return float(tuning.loss(pairs, asked, half=False))

    assert loss(1.0) == pytest.approx(loss(0.0) / 4)
