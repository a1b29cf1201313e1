"""Figures say of how many they are, and infinite ones are not left out in silence."""

from pathlib import Path

import numpy as np
import pytest

from medidiff.evaluation.score import Score
from medidiff.evaluation.table import Row, Table
from medidiff.metrics import METRICS


def table_of(scores, groups=None):
    """A table of PSNR by method and case; each case is a person's."""
    rows = [
        Row(f"c{i}", method, f"c{i}", groups[i] if groups else "", Score({"psnr": value}), "p", Path("r"))
        for i, values in enumerate(zip(*scores.values(), strict=True))
        for method, value in zip(scores, values, strict=True)
    ]
    return Table(rows, list(scores))


PERFECT = table_of({"a": [np.inf, np.inf, np.inf, 27.0, 26.0, 25.0], "b": [29.0, 27.5, 26.0, 24.5, 23.0, 21.5]})


def test_infinite_scores_are_counted_apart_and_their_mean_has_no_interval():
    told = PERFECT.summary["methods"]["a"]["psnr"]
    assert (told["n"], told["subjects"], told["infinite"], told["mean"]) == (3, 3, 3, np.inf)
    assert np.isnan(told["low"])
    assert PERFECT.summary["methods"]["b"]["psnr"]["infinite"] == 0
    assert "| a | 6 | inf (3 infinite) |" in PERFECT.markdown()


def test_an_infinite_difference_counts_in_the_test_and_in_the_wins():
    (told,) = PERFECT.summary["comparisons"]
    assert (told["n"], told["infinite"], told["difference"], told["wins"]) == (3, 3, np.inf, 1.0)
    assert told["p"] == pytest.approx(2 / 2**6, abs=0.02)
    assert "+inf (3 infinite)" in PERFECT.markdown()


def test_a_mean_of_fewer_cases_than_its_row_says_so():
    rows = [
        Row(f"c{i}", "a", f"c{i}", "", Score({"psnr": 30.0 + i, "ssim": 0.9 if i < 2 else np.nan}), "p", Path("r"))
        for i in range(6)
    ]
    (line,) = [line for line in Table(rows, ["a"]).markdown().splitlines() if line.startswith("| a | 6 | 32.50 [")]
    assert line.endswith("] | 0.9000 (n=2) |")


def test_differences_are_told_case_by_case():
    told = PERFECT.summary["differences"]
    assert [(d["case"], d["against"]) for d in told] == [(f"c{i}", "b") for i in range(6)]
    assert told[3]["metrics"] == {"psnr": 2.5}
    assert told[3]["subject"] == "c3"


def test_sub_groups_have_comparisons_of_their_own():
    scores = {"a": np.arange(10.0) + np.r_[2, 2.1, 2.2, 2.3, 2.4, -1, -1.1, -1.2, -1.3, -1.4], "b": np.arange(10.0)}
    table = table_of(scores, ["young"] * 5 + ["old"] * 5)
    told = {group: some[0] for group, some in table.summary["group_comparisons"].items()}
    assert told["young"]["difference"] == pytest.approx(2.2)
    assert told["old"]["difference"] == pytest.approx(-1.2)
    assert {some["n"] for some in told.values()} == {5}
    assert told["old"]["p"] == told["old"]["p_holm"] == pytest.approx(2 / 2**5)
    assert told["old"]["low"] < -1.2 < told["old"]["high"]
    assert "### old: a against each other method" in table.markdown()
    assert set(METRICS) >= {c["metric"] for c in table.summary["comparisons"]}
