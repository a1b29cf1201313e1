"""What size a compressed frame says it has, seen before a decoder takes memory for it."""

import struct
from collections.abc import Iterator

from pydicom import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import (
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
)

from medidiff.errors import InputError

__all__ = ["COMPRESSED", "check_frames"]

COMPRESSED = frozenset((*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, *JPEG2000TransferSyntaxes))
"""Transfer syntaxes whose frames say a size of their own."""

JPEG_START, JPEG_2000_START = b"\xff\xd8", b"\xff\x4f\xff\x51"
SIZES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""Markers of JPEG and JPEG-LS after which sizes stand (ISO 10918-1 B.2.2, ISO 14495-1 C.2.2)."""


def check_frames(header: Dataset) -> None:
    """Refuse compressed frames that say another size than the object does: a decoder would believe them.

    Raises
    ------
    InputError
        With both sizes.
    """
    declared = header.get("Columns"), header.get("Rows")
    if header.file_meta.get("TransferSyntaxUID") not in COMPRESSED or "PixelData" not in header:
        return
    for size in _sizes(header):
        if size is not None and size != declared:
            needed = f"{declared[0]}x{declared[1]}"
            raise InputError("pixels do not have the declared size", found=f"{size[0]}x{size[1]}", needed=needed)


def _sizes(header: Dataset) -> Iterator[tuple[int, int] | None]:
    count = int(header.get("NumberOfFrames") or 1)
    try:
        yield from (_size(frame) for frame in generate_frames(header.PixelData, number_of_frames=count))
    except (ValueError, struct.error) as error:
        raise InputError("pixels are cut short or damaged", found=type(error).__name__) from error


def _size(frame: bytes) -> tuple[int, int] | None:
    """Columns and rows of a JPEG, JPEG-LS or JPEG 2000 code stream, None for anything else."""
    if JPEG_2000_START in frame[:256]:
        start = frame.index(JPEG_2000_START) + 8
        right, bottom, left, top = struct.unpack(">4L", frame[start : start + 16])
        return right - left, bottom - top
    if not frame.startswith(JPEG_START):
        return None
    place = 2
    while frame[place + 1] not in SIZES:
        place += 2 + struct.unpack(">H", frame[place + 2 : place + 4])[0]
        if place + 9 > len(frame):
            raise ValueError("no size in the code stream")
    rows, columns = struct.unpack(">2H", frame[place + 5 : place + 9])
    return columns, rows
