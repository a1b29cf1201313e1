"""Why a case failed, in words that another process can be told."""

import errno
import traceback
from dataclasses import dataclass, field

from medidiff.errors import MedidiffError, OutputError, ResourceError

__all__ = ["Fault", "fault_of"]

HOPELESS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
"""Errors of writing that the next case would meet again: disk full, quota used up, read-only."""


@dataclass(frozen=True)
class Fault:
    """A failure.

    Parameters
    ----------
    reason
        In one line, with the file it happened in.
    kind
        Its class.
    what
        What went wrong, in words that name no file and no person.
    lasting
        Whether the same input would fail in the same way again; not so for a full disk or too little memory.
    hopeless
        Whether the next case would fail for the same reason.
    trace
        Where it happened, for those who ask.
    """

    reason: str
    kind: str
    what: str = ""
    lasting: bool = True
    hopeless: bool = False
    trace: str = field(default="", repr=False)


def fault_of(error: Exception, where: str, *, private: bool = False) -> Fault:
    """Tell an exception as a fault.

    Parameters
    ----------
    where
        The case, for errors that do not name a file.
    private
        Whether a stranger's error may hold a name or a path that must not be shown: so it is with DICOM.
    """
    trace = "".join(traceback.format_exception(error))
    kind = type(error).__name__
    if isinstance(error, MedidiffError):
        reason = str(error) if error.where else f"{where}: {error}"
        lasting = not isinstance(error, OutputError | ResourceError)
        return Fault(reason, kind, error.what, lasting, _is_hopeless(error), trace)
    if isinstance(error, MemoryError):
        return Fault(f"{where}: not enough memory", kind, "not enough memory", lasting=False, trace=trace)
    told = "; --debug shows more, names and paths included" if private else f": {error}"
    lasting = not isinstance(error, OSError)  # what a system refuses now it may give later
    return Fault(" ".join(f"{where}: unexpected {kind}{told}".split()), kind, lasting=lasting, trace=trace)


def _is_hopeless(error: MedidiffError) -> bool:
    cause = error.__cause__ if isinstance(error, OutputError) else None
    return isinstance(cause, OSError) and cause.errno in HOPELESS
