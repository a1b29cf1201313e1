"""The engine of one machine: workers that crash, hang or die cost one case at most."""

import os
import time

import pytest

from medidiff.batch import Status, Way, processes, run
from medidiff.batch.child import Child
from medidiff.errors import ResourceError
from tests.bad_files import good
from tests.batch import odd_tasks
from tests.batch.running import lines, names, planned, statuses, table
from tests.fakes import Memory


def work_through(folder, out, task, *, devices=("cpu",), watcher=None, hands=1, **way):
    engine = processes(devices, hands=hands)
    return run(planned(folder, out), task, watcher=watcher or Memory(), way=Way(engine=engine, **way))


def named(folder, *stems):
    for place, stem in enumerate(stems):
        good(folder / f"{stem}.nii", seed=place)
    return folder


def volumes(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*.nii.gz")}


def test_one_worker_two_workers_and_none_at_all_give_the_same_bytes(tmp_path):
    scans = named(tmp_path / "in", *"abcde")
    run(planned(scans, tmp_path / "none"), odd_tasks.quick(), watcher=Memory())
    for name, devices in (("one", ["cpu"]), ("two", ["cpu", "cpu"])):
        records = work_through(scans, tmp_path / name, odd_tasks.quick(), devices=devices)
        assert statuses(records) == [Status.DONE] * 5
        assert [record.case.name for record in records] == list("abcde")
        assert volumes(tmp_path / name) == volumes(tmp_path / "none")


def test_the_crash_of_one_case_costs_that_case_alone(tmp_path):
    watcher = Memory()
    records = work_through(
        named(tmp_path / "in", "a", "crash", "d"), tmp_path / "out", odd_tasks.odd(), watcher=watcher
    )
    assert statuses(records) == [Status.DONE, Status.FAILED, Status.DONE]
    assert "crash.nii: crashed while computing (found signal 11, Segmentation fault)" in records[1].reason
    assert len(watcher.lines) == 2, "it was tried twice, since one death may be an accident"
    assert sum(line.get("state") == "done" for line in lines(tmp_path / "out")) == 2
    assert not [name for name in names(tmp_path / "out") if name.endswith((".part", ".old"))]


def test_a_worker_that_is_killed_once_costs_nothing(tmp_path):
    records = work_through(named(tmp_path / "in", "a", "b", "once"), tmp_path / "out", odd_tasks.odd())
    assert statuses(records) == [Status.DONE] * 3


def test_a_case_that_hangs_is_given_up_and_the_rest_go_on(tmp_path):
    records = work_through(named(tmp_path / "in", "a", "hang", "z"), tmp_path / "out", odd_tasks.odd(), patience=1.5)
    assert statuses(records) == [Status.DONE, Status.FAILED, Status.DONE]
    assert "given up while computing (found no progress for 1.5 s)" in records[1].reason


@pytest.mark.parametrize(
    ("stem", "told"),
    [
        ("crash-reading", "reading crashed (found signal 11, Segmentation fault)"),
        ("hang-reading", "reading was given up (found no end after 1.5 s)"),
    ],
)
def test_a_decoder_that_crashes_or_hangs_does_not_cost_the_worker(stem, told, tmp_path):
    watcher, scans = Memory(), named(tmp_path / "in", "a", stem, "z")
    records = work_through(scans, tmp_path / "out", odd_tasks.odd_reader(), watcher=watcher, patience=1.5)
    assert statuses(records) == [Status.DONE, Status.FAILED, Status.DONE]
    assert told in records[1].reason
    assert watcher.lines == []


def test_a_reader_that_is_killed_for_memory_is_no_lasting_fault(tmp_path):
    records = work_through(named(tmp_path / "in", "kill-reading"), tmp_path / "out", odd_tasks.odd_reader())
    assert "reading crashed (found signal 9, Killed)" in records[0].reason
    assert not records[0].fault.lasting


def test_such_cases_are_not_tried_again_unless_asked(tmp_path):
    scans = named(tmp_path / "in", "a", "hang-reading")
    first, again, asked = (
        work_through(scans, tmp_path / "out", odd_tasks.odd_reader(), patience=1.5, retry_failed=retry)
        for retry in (False, False, True)
    )
    assert statuses(first) == [Status.DONE, Status.FAILED]
    assert statuses(again) == [Status.DONE_BEFORE, Status.FAILED_BEFORE]
    assert again[1].reason == first[1].reason
    assert statuses(asked) == [Status.DONE_BEFORE, Status.FAILED]


def test_too_little_memory_is_tried_again_without_asking(tmp_path):
    scans = named(tmp_path / "in", "oom")
    assert statuses(work_through(scans, tmp_path / "out", odd_tasks.odd())) == [Status.FAILED]
    assert statuses(work_through(scans, tmp_path / "out", odd_tasks.quick())) == [Status.DONE]


def test_a_worker_that_cannot_start_ends_the_run_with_one_line(tmp_path):
    with pytest.raises(ResourceError, match="a worker cannot start: cpu: not enough memory"):
        work_through(named(tmp_path / "in", "a"), tmp_path / "out", odd_tasks.refusing())
    assert [row["status"] for row in table(tmp_path / "out")] == ["not run"]


@pytest.mark.parametrize(("device", "most"), [("cpu", 1), ("cuda:0", 2)])
def test_a_gpu_computes_two_cases_at_once_and_a_processor_one(tmp_path, device, most):
    scans, task = named(tmp_path / "in", *"abcd"), odd_tasks.counted(0.7, tmp_path)
    work_through(scans, tmp_path / "out", task, devices=(device,), hands=4)
    assert max(int(path.name) for path in tmp_path.glob("[0-9]")) == most


def test_reading_and_writing_overlap_with_computing(tmp_path):
    watcher = Memory()
    work_through(named(tmp_path / "in", *"abc"), tmp_path / "out", odd_tasks.quick(0.7), watcher=watcher, hands=3)
    stages = [stage for _, stage in watcher.stages]
    assert stages[: stages.index("write")].count("wait") >= 2, "others were read while the first was computed"


def test_no_more_cases_are_in_hand_than_allowed(tmp_path):
    watcher, most = Memory(), 0
    work_through(named(tmp_path / "in", *"abcdef"), tmp_path / "out", odd_tasks.quick(), watcher=watcher, hands=2)
    for count, case in enumerate(watcher.started_cases):
        ended = [record.case for record in watcher.records].index(case)
        most = max(most, count - ended)
    assert most <= 2


def test_every_stage_is_timed_in_the_records(tmp_path):
    work_through(named(tmp_path / "in", "a"), tmp_path / "out", odd_tasks.quick(0.2))
    row = table(tmp_path / "out")[0]
    assert float(row["compute_s"]) >= 0.2
    assert float(row["read_s"]) > 0
    assert float(row["write_s"]) > 0
    assert row["device"] == "cpu"
    (ended,) = [line for line in lines(tmp_path / "out", "log.jsonl") if line["event"] == "ended"]
    assert ended["stages"].keys() == {"read", "wait", "compute", "write"}


def test_a_child_ends_with_its_parent():
    parent = Child(start_a_child)
    grandchild = parent.channel.receive(10)
    parent.forget()
    until = time.monotonic() + 10
    while os.path.exists(f"/proc/{grandchild}") and time.monotonic() < until:  # noqa: PTH110 - no file, a process
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{grandchild}")  # noqa: PTH110


def start_a_child(channel):
    child = Child(sleep)
    channel.send(child.pid)
    time.sleep(600)


def sleep(channel):
    time.sleep(600)
