"""Files and folders that appear whole or not at all."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from medidiff.errors import OutputError

__all__ = ["make_folder", "remove", "replacing", "replacing_folder", "sweep", "sweep_folder", "unwritable"]


@contextmanager
def replacing(path: Path, *, mode: int | None = None) -> Iterator[BinaryIO]:
    """Open a file that takes the name ``path`` only once it is complete and on disk.

    It is written under a hidden name in the same folder, synced and renamed. Whatever stops the writing, an
    interrupt included, removes it and leaves an earlier ``path`` as it was; what a killed process left of it goes when
    it is written again. ``mode`` sets its permissions before
    anything is written; without it they are the usual ones.

    Raises
    ------
    OutputError
        If the folder cannot be written or the disk is full.
    """
    part = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    try:
        with part.open("xb") as stream:
            if mode is not None:
                part.chmod(mode)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
        _sync_names(path.parent)
        sweep(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink()


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Make a folder that takes the name ``path`` only once all that was written into it is complete and on disk.

    It is filled under a hidden name beside ``path``, synced and renamed. Whatever stops the filling, an interrupt
    included, removes it and leaves an earlier ``path`` as it was; what a killed process left of it goes when it is
    filled again. Whether an earlier one may be replaced is for the
    caller to know.

    Raises
    ------
    OutputError
        If the folder cannot be written or the disk is full.
    """
    make_folder(path.parent)
    part = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    try:
        part.mkdir()
        yield part
        _sync(part)
        _put_in_place(part, path)
        _sync_names(path.parent)
        sweep(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("r+b") as stream:
                os.fsync(stream.fileno())


def _put_in_place(part: Path, path: Path) -> None:
    """Rename, with what was there before set aside until the new folder has its name."""
    if not path.exists():
        part.rename(path)
        return
    aside = path.with_name(f".{path.name}.{uuid4().hex[:8]}.old")
    path.rename(aside)
    try:
        part.rename(path)
    except BaseException:
        aside.rename(path)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _sync_names(folder: Path) -> None:
    """Make a rename last through a loss of power, on file systems that can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sweep(path: Path) -> None:
    """Remove what a process that was killed left half-written or set aside under the hidden names of ``path``."""
    hidden = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}\.(part|old)")
    with suppress(OSError):
        for left in [other for other in path.parent.iterdir() if hidden.fullmatch(other.name)]:
            _discard(left)


def sweep_folder(folder: Path) -> None:
    """Remove all that killed processes left half-written or set aside in a folder; no one else may write there now."""
    hidden = re.compile(r"\.(.+\.)?[0-9a-f]{8}\.(part|old)")
    with suppress(OSError):
        for left in [other for other in folder.iterdir() if hidden.fullmatch(other.name)]:
            _discard(left)


def _discard(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


def make_folder(path: Path) -> None:
    """Make a folder and those above it, and make sure that files can be made in it.

    Raises
    ------
    OutputError
        If it cannot be made or written.
    """
    probe = path / f".{uuid4().hex[:8]}.part"
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise unwritable(path, error) from error


def remove(path: Path) -> None:
    """Remove a file if it is there.

    Raises
    ------
    OutputError
        If it is there and cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> OutputError:
    """Say in one line why ``path`` cannot be written."""
    return OutputError(
        "cannot be written",
        where=str(path),
        found=error.strerror or str(error),
        hint="free space or choose another output folder",
    )
