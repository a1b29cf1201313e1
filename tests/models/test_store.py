"""Models are saved whole, loaded as they were saved, and refused in one line when they are not whole."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from medidiff.errors import ModelError
from medidiff.models import MAPS, build_network, find_model, load_model, read_card, save_model
from tests.toy import CARD, make_model


@pytest.fixture
def folder(tmp_path):
    return make_model(tmp_path / "toy")


def refusal(call, *arguments):
    with pytest.raises(ModelError) as told:
        call(*arguments)
    assert "\n" not in str(told.value)
    return str(told.value)


def change_card(folder, **changes):
    card = {**json.loads((folder / "card.json").read_text()), **changes}
    (folder / "card.json").write_text(json.dumps({key: value for key, value in card.items() if value is not None}))


def test_a_model_is_loaded_as_it_was_saved(tmp_path):
    network = build_network(CARD)
    model = load_model(save_model(network.state_dict(), CARD, tmp_path / "deep" / "toy"))
    assert {**model.card, "sha256": None} == {**CARD, "sha256": None}
    assert model.label == "toy 0"
    for name, value in network.state_dict().items():
        torch.testing.assert_close(model.network.state_dict()[name], value.bfloat16().float(), rtol=0, atol=0)


def test_a_loaded_network_is_ready_to_infer(folder):
    network = load_model(folder).network
    assert not network.training
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in network.parameters())


def test_an_unknown_task_is_refused(folder):
    change_card(folder, task="segmentation")
    assert "unknown task" in refusal(load_model, folder)


def test_a_network_may_be_shown_as_many_maps_as_there_are_and_no_more():
    def shown(maps):
        return build_network(
            {**CARD, "network": {"channels": [16, 32], "blocks": [1, 1], "block_size": 2, "maps": maps}}
        )

    assert (build_network(CARD).maps, shown(6).maps) == (4, len(MAPS))
    with pytest.raises(ModelError, match=r"wants more maps than there are \(found 7, needed 6 or fewer"):
        shown(7)


def test_saving_again_replaces_and_leaves_nothing_else(folder):
    make_model(folder, version="1")
    assert load_model(folder).label == "toy 1"
    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "model.safetensors"]


def test_damaged_weights_are_refused(folder):
    path = folder / "model.safetensors"
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    assert "weights are missing or damaged" in refusal(load_model, folder)


def test_missing_weights_are_refused(folder):
    (folder / "model.safetensors").unlink()
    assert "weights are missing or damaged" in refusal(load_model, folder)


@pytest.mark.parametrize(
    "network",
    [
        {"channels": [32, 32], "blocks": [1, 1], "block_size": 2},
        {"channels": [16, 32], "blocks": [1, 1]},
        {"channels": [17, 16], "blocks": [1, 1], "block_size": 2},
        "deep",
    ],
    ids=str,
)
def test_weights_of_another_network_are_refused(network, folder):
    change_card(folder, network=network)
    assert "weights do not fit the card's network" in refusal(load_model, folder)


def test_what_is_no_safetensors_is_refused_unopened(folder):
    torch.save({}, folder / "model.safetensors")
    assert "weights are missing or damaged" in refusal(load_model, folder)


def test_a_tensor_too_few_is_refused(folder, tmp_path):
    weights = load_file(folder / "model.safetensors")
    weights.pop(next(iter(weights)))
    save_model(weights, CARD, tmp_path / "fewer")
    assert "do not fit" in refusal(load_model, tmp_path / "fewer")
    save_file(weights, folder / "model.safetensors")
    assert "damaged" in refusal(load_model, folder)


@pytest.mark.parametrize("lacking", ["name", "tile", "overlap", "network", "sampling_steps", "sha256", "valid"])
def test_a_card_that_lacks_a_field_is_refused_by_name(lacking, folder):
    change_card(folder, **{lacking: None})
    assert f"found no {lacking}" in refusal(read_card, folder)


@pytest.mark.parametrize("text", ["", "{", "3", "[]"])
def test_a_card_that_is_no_card_is_refused(text, folder):
    (folder / "card.json").write_text(text)
    assert "card cannot be read" in refusal(read_card, folder)


def test_a_model_that_is_not_there_is_told_by_its_name():
    told = refusal(find_model, "no-such-model")
    assert told.startswith("no-such-model: no such model")
    assert "card.json" in told
