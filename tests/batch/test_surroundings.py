"""What happens around a run: disks that fill up, folders that go, inputs that vanish. All of it is told truthfully."""

import errno
import shutil
import subprocess

import pytest

from medidiff.batch import Status, Way, processes, run
from medidiff.errors import OutputError
from tests.bad_files import good
from tests.batch import odd_tasks
from tests.batch.running import RECORDS, done, lines, names, planned, statuses, story, table
from tests.batch.test_processes import named
from tests.fakes import Memory, double_slices


def in_workers(manifest, task=None, watcher=None):
    return run(manifest, task or odd_tasks.quick(), watcher=watcher or Memory(), way=Way(engine=processes(["cpu"])))


def test_a_disk_that_fills_up_stops_workers_and_nothing_is_lost(small_disk, tmp_path):
    for name in "abcd":
        good(tmp_path / "in" / f"{name}.nii", (40, 40, 12), seed=ord(name))
    out = small_disk / "out"
    records = in_workers(planned(tmp_path / "in", out))
    finished = [record.case.name for record in records if record.status is Status.DONE]
    failed = [record for record in records if record.status is Status.FAILED]
    assert failed
    assert all("No space left on device" in record.reason for record in failed)
    assert sorted(name for name in names(out) if name.endswith(".nii.gz")) == [f"{n}_enhanced.nii.gz" for n in finished]
    assert not [name for name in names(out) if name.endswith(".part")]


def test_what_a_full_disk_stopped_is_tried_again_when_there_is_room(small_disk, tmp_path):
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(90_000))
    good(tmp_path / "in" / "a.nii", (40, 40, 12))
    assert statuses(done(planned(tmp_path / "in", small_disk / "out"))) == [Status.FAILED]
    ballast.unlink()
    assert statuses(done(planned(tmp_path / "in", small_disk / "out"))) == [Status.DONE]


def test_a_folder_that_becomes_read_only_stops_the_run(tmp_path, monkeypatch):
    def read_only(descriptor):
        raise OSError(errno.EROFS, "Read-only file system")

    def work(volume, progress):
        monkeypatch.setattr("os.fsync", read_only)
        return double_slices(volume, progress)

    records = done(planned(named(tmp_path / "in", *"ab"), tmp_path / "out"), work)
    assert statuses(records) == [Status.FAILED, Status.NOT_RUN]
    assert "Read-only file system" in records[0].reason


def test_a_read_only_folder_is_refused_before_the_work(small_disk, tmp_path):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    manifest = planned(named(tmp_path / "in", "a"), small_disk / "out")
    with pytest.raises(OutputError, match="Read-only file system"):
        done(manifest, lambda *_: pytest.fail("work began"))


def test_an_input_that_vanishes_is_a_failure_that_is_tried_again(tmp_path):
    scans = named(tmp_path / "in", *"abc")

    def work(volume, progress):
        (scans / "b.nii").unlink(missing_ok=True)
        return double_slices(volume, progress)

    manifest = planned(scans, tmp_path / "out")
    records = done(manifest, work)
    assert statuses(records) == [Status.DONE, Status.FAILED, Status.DONE]
    assert "b.nii: cannot be read (found No such file or directory)" in records[1].reason
    good(scans / "b.nii", seed=1)
    assert statuses(done(manifest)) == [Status.DONE_BEFORE, Status.DONE, Status.DONE_BEFORE]


def test_an_output_folder_that_is_removed_stops_the_run_and_what_went_with_it_is_told(tmp_path):
    scans, out, watcher = named(tmp_path / "in", *"abcd"), tmp_path / "out", Memory()

    def work(volume, progress):
        if volume.meta["source"].endswith("b.nii"):
            shutil.rmtree(out)
        return double_slices(volume, progress)

    manifest = planned(scans, out)
    records = done(manifest, work, watcher)
    assert statuses(records) == [Status.FAILED, Status.DONE, Status.NOT_RUN, Status.NOT_RUN]
    assert "the output folder was removed during the run" in records[0].reason
    assert "was removed" in watcher.lines[-1]
    assert names(out) == ["b_enhanced.json", "b_enhanced.nii.gz", *RECORDS]
    assert [row["status"] for row in table(out)] == ["failed", "done", "not run", "not run"]
    assert story(out)["outcome"] == "stopped"
    assert lines(out)[-1]["outcome"] == "stopped"
    assert statuses(done(manifest)) == [Status.DONE, Status.DONE_BEFORE, Status.DONE, Status.DONE]


class TestWhatFailedBefore:
    """Remembered in the manifest by what it was made from."""

    @pytest.fixture
    def scans(self, tmp_path):
        folder = named(tmp_path / "in", "a")
        (folder / "bad.nii").write_bytes(b"no image")
        return folder

    def test_is_not_tried_again(self, scans, tmp_path):
        manifest = planned(scans, tmp_path / "out")
        for expected in (Status.FAILED, Status.FAILED_BEFORE, Status.FAILED_BEFORE):
            records = done(manifest)
            assert records[1].status is expected
            assert "bad.nii: not a NIfTI file" in records[1].reason
            assert not records[1].status.well

    @pytest.mark.parametrize("way", [{"retry_failed": True}, {"force": True}])
    def test_is_tried_again_when_asked(self, way, scans, tmp_path):
        done(planned(scans, tmp_path / "out"))
        assert done(planned(scans, tmp_path / "out"), **way)[1].status is Status.FAILED

    @pytest.mark.parametrize("changed", [{"sha": "def"}, {"options": {"seed": 1}}])
    def test_is_tried_again_with_another_model_or_other_options(self, changed, scans, tmp_path):
        done(planned(scans, tmp_path / "out"))
        assert done(planned(scans, tmp_path / "out", **changed))[1].status is Status.FAILED

    def test_is_tried_again_when_it_has_changed(self, scans, tmp_path):
        done(planned(scans, tmp_path / "out"))
        good(scans / "bad.nii")
        assert statuses(done(planned(scans, tmp_path / "out"))) == [Status.DONE_BEFORE, Status.DONE]

    def test_is_remembered_through_a_run_that_was_interrupted(self, scans, tmp_path):
        def interrupt(volume, progress):
            raise KeyboardInterrupt

        done(planned(scans, tmp_path / "out"))
        good(scans / "a.nii", seed=5)
        with pytest.raises(KeyboardInterrupt):
            done(planned(scans, tmp_path / "out"), interrupt)
        assert statuses(done(planned(scans, tmp_path / "out"))) == [Status.DONE, Status.FAILED_BEFORE]


def test_the_log_names_nobody(tmp_path):
    scans = named(tmp_path / "DOE_JANE", "doe-jane_T1")
    (scans / "doe-jane_T2.nii").write_bytes(b"doe jane is no image")
    done(planned(scans, tmp_path / "out"))
    text = (tmp_path / "out" / "log.jsonl").read_text().lower()
    assert "doe" not in text
    assert "jane" not in text
    events = [line["event"] for line in lines(tmp_path / "out", "log.jsonl")]
    assert events == ["run", "started", "ended", "started", "ended", "end"]
    failed = lines(tmp_path / "out", "log.jsonl")[4]
    assert (failed["case"], failed["status"], failed["error"]) == (2, "failed", "InputError")


def test_the_manifest_is_the_plan_and_then_what_came_of_it(tmp_path):
    scans = named(tmp_path / "in", "a")
    (scans / "other.mgz").write_bytes(b"x")
    done(planned(scans, tmp_path / "out"))
    run_line, case, skipped, running, ended, end = lines(tmp_path / "out")
    assert (run_line["kind"], run_line["options"], run_line["model"]["sha256"]) == ("run", {"seed": 0}, "abc")
    assert (case["kind"], case["case"], case["input"]) == ("case", "a", str(scans / "a.nii"))
    assert "not NIfTI" in skipped["reason"]
    assert running["state"] == "running"
    assert ended["state"] == "done"
    assert len(ended["made_from"]["input_sha256"]) == 64
    assert ended["stages"].keys() == {"read", "wait", "compute", "write"}
    assert end["outcome"] == "finished"


def test_a_line_that_was_cut_short_is_no_line(tmp_path):
    scans = named(tmp_path / "in", "a")
    (scans / "bad.nii").write_bytes(b"no image")
    manifest = planned(scans, tmp_path / "out")
    done(manifest)
    path = tmp_path / "out" / "manifest.jsonl"
    path.write_text(path.read_text() + '{"kind":"state","case":"bad","sta')
    assert statuses(done(manifest)) == [Status.DONE_BEFORE, Status.FAILED_BEFORE]
