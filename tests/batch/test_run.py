"""A run: every case recorded, none able to stop the rest, nothing half-written."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest

from medidiff.batch import Status
from medidiff.errors import InputError, OutputError, UsageError
from medidiff.io import read_nifti
from tests.bad_files import good, nans
from tests.batch.running import RECORDS, done, names, planned, statuses, story, table
from tests.fakes import Memory, double_slices


def test_every_input_becomes_an_image_a_sidecar_and_a_record(scans, tmp_path):
    out, watcher = tmp_path / "out", Memory()
    records = done(planned(scans, out), watcher=watcher)
    images = ["a_enhanced", "sub/b_enhanced", "sub/c_enhanced"]
    expected = sorted([*RECORDS, *(f"{image}{end}" for image in images for end in (".json", ".nii.gz"))])
    assert names(out) == expected
    assert statuses(records) == [Status.DONE] * 3
    assert [record.case for record in watcher.records] == [record.case for record in records]
    assert [row["shape_out"] for row in table(out)] == ["6 x 7 x 8"] * 3
    assert story(out)["counts"] == {"done": 3}
    volume = read_nifti(out / "sub" / "b_enhanced.nii.gz")
    np.testing.assert_array_equal(volume.array[..., ::2], read_nifti(scans / "sub" / "b.nii.gz").array)


def test_the_sidecar_tells_where_the_image_comes_from(scans, tmp_path):
    done(planned(scans, tmp_path / "out"))
    told = json.loads((tmp_path / "out" / "a_enhanced.json").read_text())
    assert told["input"] == str(scans / "a.nii")
    assert told["made_from"]["model_sha256"] == "abc"
    assert told["notice"].startswith("Research use only")
    assert told["data_residual"] == {"before": 0.25, "after": 0.001}
    assert told["warnings"] == ["made by repetition"]


def test_a_bad_case_is_recorded_and_the_rest_go_on(scans, tmp_path):
    nans(scans / "b_bad.nii.gz")
    records = done(planned(scans, tmp_path / "out"))
    assert statuses(records) == [Status.DONE, Status.FAILED, Status.DONE, Status.DONE]
    assert "1 NaN" in table(tmp_path / "out")[1]["reason"]
    assert table(tmp_path / "out")[1]["output"] == ""


def test_an_unexpected_error_is_one_line_that_names_the_case(scans, tmp_path):
    def broken(volume, progress):
        raise RuntimeError("CUDA\nout of memory")

    records = done(planned(scans, tmp_path / "out"), broken)
    assert records[0].reason == f"{scans / 'a.nii'}: unexpected RuntimeError: CUDA out of memory"
    assert "RuntimeError: CUDA" in records[0].fault.trace


def test_too_little_memory_is_told_as_such(scans, tmp_path):
    def greedy(volume, progress):
        raise MemoryError

    assert done(planned(scans, tmp_path / "out"), greedy)[0].reason.endswith("a.nii: not enough memory")


def test_a_case_that_is_sharp_already_is_passed_by(tmp_path):
    good(tmp_path / "in" / "a.nii.gz", spacing=(1, 1, 1))
    records = done(planned(tmp_path / "in", tmp_path / "out"))
    assert statuses(records) == [Status.PASSED_BY]
    assert "already at 1 mm" in table(tmp_path / "out")[0]["reason"]
    assert names(tmp_path / "out") == RECORDS


def test_files_of_others_are_not_overwritten_unless_forced(scans, tmp_path):
    theirs = good(tmp_path / "out" / "a_enhanced.nii.gz")
    before = theirs.read_bytes()
    records = done(planned(scans, tmp_path / "out"))
    assert "was not written by medidiff" in records[0].reason
    assert theirs.read_bytes() == before
    assert statuses(done(planned(scans, tmp_path / "out"), force=True))[0] == Status.DONE


def test_a_sidecar_of_others_is_not_overwritten(scans, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a_enhanced.json").write_text('{"SliceThickness": 1}')
    assert "was not written by medidiff" in done(planned(scans, tmp_path / "out"))[0].reason


def test_an_uncertainty_that_belongs_to_another_result_stays(scans, tmp_path):
    out = tmp_path / "out"
    done(planned(scans, out, options={"samples": 2}), lambda v, p: double_slices(v, p, samples=2))
    done(planned(scans, out, suffix=""))
    assert (out / "a_uncertainty.nii.gz").exists()


@pytest.mark.parametrize(
    ("names", "suffix"),
    [
        (["a.nii.gz"], ""),
        (["a.nii"], ""),
        (["a.nii", "a_enhanced.nii.gz"], "_enhanced"),
        (["a.nii", "a_uncertainty.nii.gz"], "_enhanced"),
    ],
)
def test_inputs_and_their_sidecars_are_never_outputs(names, suffix, tmp_path):
    for name in names:
        good(tmp_path / name)
    with pytest.raises(UsageError, match="overwrite an input"):
        planned(tmp_path, tmp_path, suffix=suffix)


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_a_folder_that_cannot_be_written_is_refused_before_any_work(make, scans, tmp_path, monkeypatch):
    def denied(self, *args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    manifest = planned(scans, tmp_path / "out")
    monkeypatch.setattr(Path, make.__name__, denied)
    with pytest.raises(OutputError, match=r"out: cannot be written \(found Permission denied"):
        done(manifest, lambda *_: pytest.fail("work began"))


def test_a_missing_input_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        planned(tmp_path / "nowhere", tmp_path / "out")


def test_the_plan_is_on_disk_before_the_work_starts(scans, tmp_path):
    def work(volume, progress):
        assert story(tmp_path / "out")["outcome"] == "running"
        assert len(story(tmp_path / "out")["cases"]) == 3
        return double_slices(volume, progress)

    assert statuses(done(planned(scans, tmp_path / "out"), work)) == [Status.DONE] * 3
