"""Unpacking within bounds: what a stranger's gzip, deflate or zip may grow to, and where a zip entry may not lead."""

import gzip
import stat
import struct
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import BinaryIO

from medidiff.errors import InputError

__all__ = ["GZIP", "MOST_BYTES", "PREAMBLE", "ZIP", "bounded", "check_archive", "gunzipped", "inflated", "is_deflated"]

MOST_BYTES = 2**30
"""An object that unpacks to more is refused."""

FREE_BYTES = 2**26
"""What unpacks to less than this is not asked for its ratio."""

HIGHEST_RATIO = 200
"""Unpacked to packed bytes: MR images compress two- to tenfold, bombs a thousandfold."""

MOST_ENTRIES = 100_000
"""A zip archive with more entries is refused."""

MOST_ARCHIVE_BYTES = 2**36
"""A zip archive that unpacks to more is refused."""

GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
PREAMBLE = 132
DEFLATED, PLAIN = b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.1\0\0\0"
"""Transfer syntax UIDs of equal length: deflated, and what it is once inflated."""


def _allowed(packed: int) -> int:
    return min(MOST_BYTES, max(FREE_BYTES, HIGHEST_RATIO * packed))


def is_deflated(head: bytes) -> bool:
    """Whether the file meta information says that what follows it is deflated."""
    return b"\x02\x00\x10\x00UI\x16\x00" + DEFLATED in head


def gunzipped(stream: BinaryIO, packed: int) -> bytes:
    """Unzip a stream of so many bytes, or refuse it."""
    with gzip.GzipFile(fileobj=stream) as unzipped:
        return bounded(unzipped.read(_allowed(packed) + 1), _allowed(packed))


def inflated(data: bytes) -> bytes:
    """Inflate what follows the file meta information, and say so in it."""
    if data[128:140] != b"DICM\x02\0\0\0UL\x04\0":
        raise InputError("deflated without a preamble or the length of its meta information")
    end = PREAMBLE + 12 + struct.unpack("<L", data[140:144])[0]
    limit = _allowed(len(data))
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    body = bounded(inflater.decompress(data[end:], limit + 1), limit)
    if not inflater.eof:
        raise EOFError("deflated data ends early")
    return data[:end].replace(DEFLATED, PLAIN) + body


def bounded(data: bytes, limit: int) -> bytes:
    """Return what is no longer than it may be.

    Raises
    ------
    InputError
        If it is.
    """
    if len(data) > limit:
        needed = f"at most {limit:.3g} bytes"
        raise InputError("unpacks to more than it may", needed=needed, hint="unpack it yourself if you trust it")
    return data


def check_archive(entries: list[zipfile.ZipInfo]) -> None:
    """Refuse an archive whose entries are too many or too large, encrypted, links, or lead out of it.

    Raises
    ------
    InputError
        With the first reason found.
    """
    if len(entries) > MOST_ENTRIES:
        raise InputError("zip archive has too many entries", found=str(len(entries)), needed=f"at most {MOST_ENTRIES}")
    total = sum(entry.file_size for entry in entries)
    if total > MOST_ARCHIVE_BYTES:
        raise InputError("zip archive unpacks to too much", found=f"{total:.3g} bytes")
    for entry in entries:
        if reason := _danger(entry):
            raise InputError(f"zip archive has {reason}", hint="unpack it yourself if you trust it")


def _danger(entry: zipfile.ZipInfo) -> str:
    """Why an entry is not to be trusted, empty if it is."""
    name = PurePosixPath(entry.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or ":" in (name.parts or ("",))[0]:
        return "an entry whose name leads out of it"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "a link in it"
    if entry.flag_bits & 1:
        return "an encrypted entry"
    if entry.file_size > _allowed(entry.compress_size):
        return "an entry that unpacks to more than it may"
    return ""
