"""Several runs on one folder: shares that make up a whole, and a lock between those that would not."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medidiff.batch import Part, Status, inline
from medidiff.batch.case import Case
from medidiff.batch.lock import NAME, is_locked, locked
from medidiff.errors import OutputError, UsageError
from tests.batch.running import done, lines, names, planned, statuses
from tests.batch.test_processes import named, volumes
from tests.conftest import ROOT

HOLD = """
import sys, time
from dataclasses import replace
from pathlib import Path
from medidiff.batch.case import Manifest, Part
from medidiff.batch.lock import locked
out, part = Path(sys.argv[1]), sys.argv[2]
with locked(Manifest("enhance", "enhanced", out, (), part=Part(int(part), 3) if part else None)):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def held(tmp_path):
    """Another process that holds the folder: ``held("")`` all of it, ``held("1")`` a part."""
    started = []

    def hold(part):
        command = [sys.executable, "-c", HOLD, str(tmp_path / "out"), part]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr("medidiff.batch.lock.WAIT_SECONDS", 0.1)


def of_part(manifest, number, count=3):
    part = Part(number, count)
    return replace(manifest, cases=part.of(manifest.cases), part=part)


@given(cases=st.integers(0, 50), count=st.integers(1, 12))
def test_parts_are_disjoint_complete_and_even(cases, count):
    whole = [Case(Path("a"), Path("b"), Path("c"), name=str(number)) for number in range(cases)]
    shares = [Part(number, count).of(whole) for number in range(count)]
    assert sorted(case.name for share in shares for case in share) == sorted(case.name for case in whole)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize(("number", "count"), [(3, 3), (-1, 2), (0, 0)])
def test_a_part_that_is_not_there_is_refused(number, count):
    with pytest.raises(UsageError, match="no such part"):
        Part(number, count)


def test_three_parts_make_the_same_bytes_as_one_run_and_keep_books_of_their_own(tmp_path):
    scans = named(tmp_path / "in", *"abcdefg")
    done(planned(scans, tmp_path / "whole"))
    for number in (2, 0, 1):
        records = done(of_part(planned(scans, tmp_path / "parts"), number))
        assert len(records) == len(range(number, 7, 3))
    assert volumes(tmp_path / "parts") == volumes(tmp_path / "whole")
    books = [lines(tmp_path / "parts", f"manifest.part-{number}-of-3.jsonl") for number in range(3)]
    assert sorted(line["case"] for book in books for line in book if line["kind"] == "case") == list("abcdefg")
    assert "cases.csv" not in names(tmp_path / "parts")
    assert statuses(done(planned(scans, tmp_path / "parts"))) == [Status.DONE_BEFORE] * 7


def test_another_order_of_files_gives_the_same_bytes(tmp_path):
    scans = named(tmp_path / "in", *"abc")
    done(planned(scans, tmp_path / "one"))
    done(planned([scans / "c.nii", scans / "a.nii", scans / "b.nii"], tmp_path / "two"))
    assert volumes(tmp_path / "one") == volumes(tmp_path / "two")


def test_a_second_run_on_a_folder_is_refused_with_who_holds_it(held, impatient, tmp_path):
    scans = named(tmp_path / "in", "a")
    held("")
    with pytest.raises(OutputError, match=r"another run works in this folder \(found process \d+ on .* since 20"):
        done(planned(scans, tmp_path / "out"))
    assert names(tmp_path / "out") == []


def test_the_same_part_twice_is_refused_and_another_part_is_not(held, impatient, tmp_path):
    manifest = planned(named(tmp_path / "in", *"abc"), tmp_path / "out")
    held("1")
    assert statuses(done(of_part(manifest, 0))) == [Status.DONE]
    with pytest.raises(OutputError, match="another run"):
        done(of_part(manifest, 1))
    with pytest.raises(OutputError, match="another run"):
        done(manifest)


def test_a_lock_ends_with_its_holder_however_that_ends(held, tmp_path):
    holder = held("")
    assert is_locked(tmp_path / "out" / NAME)
    assert json.loads((tmp_path / "out" / NAME).read_text()).keys() == {"process", "host", "since"}
    holder.kill()
    assert statuses(done(planned(named(tmp_path / "in", "a"), tmp_path / "out"))) == [Status.DONE]


def test_a_file_system_without_locks_is_no_obstacle(monkeypatch, tmp_path):
    import errno

    def none(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", none)
    assert statuses(done(planned(named(tmp_path / "in", "a"), tmp_path / "out"))) == [Status.DONE]
    assert not is_locked(tmp_path / "out" / NAME)


def test_the_lock_is_free_after_a_run(tmp_path):
    manifest = planned(named(tmp_path / "in", "a"), tmp_path / "out")
    done(manifest, engine=inline())
    with locked(manifest):
        assert is_locked(tmp_path / "out" / NAME)
    assert not is_locked(tmp_path / "out" / NAME)


def test_planning_a_part_is_taking_a_share(tmp_path):
    scans = named(tmp_path / "in", *"abcd")
    assert [case.name for case in planned(scans, tmp_path / "out", part=Part(1, 2)).cases] == ["b", "d"]
