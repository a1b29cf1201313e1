"""A batch that is shot by SIGKILL at any moment leaves whole files, tells the truth and is taken up again."""

import random
import time

import pytest

from benchmarks import batches
from medidiff.batch.standing import standing
from tests.batch import killing


def test_a_run_that_is_killed_again_and_again_ends_as_one_that_was_not(tmp_path):
    scans = killing.many(tmp_path / "in", 24)
    code, words = killing.to_the_end(scans, tmp_path / "whole" / "out")
    assert code == 0, words
    (tmp_path / "shot").mkdir()
    out = tmp_path / "shot" / "out"
    shots, at_rename, code = killing.shoot_until_done(scans, out, 3)
    assert (shots, at_rename, code) == (3, 1, 0)
    assert killing.same_results(tmp_path / "whole" / "out", out)
    assert killing.made_twice(out) == set()
    assert [row["status"] in ("done", "done before") for row in killing.table(out)] == [True] * 24
    assert not list(out.rglob("*.part"))


def test_between_temporary_file_and_rename_no_result_is_claimed(tmp_path):
    scans = killing.many(tmp_path / "in", 2)
    out = tmp_path / "out"
    shot, parts = killing.killed(scans, out, "at a rename", random.Random(0))
    assert shot
    assert parts, "a temporary file is there"
    assert not list(out.rglob("*_enhanced.nii.gz"))
    until = time.monotonic() + 10
    while (stands := standing(out)).outcome == "running" and time.monotonic() < until:
        time.sleep(0.05)  # the kernel is still at it
    assert stands.outcome == "killed"
    assert set(stands.states.values()) == {"running"}


def test_workers_end_with_the_program_that_is_killed_and_let_go_of_the_folder(tmp_path):
    scans = killing.many(tmp_path / "in", 8)
    killing.killed(scans, tmp_path / "out", "parent", random.Random(0))
    began = time.monotonic()
    code, words = killing.to_the_end(scans, tmp_path / "out")
    assert code == 0, words
    assert time.monotonic() - began < killing.LIMIT / 4


def test_hostile_files_are_recorded_and_cost_the_others_nothing(tmp_path, capsys):
    told = batches.main(tmp_path, 34, 1)
    assert told["code"] == told["last_code"] == 5
    assert told["same"]
    assert told["twice"] == 0
    assert "cases a minute" in capsys.readouterr().out


@pytest.mark.slow
def test_a_thousand_cases_and_twenty_kills(tmp_path):
    told = batches.main(tmp_path, 1000, 20)
    assert told["code"] == told["last_code"] == 5
    assert told["shots"] == 20
    assert told["at_rename"] >= 5
    assert told["same"]
    assert told["twice"] == 0
    assert told["growth_mb"] < 10
