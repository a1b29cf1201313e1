"""Whatever goes wrong: one clear line, a record where there is a case, the right exit code, no traceback."""

import errno

import pytest

import medidiff.models
import medidiff.tasks
from medidiff.errors import ModelError
from tests.bad_files import BAD_FILES, good, nans
from tests.batch.running import RECORDS, table
from tests.fakes import double_slices


def only_line(text):
    lines = [line for line in text.splitlines() if line]
    assert "Traceback" not in text
    assert len(lines) == 1, text
    return lines[0]


@pytest.mark.parametrize("bad", BAD_FILES, ids=lambda bad: bad.__name__)
def test_a_bad_file_gives_one_line_a_record_and_code_4(bad, cli, calls, tmp_path):
    path = tmp_path / "bad.nii.gz"
    bad(path)
    result = cli("enhance", "-i", path, "-o", tmp_path / "out", "-q")
    assert result.exit_code == 4
    assert result.stdout == ""
    assert BAD_FILES[bad] in only_line(result.stderr)
    (row,) = table(tmp_path / "out")
    assert row["status"] == "failed"
    assert BAD_FILES[bad] in row["reason"]


def test_text_renamed_to_nii_is_refused(cli, calls, tmp_path):
    (tmp_path / "notes.nii").write_text("not an image")
    result = cli("enhance", "-i", tmp_path / "notes.nii", "-o", tmp_path / "out", "-q")
    assert "not a NIfTI file (found text" in only_line(result.stderr)


def test_one_bad_case_among_good_ones_is_code_5(cli, calls, scans, tmp_path):
    nans(scans / "bad.nii.gz")
    result = cli("enhance", "-i", scans, "-o", tmp_path / "out")
    assert result.exit_code == 5
    assert len(result.stdout.splitlines()) == 2
    assert "2 done, 1 failed; see" in result.stderr


@pytest.mark.parametrize("content", [{}, {"a.mgz": b"x"}])
def test_nothing_to_enhance_is_code_3(content, cli, calls, tmp_path):
    (tmp_path / "in").mkdir()
    for name, data in content.items():
        (tmp_path / "in" / name).write_bytes(data)
    result = cli("enhance", "-i", tmp_path / "in", "-o", tmp_path / "out")
    assert result.exit_code == 3
    assert "no image found" in result.stderr
    assert ("not NIfTI" in result.stderr) == bool(content)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "no input"),
        (("-i", "nowhere"), "does not exist"),
        (("-i", ".", "--spacing", "0"), "not above zero"),
        (("-i", ".", "--spacing", "1,1"), "neither one number nor three"),
        (("-i", ".", "--spacing", "inf"), "not above zero"),
        (("-i", ".", "--slice-thickness", "thin"), "not a number"),
        (("-i", ".", "--axis", "w"), "'w' is not one of"),
        (("-i", ".", "--profile", "box"), "'box' is not one of"),
        (("-i", ".", "--steps", "0"), "x>=1"),
        (("-i", ".", "--samples", "0"), "x>=1"),
        (("-i", ".", "--detail", "2"), "0<=x<=1"),
        (("-i", ".", "--noise", "-1"), "x>=0"),
        (("-i", ".", "--device", "gpu"), "none of auto, cpu"),
        (("-i", ".", "--precision", "int8"), "'int8' is not one of"),
        (("-i", ".", "--nonsense"), "No such option"),
        (("-i", ".", "--spacing", "1", "--like", "pyproject.toml"), "exclude each other"),
        (("-i", ".", "--like", "pyproject.toml"), "not a NIfTI file"),
    ],
)
def test_wrong_usage_is_code_2_with_a_reason(arguments, told, cli, calls, tmp_path):
    result = cli("enhance", *arguments, "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_device_that_is_not_there_is_told_before_any_work(cli, calls, scans, tmp_path):
    result = cli("enhance", "-i", scans, "-o", tmp_path / "out", "--device", "cuda:99")
    assert result.exit_code == 2
    assert "no such GPU" in only_line(result.stderr)
    assert not calls


def test_a_missing_model_is_told_before_any_work(cli, calls, scans, tmp_path, monkeypatch):
    def check_model(name):
        raise ModelError("no such model", where=name)

    monkeypatch.setattr(medidiff.models, "check_model", check_model)
    result = cli("enhance", "-i", scans, "-o", tmp_path / "out", "--model", "nope")
    assert result.exit_code == 2
    assert only_line(result.stderr) == "error: nope: no such model"


def test_an_output_that_would_overwrite_an_input_is_refused(cli, calls, scans):
    good(scans / "a_enhanced.nii.gz")
    result = cli("enhance", "-i", scans, "-o", scans)
    assert result.exit_code == 2
    assert "would overwrite an input" in only_line(result.stderr)


def test_a_folder_below_a_file_cannot_be_written(cli, calls, scans, tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = cli("enhance", "-i", scans, "-o", tmp_path / "file" / "out", "-q")
    assert result.exit_code == 2
    assert "cannot be written (found Not a directory)" in only_line(result.stderr)


def test_a_full_disk_stops_the_run_with_one_line(cli, calls, scans, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    def work(volume, model, *, progress, **_):
        monkeypatch.setattr("os.fsync", full)
        return double_slices(volume, progress)

    monkeypatch.setattr(medidiff.tasks, "super_resolve", work)
    result = cli("enhance", "-i", scans, "-o", tmp_path / "out", "-q")
    assert result.exit_code == 4
    assert "a_enhanced.nii.gz: cannot be written (found No space left on device)" in only_line(result.stderr)
    assert sorted(path.name for path in (tmp_path / "out").rglob("*")) == [".medidiff.lock", *RECORDS]


def test_debug_shows_where_a_case_failed_and_the_rest_go_on(cli, calls, scans, tmp_path):
    nans(scans / "bad.nii.gz")
    result = cli("enhance", "-i", scans, "-o", tmp_path / "out", "--debug")
    assert result.exit_code == 5
    assert "Traceback" in result.stderr


def test_an_unexpected_error_is_one_line_and_code_1(cli, calls, scans, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(medidiff.models, "check_model", broken)
    command = ("enhance", "-i", scans, "-o", tmp_path / "out")
    result = cli(*command)
    assert result.exit_code == 1
    assert only_line(result.stderr) == "unexpected ZeroDivisionError: division by zero; --debug shows where"
    assert "Traceback" in cli(*command, "--debug").stderr
