"""Training resumes bit for bit, leaves a model that works, and refuses what it cannot use."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from medidiff.errors import InputError, ModelError, UsageError
from medidiff.models import load_model
from medidiff.training import read_recipe, train


def weights(folder):
    return load_file(folder / "model.safetensors")


def checkpoint(folder):
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def test_a_stopped_training_goes_on_bit_for_bit(recipe):
    whole = train(recipe("whole"), device="cpu")
    stopped = recipe("stopped")
    train(stopped, device="cpu", stop_after=2)
    resumed = train(stopped, device="cpu")
    for part in ("network", "average"):
        one, other = checkpoint(whole)[part], checkpoint(resumed)[part]
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert json.loads((resumed / "card.json").read_text())["training_steps"] == 4


def test_a_training_killed_between_checkpoints_goes_on_from_the_last(recipe):
    whole = train(recipe("whole", steps=5), device="cpu")
    killed = recipe("killed", steps=5)

    def kill(line):
        raise KeyboardInterrupt

    train(killed, device="cpu", stop_after=2)
    with pytest.raises(KeyboardInterrupt):
        train(killed, device="cpu", progress=kill)
    resumed = train(killed, device="cpu")
    assert all(torch.equal(v, weights(resumed)[k]) for k, v in weights(whole).items())


def test_training_moves_the_weights_and_fresh_starts_anew(recipe):
    path = recipe(steps=2)
    first = weights(train(path, device="cpu"))
    again = weights(train(path, device="cpu", resume=False))
    assert all(torch.equal(first[name], again[name]) for name in first)
    longer = weights(train(recipe("longer", steps=6), device="cpu"))
    assert any(not torch.equal(first[name], longer[name]) for name in first)


def test_the_trained_folder_is_a_model(recipe):
    model = load_model(train(recipe(steps=2), device="cpu"))
    assert model.label == "tiny 0"


def test_a_model_is_trained_further_from_its_weights(recipe):
    first = train(recipe("first", steps=2), device="cpu")

    def apart(name, more):
        path = recipe(name, steps=1)
        path.write_text(path.read_text().replace("seed = 7", "seed = 8").replace("warm_up = 2", f"warm_up = 2\n{more}"))
        found = weights(train(path, device="cpu"))
        return sum(float((found[name] - value).abs().sum()) for name, value in weights(first).items())

    further = apart("further", f'start = "../{first.parent.name}/{first.name}"')
    assert 0 < further < 0.1 * apart("scratch", "")


def test_weights_of_another_network_are_refused(recipe):
    first = train(recipe("first", steps=1), device="cpu")
    path = recipe("further", steps=1)
    text = path.read_text().replace("warm_up = 2", f'warm_up = 2\nstart = "{first}"')
    path.write_text(text.replace("channels = [16, 32]", "channels = [16, 64]"))
    with pytest.raises(ModelError, match="model to start from has another network"):
        train(path, device="cpu")


def test_a_network_that_is_shown_more_may_start_from_one_that_was_shown_less(recipe):
    first = train(recipe("first", steps=2), device="cpu")
    path = recipe("wider", steps=2)
    text = path.read_text().replace("warm_up = 2", f'warm_up = 2\nstart = "{first}"')
    path.write_text(text.replace("block_size = 2", "block_size = 2\nmaps = 6"))
    model = load_model(train(path, device="cpu"))
    assert model.network.maps == 6
    assert load_model(first).network.maps == 4


@pytest.fixture
def noised(monkeypatch):
    """What each step made of its pairs: residual, noisy residual, velocity and time."""
    from medidiff.training import loop

    seen: list[tuple[torch.Tensor, ...]] = []
    original = loop._noised

    def spied(r0, *others):
        seen.append((r0, *original(r0, *others)))
        return seen[-1][1:]

    monkeypatch.setattr(loop, "_noised", spied)
    return seen


def test_regression_sees_no_noise(recipe, noised):
    train(recipe(kind="regression", steps=1), device="cpu")
    residual, x, v, t = noised[0]
    assert not x.any()
    assert torch.equal(v, -residual)
    assert torch.equal(t, torch.ones_like(t))


def test_regression_may_start_as_a_diffusion(recipe, noised):
    path = recipe(kind="regression", steps=3)
    path.write_text(path.read_text().replace("warm_up = 2", "warm_up = 2\nnoisy_start = 2"))
    train(path, device="cpu")
    assert [bool(x.any()) for _, x, _, _ in noised] == [True, True, False]


def test_again_learns_every_mean_from_nothing_and_a_share_once_more_from_noise(recipe, noised):
    path = recipe(steps=1)
    path.write_text(path.read_text().replace("warm_up = 2", "warm_up = 2\nagain = 0.5"))
    model = load_model(train(path, device="cpu"))
    (all_of_them, blank, _, ones), (some, noisy, _, times) = noised
    assert not blank.any()
    assert torch.equal(ones, torch.ones(len(all_of_them)))
    assert torch.equal(some, all_of_them[::2])
    assert noisy.any()
    assert (times < 1).all()
    assert model.card["blind_start"] is True


def test_times_of_a_skewed_schedule_are_powers_of_those_of_an_even_one(recipe, noised):
    for skew in (1.0, 2.0):
        path = recipe(f"skew-{skew:g}", steps=1)
        path.write_text(path.read_text().replace("warm_up = 2", f"warm_up = 2\nagain = 0.5\nskew = {skew}"))
        train(path, device="cpu")
    _, (_, _, _, even), _, (_, _, _, skewed) = noised
    torch.testing.assert_close(skewed, even**2)


@pytest.mark.parametrize("skew", ["0.0", "-1.0"])
def test_schedules_without_times_are_refused(recipe, skew):
    path = recipe()
    path.write_text(path.read_text().replace("warm_up = 2", f"warm_up = 2\nskew = {skew}"))
    with pytest.raises(UsageError, match="'skew' in the recipe makes no sense"):
        train(path, device="cpu")


def test_again_may_start_from_noise_too(recipe, noised):
    path = recipe(steps=3)
    path.write_text(path.read_text().replace("warm_up = 2", "warm_up = 2\nagain = 0.5\nnoisy_start = 2"))
    train(path, device="cpu")
    assert [bool(x.any()) for _, x, _, _ in noised[::2]] == [True, True, False]
    assert all(bool((t == 1).all()) for _, _, _, t in noised[::2])


def test_validation_goes_through_the_task(recipe):
    extra = '[validation]\nfiles = ["head_0.nii.gz"]\naxes = [2]\nevery = 1\nspacing = 3.0\n'
    lines: list[Mapping[str, Any]] = []
    train(recipe(steps=1, extra=extra), device="cpu", progress=lines.append)
    (score,) = [line["head_0.nii.gz"] for line in lines if "head_0.nii.gz" in line]
    assert np.isfinite(score)


def test_what_a_recipe_does_not_know_is_refused(recipe, tmp_path):
    path = recipe()
    path.write_text(path.read_text().replace("patch = 16", "pitch = 16"))
    with pytest.raises(UsageError, match="unknown pitch"):
        read_recipe(path)
    path.write_text("seed = 1\n")
    with pytest.raises(UsageError, match="no 'data'"):
        read_recipe(path)
    path.write_text("seed = = 1\n")
    with pytest.raises(UsageError, match="cannot be read"):
        read_recipe(path)


def test_a_folder_without_the_volumes_is_refused(recipe, tmp_path):
    with pytest.raises(InputError, match="no training volumes"):
        train(recipe(), device="cpu", data=tmp_path)


@pytest.mark.parametrize(
    ("old", "new"), [("channels = [16, 32]", "channels = [32, 32]"), ("seed = 7", "seed = 8"), ('"0"', '"1"')]
)
def test_a_checkpoint_of_another_recipe_is_refused(recipe, old, new):
    path = recipe(steps=2)
    train(path, device="cpu")
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ModelError, match="another recipe"):
        train(path, device="cpu")


def test_a_training_that_went_further_is_not_stopped_before(recipe):
    path = recipe(steps=4)
    folder = train(path, device="cpu")
    before = (folder / "model.safetensors").stat().st_mtime_ns
    for steps in (0, 2):
        with pytest.raises(UsageError, match=f"4 steps.*{steps} or less.*--fresh"):
            train(path, device="cpu", stop_after=steps)
    assert (folder / "model.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize("share", ["again = 1.5", "pure_noise = -0.1", "hard = 2"])
def test_shares_are_between_none_and_all(recipe, share):
    path = recipe()
    path.write_text(path.read_text().replace("patch = 16", f"patch = 16\n{share}"))
    with pytest.raises(UsageError, match=f"'{share.split()[0]}'.*0 to 1"):
        read_recipe(path)
