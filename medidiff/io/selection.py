"""Which series of a study are wanted: simple rules on what their headers say."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medidiff.errors import MedidiffError, UsageError

if TYPE_CHECKING:
    from medidiff.io.dicom import Stack

__all__ = ["Selection"]

RULE = re.compile(r"(modality|description|spacing)=(.+)", re.DOTALL)
RANGE = re.compile(r"(\d+(?:\.\d+)?)?-(\d+(?:\.\d+)?)?")
NEEDED = "modality=MR, description=REGEX or spacing=LOW-HIGH"


@dataclass(frozen=True)
class Selection:
    """Rules that a volume of a series must all satisfy; without rules every volume does.

    Parameters
    ----------
    modality
        Such as ``MR``; empty for any.
    description
        Regular expression looked for anywhere in the series description, whatever the case; empty for any.
    spacing
        Least and greatest distance between slices, mm.
    allow_irregular
        Whether an irregular series is judged by the grid that it is resampled onto; else it is kept, so that its fault
        is told.
    """

    modality: str = ""
    description: str = ""
    spacing: tuple[float, float] = (0.0, float("inf"))
    allow_irregular: bool = False

    @classmethod
    def parse(cls, rules: Sequence[str], *, allow_irregular: bool = False) -> "Selection":
        """Read rules such as ``description=T2.*flair`` and ``spacing=3-7``.

        Raises
        ------
        UsageError
            If one is none of these, or there are two of a kind.
        """
        told: dict[str, str] = {}
        for rule in rules:
            match = RULE.fullmatch(rule.strip())
            if not match:
                raise UsageError("no such rule", where="--select", found=repr(rule), needed=NEEDED)
            if match[1] in told:
                hint = "join them: description=A|B, spacing=LOW-HIGH"
                raise UsageError(f"two rules for {match[1]}", where="--select", found=repr(rule), hint=hint)
            told[match[1]] = match[2].strip()
        spacing = _range(told["spacing"]) if "spacing" in told else cls.spacing
        description = _pattern(told.get("description", ""))
        return cls(told.get("modality", "").upper(), description, spacing, allow_irregular)

    def why_not(self, stack: "Stack") -> str:
        """Say which rule a volume does not satisfy, empty if it satisfies all."""
        series = stack.series
        if self.modality and series.modality.upper() != self.modality:
            return f"not selected: modality {series.modality or 'unknown'}"
        if not re.search(self.description, series.description, re.IGNORECASE):
            return "not selected: description"
        spacing = self._spacing_of(stack)
        if spacing is not None and not self.spacing[0] <= spacing <= self.spacing[1]:
            return f"not selected: slices {spacing:.4g} mm apart"
        return ""

    def _spacing_of(self, stack: "Stack") -> float | None:
        """Return the distance between slices, None if it does not matter or makes no sense: that is told later."""
        if self.spacing == Selection.spacing:
            return None
        try:
            return stack.arrangement(allow_irregular=self.allow_irregular).geometry.spacing[2]
        except MedidiffError:
            return None


def _range(text: str) -> tuple[float, float]:
    match = RANGE.fullmatch(text.replace(" ", ""))
    if not match or not (match[1] or match[2]):
        raise UsageError("not a range in mm", where="--select", found=repr(text), needed="spacing=LOW-HIGH")
    return float(match[1] or 0), float(match[2] or "inf")


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        found = f"{text!r}: {error}"
        raise UsageError("not a regular expression", where="--select description", found=found) from error
    return text
