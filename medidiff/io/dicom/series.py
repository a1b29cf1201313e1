"""What lies in a study: series, and the volumes in each."""

from dataclasses import dataclass, field, replace
from typing import Any

from medidiff.io.dicom.arrange import Arrangement, arrange
from medidiff.io.dicom.frame import Frame
from medidiff.io.dicom.privacy import Patient, discreet
from medidiff.io.source import Source

__all__ = ["Series", "Stack", "Stray"]


@dataclass(frozen=True, eq=False)
class Stack:
    """One volume of a series.

    Parameters
    ----------
    series
        Which it belongs to.
    name
        What tells it from the other volumes of the series, such as ``e2_ph``; empty if it is the only one.
    frames
        Its slices, in no order.
    refusal
        Why it is not enhanced, whatever its geometry; empty if it is.
    place
        Its number among the volumes of the series, from 0.
    """

    series: "Series"
    name: str
    frames: tuple[Frame, ...] = field(repr=False)
    refusal: str = ""
    place: int = 0

    @property
    def label(self) -> str:
        """What it is called in messages and file names: hashes and numbers, never a name."""
        return "_".join(filter(None, (self.series.label, self.name)))

    @property
    def sources(self) -> list[Source]:
        """The objects that it is made of."""
        return sorted({frame.source for frame in self.frames})

    def arrangement(self, *, allow_irregular: bool = False) -> Arrangement:
        """Order the slices; see `arrange` for what is refused."""
        with discreet("slices cannot be put in their places"):
            return arrange(self.frames, allow_irregular=allow_irregular, where=self.label)


@dataclass(frozen=True, eq=False)
class Series:
    """Objects of one series, as far as their headers tell without pixels.

    Parameters
    ----------
    study, code
        Hashes of the study's and the series' unique identifiers.
    number
        SeriesNumber, None if there is none.
    description
        SeriesDescription, without names.
    modality, manufacturer, kind
        ``MR``; who made the scanner; ``classic``, ``enhanced``, ``legacy-converted`` or empty for what is no MR image.
    objects
        How many there are, copies left out.
    copies
        Objects that were found again elsewhere, and are read once.
    refusal
        Why nothing in it is enhanced; empty if something may be.
    stacks
        Its volumes.
    uid, study_uid
        The identifiers themselves, which may hold dates.
    patient
        Whose it is.
    sources
        Its objects, copies included.
    """

    study: str
    code: str
    number: int | None
    description: str
    modality: str
    manufacturer: str
    kind: str
    objects: int
    copies: int = 0
    refusal: str = ""
    stacks: tuple[Stack, ...] = field(default=(), repr=False)
    uid: str = field(default="", repr=False)
    study_uid: str = field(default="", repr=False)
    patient: Patient = field(default=Patient("", "", ""), repr=False)
    sources: tuple[Source, ...] = field(default=(), repr=False)

    @property
    def label(self) -> str:
        """Study hash, series number and series hash, as folder and file name."""
        return f"{self.study}/{self.number or 0:04d}_{self.code}"

    def with_stacks(self, parts: list[tuple[str, list[Frame]]]) -> "Series":
        """Give the series its volumes."""
        stacks = (
            Stack(self, name, tuple(frames), _refusal(frames[0].traits), place)
            for place, (name, frames) in enumerate(parts)
        )
        return replace(self, stacks=tuple(stacks))


@dataclass(frozen=True)
class Stray:
    """What looked like DICOM and cannot be used.

    Parameters
    ----------
    source
        The file.
    reason
        Why, without a name or path.
    """

    source: Source
    reason: str


def _refusal(traits: dict[str, Any]) -> str:
    return str(traits.get("refusal") or "")
