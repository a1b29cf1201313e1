"""One case from its input to its files: identify, read, compute, write; whatever happens becomes a record."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from medidiff.batch.case import Case, Record, Status
from medidiff.batch.fault import Fault, fault_of
from medidiff.batch.objects import check_objects
from medidiff.batch.store import finished, made_from, refuse_foreign, save
from medidiff.batch.task import Job, Teller, Terms, Work
from medidiff.errors import AlreadySharp
from medidiff.io.bids import merged
from medidiff.io.nifti import check_content, read_nifti
from medidiff.volume import Volume

__all__ = ["Prepare", "Ready", "attempt", "identify", "prepare", "read_case"]


@dataclass(frozen=True)
class Ready:
    """What there is before the work.

    Parameters
    ----------
    made_from
        All that decides the result; empty if the input could not be read at all.
    source
        What was read.
    before
        The sidecar of a finished result that was made from the same; then nothing is read.
    fault
        Why there is nothing to work on.
    known
        Whether it failed so in an earlier run, and was not tried again.
    """

    made_from: Mapping[str, Any] = field(default_factory=dict)
    source: Any = None
    before: Mapping[str, Any] = field(default_factory=dict)
    fault: Fault | None = None
    known: bool = False


Prepare = Callable[[Job, Terms], Ready]


def attempt(
    job: Job,
    terms: Terms,
    work: Work,
    tell: Teller,
    *,
    prepare: Prepare,
    turn: AbstractContextManager[Any] | None = None,
    device: str = "",
) -> Record:
    """Make one case.

    Parameters
    ----------
    work
        What the task opened.
    prepare
        Reads the input: `prepare` in this process, or a `medidiff.batch.reader.Reader`.
    turn
        Held while computing, so that of several threads one computes while others read and write.
    device
        Where it is computed, for the record.
    """
    clock, case = _Clock(partial(tell.staged, job.case)), job.case
    tell.started(case)
    ready = Ready()
    try:
        with clock.stage("read"):
            ready = prepare(job, terms)
        ended = partial(_ended, case, clock, made_from=ready.made_from, device=device)
        if ready.fault:
            return ended(Status.FAILED_BEFORE if ready.known else _status(ready.fault), fault=ready.fault)
        if ready.before:
            return ended(Status.DONE_BEFORE, facts=ready.before)
        facts = _made(case, ready, terms, clock, turn or nullcontext(), partial(work, ready.source), tell)
        return ended(Status.DONE, facts=facts)
    except Exception as error:
        fault = fault_of(error, str(case.source), private=case.stack is not None)
        return _ended(case, clock, _status(fault), made_from=ready.made_from, fault=fault, device=device)


def _made(
    case: Case,
    ready: Ready,
    terms: Terms,
    clock: "_Clock",
    turn: AbstractContextManager[Any],
    work: Callable[[Callable[[float], None]], Any],
    tell: Teller,
) -> dict[str, Any]:
    """Compute and write; returns what the sidecar says."""
    with clock.stage("wait"):
        turn.__enter__()
    try:
        with clock.stage("compute"):
            result = work(partial(tell.advanced, case))
    finally:
        turn.__exit__(None, None, None)
    with clock.stage("write"):
        return save(case, terms.manifest, ready.source, result, ready.made_from)


def identify(job: Job, terms: Terms) -> Ready:
    """Hash the input: equal answers, equal results."""
    try:
        return Ready(made_from(job.case, terms.manifest))
    except Exception as error:
        return Ready(fault=fault_of(error, str(job.case.source), private=job.case.stack is not None))


def prepare(job: Job, terms: Terms) -> Ready:
    """Identify the input, and read it unless it is known what comes of it."""
    known = identify(job, terms)
    return known if known.fault else read_case(job, terms, known.made_from)


def read_case(job: Job, terms: Terms, made: Mapping[str, Any]) -> Ready:
    """Read an input that is identified, unless it was finished or failed before and nothing has changed."""
    case = job.case
    try:
        if not terms.force and (before := finished(case, terms.manifest, made)):
            return Ready(made, before=before)
        if job.earlier and job.earlier.get("made_from") == made:
            return Ready(made, fault=_known(job.earlier), known=True)
        if not terms.force:
            refuse_foreign(case)
        return Ready(made, terms.task.read(case.source) if terms.task.read else _checked(case, terms))
    except Exception as error:
        return Ready(made, fault=fault_of(error, str(case.source), private=case.stack is not None))


def _known(earlier: Mapping[str, Any]) -> Fault:
    return Fault(str(earlier["reason"]), str(earlier.get("kind", "")), str(earlier.get("what", "")))


def _checked(case: Case, terms: Terms) -> Volume:
    """Read an image and make sure that there is something to work on."""
    volume = _image(case, terms)
    check_content(volume)
    check_objects(case, terms.manifest, volume)
    return volume


def _image(case: Case, terms: Terms) -> Volume:
    """Read the input of a case, DICOM or NIfTI."""
    if case.stack is None:
        volume = read_nifti(case.source)
        sidecar = merged(case.inherits, volume.meta["sidecar"])
        return replace(volume, meta={**volume.meta, "sidecar": sidecar})
    from medidiff.io.dicom import read_stack

    return read_stack(case.stack, allow_irregular=bool(terms.manifest.options.get("allow_irregular")))


def _status(fault: Fault) -> Status:
    return Status.PASSED_BY if fault.kind == AlreadySharp.__name__ else Status.FAILED


def _ended(case: Case, clock: "_Clock", status: Status, *, fault: Fault | None = None, **told: Any) -> Record:
    reason = fault.reason if fault else ""
    return Record(case, status, reason, clock.seconds, fault=fault, stages=dict(clock.stages), **told)


class _Clock:
    """Seconds of each stage."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._began = tell, time.perf_counter()
        self.stages: dict[str, float] = {}

    @property
    def seconds(self) -> float:
        """Seconds so far, without those spent waiting for a turn."""
        return time.perf_counter() - self._began - self.stages.get("wait", 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        self._tell(name)
        began = time.perf_counter()
        try:
            yield
        finally:
            self.stages[name] = time.perf_counter() - began
