"""Work through a manifest: one case after the other, each recorded, none able to stop the rest."""

import errno
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from medidiff.batch.case import Case, Manifest, Record, Status
from medidiff.batch.ledger import Ledger
from medidiff.batch.objects import check_objects
from medidiff.batch.store import finished, refuse_foreign, save
from medidiff.errors import AlreadySharp, MedidiffError, OutputError
from medidiff.io.nifti import check_content, read_nifti
from medidiff.volume import Volume

if TYPE_CHECKING:
    from medidiff.tasks import Result

__all__ = ["Reader", "Watcher", "Work", "run"]

Work = Callable[[Any, Callable[[float], None]], "Result"]
"""What is done with what was read; the second argument takes the fraction done, 0 to 1."""

Reader = Callable[[Path], Any]
"""Reads an input that is no image: something with a ``meta``, such as k-space, checked by its reader."""

HOPELESS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
"""Errors of writing that the next case would meet again: disk full, quota used up, read-only."""


class Watcher(Protocol):
    """Who is told how a run goes."""

    def started(self, case: Case) -> None:
        """Take note that a case begins."""

    def advanced(self, fraction: float) -> None:
        """Take note that this fraction of the case is done."""

    def ended(self, record: Record) -> None:
        """Take note of what came of the case."""

    def noted(self, line: str) -> None:
        """Take note of trouble that belongs to no case."""


def run(
    manifest: Manifest,
    work: Work,
    *,
    watcher: Watcher,
    settings: Mapping[str, Any],
    force: bool = False,
    read: Reader | None = None,
) -> list[Record]:
    """Make what the manifest plans, with ``cases.csv`` and ``run.json`` in its output folder.

    A case that fails is recorded and the next one begins; only a disk that takes no more ends the run early.
    Finished cases are left as they are unless ``force``.

    Parameters
    ----------
    manifest
        What to do.
    work
        What is done with each volume; raises `AlreadySharp` if there is nothing to do.
    watcher
        Told of every case.
    settings
        How it is run, for ``run.json``.
    force
        Do finished cases again, and write over files of others.
    read
        For inputs that are no images.

    Returns
    -------
    list of Record
        One per case, in order.

    Raises
    ------
    OutputError
        If the output folder cannot be written.
    KeyboardInterrupt
        After the records are complete: the case in hand ``interrupted``, those after it ``not run``.
    """
    ledger = Ledger(manifest, settings)
    records: list[Record] = []
    outcome = "interrupted"
    try:
        for case in manifest.cases:
            watcher.started(case)
            records.append(_attempt(case, manifest, work, watcher, force=force, read=read))
            watcher.ended(records[-1])
            ledger.add(records[-1])
            if _is_hopeless(records[-1]):
                break
        outcome = "finished" if len(records) == len(manifest.cases) else "stopped"
    finally:
        records += _left_over(manifest.cases[len(records) :], outcome)
        _close(ledger, outcome, records, watcher)
    return records


def _attempt(
    case: Case, manifest: Manifest, work: Work, watcher: Watcher, *, force: bool, read: Reader | None
) -> Record:
    began = time.perf_counter()

    def ended(status: Status, error: Exception | None = None, **told: Any) -> Record:
        return Record(case, status, seconds=time.perf_counter() - began, error=error, **told)

    try:
        if not force and (before := finished(case, manifest)):
            return ended(Status.DONE_BEFORE, facts=before)
        if not force:
            refuse_foreign(case)
        source = read(case.source) if read else _checked(case, manifest)
        result = work(source, watcher.advanced)
        return ended(Status.DONE, facts=save(case, manifest, source, result))
    except AlreadySharp as told:
        return ended(Status.PASSED_BY, reason=_located(told, case))
    except MedidiffError as error:
        return ended(Status.FAILED, error, reason=_located(error, case))
    except MemoryError as error:
        return ended(Status.FAILED, error, reason=f"{case.source}: not enough memory")
    except Exception as error:
        return ended(Status.FAILED, error, reason=_unexpected(error, case))


def _checked(case: Case, manifest: Manifest) -> Volume:
    """Read an image and make sure that there is something to work on."""
    volume = _read(case, manifest)
    check_content(volume)
    check_objects(case, manifest, volume)
    return volume


def _read(case: Case, manifest: Manifest) -> Volume:
    """Read the input of a case, DICOM or NIfTI."""
    if case.stack is None:
        return read_nifti(case.source)
    from medidiff.io.dicom import read_stack

    return read_stack(case.stack, allow_irregular=bool(manifest.options.get("allow_irregular")))


def _unexpected(error: Exception, case: Case) -> str:
    """Say in a line what happened; with DICOM the words of a stranger's error may hold a name or a path."""
    told = f": {error}" if case.stack is None else "; --debug shows more, names and paths included"
    return " ".join(f"{case.source}: unexpected {type(error).__name__}{told}".split())


def _located(error: MedidiffError, case: Case) -> str:
    return str(error) if error.where else f"{case.source}: {error}"


def _is_hopeless(record: Record) -> bool:
    """Whether the next case would fail for the same reason."""
    cause = record.error.__cause__ if isinstance(record.error, OutputError) else None
    return isinstance(cause, OSError) and cause.errno in HOPELESS


def _left_over(cases: Sequence[Case], outcome: str) -> list[Record]:
    """Record what the run did not come to; the first of these was in hand when it was interrupted."""
    records = [Record(case, Status.NOT_RUN, reason=f"the run was {outcome}") for case in cases]
    if outcome == "interrupted":
        records[:1] = [replace(record, status=Status.INTERRUPTED) for record in records[:1]]
    return records


def _close(ledger: Ledger, outcome: str, records: Sequence[Record], watcher: Watcher) -> None:
    """Complete the records; a disk too full for them must not hide what became of the cases, nor be told twice."""
    try:
        ledger.close(outcome, records)
    except OutputError as error:
        if outcome != "stopped":
            watcher.noted(f"records are incomplete: {error}")
