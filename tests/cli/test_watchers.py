"""How a run is told on stderr."""

import sys
from pathlib import Path

import pytest

from medidiff.batch import Case, Manifest, Record, Status
from medidiff.cli.bar import Bar
from medidiff.cli.watchers import LINE_SECONDS, Lines, watching

CASE = Case(Path("a.nii"), Path("a_enhanced.nii.gz"), Path("a_uncertainty.nii.gz"))


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets: ``clock[0] = seconds``."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def record(status, **told):
    return Record(CASE, status, **told)


def test_the_time_left_is_reckoned_from_cases_that_took_work(clock, capsys):
    lines = Lines(10)
    for _ in range(6):
        lines.ended(record(Status.DONE_BEFORE))
    clock[0] = 100
    lines.ended(record(Status.DONE, seconds=100))
    assert "[7/10] a.nii: done in 1 min 40 s, 36 an hour, about 5 min 0 s left" in capsys.readouterr().err


def test_long_cases_are_told_now_and_then(clock, capsys):
    lines = Lines(1)
    lines.started(CASE)
    for clock[0], fraction in ((1, 0.1), (LINE_SECONDS, 0.5), (LINE_SECONDS + 1, 0.6)):
        lines.advanced(CASE, fraction)
    assert capsys.readouterr().err == "[1/1] 50%, 1 a minute, about 30.0 s left\n"


def test_quiet_lines_tell_failures_and_results_alone(clock, capsys):
    lines = Lines(3, quiet=True)
    for status in (Status.DONE, Status.PASSED_BY, Status.FAILED):
        lines.started(CASE)
        clock[0] += 2 * LINE_SECONDS
        lines.advanced(CASE, 0.5)
        lines.ended(record(status, reason="" if status is Status.DONE else "why"))
    told = capsys.readouterr()
    assert told.out == "a_enhanced.nii.gz\n"
    assert told.err == "[3/3] failed: why\n"


def test_a_terminal_gets_a_bar_and_nothing_else_does(monkeypatch):
    manifest = Manifest("enhance", "enhanced", Path(), (CASE,))
    with watching(manifest, quiet=False, verbose=False, debug=False) as watcher:
        assert type(watcher) is Lines
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with watching(manifest, quiet=False, verbose=True, debug=False) as watcher:
        assert type(watcher) is Bar
        watcher.started(CASE)
        watcher.advanced(CASE, 0.5)
        watcher.ended(record(Status.DONE, seconds=1.0, facts={"data_residual": {"before": 0.1, "after": 1e-4}}))
    with watching(manifest, quiet=True, verbose=False, debug=False) as watcher:
        assert type(watcher) is Lines
