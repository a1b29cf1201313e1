"""A process of its own, which may crash or hang without harm to the one that started it.

Not ``multiprocessing``: a worker of a cluster may not start such processes, and these need not import the main module.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from medidiff.batch.channel import Channel

__all__ = ["Child", "answer", "main"]

PROGRAM = "from medidiff.batch.child import main; main()"
LOOK_SECONDS = 0.2
"""How often a child looks whether its parent lives."""


class Child:
    """A fresh Python process that runs ``function(channel, *arguments)``.

    It ends when this process does, however that ends.

    Parameters
    ----------
    function
        Found in the other process by its name.
    keep
        Descriptors that stay open in it as long as it lives.
    """

    def __init__(self, function: Callable[..., None], *arguments: Any, keep: tuple[int, ...] = ()) -> None:
        ours, theirs = socket.socketpair()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the child writes to it
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-P", "-c", PROGRAM, str(theirs.fileno()), str(os.getpid())],
                pass_fds=(theirs.fileno(), *keep),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        self.channel = Channel(ours.detach())
        with suppress(OSError):  # it may have ended already, which shows when it is to answer
            self.channel.send((function, arguments))

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def call(self, function: Callable[..., Any], *arguments: Any, timeout: float) -> Any:
        """Let a child that runs `answer` call a function.

        Raises
        ------
        TimeoutError
            If there is no answer within ``timeout`` seconds.
        EOFError, OSError
            If the child ended.
        """
        self.channel.send((function, arguments))
        return self.channel.receive(timeout)

    def ending(self) -> str:
        """Say how it ended, for a person."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(LOOK_SECONDS * 10)
        self._process.kill()
        code = self._process.wait()
        return f"signal {-code}, {_signal_name(-code)}" if code < 0 else f"exit code {code}"

    @property
    def was_killed(self) -> bool:
        """Whether somebody ended it by SIGKILL, as a system short of memory does."""
        return self._process.poll() == -signal.SIGKILL

    def errors(self) -> str:
        """Return the end of what it wrote on stderr."""
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - 4000))
        return self._errors.read().decode(errors="replace")

    def last_line(self) -> str:
        """Return the last line of what it wrote on stderr: of a traceback the one that says what."""
        return next(iter(self.errors().strip().splitlines()[::-1]), "")

    def kill(self) -> None:
        """End it now, and wait until it has."""
        self._process.kill()
        self._process.wait()
        self.channel.close()

    def forget(self) -> None:
        """End it and let go of all that belongs to it."""
        self.kill()
        self._errors.close()


def answer(channel: Channel) -> None:
    """Answer calls one after the other; what is called must not raise."""
    while True:
        function, arguments = channel.receive()
        channel.send(function(*arguments))


def main() -> None:
    """Run what the parent sends first, until it closes the channel or ends."""
    descriptor, parent = map(int, sys.argv[1:3])
    for request in (signal.SIGINT, signal.SIGTERM):  # they reach the parent too, which ends its children in order
        signal.signal(request, signal.SIG_IGN)
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    channel = Channel(descriptor)
    with suppress(EOFError, ConnectionError):
        function, arguments = channel.receive()
        function(channel, *arguments)


def _follow(parent: int) -> None:
    """End with the parent, which may be killed without a chance to say so."""
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os._exit(1)


def _signal_name(number: int) -> str:
    try:
        return signal.strsignal(number) or signal.Signals(number).name
    except ValueError:
        return "unknown"
