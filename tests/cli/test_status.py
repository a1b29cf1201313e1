"""``medidiff status``: while a batch runs, after it, and after it was killed."""

import json
from dataclasses import replace

import pytest

from medidiff.batch import Part
from medidiff.batch.lock import locked
from medidiff.batch.standing import standing
from tests.bad_files import good, nans
from tests.batch.running import done, planned
from tests.fakes import double_slices


@pytest.fixture
def folder(scans, tmp_path):
    """Of a run with two results and a failure."""
    nans(scans / "bad.nii.gz")
    done(planned(scans, tmp_path / "out"))
    return tmp_path / "out"


def test_counts_reasons_rate_and_the_slowest_are_told(cli, folder):
    told = cli("status", folder).stdout
    assert told.startswith("enhance: finished, 3 cases\n")
    assert "2 done" in told
    assert "1 failed" in told
    assert "1 NaN" in told.split("failed:")[1]
    assert " a minute" in told
    assert told.split("slowest:")[1].split()[0].replace(".", "").isdigit()


def test_json_tells_the_same(cli, folder):
    told = json.loads(cli("status", folder, "--json").stdout)
    assert told["counts"] == {"done": 2, "failed": 1}
    assert "NaN" in told["failures"]["bad"]
    assert told["cases_per_hour"] > 0
    assert told["left"] == 0


def test_a_run_is_seen_while_it_runs(scans, tmp_path):
    def work(volume, progress):
        stands = standing(tmp_path / "out")
        assert stands.outcome == "running"
        assert set(stands.states.values()) <= {"running", "planned", "done"}
        seen.append((stands.left, stands.seconds_left is not None))
        return double_slices(volume, progress)

    seen: list[tuple[int, bool]] = []
    done(planned(scans, tmp_path / "out"), work)
    assert seen == [(2, False), (1, True)]


def test_a_run_that_said_nothing_of_its_end_was_killed(cli, folder):
    path = folder / "manifest.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-3]) + lines[-3][:20])
    assert cli("status", folder).stdout.startswith("enhance: killed, 3 cases")
    manifest = planned(folder.parent / "in", folder)
    with locked(manifest):
        assert cli("status", folder).stdout.startswith("enhance: running, 3 cases")


def test_all_parts_are_told_together(cli, scans, tmp_path):
    for place in range(2):
        manifest = planned(scans, tmp_path / "out")
        part = Part(place, 2)
        done(replace(manifest, cases=part.of(manifest.cases), part=part))
    assert cli("status", tmp_path / "out").stdout.startswith("enhance: finished in 2 parts, 2 cases\n       2 done\n")


def test_many_failures_are_counted_and_shown_when_asked_for(cli, tmp_path):
    for number in range(22):
        nans(tmp_path / "in" / f"{number:02}.nii.gz") if number else good(tmp_path / "in" / "a.nii.gz")
    done(planned(tmp_path / "in", tmp_path / "out"))
    assert "and 1 more (--all)" in cli("status", tmp_path / "out").stdout
    assert cli("status", tmp_path / "out", "--all").stdout.count("NaN") == 21


def test_a_folder_without_a_batch_is_refused(cli, tmp_path):
    result = cli("status", tmp_path)
    assert result.exit_code == 2
    assert "no batch in this folder" in result.stderr
