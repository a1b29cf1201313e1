"""A run: every case recorded, none able to stop the rest, nothing half-written."""

import csv
import errno
import json
from pathlib import Path

import numpy as np
import pytest

from medidiff.batch import Status, plan, run
from medidiff.errors import InputError, OutputError, UsageError
from medidiff.io import read_nifti
from tests.bad_files import good, nans
from tests.fakes import Memory, double_slices


def planned(inputs, output, *, options=None, sha="abc", suffix="_enhanced"):
    inputs = inputs if isinstance(inputs, list) else [inputs]
    model = {"name": "toy", "version": "1", "sha256": sha}
    settings = {"task": "enhance", "product": "enhanced", "suffix": suffix}
    return plan(inputs, output, **settings, options=options or {"seed": 0}, model=model)


def done(manifest, work=double_slices, watcher=None, *, force=False):
    return run(manifest, work, watcher=watcher or Memory(), settings={"device": "cpu"}, force=force)


def statuses(records):
    return [record.status for record in records]


def table(folder):
    with (folder / "cases.csv").open() as stream:
        return list(csv.DictReader(stream))


def story(folder):
    return json.loads((folder / "run.json").read_text())


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def scans(tmp_path):
    """Three thick-slice scans in folders."""
    for place, name in enumerate(("a.nii", "sub/b.nii.gz", "sub/c.nii.gz")):
        good(tmp_path / "in" / name, seed=place)
    return tmp_path / "in"


def test_every_input_becomes_an_image_a_sidecar_and_a_record(scans, tmp_path):
    out, watcher = tmp_path / "out", Memory()
    records = done(planned(scans, out), watcher=watcher)
    images = ["a_enhanced", "sub/b_enhanced", "sub/c_enhanced"]
    expected = sorted(["cases.csv", "run.json", *(f"{image}{end}" for image in images for end in (".json", ".nii.gz"))])
    assert names(out) == expected
    assert statuses(records) == [Status.DONE] * 3
    assert watcher.records == records
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
    assert isinstance(records[0].error, RuntimeError)


def test_too_little_memory_is_told_as_such(scans, tmp_path):
    def greedy(volume, progress):
        raise MemoryError

    assert done(planned(scans, tmp_path / "out"), greedy)[0].reason.endswith("a.nii: not enough memory")


def test_a_case_that_is_sharp_already_is_passed_by(tmp_path):
    good(tmp_path / "in" / "a.nii.gz", spacing=(1, 1, 1))
    records = done(planned(tmp_path / "in", tmp_path / "out"))
    assert statuses(records) == [Status.PASSED_BY]
    assert "already at 1 mm" in table(tmp_path / "out")[0]["reason"]
    assert names(tmp_path / "out") == ["cases.csv", "run.json"]


class TestAgain:
    """A run repeated does only what is not done."""

    @pytest.fixture
    def out(self, scans, tmp_path):
        done(planned(scans, tmp_path / "out"))
        return tmp_path / "out"

    def test_finished_cases_are_left_as_they_are(self, scans, out):
        before = (out / "a_enhanced.nii.gz").stat().st_mtime_ns
        records = done(planned(scans, out))
        assert statuses(records) == [Status.DONE_BEFORE] * 3
        assert (out / "a_enhanced.nii.gz").stat().st_mtime_ns == before
        assert table(out)[0]["residual_after"] == "0.001"

    def test_force_does_them_again(self, scans, out):
        assert statuses(done(planned(scans, out), force=True)) == [Status.DONE] * 3

    @pytest.mark.parametrize("changed", [{"sha": "def"}, {"options": {"seed": 1}}])
    def test_another_model_or_other_options_do_them_again(self, changed, scans, out):
        assert statuses(done(planned(scans, out, **changed))) == [Status.DONE] * 3

    def test_a_changed_input_is_done_again(self, scans, out):
        good(scans / "a.nii", seed=9)
        assert statuses(done(planned(scans, out))) == [Status.DONE, Status.DONE_BEFORE, Status.DONE_BEFORE]

    def test_a_changed_sidecar_of_the_input_is_done_again(self, scans, out):
        (scans / "a.json").write_text('{"SliceThickness": 2}')
        assert statuses(done(planned(scans, out)))[0] == Status.DONE

    @pytest.mark.parametrize("name", ["a_enhanced.nii.gz", "a_enhanced.json"])
    def test_a_lost_file_is_made_again(self, name, scans, out):
        (out / name).unlink()
        assert statuses(done(planned(scans, out)))[0] == Status.DONE

    def test_a_damaged_sidecar_is_made_again(self, scans, out):
        (out / "a_enhanced.json").write_text("{")
        assert statuses(done(planned(scans, out)))[0] == Status.DONE

    def test_results_beside_their_inputs_are_no_inputs(self, scans):
        for _ in range(2):
            manifest = planned(scans, scans)
            assert len(manifest.cases) == 3
            done(manifest)

    def test_an_uncertainty_of_an_earlier_run_does_not_stay(self, scans, out):
        done(planned(scans, out, options={"samples": 2}), lambda v, p: double_slices(v, p, samples=2))
        assert (out / "a_uncertainty.nii.gz").exists()
        done(planned(scans, out))
        assert not (out / "a_uncertainty.nii.gz").exists()

    def test_a_lost_uncertainty_is_made_again(self, scans, out):
        manifest = planned(scans, out, options={"samples": 2})
        done(manifest, lambda v, p: double_slices(v, p, samples=2))
        (out / "a_uncertainty.nii.gz").unlink()
        assert statuses(done(manifest))[0] == Status.DONE


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


class TestInterrupted:
    """Ctrl-C in the middle."""

    @pytest.mark.parametrize("moment", ["during the work", "during the writing", "between image and sidecar"])
    def test_nothing_is_half_written_and_the_records_are_whole(self, moment, scans, tmp_path, monkeypatch):
        out = tmp_path / "out"
        count = iter(range(100))

        def work(volume, progress):
            if "b.nii" in volume.meta["source"]:
                if moment == "during the work":
                    raise KeyboardInterrupt
                allowed = {"during the writing": 0, "between image and sidecar": 1}[moment]
                monkeypatch.setattr("os.fsync", lambda _: interrupt() if next(count) == allowed else None)
            return double_slices(volume, progress)

        def interrupt():
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            done(planned(scans, out), work)
        assert names(out) == ["a_enhanced.json", "a_enhanced.nii.gz", "cases.csv", "run.json"]
        assert [row["status"] for row in table(out)] == ["done", "interrupted", "not run"]
        assert story(out)["outcome"] == "interrupted"
        assert statuses(done(planned(scans, out))) == [Status.DONE_BEFORE, Status.DONE, Status.DONE]


class TestDiskFull:
    """A disk that takes no more."""

    @pytest.mark.parametrize("records_fit", [True, False])
    def test_the_run_stops_with_one_line_and_no_fragment(self, records_fit, scans, tmp_path, monkeypatch):
        out, watcher = tmp_path / "out", Memory()
        manifest = planned(scans, out)

        def work(volume, progress):
            monkeypatch.setattr("os.fsync", full)
            return double_slices(volume, progress)

        def full(descriptor):
            name = Path(f"/proc/self/fd/{descriptor}").readlink().name
            if not (records_fit and ("cases.csv" in name or "run.json" in name)):
                raise OSError(errno.ENOSPC, "No space left on device")

        records = done(manifest, work, watcher)
        assert statuses(records) == [Status.FAILED, Status.NOT_RUN, Status.NOT_RUN]
        assert "No space left on device" in records[0].reason
        assert names(out) == ["cases.csv", "run.json"]
        assert watcher.lines == []

    def test_records_that_cannot_be_completed_are_told(self, scans, tmp_path, monkeypatch):
        watcher, last = Memory(), scans / "sub" / "c.nii.gz"

        def refused(*_, **__):
            raise OutputError("cannot be written", where="cases.csv")

        monkeypatch.setattr("medidiff.batch.ledger.Ledger.close", refused)
        assert done(planned(last, tmp_path / "out"), watcher=watcher)[0].status is Status.DONE
        assert watcher.lines == ["records are incomplete: cases.csv: cannot be written"]

    def test_on_a_disk_that_is_really_full(self, tmp_path, small_disk):
        scan = good(tmp_path / "in" / "a.nii.gz", (64, 64, 20))
        records = done(planned(scan, small_disk / "out"))
        assert "No space left on device" in records[0].reason
        assert names(small_disk / "out") == ["cases.csv", "run.json"]


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
