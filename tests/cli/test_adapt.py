"""``enhance --adapt`` and ``medidiff adapt``: options reach the tasks, identities change, errors are one line."""

import json

import pytest

import medidiff.tasks
from medidiff.errors import ResourceError
from medidiff.models import Model, build_network
from medidiff.tasks import Adapting
from tests.bad_files import good
from tests.toy import CARD, make_model

DONE = {"steps": 7, "seconds": 1.5, "learnt_from": 2, "gain_db": 0.25}


@pytest.fixture
def rehearsals(monkeypatch):
    seen = []
    monkeypatch.setattr(medidiff.tasks, "rehearse", lambda model, adapt, **where: seen.append((adapt, where)))
    return seen


@pytest.fixture
def adapted(monkeypatch):
    """Replace the task; what it was called with is returned."""
    seen = []

    def adapt_model(volumes, model, **options):
        seen.append({"volumes": list(volumes), "model": model, **options})
        return Model(build_network(CARD), {**CARD, "version": "0+site", "adapted": DONE})

    monkeypatch.setattr(medidiff.tasks, "adapt_model", adapt_model)
    return seen


@pytest.fixture
def toy(tmp_path):
    return make_model(tmp_path / "toy")


def test_how_to_adapt_reaches_the_task_after_a_rehearsal(cli, calls, rehearsals, scans, tmp_path):
    command = ("enhance", "-i", scans / "a.nii.gz", "-o", tmp_path / "out", "--device", "cpu", "--adapt")
    assert cli(*command, "--adapt-seconds", "9", "--adapt-steps", "4").exit_code == 0
    assert calls[-1]["adapt"] == Adapting(seconds=9, steps=4)
    assert rehearsals == [(Adapting(seconds=9, steps=4), {"device": "cpu", "precision": "auto"})]


def test_without_it_nothing_is_adapted_or_rehearsed(cli, calls, rehearsals, scans, tmp_path):
    cli("enhance", "-i", scans / "a.nii.gz", "-o", tmp_path / "out")
    assert calls[-1]["adapt"] is None
    assert rehearsals == []


@pytest.mark.usefixtures("calls", "rehearsals")
def test_finished_cases_are_done_again_when_adapting_changes(cli, scans, tmp_path):
    command = ("enhance", "-i", scans, "-o", tmp_path / "out")
    cli(*command)
    for more in ((), ("--adapt-steps", "3"), ("--adapt-steps", "3", "--adapt-seconds", "9")):
        assert "2 done;" in cli(*command, "--adapt", *more).stderr
        assert "2 done before" in cli(*command, "--adapt", *more).stderr
    assert "2 done;" in cli(*command).stderr


@pytest.mark.usefixtures("calls", "rehearsals")
@pytest.mark.parametrize("option", ["--adapt-seconds", "--adapt-steps"])
def test_how_without_that_is_one_line(option, cli, scans, tmp_path):
    result = cli("enhance", "-i", scans, "-o", tmp_path / "out", option, "3")
    assert result.exit_code == 2
    assert result.stderr == "error: --adapt-seconds and --adapt-steps need --adapt; give it, too\n"


@pytest.mark.usefixtures("calls")
def test_no_time_to_adapt_is_one_line_before_any_case(cli, scans, tmp_path, monkeypatch):
    def refuse(model, adapt, **where):
        raise ResourceError("no time to adapt the model")

    monkeypatch.setattr(medidiff.tasks, "rehearse", refuse)
    result = cli("enhance", "-i", scans, "-o", tmp_path / "out", "--adapt")
    assert result.exit_code in (2, 4)
    assert "no time to adapt the model" in result.stderr
    assert not list((tmp_path / "out").glob("*.nii.gz"))


def test_a_folder_of_scans_becomes_a_folder_with_a_model(cli, adapted, scans, toy, tmp_path):
    out = tmp_path / "ours"
    options = ("--seconds", "60", "--steps", "9", "--label", "site", "--profile", "rect", "--slice-thickness", "3")
    result = cli("adapt", "-i", scans, "-o", out, "--model", toy, "--seed", "4", "--noise", "0", *options)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{out}\n"
    assert result.stderr == "toy 0+site: 7 steps in 2 s on 2 scans, +0.25 dB on parts not learnt from\n"
    card = json.loads((out / "card.json").read_text())
    assert card["adapted"] == DONE
    assert len(card["sha256"]) == 64
    (call,) = adapted
    assert len(call.pop("volumes")) == 2
    assert call.pop("adapt") == Adapting(seconds=60, steps=9, again=0.5)
    told = {"model": str(toy), "label": "site", "axis": "auto", "slice_thickness": 3, "profile": "rect", "noise": 0}
    assert call == told | {"seed": 4, "device": "auto", "precision": "auto", "general": None}


def test_the_data_of_a_recipe_are_learnt_from_too(cli, adapted, scans, toy, tmp_path):
    good(tmp_path / "heads" / "head.nii.gz", (40, 40, 40), (1, 1, 1))
    tables = '[optimisation]\nsteps = 1\n[[groups]]\nfiles = "*.nii.gz"\nsharp = [0]\nweight = 1.0\n[card]\n'
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f'data = "nowhere"\noutput = "run"\nseed = 1\n{tables}')
    more = ("--recipe", recipe, "--data", tmp_path / "heads", "--device", "cpu")
    assert cli("adapt", "-i", scans, "-o", tmp_path / "ours", "--model", toy, *more).exit_code == 0
    pairs = adapted[0]["general"](5, 3, 16)
    assert pairs.residual.shape == (3, 1, 16, 16, 16)


def test_scans_that_cannot_be_used_are_told_and_left_out(cli, adapted, scans, toy, tmp_path):
    good(scans / "sharp.nii.gz", spacing=(1, 1, 1))
    (scans / "broken.nii").write_bytes(b"x" * 400)
    result = cli("adapt", "-i", scans, "-o", tmp_path / "ours", "--model", toy, "-q")
    assert result.exit_code == 0
    assert len(adapted[0]["volumes"]) == 2
    assert "sharp.nii.gz: already at the target spacing" in result.stderr


def test_without_scans_nothing_is_written(cli, adapted, toy, tmp_path):
    good(tmp_path / "in" / "sharp.nii.gz", spacing=(1, 1, 1))
    result = cli("adapt", "-i", tmp_path / "in", "-o", tmp_path / "ours", "--model", toy)
    assert result.exit_code == 3
    assert result.stderr.splitlines()[-1].startswith("error: no scan to adapt to")
    assert adapted == []
    assert not (tmp_path / "ours").exists()


def test_a_model_is_not_written_over_unless_forced(cli, adapted, scans, toy):
    command = ("adapt", "-i", scans, "-o", toy, "--model", toy)
    refused = cli(*command)
    assert refused.exit_code == 2
    assert "there is a model already" in refused.stderr
    assert adapted == []
    assert cli(*command, "--force").exit_code == 0


def test_a_model_that_is_not_there_is_one_line(cli, adapted, scans, tmp_path):
    result = cli("adapt", "-i", scans, "-o", tmp_path / "ours", "--model", "none")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert adapted == []
