"""Work through a manifest: every case recorded, none able to stop the rest, done ones left as they are."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from medidiff.batch.books import Books
from medidiff.batch.case import Case, Manifest, Record, Status
from medidiff.batch.inline import inline
from medidiff.batch.lock import locked
from medidiff.batch.task import PATIENCE, Engine, Job, Task, Teller, Terms
from medidiff.errors import OutputError
from medidiff.io.atomic import sweep_folder

__all__ = ["Way", "run"]

REMOVED = "the output folder was removed during the run"


@dataclass(frozen=True)
class Way:
    """How a plan is carried out: nothing here decides a result.

    Parameters
    ----------
    engine
        Where cases are computed; in this process by default.
    force
        Do finished cases again, and write over files of others.
    retry_failed
        Try again what failed before though nothing has changed.
    patience
        Seconds without progress after which a case is given up.
    settings
        What is told of this in ``run.json``.
    """

    engine: Engine = field(default_factory=inline)
    force: bool = False
    retry_failed: bool = False
    patience: float = PATIENCE
    settings: Mapping[str, Any] = field(default_factory=dict)


def run(manifest: Manifest, task: Task, *, watcher: Teller, way: Way | None = None) -> list[Record]:
    """Make what the manifest plans, with the records of it in its output folder.

    A case that fails is recorded and the next one begins; only a disk that takes no more, or an output folder that is
    removed, ends the run early. Finished cases are left as they are, as are those that failed before with nothing
    changed since.

    Parameters
    ----------
    manifest
        What to do.
    task
        What is done with each volume; its work raises `AlreadySharp` if there is nothing to do.
    watcher
        Told of every case.
    way
        How; the plainest by default.

    Returns
    -------
    list of Record
        One per case, in order, with little of their facts.

    Raises
    ------
    OutputError
        If the output folder cannot be written, or another run works in it.
    ResourceError
        If no worker can start.
    KeyboardInterrupt
        After the records are complete: cases in hand ``interrupted``, those after them ``not run``.
    """
    way = way or Way()
    with locked(manifest) as descriptors:
        _tidy(manifest)
        progress = _Progress(manifest, watcher, way)
        terms = Terms(replace(manifest, cases=(), skipped=()), task, way.force, way.patience)
        outcome = "interrupted"
        try:
            way.engine(progress.jobs(), terms, progress, keep=descriptors)
            outcome = "stopped" if progress.stop else "finished"
        except KeyboardInterrupt:
            raise
        except Exception:
            outcome = "stopped"
            raise
        finally:
            records = progress.close(outcome)
        return records


def _tidy(manifest: Manifest) -> None:
    """Remove what a killed run left half-written; other parts may be writing, so that a part removes only its own."""
    if manifest.part is None:
        for folder in {manifest.output, *(case.image.parent for case in manifest.cases)}:
            sweep_folder(folder)


class _Progress:
    """Hears what the engine tells, keeps the books and tells the watcher."""

    def __init__(self, manifest: Manifest, watcher: Teller, way: Way) -> None:
        self._manifest, self._watcher = manifest, watcher
        self._books = Books(manifest, way.settings)
        self._earlier = {} if way.force or way.retry_failed else self._books.earlier
        self._records: dict[str, Record] = {}
        self._in_hand: dict[str, Case] = {}
        self.stop = ""

    def jobs(self) -> Iterator[Job]:
        """Cases as there is room for them, until something stops the run."""
        for case in self._manifest.cases:
            if self.stop:
                return
            yield Job(case, self._earlier.get(case.name, {}))

    def started(self, case: Case) -> None:
        self._in_hand[case.name] = case
        self._note(self._books.started, case)
        self._watcher.started(case)

    def staged(self, case: Case, stage: str) -> None:
        self._watcher.staged(case, stage)

    def advanced(self, case: Case, fraction: float) -> None:
        self._watcher.advanced(case, fraction)

    def noted(self, line: str, *, trouble: bool = True) -> None:
        self._books.noted(trouble=trouble)
        self._watcher.noted(line, trouble=trouble)

    def ended(self, record: Record) -> None:
        self._in_hand.pop(record.case.name, None)
        self._records[record.case.name] = _slim(record)
        self._watcher.ended(record)
        self._note(self._books.ended, record)
        if record.fault and record.fault.hopeless:
            self.stop = record.fault.what
        if self._books.gone:
            self.stop = REMOVED

    def close(self, outcome: str) -> list[Record]:
        """Complete the records; a disk too full for them must not hide what became of the cases, nor be told twice."""
        removed = self._books.gone
        records = [self._final(case, outcome, removed=removed) for case in self._manifest.cases]
        try:
            self._books.close(outcome, records, anew=removed)
        except OutputError as error:
            if outcome != "stopped" or removed:
                self._watcher.noted(f"records are incomplete: {error}")
        if removed:
            self._watcher.noted(f"{REMOVED}; what was lost with it is recorded as failed")
        return records

    def _final(self, case: Case, outcome: str, *, removed: bool) -> Record:
        """What is recorded of a case at the end; what the run did not come to, too."""
        record = self._records.get(case.name)
        if record is None:
            reason, interrupted = f"the run was {outcome}", outcome == "interrupted" and case.name in self._in_hand
            return Record(case, Status.INTERRUPTED if interrupted else Status.NOT_RUN, reason)
        lost = removed and record.status in (Status.DONE, Status.DONE_BEFORE) and not _all_there(case)
        return replace(record, status=Status.FAILED, reason=f"{case.source}: {REMOVED}") if lost else record

    def _note(self, book: Any, about: Any) -> None:
        """Write into the books; a disk that is full now gets another chance when the run ends."""
        with suppress(OutputError):
            book(about)


def _all_there(case: Case) -> bool:
    """Whether the results of a case are on disk."""
    return all(path.exists() for path in (*case.results, case.sidecar))


def _slim(record: Record) -> Record:
    """Keep of the facts what the end of a run tells: a thousand cases must cost no memory."""
    kept = {name: record.facts[name] for name in ("data_residual", "warnings") if name in record.facts}
    return replace(record, facts=kept, stages={}, made_from={})
