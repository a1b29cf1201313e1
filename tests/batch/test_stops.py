"""What ends a run before its time: an interrupt, a disk that takes no more."""

import errno
from pathlib import Path

import pytest

from medidiff.batch import Status
from medidiff.batch.standing import standing
from medidiff.errors import OutputError
from tests.bad_files import good
from tests.batch.running import RECORDS, done, names, planned, statuses, story, table
from tests.fakes import Memory, double_slices


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
        assert names(out) == ["a_enhanced.json", "a_enhanced.nii.gz", *RECORDS]
        assert [row["status"] for row in table(out)] == ["done", "interrupted", "not run"]
        assert story(out)["outcome"] == standing(out).outcome == "interrupted"
        assert list(standing(out).states.values()) == ["done", "interrupted", "planned"]
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
        assert names(out) == RECORDS
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
        assert names(small_disk / "out") == RECORDS
