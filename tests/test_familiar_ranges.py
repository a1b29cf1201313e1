"""Usual ranges: as wide as sources that were left out need, and no wider; the program that fits them."""

import csv
import json

import numpy as np
import pytest
from scipy import ndimage

from benchmarks import familiarity
from benchmarks.corruptions import ALIEN, HARMLESS
from benchmarks.familiar_ranges import (
    MARGINS,
    Ranges,
    alarm_rate,
    choose_margin,
    detections,
    figures_of,
    left_out_rate,
    ranges,
)
from medidiff.io.nifti import write_nifti
from medidiff.tasks.familiarity import FEATURES
from medidiff.volume import Geometry, Volume
from tests.toy import make_model

SPACING = (1.0, 1.2, 1.5)


def row(source="a", role="training", change="none", **figures):
    return {"source": source, "role": role, "change": change, **dict.fromkeys(FEATURES, ""), **figures}


def test_figures_that_were_not_measured_are_left_out():
    assert figures_of(row(gradient="0.5")) == {"gradient": 0.5}
    assert "spread" not in ranges([row(gradient=0.5)], 0.1)


def test_a_range_is_widened_by_a_share_of_its_width_and_may_have_no_lower_end():
    usual = ranges([row(gradient=0.4, flat=0.1), row(gradient=0.6, flat=0.2)], 0.25)
    assert usual == {"gradient": [0.35, 0.65], "flat": [None, 0.225]}


def test_what_was_fitted_on_does_not_alarm_and_what_lies_outside_does():
    rows = [row(gradient=value) for value in (0.4, 0.5, 0.6)]
    usual = ranges(rows, 0.0)
    assert alarm_rate(rows, usual) == 0
    assert alarm_rate([row(gradient=0.7), row(gradient=0.5)], usual) == 0.5
    assert np.isnan(alarm_rate([], usual))


def test_the_margin_is_the_smallest_that_lets_sources_left_out_pass():
    rows = [
        row("a", gradient=0.0),
        row("a", gradient=1.0),
        row("b", gradient=1.2),
        row("b", gradient=0.5),
        row("c", gradient=0.4),
    ]
    assert left_out_rate(rows, 0.0) > 0.02
    margin, shares = choose_margin(rows)
    assert shares[margin] <= 0.02 < shares[round(margin - 0.05, 2)]
    assert set(shares) == set(MARGINS)


def test_where_no_margin_suffices_the_largest_is_taken():
    assert choose_margin([row("a", gradient=0.0), row("a", gradient=1.0), row("b", gradient=9.0)])[0] == max(MARGINS)


def test_detections_are_told_for_each_change_with_what_was_outside():
    usual = ranges([row(gradient=0.4, median=0.4), row(gradient=0.6, median=0.6)], 0.0)
    rows = [
        row(role="alien", change="odd", gradient=0.9, median=0.5),
        row(role="alien", change="odd", gradient=0.5, median=0.5),
    ]
    wide: Ranges = {"gradient": [0.0, 1.0], "median": [0.0, 1.0]}
    lines = detections(rows, {0.0: usual, 2.0: wide}, 0.0)
    assert lines[0] == "| role | change | scans | at 0 | at 2 | figures outside, at 0 |"
    assert "| alien | odd | 2 | 50% | 0% | gradient 50% |" in lines


def head():
    shape = (40, 44, 36)
    place = np.indices(shape) - (np.array(shape) - 1).reshape(3, 1, 1, 1) / 2
    texture = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=shape), 1.2)
    return np.where((place**2).sum(0) < 16**2, 0.7 + 0.6 * texture, 0).clip(0, 1).astype(np.float32)


@pytest.mark.parametrize("name", [*ALIEN, *HARMLESS])
def test_a_change_is_made_to_an_image_of_the_same_kind_the_same_every_time(name):
    change, array = {**ALIEN, **HARMLESS}[name], head()
    kept = array.copy()
    first, again = (change(array, SPACING, np.random.default_rng(0)) for _ in range(2))
    assert first.shape == array.shape
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    assert (first == again).all()
    assert (array == kept).all()
    assert np.abs(first - array).max() > 0.01


def test_the_program_fits_on_training_and_tells_of_others(tmp_path, monkeypatch):
    monkeypatch.setattr(familiarity, "ALIEN", {"noise alone": ALIEN["noise alone"]})
    monkeypatch.setattr(familiarity, "HARMLESS", {})
    monkeypatch.setattr(familiarity, "LEARNT_ISOTROPIC", ())
    for folder, names in (("training", ("niimath_a", "ds000011_b")), ("val", ("niimath_c",))):
        (tmp_path / folder).mkdir()
        for name in names:
            volume = Volume(200 * head(), Geometry(head().shape, np.eye(4)))
            write_nifti(volume, tmp_path / folder / f"{name}_T1w.nii", description="test")
    model = make_model(tmp_path / "toy", tile=32)
    card = tmp_path / "card.json"
    card.write_text(json.dumps({"name": "some"}))
    options = f"--data {tmp_path}/training --validation {tmp_path}/val --output {tmp_path}/out --model {model}"
    options += " --device cpu --crop 32"
    for part in ("1/2", "2/2"):
        familiarity.main([*options.split(), "--part", part])
    told = familiarity.main([*options.split(), "--summarise", "--write", str(card)])
    rows = [row for path in (tmp_path / "out").glob("*.csv") for row in csv.DictReader(path.read_text().splitlines())]
    assert [sum(r["role"] == role for r in rows) for role in ("training", "validation", "alien")] == [8, 4, 1]
    assert "| alien | noise alone | 1 | 100% | " in told
    entry = json.loads(card.read_text())
    assert entry["name"] == "some"
    assert entry["familiar"] == json.loads((tmp_path / "out" / "ranges.json").read_text())
    assert set(entry["familiar"]["usual"]) == set(FEATURES) - {"spread"}
    assert "8 scans, degraded or real, of 2 training images" in told
