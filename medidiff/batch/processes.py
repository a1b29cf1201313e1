"""The engine of one machine: a worker process for each device, watched by this one."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import wait
from typing import Any, cast

from medidiff.batch.case import Record, Status
from medidiff.batch.child import Child
from medidiff.batch.fault import Fault
from medidiff.batch.store import abandon
from medidiff.batch.task import Engine, Job, Teller, Terms
from medidiff.batch.worker import serve
from medidiff.errors import ResourceError

__all__ = ["HANDS", "processes"]

HANDS = 4
"""Cases in hand at once for each device: one computing, the others being read and written."""

DOING = {"read": "reading", "wait": "waiting", "compute": "computing", "write": "writing"}

LOOK_SECONDS = 0.5
"""How often it is looked for cases that make no progress."""

GRACE = 30.0
"""Seconds that a worker has beyond the patience, to give up a reading by itself."""

MOST_DEATHS = 2
"""A case that was computing when so many workers died is given up: one death may be an accident."""


def processes(devices: Sequence[str], *, hands: int = HANDS) -> Engine:
    """Compute on several devices of this machine; a device given twice gets two workers."""

    def engine(jobs: Iterator[Job], terms: Terms, tell: Teller, *, keep: tuple[int, ...] = ()) -> None:
        with ExitStack() as stack:
            crew = _Crew(jobs, terms, tell, keep, hands)
            stack.callback(crew.dismiss)
            crew.work(devices)

    return engine


@dataclass
class _Hand:
    """A case in the hands of a worker."""

    job: Job
    stage: str = "read"
    since: float = field(default_factory=time.monotonic)


class _Worker:
    """A process and what it has in hand."""

    def __init__(self, device: str, terms: Terms, hands: int, keep: tuple[int, ...]) -> None:
        self.device, self.ready, self.since = device, False, time.monotonic()
        self.child = Child(serve, terms, device, hands, keep=keep)
        self.holding: dict[str, _Hand] = {}

    def give(self, job: Job) -> None:
        self.holding[job.case.name] = _Hand(job)
        self.child.channel.send(job)

    def overdue(self, patience: float) -> list[_Hand]:
        """Cases without progress for too long; those that wait for their turn are not to blame."""
        now = time.monotonic()
        late = {"read": patience + GRACE, "wait": float("inf")}
        return [hand for hand in self.holding.values() if now - hand.since > late.get(hand.stage, patience)]


class _Crew:
    """All workers of a run."""

    def __init__(self, jobs: Iterator[Job], terms: Terms, tell: Teller, keep: tuple[int, ...], hands: int) -> None:
        self._jobs, self._terms, self._tell, self._keep, self._hands = jobs, terms, tell, keep, hands
        self._again: deque[Job] = deque()
        self._deaths: dict[str, int] = {}
        self._workers: list[_Worker] = []

    def work(self, devices: Sequence[str]) -> None:
        """Give out cases until there are none and none is in hand."""
        for device in devices:
            if self._pending():
                self._hire(device)
        while self._pending() or any(worker.holding for worker in self._workers):
            self._give_out()
            ends = {worker.child.channel.fileno(): worker for worker in self._workers}
            for end in wait(list(ends), timeout=LOOK_SECONDS):
                self._listen(ends[cast(int, end)])
            for worker in list(self._workers):
                self._check(worker)

    def dismiss(self) -> None:
        """End all workers, and tidy up after what they had in hand."""
        while self._workers:
            worker = self._workers.pop()
            worker.child.forget()
            for hand in worker.holding.values():
                abandon(hand.job.case)

    def _hire(self, device: str) -> None:
        self._workers.append(_Worker(device, self._terms, self._hands, self._keep))

    def _give_out(self) -> None:
        """Fill every hand of those that are ready, evenly."""
        for place in range(self._hands):
            for worker in self._workers:
                if worker.ready and len(worker.holding) == place and self._pending():
                    self._give(worker, self._again.popleft())

    def _pending(self) -> bool:
        """Whether a case is left that is in no hand."""
        if not self._again and (job := next(self._jobs, None)):
            self._again.append(job)
        return bool(self._again)

    def _give(self, worker: _Worker, job: Job) -> None:
        with suppress(OSError):  # if it died, its channel tells when it is listened to
            worker.give(job)

    def _listen(self, worker: _Worker) -> None:
        try:
            name, arguments = worker.child.channel.receive()
        except (EOFError, OSError):
            self._lost(worker)
            return
        if name == "ready":
            worker.ready = True
        elif name == "refused":
            self._do_without(worker, arguments[0].reason)
        else:
            self._hear(worker, name, *arguments)

    def _hear(self, worker: _Worker, name: str, *arguments: Any) -> None:
        """Take what a worker tells of a case, and pass it on."""
        if name == "noted":
            self._tell.noted(*arguments)
            return
        case, *told = arguments
        hand = worker.holding[case]
        hand.since = time.monotonic()
        if name == "staged":
            hand.stage = told[0]
        if name == "ended":
            del worker.holding[case]
            self._tell.ended(replace(told[0], case=hand.job.case))
        else:
            getattr(self._tell, name)(hand.job.case, *told)

    def _check(self, worker: _Worker) -> None:
        """End a worker that hangs; the case that hangs is given up, the others are given to the next worker."""
        patience = self._terms.patience
        if not worker.ready and time.monotonic() - worker.since > patience:
            self._do_without(worker, f"{worker.device}: nothing heard within {patience:g} s")
        elif late := worker.overdue(patience):
            reason = f"no progress for {patience:g} s"
            self._replace(worker, [(hand, f"given up while {DOING[hand.stage]}", reason, "Hung") for hand in late])

    def _lost(self, worker: _Worker) -> None:
        """Replace a worker that died; a case that was computing when two of them did is given up."""
        how = worker.child.ending()
        if not worker.ready:
            self._do_without(worker, f"{worker.device}: it ended before it began ({how}): {worker.child.last_line()}")
            return
        computing = [hand for hand in worker.holding.values() if hand.stage == "compute"]
        for hand in computing or worker.holding.values():
            name = hand.job.case.name
            self._deaths[name] = self._deaths.get(name, 0) + 1
        guilty = [hand for hand in worker.holding.values() if self._deaths.get(hand.job.case.name, 0) >= MOST_DEATHS]
        self._tell.noted(f"the worker on {worker.device} ended ({how}); another takes its place")
        self._replace(worker, [(hand, f"crashed while {DOING[hand.stage]}", how, "Crashed") for hand in guilty])

    def _do_without(self, worker: _Worker, reason: str) -> None:
        """Go on with the other workers, if there are any."""
        self._workers.remove(worker)
        worker.child.forget()
        if not self._workers:
            raise ResourceError(f"a worker cannot start: {reason}")
        self._tell.noted(f"a worker cannot start, the others go on: {reason}")

    def _replace(self, worker: _Worker, given_up: list[tuple[_Hand, str, str, str]]) -> None:
        self._workers.remove(worker)
        killed = worker.child.was_killed
        worker.child.kill()
        words = worker.child.errors()
        worker.child.forget()
        for hand in worker.holding.values():
            abandon(hand.job.case)
        for hand, what, found, kind in given_up:
            del worker.holding[hand.job.case.name]
            reason, lasting = f"{hand.job.case.source}: {what} (found {found})", not (killed and kind == "Crashed")
            fault = Fault(reason, kind, what, lasting, trace=words)
            self._tell.ended(Record(hand.job.case, Status.FAILED, fault.reason, fault=fault, device=worker.device))
        self._again.extend(hand.job for hand in worker.holding.values())
        if self._pending():
            self._hire(worker.device)
