"""What is told of cases beside their images: tables of pairs and groups, and the entities in BIDS names."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medidiff.errors import InputError, UsageError
from medidiff.io.sidecar import split_suffix

__all__ = ["Listing", "Who", "bids_key", "entities", "group_of", "read_listing", "subject_of"]

ENTITY = re.compile(r"([a-z]+)-([A-Za-z0-9+.]+)")
MADE = {"desc", "space", "res", "den", "label", "rec", "acq"}
"""Entities that tell how an image was made or acquired, and not of whom or what."""
NAMES = ("case", "reference", "prediction", "participant_id")
"""Columns that say which case a row is of, the first that knows it counts."""
SUBJECTS = ("subject", "participant_id")
"""Columns that say whose image a case is."""


@dataclass(frozen=True)
class Listing:
    """A table read: its file, its rows, and the lines that they stand in."""

    path: Path
    rows: Sequence[Mapping[str, str]]
    lines: Sequence[int]

    @staticmethod
    def key(name: str) -> str:
        """Name an image as pairing does: relative path without suffix and without what is added to names."""
        path = Path(name.strip())
        stem = split_suffix(path.name)[0].removesuffix(".npy").removesuffix(".npz")
        plain = stem.removesuffix("_enhanced").removesuffix("_recon")
        return path.with_name(plain).as_posix() if plain else ""

    @property
    def columns(self) -> Sequence[str]:
        """Names of the columns."""
        return list(self.rows[0])

    @property
    def subject_column(self) -> str:
        """The column that tells whose image a case is; empty if there is none.

        ``participant_id`` does where something else says which case a row is of: alone it is just that.
        """
        told = [name for name in SUBJECTS if name in self.columns]
        alone = told == ["participant_id"] and not {"case", "reference", "prediction"} & set(self.columns)
        return "" if alone or not told else told[0]

    def value(self, case: str, column: str) -> str:
        """Find what the table says of a case in a column; empty if it does not."""
        for row in self._rows_of(case):
            return str(row[column] or "")
        return ""

    def _rows_of(self, case: str) -> Iterable[Mapping[str, str]]:
        """Rows of a case: by its whole name, its last part or its subject, in one column after the other."""
        names = [n for n in NAMES if n in self.columns and not (n == "prediction" and "reference" in self.columns)]
        for name in names:
            for called in (case, Path(case).name, f"sub-{entities(case).get('sub')}"):
                yield from (row for row in self.rows if row[name] and self.key(row[name]) == called)


@dataclass(frozen=True)
class Who:
    """What a run tells of its cases: the sub-group ``by`` a column, folder or entity, and the subject."""

    by: str
    about: Listing | None

    def check(self, cases: Iterable[str]) -> None:
        """Make sure that something has what is asked for.

        Raises
        ------
        UsageError
            If no column, no folder and no name of a case has it.
        """
        columns = self.about.columns if self.about else []
        if self.by in ("", "folder", *columns) or any(self.by in entities(case) for case in cases):
            return
        found = f"{self.by}; columns {', '.join(columns)}" if columns else self.by
        raise UsageError("nothing to group by", found=found, needed="a column, folder, or an entity of the names")

    def group(self, case: str) -> str:
        """Sub-group of a case; empty without groups."""
        return group_of(case, self.by, self.about) if self.by else ""

    def subject(self, case: str) -> str:
        """Whose image a case is: the table says it, or the name."""
        column = self.about.subject_column if self.about else ""
        told = self.about.value(case, column) if self.about and column else ""
        return told or subject_of(case)


def read_listing(path: Path, needed: Sequence[str] = ()) -> Listing:
    """Read a CSV or TSV table with a header.

    Raises
    ------
    InputError
        If it cannot be read, is empty, lacks a column or has rows that are too long.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, delimiter="\t" if path.suffix == ".tsv" else ",", restkey="", restval="")
            told = [(row, reader.line_num) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise InputError("table cannot be read", where=str(path), found=why) from error
    if not told:
        raise InputError("table is empty", where=str(path), needed="a header and a row or more")
    for row, line in told:
        if isinstance(row.get(""), list):
            raise InputError("row has more cells than the header", where=f"{path}, line {line}")
    listing = Listing(path, *zip(*told, strict=True))
    if missing := [name for name in needed if name not in listing.columns]:
        found = ", ".join(listing.columns)
        raise InputError("table lacks a column", where=str(path), found=found, needed=", ".join(missing))
    return listing


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
    """Tell the sub-group of a case: a column of a table, the first ``folder``, or a BIDS entity; else "not told"."""
    if about is not None and by in about.columns:
        return about.value(case, by) or "not told"
    if by == "folder":
        return case.split("/")[0] if "/" in case else "."
    return entities(case).get(by, "not told")
