"""The engine of many machines: a Dask cluster gives out the cases, our records stay the truth.

Which worker takes a case, and that one lost with its worker is taken by another, is Dask's business; that a case is
done is known by its files and told in our manifest, whatever Dask remembers.
"""

import asyncio
import logging
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from medidiff.batch.case import Record, Status
from medidiff.batch.cluster_worker import attempt_there
from medidiff.batch.fault import Fault
from medidiff.batch.store import abandon
from medidiff.batch.task import Engine, Job, Teller, Terms
from medidiff.errors import MedidiffError, ResourceError

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["cluster"]

LOOK_SECONDS = 0.5
CONNECT_SECONDS = 30
THREADS = 3
"""Cases in hand at once for each worker of a local cluster: one computes, the others are read and written."""

LOST = "the same command goes on from there once the cluster is back"


def cluster(address: str, *, device: str = "auto", workers: int = 1) -> Engine:
    """Compute on a Dask cluster.

    Parameters
    ----------
    address
        Of its scheduler, ``tcp://HOST:PORT``; if empty, a cluster of this machine is made.
    device
        Where each worker computes; of several with commas, each numbered worker takes its own.
    workers
        How many a cluster of this machine has.

    Raises
    ------
    ResourceError
        If Dask is not installed.
    """
    if find_spec("distributed") is None:
        raise ResourceError("a cluster needs Dask", hint="pip install 'medidiff[cluster]'")

    def engine(jobs: Iterator[Job], terms: Terms, tell: Teller, *, keep: tuple[int, ...] = ()) -> None:
        with _client(address, workers) as client:
            shown = f"{len(client.nthreads())} workers; the cluster is shown at {client.dashboard_link}"
            tell.noted(shown, trouble=False)
            _Shift(client, jobs, terms, tell, device).work()

    return engine


@contextmanager
def _client(address: str, workers: int) -> "Iterator[Client]":
    """Connect to the scheduler, or to one of our own."""
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    logging.getLogger("tornado").setLevel(logging.CRITICAL)
    if not address:
        where: Any = LocalCluster(n_workers=workers, threads_per_worker=THREADS, dashboard_address="127.0.0.1:0")
        with where, Client(where) as client:
            yield client
        return
    try:
        client = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError) as error:
        found = f"nothing there within {CONNECT_SECONDS} s"
        raise ResourceError("no Dask scheduler", where=address, found=found, hint="start it first") from error
    try:
        yield client
    finally:
        with suppress(Exception):
            client.close(timeout=5)


@dataclass
class _Sent:
    """A case that the cluster has."""

    job: Job
    future: "Future[Record]"
    stage: str = "wait"
    worker: str = ""
    computed: bool = False
    since: float = field(default_factory=time.monotonic)


class _Shift:
    """All cases of a run on a cluster."""

    def __init__(self, client: "Client", jobs: Iterator[Job], terms: Terms, tell: Teller, device: str) -> None:
        self._client, self._jobs, self._terms, self._tell, self._device = client, jobs, terms, tell, device
        self._token = f"medidiff-{uuid4().hex[:8]}"
        self._sent: dict[str, _Sent] = {}
        self._heard: SimpleQueue[dict[str, Any]] = SimpleQueue()
        client.subscribe_topic(self._token, lambda event: self._heard.put(event[1]))

    def work(self) -> None:
        """Keep the cluster filled until all is done."""
        try:
            while self._fill():
                self._wait()
                self._listen()
                self._check()
        except (asyncio.CancelledError, CancelledError, OSError) as error:
            raise ResourceError("the Dask scheduler is lost", found="no connection", hint=LOST) from error
        finally:
            with suppress(Exception):
                self._client.cancel([sent.future for sent in self._sent.values()], force=True)
                self._client.unsubscribe_topic(self._token)

    def _fill(self) -> bool:
        """Have one case more with the cluster than it can work on, for each worker; whether it has any."""
        threads = self._client.nthreads()
        while len(self._sent) < sum(threads.values()) + len(threads) or not self._sent:
            job = next(self._jobs, None)
            if job is None:
                break
            self._send(job)
        return bool(self._sent)

    def _send(self, job: Job) -> None:
        name = job.case.name
        arguments = (job, self._terms, self._device, self._token)
        future = self._client.submit(attempt_there, *arguments, key=f"{name}-{self._token}", pure=False)
        self._sent[name] = _Sent(job, future)

    def _wait(self) -> None:
        from distributed import wait

        with suppress(TimeoutError):
            wait([sent.future for sent in self._sent.values()], timeout=LOOK_SECONDS, return_when="FIRST_COMPLETED")
        if self._client.status != "running":
            raise ResourceError("the Dask scheduler is lost", found=str(self._client.status), hint=LOST)

    def _listen(self) -> None:
        """Pass on what workers told, and what has ended."""
        with suppress(Empty):
            while True:
                self._hear(**self._heard.get_nowait())
        for name, sent in list(self._sent.items()):
            if sent.future.status in ("finished", "error"):
                del self._sent[name]
                self._tell.ended(self._record(sent))
            elif sent.future.status == "cancelled":  # one that is "lost" died with its worker, and is computed again
                raise ResourceError("the Dask scheduler is lost", found="case cancelled", hint=LOST)

    def _hear(self, name: str, case: str, worker: str, told: list[Any]) -> None:
        sent = self._sent.get(case)
        if sent is None:
            return
        sent.worker, sent.since = worker, time.monotonic()
        sent.stage = told[0] if name == "staged" else sent.stage
        sent.computed |= sent.stage == "compute"
        getattr(self._tell, name)(sent.job.case, *told)

    def _record(self, sent: _Sent) -> Record:
        """Take the record that came back; what comes back instead is the death of too many workers."""
        error = sent.future.exception()
        if error is None:
            record: Record = sent.future.result()
            ours = (
                sent.computed and record.status is Status.DONE_BEFORE
            )  # by a worker that was lost before it could say so
            return replace(record, case=sent.job.case, status=Status.DONE if ours else record.status)
        if isinstance(error, MedidiffError):
            raise ResourceError(f"a worker of the cluster cannot start: {error}")
        return self._given_up(sent, "crashed its workers", f"{type(error).__name__}: {error}")

    def _check(self) -> None:
        """Give up cases without progress, with the workers that hang at them."""
        for name, sent in list(self._sent.items()):
            if sent.stage != "wait" and time.monotonic() - sent.since > 2 * self._terms.patience:
                del self._sent[name]
                sent.future.cancel(force=True)
                with suppress(Exception):  # a worker without a nanny cannot be restarted from here
                    self._client.restart_workers([sent.worker], raise_for_error=False)
                found = f"no progress for {2 * self._terms.patience:g} s"
                self._tell.ended(self._given_up(sent, "given up on a cluster", found))

    def _given_up(self, sent: _Sent, what: str, found: str) -> Record:
        case = sent.job.case
        abandon(case)
        fault = Fault(f"{case.source}: {what} (found {' '.join(found.split())})", "Crashed", what)
        return Record(case, Status.FAILED, fault.reason, fault=fault, device=sent.worker)
