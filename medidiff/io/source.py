"""Where the bytes of a DICOM object lie, and how they are unpacked within bounds: files, gzip, deflate, zip.

Only the standard library is needed, so that a folder can be looked through where pydicom is not installed.
"""

import gzip
import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from medidiff.errors import InputError
from medidiff.io.unpack import (
    GZIP,
    MOST_BYTES,
    PREAMBLE,
    ZIP,
    bounded,
    check_archive,
    gunzipped,
    inflated,
    is_deflated,
)

__all__ = ["Archives", "Source", "dicom_in", "digest"]


@dataclass(frozen=True, order=True)
class Source:
    """One DICOM object on disk.

    Parameters
    ----------
    path
        The file, or the zip archive.
    member
        Its name in the archive.
    """

    path: Path
    member: str = ""

    @property
    def folder(self) -> str:
        """Where it lies; a path that may name a patient, so never shown unasked."""
        return str(self.path) if self.member else str(self.path.parent)


class Archives:
    """Opens sources; zip archives stay open until the end, so that each is read once.

    What is opened is a plain DICOM stream: unzipped, and inflated if its transfer syntax is deflated. Nothing is
    ever unpacked to disk.
    """

    def __init__(self) -> None:
        self._open: dict[Path, zipfile.ZipFile] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "Archives":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    @contextmanager
    def open(self, source: Source) -> Iterator[BinaryIO]:
        """Open an object for reading from its first byte.

        Raises
        ------
        InputError
            If it cannot be read, is damaged, or unpacks to too much; the message names no path.
        """
        try:
            with self._raw(source) as raw:
                head = _peek(raw, 1024)
                if head[:2] == GZIP:
                    raw = io.BytesIO(gunzipped(raw, _size(raw)))
                    head = _peek(raw, 1024)
                yield io.BytesIO(inflated(raw.read())) if is_deflated(head) else raw
        except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, struct.error) as error:
            found = type(error).__name__  # its text may name the file
            raise InputError("file is cut short or damaged", found=found, hint="copy it again") from error
        except OSError as error:
            raise InputError("cannot be read", found=error.strerror or type(error).__name__) from error

    @contextmanager
    def _raw(self, source: Source) -> Iterator[BinaryIO]:
        if not source.member:
            with source.path.open("rb") as stream:
                yield stream
            return
        if source.path not in self._open:
            self._open[source.path] = self._stack.enter_context(zipfile.ZipFile(source.path))
        with self._open[source.path].open(source.member) as stream:
            yield io.BytesIO(bounded(stream.read(MOST_BYTES + 1), MOST_BYTES))


def dicom_in(path: Path) -> list[Source]:
    """List the DICOM objects in a file: itself, those in it if it is a zip archive, or none.

    The content decides, not the name. Of each file its first bytes are read.

    Raises
    ------
    InputError
        If it cannot be opened, or is a zip archive that is damaged or encrypted, has too many or too large entries,
        unpacks suspiciously well, or holds links or names that lead out of it.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(PREAMBLE)
            if head[:2] == GZIP:
                stream.seek(0)
                head = gzip.GzipFile(fileobj=stream).read(PREAMBLE)
            if head[:4] == ZIP:
                return _dicom_in_archive(path)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError("cannot be read", found=getattr(error, "strerror", "") or type(error).__name__) from error
    return [Source(path)] if _looks_like_dicom(head) else []


def digest(sources: list[Source]) -> str:
    """Sha256 over the contents of the objects, whatever their order, names, and packing by gzip or zip."""
    with Archives() as archives:
        each = sorted(_digest(source, *_version(source.path), archives) for source in sources)
    return hashlib.sha256("".join(each).encode()).hexdigest()


def _looks_like_dicom(head: bytes) -> bool:
    """Whether the first bytes are those of DICOM: with a preamble, or as old exports without one."""
    return head[128:PREAMBLE] == b"DICM" or (head[:2] in (b"\x08\x00", b"\x02\x00") and head[3:4] == b"\0")


def _dicom_in_archive(path: Path) -> list[Source]:
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(archive.infolist())
            files = [entry for entry in archive.infolist() if not entry.is_dir()]
            return [Source(path, entry.filename) for entry in files if _looks_like_dicom(_head(archive, entry))]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, zlib.error) as error:
        raise InputError("zip archive is damaged", found=type(error).__name__, hint="copy it again") from error


def _head(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with archive.open(entry) as stream:
        return stream.read(PREAMBLE)


def _version(path: Path) -> tuple[int, int]:
    try:
        facts = path.stat()
    except OSError as error:
        raise InputError("cannot be read", found=error.strerror or "") from error
    return facts.st_size, facts.st_mtime_ns


@lru_cache(maxsize=100_000)
def _remembered(source: Source, size: int, modified: int) -> list[str]:
    """A place for the hash of an object as it is now: many volumes may come from one, and it is hashed once."""
    return []


def _digest(source: Source, size: int, modified: int, archives: Archives) -> str:
    known = _remembered(source, size, modified)
    if not known:
        with archives.open(source) as stream:
            content = hashlib.sha256()
            while block := stream.read(2**20):
                content.update(block)
        known.append(content.hexdigest())
    return known[0]


def _peek(stream: BinaryIO, count: int) -> bytes:
    head = stream.read(count)
    stream.seek(0)
    return head


def _size(stream: BinaryIO) -> int:
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    return size
