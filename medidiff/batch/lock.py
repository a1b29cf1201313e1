"""One run at a time in an output folder, or one of each part."""

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from medidiff.batch.case import Manifest
from medidiff.errors import OutputError
from medidiff.io.atomic import make_folder, unwritable

__all__ = ["is_locked", "lock_of", "locked"]

NAME = ".medidiff.lock"
WAIT_SECONDS = 3.0
"""How long the processes of a run that was killed may take to end."""

NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}
"""Errors of file systems that know no locks."""


@contextmanager
def locked(manifest: Manifest) -> Iterator[tuple[int, ...]]:
    """Hold the output folder; the kernel lets go when the last process that holds the descriptors ends.

    A whole run holds the folder alone; parts share it, and each holds its own number.

    Returns
    -------
    tuple of int
        The descriptors, for whoever else writes into the folder.

    Raises
    ------
    OutputError
        If another run holds it, or the folder cannot be written.
    """
    make_folder(manifest.output)
    with _held(manifest.output / NAME, fcntl.LOCK_SH if manifest.part else fcntl.LOCK_EX) as folder:
        if manifest.part is None:
            _sign(folder)
            yield (folder.fileno(),)
            return
        with _held(manifest.output / manifest.part.names(NAME), fcntl.LOCK_EX) as part:
            _sign(part)
            yield folder.fileno(), part.fileno()


def lock_of(manifest: str) -> str:
    """Name the lock that is held as long as the run of a manifest goes on.

    >>> lock_of("manifest.jsonl"), lock_of("manifest.part-0-of-3.jsonl")
    ('.medidiff.lock', '.medidiff.part-0-of-3.lock')
    """
    return f".medidiff.{manifest.split('.', 1)[1].removesuffix('jsonl')}lock"


def is_locked(path: Path) -> bool:
    """Whether a run holds a lock file; False where nothing can be told."""
    try:
        with path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def _held(path: Path, kind: int) -> Iterator[IO[bytes]]:
    try:
        stream = path.open("ab+")
    except OSError as error:
        raise unwritable(path, error) from error
    with stream:
        _take(stream, path, kind)
        yield stream


def _take(stream: IO[bytes], path: Path, kind: int) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(stream, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                hint = "wait for it, stop it, or choose another output folder"
                where = str(path.parent)
                raise OutputError(
                    "another run works in this folder", where=where, found=_holder(path), hint=hint
                ) from None
            time.sleep(0.1)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise unwritable(path, error) from error
            return


def _sign(stream: IO[bytes]) -> None:
    told = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    stream.truncate(0)
    stream.write(json.dumps(told).encode())
    stream.flush()


def _holder(path: Path) -> str:
    try:
        told: Any = json.loads(path.read_bytes())
        return f"process {told['process']} on {told['host']} since {told['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that has not signed"
