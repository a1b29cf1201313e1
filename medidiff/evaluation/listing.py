"""What is told of cases beside their images: tables of pairs and groups, and the entities in BIDS names."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medidiff.errors import InputError
from medidiff.io.sidecar import split_suffix

__all__ = ["Listing", "bids_key", "entities", "group_of", "read_listing", "subject_of"]

ENTITY = re.compile(r"([a-z]+)-([A-Za-z0-9+.]+)")
MADE = {"desc", "space", "res", "den", "label", "rec", "acq"}
"""Entities that tell how an image was made or acquired, and not of whom or what."""
NAMES = ("case", "reference", "prediction", "participant_id")
"""Columns that say which case a row is of."""


@dataclass(frozen=True)
class Listing:
    """A table read: its file and its rows."""

    path: Path
    rows: Sequence[Mapping[str, str]]

    @staticmethod
    def key(name: str) -> str:
        """Name an image as pairing does: relative path without suffix and without what is added to names."""
        path = Path(name.strip())
        stem = split_suffix(path.name)[0].removesuffix(".npy").removesuffix(".npz")
        return path.with_name(stem.removesuffix("_enhanced").removesuffix("_recon")).as_posix() if stem else ""

    def value(self, case: str, column: str) -> str:
        """Find what the table says of a case in a column; empty if it does not."""
        for row in self.rows:
            names = [self.key(row[name]) for name in NAMES if row.get(name)]
            if any(name in (case, Path(case).name, f"sub-{entities(case).get('sub')}") for name in names):
                return str(row[column] or "")
        return ""


def read_listing(path: Path, needed: Sequence[str] = ()) -> Listing:
    """Read a CSV or TSV table with a header.

    Raises
    ------
    InputError
        If it cannot be read, is empty or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t" if path.suffix == ".tsv" else ",", restval=""))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        told = getattr(error, "strerror", None) or type(error).__name__
        raise InputError("table cannot be read", where=str(path), found=told) from error
    if not rows:
        raise InputError("table is empty", where=str(path), needed="a header and a row or more")
    if missing := [name for name in needed if name not in rows[0]]:
        raise InputError("table lacks a column", where=str(path), found=", ".join(rows[0]), needed=", ".join(missing))
    return Listing(path, rows)


def entities(name: str) -> dict[str, str]:
    """Read the entities of a BIDS name; those of folders count where the file has none of the kind.

    >>> entities("sub-01/anat/sub-01_acq-thick_T1w")
    {'sub': '01', 'acq': 'thick'}
    """
    return dict(pair for part in name.split("/") for pair in ENTITY.findall(part))


def bids_key(name: str) -> str:
    """Tell what was scanned: every entity but `MADE`, and the suffix; empty without a subject."""
    told = {key: value for key, value in entities(name).items() if key not in MADE}
    suffix = Path(name).name.rsplit("_", 1)[-1]
    kept = [f"{key}-{told[key]}" for key in sorted(told)] + ([suffix] if "-" not in suffix else [])
    return "_".join(kept) if "sub" in told else ""


def subject_of(case: str) -> str:
    """Tell whose image a case is: the file's name up to ``sub-LABEL``, or that of a folder; else the case itself.

    >>> subject_of("3mm/ds01_sub-07_T1w"), subject_of("sub-07/anat/T1w"), subject_of("3mm/head")
    ('ds01_sub-07', 'sub-07', '3mm/head')
    """
    for part in reversed(case.split("/")):
        if found := re.match(r".*?sub-[A-Za-z0-9+]+", part):
            return found.group()
    return case


def group_of(case: str, by: str, about: Listing | None) -> str:
    """Tell the sub-group of a case: a column of a table, the first ``folder``, or a BIDS entity.

    Raises
    ------
    InputError
        If neither the table nor any name has it.
    """
    if about is not None and by in about.rows[0]:
        return about.value(case, by) or "not told"
    if by == "folder":
        return case.split("/")[0] if "/" in case else "."
    return entities(case).get(by, "not told")
