"""How series are shown without saying whose they are: short hashes, descriptions without names, silent libraries."""

import hashlib
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydicom import Dataset, config

from medidiff.errors import InputError, MedidiffError

__all__ = ["Patient", "described", "discreet", "hashed", "patient_of"]

HASH_DIGITS = 8
SHORTEST = 2
"""Parts of a name with fewer letters are not looked for in descriptions."""

PARTS = re.compile(r"[\^=\s,.\\'\[\]]+")

TELLING = ("PatientName", "PatientID", "PatientBirthDate", "OtherPatientIDs", "AccessionNumber", "StudyDate")
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
    """Return a description on one line, without the patient's name, numbers and dates if they stand in it."""
    text = " ".join("".join(c if c.isprintable() else " " for c in str(header.get(keyword) or "")).split())
    for word in sorted(_words(header), key=len, reverse=True):
        text = re.sub(rf"(?<![a-z]){re.escape(word)}(?![a-z])", "…", text, flags=re.IGNORECASE)
    return text


def _words(header: Dataset) -> set[str]:
    """Parts of what tells a person, and a name's parts run together."""
    told = [[part for part in PARTS.split(str(header.get(keyword) or "")) if part] for keyword in TELLING]
    joined = {a + b for a in told[0] for b in told[0] if a != b}
    return {part for parts in told for part in parts if len(part) >= SHORTEST} | joined
