"""What runs in a worker: several cases in hand, so that one computes while others are read and written."""

import os
import sys
import threading
import time
import traceback
from dataclasses import replace
from queue import SimpleQueue
from typing import Any

from medidiff.batch.attempt import attempt
from medidiff.batch.case import Case, Record
from medidiff.batch.channel import Channel
from medidiff.batch.fault import fault_of
from medidiff.batch.reader import Reader
from medidiff.batch.task import Job, Terms, Work

__all__ = ["serve"]

ADVANCE_SECONDS = 0.2
"""How often at most the progress within a case is sent."""
COMPUTING = 2
"""Cases that compute at once on a GPU: it works on one while the processor prepares or finishes the other."""
SWITCH_SECONDS = 1e-4
"""How long a thread may keep Python from the one that computes: at the usual 5 ms, one that is busy in Python makes a
network's many small calls a hundred times as slow."""


def serve(channel: Channel, terms: Terms, device: str, hands: int) -> None:
    """Open the task on a device, say so, and attempt what comes; ``hands`` cases at once, one or two of them computing.

    Sent are ``(name, arguments)``: ``ready``, ``refused`` with a fault, or a method of
    `medidiff.batch.task.Teller`, with the name of the case in place of the case.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        work = terms.task.open(device)
    except Exception as error:
        channel.send(("refused", (fault_of(error, device),)))
        return
    channel.send(("ready", ()))
    jobs: SimpleQueue[Job] = SimpleQueue()
    turn = threading.Semaphore(COMPUTING if device.startswith("cuda") else 1)
    for _ in range(hands):
        threading.Thread(target=_hand, args=(jobs, channel, terms, work, turn, device), daemon=True).start()
    while True:
        jobs.put(channel.receive())


def _hand(
    jobs: "SimpleQueue[Job]", channel: Channel, terms: Terms, work: Work, turn: threading.Semaphore, device: str
) -> None:
    tell, reader = _Sender(channel), Reader()
    try:
        while True:
            tell.ended(attempt(jobs.get(), terms, work, tell, prepare=reader, turn=turn, device=device))
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # a worker that lost a hand must not seem to work


class _Sender:
    """Tells the run, in the other process."""

    def __init__(self, channel: Channel) -> None:
        self._channel, self._told = channel, 0.0

    def started(self, case: Case) -> None:
        self._send("started", case.name)

    def staged(self, case: Case, stage: str) -> None:
        self._send("staged", case.name, stage)

    def advanced(self, case: Case, fraction: float) -> None:
        if time.monotonic() - self._told >= ADVANCE_SECONDS:
            self._told = time.monotonic()
            self._send("advanced", case.name, fraction)

    def ended(self, record: Record) -> None:
        self._send("ended", record.case.name, replace(record, case=replace(record.case, stack=None)))

    def noted(self, line: str, *, trouble: bool = True) -> None:
        self._send("noted", line)

    def _send(self, name: str, *arguments: Any) -> None:
        self._channel.send((name, arguments))
