"""A model for a study: one for all scans, whose card tells where it comes from and names nobody."""

import json
from typing import Any

import numpy as np
import pytest
import torch

from medidiff import adapt_model
from medidiff.errors import AlreadySharp, InputError, UsageError
from medidiff.models import load_model, save_model
from medidiff.tasks import Adapting, adapter, super_resolve
from medidiff.volume import Volume

FEW = Adapting(steps=3, rate=2e-3)


@pytest.fixture
def scans(thick):
    """Two scans whose source names a person."""
    return [
        Volume(thick.array * k, thick.geometry, {**thick.meta, "source": "/home/jane/DOE_JANE.nii"}) for k in (1, 3)
    ]


@pytest.fixture
def adapt(model, hopeful):
    """``adapt_model`` with the tiny model, whose held-out scores rise."""

    def call(volumes, start=model, **options):
        told: dict[str, Any] = {"device": "cpu", "precision": "fp32", "noise": 0, "adapt": FEW} | options
        return adapt_model(volumes, start, **told)

    return call


def test_the_card_tells_where_the_weights_come_from_and_names_nobody(adapt, scans, model):
    card = json.loads(json.dumps(dict(adapt(scans, label="site-3").card)))
    assert (card["name"], card["version"]) == ("toy", "0+site-3")
    done = card["adapted"]
    assert done["from"] == {"name": "toy", "version": "0", "sha256": model.card["sha256"]}
    assert done["slices"] == ["4.00 mm apart, 4.00 mm thick, gaussian"]
    assert {"steps": 3, "gain_db": 1.5, "learnt_from": 2, "seed": 0}.items() <= done.items()
    assert not {"scores", "calibration"} & set(card)
    assert card["sha256"] == ""
    assert "not measured again" in card["limits"][-1]
    assert "jane" not in json.dumps(card).lower()


def test_what_is_adapted_again_says_so(adapt, scans, tmp_path):
    first = adapt(scans, label="a")
    saved = load_model(save_model(first.network.state_dict(), first.card, tmp_path / "a"))
    second = adapt(scans, start=saved, label="b")
    assert second.card["version"] == "0+a.b"
    assert second.card["adapted"]["from"]["version"] == "0+a"


def test_the_saved_folder_is_a_model_that_enhances(adapt, scans, thick, model, tmp_path):
    def run(which):
        return super_resolve(thick, which, device="cpu", precision="fp32", noise=0)

    adapted = adapt(scans)
    saved = save_model(adapted.network.state_dict(), adapted.card, tmp_path / "ours", exact=True)
    result = run(saved)
    assert result.provenance["model"]["version"] == "0+adapted"
    assert result.residual_after <= 1e-3
    assert np.array_equal(result.volume.array, run(adapted).volume.array)
    plain = run(model)
    assert np.abs(result.volume.array - plain.volume.array).max() > 1


def test_the_same_scans_and_seed_give_the_same_weights(adapt, scans):
    one, same, other = (adapt(scans, seed=seed).network.state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_where_nothing_is_gained_there_is_no_model(adapt, scans, monkeypatch):
    monkeypatch.setattr(adapter, "score", lambda exam, answer: 30.0)
    with pytest.raises(InputError, match="nothing to teach this model"):
        adapt(scans)


def test_scans_that_cannot_be_learnt_from_are_refused(adapt, sharp):
    with pytest.raises(AlreadySharp):
        adapt([sharp])
    with pytest.raises(InputError, match="no scans"):
        adapt([])


@pytest.mark.parametrize("label", ["", "a b", "a/b", ".a", "a+b"])
def test_a_label_must_fit_into_a_version(label, adapt, scans):
    with pytest.raises(UsageError, match="label cannot stand in a version"):
        adapt(scans, label=label)
