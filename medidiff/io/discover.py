"""What is in these folders: which files to work on, under which names, and why others are left out."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from medidiff.errors import InputError, MedidiffError
from medidiff.io.header import read_header
from medidiff.io.sidecar import split_suffix

__all__ = ["Found", "Skipped", "discover"]

OWN_NAME = re.compile(r"_(enhanced|uncertainty)$")
OWN_DESCRIPTION = re.compile(r"^medidiff\b.*\b(enhanced|uncertainty)\b")
OTHER_IMAGES = (".hdr", ".img", ".mgz", ".mgh", ".nrrd", ".nhdr", ".mha", ".mhd", ".dcm", ".ima", ".mnc")


@dataclass(frozen=True)
class Found:
    """A file to work on.

    Parameters
    ----------
    path
        The file.
    stem
        Its name in the output, relative and without suffix; no two are equal.
    """

    path: Path
    stem: Path


@dataclass(frozen=True)
class Skipped:
    """A file that was seen and left out.

    Parameters
    ----------
    path
        The file or folder.
    reason
        Why.
    """

    path: Path
    reason: str


def discover(inputs: Sequence[Path], *, output: Path | None = None) -> tuple[list[Found], list[Skipped]]:
    """Find the NIfTI files among files and folders.

    Folders are searched recursively and mirrored in the stems; hidden files and folders and all that lies in
    ``output`` are not looked at. Files named outright are taken whatever they are called. Two files that would get
    the same name are told apart by the folders in which they lie, and ``a.nii`` beside ``a.nii.gz`` becomes ``a_nii``.

    Parameters
    ----------
    inputs
        Files and folders.
    output
        The folder that results go to.

    Returns
    -------
    found, skipped
        In the order of ``inputs``, each folder sorted. Files that this program wrote as results, files given twice
        and image formats that are not read are skipped with a reason.

    Raises
    ------
    InputError
        If an input does not exist.
    """
    skipped: list[Skipped] = []
    found: dict[Path, Found] = {}
    for candidate in _candidates(inputs, output, skipped):
        reason = "given twice" if candidate.path in found else _why_not(candidate.path)
        if reason:
            skipped.append(Skipped(candidate.path, reason))
        else:
            found[candidate.path] = candidate
    return _told_apart(list(found.values())), skipped


def _candidates(inputs: Iterable[Path], output: Path | None, skipped: list[Skipped]) -> Iterator[Found]:
    for given in inputs:
        path = Path(os.path.abspath(given))  # noqa: PTH100 - resolve() would lose the names of symbolic links
        if path.is_dir():
            yield from _walk(path, output, skipped)
        elif path.exists():
            yield Found(path, Path(split_suffix(path.name)[0] or path.name))
        else:
            raise InputError("no such file or folder", where=str(given))


def _walk(root: Path, output: Path | None, skipped: list[Skipped]) -> Iterator[Found]:
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
            elif Path(name.removesuffix(".gz")).suffix.lower() in OTHER_IMAGES:
                skipped.append(Skipped(here / name, "not NIfTI: convert it first"))


def _why_not(path: Path) -> str:
    """Why a file is left out, empty if it is not: results of this program are not enhanced again."""
    if not OWN_NAME.search(split_suffix(path.name)[0]):
        return ""
    try:
        ours = OWN_DESCRIPTION.match(read_header(path).description)
    except MedidiffError:
        return ""
    return "a result of medidiff" if ours else ""


def _told_apart(found: list[Found]) -> list[Found]:
    """Give every file a stem of its own."""
    named = _by_suffix(_by_folder(found))
    taken: set[Path] = set()
    for place, item in enumerate(named):
        stem, count = item.stem, 1
        while stem in taken:
            count += 1
            stem = item.stem.with_name(f"{item.stem.name}_{count}")
        taken.add(stem)
        named[place] = replace(item, stem=stem)
    return named


def _by_folder(found: list[Found]) -> list[Found]:
    """Name files of equal stems in different folders from the folder that those share."""
    folders: dict[Path, set[Path]] = defaultdict(set)
    for item in found:
        folders[item.stem].add(item.path.parent)
    return [
        replace(item, stem=(item.path.parent / item.stem.name).relative_to(os.path.commonpath(folders[item.stem])))
        if len(folders[item.stem]) > 1
        else item
        for item in found
    ]


def _by_suffix(found: list[Found]) -> list[Found]:
    """Let ``a.nii`` give way to ``a.nii.gz``."""
    zipped = {item.stem for item in found if item.path.name.lower().endswith(".gz")}
    return [
        replace(item, stem=item.stem.with_name(f"{item.stem.name}_nii"))
        if item.stem in zipped and item.path.name.lower().endswith(".nii")
        else item
        for item in found
    ]
