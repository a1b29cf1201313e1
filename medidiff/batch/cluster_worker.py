"""What a worker of a Dask cluster does with a case; the model is loaded once in its process."""

import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

from medidiff.batch.attempt import attempt
from medidiff.batch.case import Case, Record
from medidiff.batch.fault import fault_of
from medidiff.batch.reader import Reader
from medidiff.batch.task import Job, Terms, Work
from medidiff.errors import ResourceError

__all__ = ["attempt_there"]

ADVANCE_SECONDS = 0.5
_turn = threading.Lock()
_opening = threading.Lock()
_open: dict[str, Work] = {}
_own = threading.local()


def attempt_there(job: Job, terms: Terms, device: str, token: str) -> Record:
    """Attempt a case in a worker, whose threads compute one at a time and read and write beside.

    Parameters
    ----------
    device
        Where to compute; of several with commas, the worker takes the one of its number.
    token
        Of the run: the topic under which progress is told, and the key under which the model is kept.
    """
    from distributed import get_worker

    worker = get_worker()
    where = _device_of(device, worker.name)
    try:
        work = _opened(terms, where, token)
    except Exception as error:
        raise ResourceError(fault_of(error, where).reason) from None
    if not hasattr(_own, "reader"):
        _own.reader = Reader()
    tell = _Topic(worker, token)
    record = attempt(job, terms, work, tell, prepare=_own.reader, turn=_turn, device=f"{where} of {worker.address}")
    return replace(record, case=replace(record.case, stack=None))


def _device_of(device: str, name: object) -> str:
    devices = device.split(",")
    return devices[name % len(devices)] if isinstance(name, int) else devices[0]


def _opened(terms: Terms, device: str, token: str) -> Work:
    """Open the task of a run once in this process; what an earlier run opened is let go."""
    with _opening:
        if token not in _open:
            _open.clear()
            _open[token] = terms.task.open(device)
        return _open[token]


class _Topic:
    """Tells the run through the scheduler."""

    def __init__(self, worker: Any, token: str) -> None:
        self._worker, self._token, self._told = worker, token, 0.0

    def started(self, case: Case) -> None:
        self._tell("started", case)

    def staged(self, case: Case, stage: str) -> None:
        self._tell("staged", case, stage)

    def advanced(self, case: Case, fraction: float) -> None:
        if time.monotonic() - self._told >= ADVANCE_SECONDS:
            self._told = time.monotonic()
            self._tell("advanced", case, fraction)

    def ended(self, record: Record) -> None:
        """Told by what comes back."""

    def noted(self, line: str, *, trouble: bool = True) -> None:
        """Nothing: there is none."""

    def _tell(self, name: str, case: Case, *told: Any) -> None:
        with suppress(Exception):  # a lost word costs no case
            self._worker.log_event(
                self._token, {"name": name, "case": case.name, "worker": self._worker.address, "told": list(told)}
            )
