"""What is in these folders: which files to work on, under which names, and why others are left out."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from medidiff.errors import InputError, MedidiffError
from medidiff.io.header import read_header
from medidiff.io.names import told_apart
from medidiff.io.selection import Selection
from medidiff.io.sidecar import split_suffix
from medidiff.io.source import Source, dicom_in
from medidiff.io.studies import NoReader, shown, sort, unnamed

if TYPE_CHECKING:
    from medidiff.io.dicom import Series, Stack

__all__ = ["Contents", "Found", "Skipped", "discover", "explore"]

OWN_NAME = re.compile(r"_(enhanced|recon|uncertainty)$")
OWN_DESCRIPTION = re.compile(r"^medidiff\b.*\b(enhanced|reconstructed|uncertainty)\b")
OTHER_IMAGES = (".hdr", ".img", ".mgz", ".mgh", ".nrrd", ".nhdr", ".mha", ".mhd", ".dcm", ".ima", ".mnc")


@dataclass(frozen=True)
class Found:
    """An image to work on.

    Parameters
    ----------
    path
        The file; for DICOM what the volume is called, which tells no name.
    stem
        Its name in the output, relative and without suffix; no two are equal.
    stack
        The volume, if it is one of a DICOM series.
    """

    path: Path
    stem: Path
    stack: "Stack | None" = None


@dataclass(frozen=True)
class Skipped:
    """What was seen and left out.

    Parameters
    ----------
    path
        The file or folder; for DICOM what the series is called.
    reason
        Why.
    private
        Whether the path may name a patient: it is what DICOM comes in.
    """

    path: Path
    reason: str
    private: bool = False


@dataclass(frozen=True)
class Contents:
    """All that lies in files and folders.

    Parameters
    ----------
    images
        NIfTI files.
    series
        DICOM series, those included that are not enhanced.
    skipped
        What is neither.
    """

    images: tuple[Found, ...]
    series: "tuple[Series, ...]"
    skipped: tuple[Skipped, ...]


def discover(
    inputs: Sequence[Path], *, output: Path | None = None, selection: Selection | None = None, show_phi: bool = False
) -> tuple[list[Found], list[Skipped]]:
    """Find the NIfTI files and the volumes of DICOM series among files and folders.

    Folders are searched recursively and mirrored in the stems; hidden files and folders and all that lies in
    ``output`` are not looked at. Files named outright are taken whatever they are called. Two files that would get
    the same name are told apart by the folders in which they lie, and ``a.nii`` beside ``a.nii.gz`` becomes ``a_nii``.
    Volumes of DICOM series are named by hashes and numbers, wherever they lie.

    Parameters
    ----------
    inputs
        Files and folders.
    output
        The folder that results go to.
    selection
        Which DICOM series are wanted; all by default.
    show_phi
        Name the folders of DICOM series, which are often called after patients.

    Returns
    -------
    found, skipped
        In the order of ``inputs``, each folder sorted, and DICOM after NIfTI. Files that this program wrote as
        results, files given twice, image formats that are not read and series that are not enhanced are skipped with
        a reason. A series whose slices make no regular volume is found: reading it tells what is wrong.

    Raises
    ------
    InputError
        If an input does not exist.
    """
    contents = explore(inputs, output=output, show_phi=show_phi)
    found, skipped = list(contents.images), list(contents.skipped)
    for series in contents.series:
        if series.refusal or not series.stacks:
            skipped.append(Skipped(Path(shown(series, show_phi)), series.refusal or "no image in it"))
            continue
        for stack in series.stacks:
            name = Path(shown(stack, show_phi))
            if reason := stack.refusal or (selection or Selection()).why_not(stack):
                skipped.append(Skipped(name, reason))
            else:
                found.append(Found(name, Path(stack.label), stack))
    return told_apart(found), skipped


def explore(inputs: Sequence[Path], *, output: Path | None = None, show_phi: bool = False) -> Contents:
    """Look through files and folders, and sort what is DICOM by its headers; see `discover`.

    Where there is DICOM, what else was left out is called by hashes too unless ``show_phi``.

    Raises
    ------
    InputError
        If an input does not exist.
    """
    images: dict[Path, Found] = {}
    sources: dict[Source, None] = {}
    skipped: list[Skipped] = []
    for given in inputs:
        left_out: list[Skipped] = []
        before = len(sources)
        for candidate in _candidates(given, output, left_out):
            if isinstance(candidate, Source):
                sources[candidate] = None
            elif reason := "given twice" if candidate.path in images else _why_not(candidate.path):
                left_out.append(Skipped(candidate.path, reason))
            else:
                images[candidate.path] = candidate
        dicom = len(sources) > before
        skipped += [
            replace(item, path=unnamed(item.path)) if (dicom or item.private) and not show_phi else item
            for item in left_out
        ]
    series, strays = _sorted(list(sources), show_phi)
    return Contents(tuple(images.values()), tuple(series), (*skipped, *strays))


def _sorted(sources: list[Source], show_phi: bool) -> "tuple[list[Series], list[Skipped]]":
    try:
        series, strays = sort(sources)
    except NoReader as error:
        return [], [Skipped(Path("DICOM"), f"{len(sources)} objects: {error}")]
    return series, [
        Skipped(each.source.path if show_phi else unnamed(each.source.path), each.reason) for each in strays
    ]


def _candidates(given: Path, output: Path | None, skipped: list[Skipped]) -> Iterator[Found | Source]:
    path = Path(os.path.abspath(given))  # noqa: PTH100 - resolve() would lose the names of symbolic links
    if path.is_dir():
        yield from _walk(path, output, skipped)
    elif path.exists():
        before = len(skipped)
        found = [] if split_suffix(path.name)[1] else _dicom(path, skipped)
        yield from found
        if not found and len(skipped) == before:
            yield Found(path, Path(split_suffix(path.name)[0] or path.name))
    else:
        raise InputError("no such file or folder", where=str(given))


def _walk(root: Path, output: Path | None, skipped: list[Skipped]) -> Iterator[Found | Source]:
    out = output.resolve() if output else None

    def unreadable(error: OSError) -> None:
        skipped.append(Skipped(Path(error.filename), f"cannot be opened: {error.strerror}"))

    for folder, below, names in os.walk(root, onerror=unreadable):
        here = Path(folder)
        below[:] = sorted(name for name in below if not name.startswith(".") and (here / name).resolve() != out)
        for name in sorted(names):
            stem, suffix = split_suffix(name)
            if suffix and stem and not name.startswith("."):
                yield Found(here / name, (here / stem).relative_to(root))
            elif not suffix and not name.startswith("."):
                yield from _other(here / name, skipped)


def _other(path: Path, skipped: list[Skipped]) -> Iterable[Source]:
    """Give what of a file is DICOM; one that is called like an image and is none is told of."""
    before = len(skipped)
    found = _dicom(path, skipped)
    if not found and len(skipped) == before and Path(path.name.removesuffix(".gz")).suffix.lower() in OTHER_IMAGES:
        skipped.append(Skipped(path, "not NIfTI: convert it first"))
    return found


def _dicom(path: Path, skipped: list[Skipped]) -> list[Source]:
    try:
        return dicom_in(path) if path.is_file() else []
    except InputError as error:
        skipped.append(Skipped(path, str(error), private=True))
        return []


def _why_not(path: Path) -> str:
    """Why a file is left out, empty if it is not: results of this program are not enhanced again."""
    if not OWN_NAME.search(split_suffix(path.name)[0]):
        return ""
    try:
        ours = OWN_DESCRIPTION.match(read_header(path).description)
    except MedidiffError:
        return ""
    return "a result of medidiff" if ours else ""
