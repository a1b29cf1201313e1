"""What is done with every case of a run, in a form that another process can be given."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from medidiff.batch.case import Case, Manifest, Record

if TYPE_CHECKING:
    from medidiff.tasks import Result

__all__ = ["PATIENCE", "Engine", "Job", "Reader", "Task", "Teller", "Terms", "Work"]

PATIENCE = 3600.0
"""Seconds without any progress after which a case is given up."""

Work = Callable[[Any, Callable[[float], None]], "Result"]
"""What is done with what was read; the second argument takes the fraction done, 0 to 1."""

Reader = Callable[[Path], Any]
"""Reads an input that is no image: something with a ``meta``, such as k-space, checked by its reader."""


@dataclass(frozen=True)
class Task:
    """What a command does.

    Parameters
    ----------
    open
        Given a device, loads what is needed and returns the work; called once in each process. Must be a function
        that a process can find by its name, or a partial of one.
    read
        For inputs that are no images.
    """

    open: Callable[[str], Work]
    read: Reader | None = None


@dataclass(frozen=True)
class Terms:
    """What all attempts of a run share.

    Parameters
    ----------
    manifest
        The plan without its cases.
    task
        What is done.
    force
        Do finished cases again, and write over files of others.
    patience
        Seconds without progress after which a case is given up.
    """

    manifest: Manifest
    task: Task
    force: bool = False
    patience: float = PATIENCE


@dataclass(frozen=True)
class Job:
    """A case to attempt.

    Parameters
    ----------
    case
        Which.
    earlier
        How it failed in an earlier run, to be left at that if nothing has changed; empty to try again.
    """

    case: Case
    earlier: Mapping[str, Any] = field(default_factory=dict)


class Teller(Protocol):
    """Who is told how a run goes."""

    def started(self, case: Case) -> None:
        """Take note that a case begins."""

    def staged(self, case: Case, stage: str) -> None:
        """Take note that a case comes to a stage: ``read``, ``wait``, ``compute``, ``write``."""

    def advanced(self, case: Case, fraction: float) -> None:
        """Take note that this fraction of the case is done."""

    def ended(self, record: Record) -> None:
        """Take note of what came of the case."""

    def noted(self, line: str, *, trouble: bool = True) -> None:
        """Take note of what belongs to no case, trouble or not."""


class Engine(Protocol):
    """Where cases are computed."""

    def __call__(self, jobs: Iterator[Job], terms: Terms, tell: Teller, *, keep: tuple[int, ...] = ()) -> None:
        """Attempt every job and tell of each.

        Parameters
        ----------
        jobs
            Taken one by one, as there is room.
        terms
            What they share.
        tell
            Told of everything, in the thread that called.
        keep
            Descriptors that whoever writes results holds open: the lock on the output folder.
        """
