"""Reading in a process of its own: a decoder that crashes or a file that hangs costs one case."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from medidiff.batch.attempt import Ready, identify, read_case
from medidiff.batch.child import Child, answer
from medidiff.batch.fault import Fault
from medidiff.batch.task import Job, Terms

__all__ = ["Reader"]

START_SECONDS = 120.0


class Reader:
    """Prepares cases in a child, which is started when it is first needed and again after it was lost."""

    def __init__(self) -> None:
        self._child: Child | None = None

    def __call__(self, job: Job, terms: Terms) -> Ready:
        """Identify and read; see `medidiff.batch.attempt.prepare`."""
        known = self._call({}, identify, job, terms)
        return known if known.fault else self._call(known.made_from, read_case, job, terms, known.made_from)

    def close(self) -> None:
        """End the child."""
        if self._child:
            self._child.forget()
        self._child = None

    def _call(self, made: Mapping[str, Any], function: Callable[..., Ready], job: Job, *arguments: Any) -> Ready:
        terms: Terms = arguments[0]
        child = self._child = self._child or _started()
        lasting = True
        try:
            ready: Ready = child.call(function, job, *arguments, timeout=terms.patience)
            return ready
        except TimeoutError:
            what, found, kind = "reading was given up", f"no end after {terms.patience:g} s", "ReadingHung"
        except (EOFError, OSError):
            what, found, kind = "reading crashed", child.ending(), "ReadingCrashed"
            lasting = not child.was_killed
        self._child = None
        fault = Fault(f"{job.case.source}: {what} (found {found})", kind, what, lasting, trace=_last_words(child))
        child.forget()
        return Ready(made, fault=fault)


def _started() -> Child:
    """Start a child and wait until it listens: its start is no case's fault."""
    child = Child(answer)
    with suppress(TimeoutError, EOFError, OSError):
        child.call(len, (), timeout=START_SECONDS)
    return child


def _last_words(child: Child) -> str:
    child.kill()
    return child.errors().strip() + os.linesep
