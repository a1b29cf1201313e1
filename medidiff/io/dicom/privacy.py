"""How series are shown without saying whose they are: short hashes, descriptions without names, silent libraries."""

import hashlib
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydicom import Dataset, config

from medidiff.errors import InputError, MedidiffError

__all__ = ["Patient", "cleaned", "described", "discreet", "hashed", "patient_of"]

HASH_DIGITS = 8
SHORTEST = 2
"""Parts of a name with fewer letters are not looked for in descriptions."""

PARTS = re.compile(r"[\^=\s,.\\'\[\]]+")

PEOPLE = (
    *("PatientName", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName"),
    *("ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName"),
)
NUMBERS = ("PatientID", "OtherPatientIDs", "AccessionNumber", "StudyID")
DATES = ("PatientBirthDate", "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")

TELLING = (*PEOPLE, *NUMBERS, *DATES)
"""Elements whose values are taken out of what is shown."""


@contextmanager
def discreet(what: str) -> Iterator[None]:
    """Work on other people's headers so that neither a warning nor an error repeats what stands in them.

    Parameters
    ----------
    what
        What could not be done, for the error.

    Raises
    ------
    InputError
        In place of whatever a library raises.
    """
    before = config.settings.reading_validation_mode
    config.settings.reading_validation_mode = config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (MedidiffError, MemoryError):
        raise
    except Exception as error:
        raise InputError(what, found=type(error).__name__) from error
    finally:
        config.settings.reading_validation_mode = before


@dataclass(frozen=True)
class Patient:
    """Whose a series is; shown only when asked for.

    Parameters
    ----------
    name, number, date
        As the header says: PatientName, PatientID, StudyDate.
    """

    name: str
    number: str
    date: str


def hashed(text: str) -> str:
    """Shorten an identifier or a path to eight digits that do not tell it.

    >>> hashed("1.2.3")
    'c47f5b18'
    """
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]


def patient_of(header: Dataset) -> Patient:
    """Read whose an object is."""
    name, number, date = (str(header.get(word) or "") for word in ("PatientName", "PatientID", "StudyDate"))
    return Patient(name, number, date)


def described(header: Dataset, keyword: str = "SeriesDescription") -> str:
    """Return a description on one line, without names, numbers and dates of people if they stand in it."""
    return cleaned(str(header.get(keyword) or ""), header)


def cleaned(text: str, header: Dataset) -> str:
    """Put text on one line, without what its header tells of people: names, numbers, and dates however written."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    for date in DATES:
        if written := _date_as_written(str(header.get(date) or "")):
            text = re.sub(written, "…", text)
    for word in sorted(_words(header), key=len, reverse=True):
        text = re.sub(rf"(?<![a-z]){re.escape(word)}(?![a-z])", "…", text, flags=re.IGNORECASE)
    return text


def _date_as_written(date: str) -> str:
    """Return a pattern of a date: year, month and day in any usual order, with or without marks between them."""
    if not re.fullmatch(r"\d{8}", date):
        return ""
    year, month, day = date[:4], f"0?{int(date[4:6])}", f"0?{int(date[6:])}"
    orders = ((year, month, day), (day, month, year), (month, day, year))
    whole = [rf"{a}[-./_ ]?{b}[-./_ ]?{c}" for a, b, c in orders]
    short = [rf"{a}[-./]{b}[-./]{c}".replace(year, year[2:]) for a, b, c in orders]
    return rf"(?<!\d)(?:{'|'.join([*whole, *short])})(?!\d)"


def _words(header: Dataset) -> set[str]:
    """Parts of what tells a person, and a name's parts run together."""
    told = {keyword: [part for part in PARTS.split(str(header.get(keyword) or "")) if part] for keyword in TELLING}
    joined = {a + b for keyword in PEOPLE for a in told[keyword] for b in told[keyword] if a != b}
    return {part for parts in told.values() for part in parts if len(part) >= SHORTEST} | joined
