"""How a batch stands, told from its manifests alone: while it runs, after it, and after it was killed."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medidiff.batch.journal import NAME, lines_of
from medidiff.batch.lock import is_locked, lock_of
from medidiff.errors import InputError

__all__ = ["Standing", "standing"]

RECENT = 20
"""How many cases the present rate is reckoned from."""

WORKED = ("done", "failed")
"""States of cases that took work in this run."""


@dataclass
class Standing:
    """Where the cases of a folder stand.

    Parameters
    ----------
    task
        The command.
    outcome
        ``running``, ``finished``, ``interrupted``, ``stopped``, or ``killed`` if it neither runs nor says how it ended;
        of several parts the most urgent.
    states
        The state of each case: those of `medidiff.batch.Status`, ``planned``, ``running``.
    failures
        Cases that failed, with the reason.
    seconds
        What each case took.
    ends
        When cases that took work ended.
    """

    task: str = ""
    outcome: str = ""
    states: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    ends: list[datetime] = field(default_factory=list)
    started: datetime | None = None
    parts: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """How many cases are in each state."""
        return dict(Counter(self.states.values()).most_common())

    @property
    def left(self) -> int:
        """How many cases are still to come, those in hand included."""
        return sum(self.counts.get(state, 0) for state in ("planned", "running"))

    @property
    def rate(self) -> float:
        """Cases that took work per second: of the last ones while it runs, of all afterwards; 0 if none did."""
        ends = sorted(self.ends)
        if not ends or self.started is None:
            return 0.0
        running = self.outcome == "running"
        recent = ends[-RECENT - 1 :] if running and len(ends) > RECENT else [self.started, *ends]
        until = datetime.now(UTC) if running else recent[-1]
        seconds = (until - recent[0]).total_seconds()
        return (len(recent) - 1) / seconds if seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Reckoned from the rate; None if it does not run or nothing can be said."""
        return self.left / self.rate if self.outcome == "running" and self.rate else None

    def slowest(self, count: int = 5) -> list[tuple[str, float]]:
        """Cases that took longest, with their seconds."""
        return sorted(self.seconds.items(), key=lambda item: -item[1])[:count]


def standing(folder: Path) -> Standing:
    """Read all manifests of a folder: of a whole run, or of parts.

    Where both are there, the newer kind counts.

    Raises
    ------
    InputError
        If there is none, or it cannot be read.
    """
    stem, suffix = Path(NAME).stem, Path(NAME).suffix
    parts, whole = sorted(folder.glob(f"{stem}.part-*{suffix}")), folder / NAME
    newest = max((path.stat().st_mtime for path in parts), default=0.0)
    paths = [whole] if whole.is_file() and whole.stat().st_mtime >= newest else parts
    if not paths:
        raise InputError("no batch in this folder", where=str(folder), needed=f"a {NAME}, as enhance writes it")
    told = Standing(parts=len(paths) if paths == parts else 0)
    outcomes = [_read(path, told) for path in paths]
    told.outcome = min(outcomes, key=("running", "killed", "stopped", "interrupted", "finished").index)
    return told


def _read(path: Path, told: Standing) -> str:
    """Add what a manifest says; returns how its run stands."""
    outcome = "running" if is_locked(path.with_name(lock_of(path.name))) else "killed"
    try:
        for line in lines_of(path):
            if line.get("kind") == "end":
                outcome = str(line["outcome"])
            else:
                _take(line, told)
    except (OSError, KeyError, ValueError) as error:
        raise InputError("manifest cannot be read", where=str(path), found=str(error)) from error
    return outcome


def _take(line: Mapping[str, Any], told: Standing) -> None:
    kind = line.get("kind")
    if kind == "run":
        started = datetime.fromisoformat(line["started"])
        told.task, told.started = str(line["task"]), min(told.started or started, started)
    elif kind == "case":
        told.states[line["case"]] = "planned"
    elif kind == "state":
        _take_state(line["case"], line, told)


def _take_state(case: str, line: Mapping[str, Any], told: Standing) -> None:
    state = told.states[case] = str(line["state"])
    if state.startswith("failed"):
        told.failures[case] = str(line.get("reason", ""))
    if state in WORKED:
        told.ends.append(datetime.fromisoformat(line["at"]))
        told.seconds[case] = float(line.get("seconds", 0))
