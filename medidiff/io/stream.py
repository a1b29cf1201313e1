"""Bytes of an image file, unzipped if need be; whatever is wrong with them is told in one line."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from medidiff.errors import InputError

__all__ = ["damaged", "opened"]

GZIP_MAGIC = b"\x1f\x8b"


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, unzipped if its content (not its name) says gzip.

    Raises
    ------
    InputError
        If it is missing, empty, unreadable or damaged, also while it is being read.
    """
    try:
        if path.stat().st_size == 0:
            raise InputError("file is empty", where=str(path), hint="export or copy it again")
        with path.open("rb") as plain:
            zipped = plain.read(2) == GZIP_MAGIC
            plain.seek(0)
            yield cast(BinaryIO, gzip.GzipFile(fileobj=plain)) if zipped else plain
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise damaged(path, str(error)) from error
    except OSError as error:
        hint = "its link leads nowhere: fetch the content first (datalad get)" if path.is_symlink() else ""
        raise InputError("cannot be read", where=str(path), found=error.strerror or str(error), hint=hint) from error


def damaged(path: Path, found: str) -> InputError:
    """Say that a file is cut short or damaged."""
    hint = "copy it again from its source"
    return InputError("file is cut short or damaged", where=str(path), found=found, hint=hint)
