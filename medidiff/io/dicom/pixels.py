"""Voxels of one volume: each slice decoded once, in place, and only what the memory is there for."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from medidiff.errors import InputError, MedidiffError
from medidiff.io.dicom.arrange import Arrangement
from medidiff.io.dicom.bids import sidecar_of
from medidiff.io.dicom.codestream import COMPRESSED, check_frames
from medidiff.io.dicom.parent import check_shared
from medidiff.io.dicom.privacy import discreet
from medidiff.io.dicom.series import Stack
from medidiff.io.source import Archives, Source
from medidiff.volume import Volume

__all__ = ["Origin", "read_stack"]

SCANNER = 1
"""NIfTI xform code of coordinates in the scanner's frame."""

MANY = 4
"""An object with more frames than so many times those wanted is not read whole: only the frames that are wanted are."""

DECODERS = {RLELossless: ("pylibjpeg", "pydicom")}
"""Preferred decoders, fastest first, of a transfer syntax for which pydicom would take another."""


@dataclass(frozen=True, eq=False)
class Origin:
    """The DICOM objects that a volume was read from, for what is derived from it.

    Parameters
    ----------
    sources
        Header of the object, without pixels, for every slice along the last axis of the array. Slices of an enhanced
        object share one; a slice that was interpolated has the nearest measured one.
    frames
        The frame in that object, from 0, for every slice.
    label
        Study hash, series number and hash.
    resampled
        Whether slices were interpolated because the series was irregular.
    """

    sources: tuple[Dataset, ...]
    frames: tuple[int, ...]
    label: str
    resampled: bool = False


def read_stack(stack: Stack, *, allow_irregular: bool = False, max_voxels: int = 2**30) -> Volume:
    """Read one volume of a series.

    Parameters
    ----------
    stack
        Which, as `scan` found it.
    allow_irregular
        Resample what has missing, duplicate or unevenly spaced slices, linearly along the slice axis.
    max_voxels
        Headers that claim more are refused before pixels are read.

    Returns
    -------
    Volume
        ``(column, row, slice)`` float32, slices ascending along the normal; signal as rescaled. ``meta`` has
        ``source`` (a label without names), ``sidecar`` (BIDS fields), ``slice_axis``, ``xform_code``, ``warnings`` and
        ``dicom``, the `Origin`.

    Raises
    ------
    InputError
        If pixels are damaged, of a kind that cannot be decoded, or too many, or slices are those of several patients
        or frames of reference.
    GeometryError
        If the slices make no regular volume; see `arrange`.
    """
    arranged = stack.arrangement(allow_irregular=allow_irregular)
    _check_size(arranged, max_voxels, stack.label)
    with _located(stack.label), discreet("headers or pixels cannot be understood"):
        planes, headers = _planes(arranged)
        check_shared(headers, ("PatientID", "FrameOfReferenceUID"))
        sidecar = sidecar_of(headers[0], arranged.frames[0].index)
    array = _on_grid(planes, arranged) if arranged.resampled else planes
    meta = {
        "source": stack.label,
        "sidecar": {**sidecar, "SpacingBetweenSlices": float(f"{arranged.geometry.spacing[2]:.6g}")},
        "slice_axis": 2,
        "xform_code": SCANNER,
        "warnings": [*arranged.warnings, *_lossy(headers)],
        "dicom": _origin(arranged, headers, stack.label),
    }
    return Volume(array, arranged.geometry, meta)


@contextmanager
def _located(label: str) -> Iterator[None]:
    """Say of which volume an error is, where it does not say it itself."""
    try:
        yield
    except InputError as error:
        told = {"found": error.found, "needed": error.needed, "hint": error.hint}
        raise InputError(error.what, where=error.where or label, **told) from error


def _lossy(headers: Sequence[Dataset]) -> list[str]:
    """Warn of what was compressed with loss, be it long ago."""
    count = sum(str(header.get("LossyImageCompression", "")) == "01" for header in headers)
    return [f"{count} of {len(headers)} slices were compressed with loss: fine detail is not the scanner's"] * bool(
        count
    )


def _origin(arranged: Arrangement, headers: Sequence[Dataset], label: str) -> Origin:
    slices = _nearest(arranged)
    frames = tuple(arranged.frames[i].index for i in slices)
    return Origin(tuple(headers[i] for i in slices), frames, label, arranged.resampled)


def _check_size(arranged: Arrangement, max_voxels: int, where: str) -> None:
    rows, columns = arranged.frames[0].shape
    voxels = rows * columns * max(len(arranged.frames), arranged.geometry.shape[2])
    if voxels > max_voxels:
        found = f"{columns}x{rows}x{arranged.geometry.shape[2]}, {voxels:.2g} voxels"
        raise InputError("headers claim too many voxels", where=where, found=found, needed=f"at most {max_voxels:.2g}")


def _planes(arranged: Arrangement) -> tuple[NDArray[np.float32], list[Dataset]]:
    """``(column, row, slice)`` signal and a header for each slice; each object is opened once."""
    frames = arranged.frames
    rows, columns = frames[0].shape
    array = np.empty((columns, rows, len(frames)), dtype=np.float32, order="F")
    headers: list[Dataset] = [Dataset()] * len(frames)
    wanted: dict[Source, list[int]] = defaultdict(list)
    for place, frame in enumerate(frames):
        wanted[frame.source].append(place)
    with Archives() as archives:
        for source, places in sorted(wanted.items()):
            with archives.open(source) as stream:
                header, content = _opened(stream, few=frames[places[0]].of > MANY * len(places))
                planes = _decoded(content, header, [frames[place].index for place in places])
                for place, stored in zip(places, planes, strict=True):
                    slope, inter = np.float32(frames[place].slope), np.float32(frames[place].inter)
                    array[..., place] = stored.T * slope + inter
                    headers[place] = header
            header.pop("PixelData", None)
    return array, headers


def _opened(stream: BinaryIO, *, few: bool) -> tuple[Dataset, BinaryIO | Dataset]:
    """Read the header of an object, and its pixels with it unless ``few`` of many uncompressed frames are wanted."""
    header = dcmread(stream, force=True, stop_before_pixels=few)
    if few and header.file_meta.get("TransferSyntaxUID") not in COMPRESSED:
        return header, stream
    if few:
        stream.seek(0)
        header = dcmread(stream, force=True)
    check_frames(header)
    return header, header


def _decoded(content: BinaryIO | Dataset, header: Dataset, indices: Sequence[int]) -> Iterator[NDArray[Any]]:
    """Yield ``(row, column)`` stored values of these frames, from the stream or from a dataset with pixels."""
    _check_stored(header)
    shape = (int(header.Rows), int(header.Columns))
    for plane in _attempted(content, header, indices):
        if plane.shape != shape:
            raise InputError("pixels do not fill the declared size", found=f"{plane.shape}", needed=f"{shape}")
        yield plane


def _attempted(content: BinaryIO | Dataset, header: Dataset, indices: Sequence[int]) -> Iterator[NDArray[Any]]:
    """Decode, and turn whatever goes wrong into a line that says what is lacking."""
    syntax = UID(str(header.file_meta.get("TransferSyntaxUID") or _implied_syntax(header)))
    header.file_meta.TransferSyntaxUID = syntax
    try:
        yield from iter_pixels(content, indices=indices, raw=True, decoding_plugin=_preferred(syntax))
    except MedidiffError:
        raise
    except (RuntimeError, NotImplementedError, ImportError) as error:
        hint = "pip install 'medidiff[dicom]' brings the decoders, or decompress it, for instance with gdcmconv --raw"
        raise InputError(f"pixels cannot be decoded ({syntax.name})", found=str(error)[:200], hint=hint) from error
    except Exception as error:  # decoders raise whatever damaged pixels lead to
        found = f"{type(error).__name__}: {error}"[:200]
        raise InputError(
            "pixels are cut short or damaged", found=found, hint="copy it again from its source"
        ) from error


def _implied_syntax(header: Dataset) -> UID:
    """Tell how an object without file meta information was written: uncompressed, with or without types."""
    return ImplicitVRLittleEndian if header.original_encoding[0] else ExplicitVRLittleEndian


def _preferred(syntax: UID) -> str:
    names = DECODERS.get(syntax, ())
    return next((name for name in names if name in get_decoder(syntax).available_plugins), "") if names else ""


def _check_stored(header: Dataset) -> None:
    if not {"Rows", "Columns", "BitsAllocated"} <= set(header.dir()):
        raise InputError("no pixels in the object")
    stored, high = int(header.get("BitsStored") or 0), int(header.get("HighBit") or 0)
    if header.BitsAllocated not in (8, 16, 32) or not 1 <= stored <= header.BitsAllocated:
        raise InputError("unusual pixels", found=f"{stored} of {header.BitsAllocated} bits", needed="8, 16 or 32 bits")
    if high != stored - 1:
        raise InputError("pixels not in the lowest bits", found=f"high bit {high}", needed=str(stored - 1))


def _nearest(arranged: Arrangement) -> list[int]:
    """Return the measured slice nearest to each slice of the grid."""
    grid = np.arange(arranged.geometry.shape[2]) * arranged.geometry.spacing[2]
    apart = np.abs(grid[:, None] - np.array(arranged.offsets))
    return [int(i) for i in apart.argmin(axis=1)]


def _on_grid(planes: NDArray[np.float32], arranged: Arrangement) -> NDArray[np.float32]:
    """Interpolate linearly between the neighbouring measured slices."""
    offsets = np.array(arranged.offsets)
    grid = np.clip(np.arange(arranged.geometry.shape[2]) * arranged.geometry.spacing[2], 0, offsets[-1])
    if len(offsets) == 1:
        return planes
    below = np.clip(np.searchsorted(offsets, grid, side="right") - 1, 0, len(offsets) - 2)
    weight = ((grid - offsets[below]) / (offsets[below + 1] - offsets[below])).astype(np.float32)
    return np.asarray(planes[..., below] * (1 - weight) + planes[..., below + 1] * weight)
