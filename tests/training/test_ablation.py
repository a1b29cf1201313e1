"""An ablation changes one thing at a time, goes on from one start, and scores what was left out apart."""

import json
import shutil
from dataclasses import fields
from pathlib import Path

import pytest

from benchmarks.ablation import CHANGES, ENERGY, KINDS, RECIPE, SAMPLE, changed, main, table
from medidiff.models import build_network
from medidiff.training import read_recipe, train
from medidiff.training.recipe import Group, Optimisation

HEADS = ("ds002748_sub-98_T1w", "ds000011_sub-99_T1w", "niivue_M2208_T2w")


@pytest.fixture
def val(data, tmp_path):
    folder = tmp_path / "val"
    folder.mkdir()
    for name in HEADS:
        shutil.copy(data / "head_0.nii.gz", folder / f"{name}.nii.gz")
    return folder


@pytest.fixture
def told(recipe, data, val, tmp_path):
    start = train(recipe("start", steps=2), device="cpu")
    options = {"--data": data, "--val": val, "--output": tmp_path / "out", "--recipe": recipe(), "--start": start}
    small = ["--steps", "2", "--patch", "16", "--turns", "1", "--device", "cpu", "--without", "ds000011"]
    return [*(str(part) for pair in options.items() for part in pair), *small]


def test_every_change_changes_what_it_names_and_nothing_else(recipe, tmp_path):
    base = read_recipe(recipe())
    same = changed(base, tmp_path, seed=base.seed)
    assert (same.groups, same.optimisation, same.card) == (base.groups, base.optimisation, base.card)
    for name, how in CHANGES.items():
        found = changed(base, tmp_path, **how)
        assert (vars(found) != vars(changed(base, tmp_path))) is bool(how), name
        assert found.data == base.data


def test_label_maps_may_weigh_more_or_be_left_out(recipe, tmp_path):
    base = read_recipe(recipe())
    assert [g.kind for g in changed(base, tmp_path, labels=0).groups] == ["image"]
    assert [g.weight for g in changed(base, tmp_path, labels=2).groups] == [0.7, 0.6]
    assert {g.remap for g in changed(base, tmp_path, remap=0.9).groups} == {0.9}
    assert changed(base, tmp_path, longer=3).optimisation.steps == 3 * base.optimisation.steps


def test_no_change_is_misspelt():
    known = {field.name for part in (Optimisation, Group) for field in fields(part)}
    known |= {"labels", "seed", "longer", "kind", "network"}
    assert {name for how in CHANGES.values() for name in how} <= known


def test_every_network_of_a_change_can_be_built():
    card = read_recipe(RECIPE).card
    for how in CHANGES.values():
        build_network({**card, "network": {**card["network"], **how.get("network", {})}})


def test_variants_are_trained_from_the_start_scored_by_kind_and_told(told, tmp_path):
    only = ["nothing", "another seed", "loss: gradients too", "random times: none", "network: shown details"]
    folder = main([*told, "--only", *only])
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    assert [row["change"] for row in rows] == only
    assert all(0 < row[kind] < 60 for row in rows for kind in KINDS)
    assert len({row["loss"] for row in rows}) == len(only)
    assert [SAMPLE in row for row in rows] == [True] * 3 + [False, True]
    sampled = [row for row in rows if SAMPLE in row]
    assert all(row[SAMPLE] < min(row["cases"]) and row[ENERGY] > 0 for row in sampled)
    assert [rows[0][kind] for kind in KINDS] == rows[0]["cases"]
    cards = [json.loads(path.read_text()) for path in sorted(Path(folder).glob("models/*/card.json"))]
    assert [card["kind"] for card in cards] == ["diffusion"] * 3 + ["regression", "diffusion"]
    assert [card["network"].get("maps", 4) for card in cards] == [4] * 4 + [6]
    lines = (folder / "table.md").read_text().splitlines()
    assert len(lines) == 2 + len(only)
    assert lines[2].startswith(f"| nothing | {rows[0][KINDS[0]]:.2f} |")
    assert f"{rows[1][KINDS[0]] - rows[0][KINDS[0]]:+.3f}" in lines[3]


def test_what_there_is_no_time_for_is_said(told, capsys):
    folder = main([*told, "--only", "nothing", "another seed", "--budget", "0"])
    assert "out of time: another seed and what follows" in capsys.readouterr().out
    assert len((folder / "results.jsonl").read_text().splitlines()) == 1


def test_a_table_leaves_open_what_was_not_scored():
    row = {"change": "a", KINDS[0]: 20.0, "loss": 1.0, "seconds": 2.0, "parameters": 3e6}
    assert "| a | 20.00 |  |  |  |  | 1.000 | 2 | 3.0 M |" in table([row])


def test_a_table_tells_samples_beside_the_means():
    first = {"change": "a", KINDS[0]: 20.0, SAMPLE: 18.0, ENERGY: 0.8, "loss": 1.0, "seconds": 2.0, "parameters": 3e6}
    second = {**first, "change": "b", KINDS[0]: 20.5, SAMPLE: 17.5, ENERGY: 0.9}
    lines = table([first, second]).splitlines()
    assert lines[2].startswith("| a | 20.00 |  |  | 18.00 | 0.800 |")
    assert lines[3].startswith("| b | +0.500 |  |  | -0.500 | 0.900 |")
