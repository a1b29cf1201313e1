"""The nouns of a batch: one input to one output, the plan for all of them, and what came of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medidiff.io.discover import Skipped
from medidiff.io.sidecar import sidecar_path

if TYPE_CHECKING:
    from medidiff.io.dicom import Origin, Stack

__all__ = ["RESEARCH_ONLY", "Case", "Manifest", "Record", "Status"]

FIRST = "00001.dcm"
RESEARCH_ONLY = "Research use only. Not a medical device; not for diagnosis or treatment."


class Status(StrEnum):
    """What came of a case."""

    DONE = "done"
    DONE_BEFORE = "done before"
    PASSED_BY = "passed by"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    NOT_RUN = "not run"

    @property
    def well(self) -> bool:
        """Whether nothing is left to do."""
        return self in (Status.DONE, Status.DONE_BEFORE, Status.PASSED_BY)


@dataclass(frozen=True)
class Case:
    """One input and the files that it becomes.

    Parameters
    ----------
    source
        The input; for DICOM what the volume is called in messages and records, which tells no name or path.
    image
        The volume made from it.
    uncertainty
        The standard deviation, if there is one.
    stack
        The volume of a DICOM series that is the input, if it is one.
    formats
        ``"nifti"``, ``"dicom"`` or both: ``image`` and ``uncertainty`` are NIfTI, ``objects`` is a folder of DICOM; or
        ``"kspace"``: ``image`` is a NumPy file of k-space.
    """

    source: Path
    image: Path
    uncertainty: Path
    stack: "Stack | None" = field(default=None, repr=False)
    formats: tuple[str, ...] = ("nifti",)

    @property
    def objects(self) -> Path:
        """The folder of derived DICOM series: ``enhanced`` and ``uncertainty`` in it."""
        return self.image.with_name(f"{self.uncertainty.name.removesuffix('_uncertainty.nii.gz')}_dicom")

    @property
    def results(self) -> tuple[Path, ...]:
        """What a person is told to look at."""
        return tuple({"nifti": self.image, "kspace": self.image, "dicom": self.objects}[form] for form in self.formats)

    def proofs(self, *, uncertainty: bool) -> list[Path]:
        """Files that are there once the case is finished."""
        volumes = {"nifti": self.image, "kspace": self.image, "dicom": self.objects / "enhanced" / FIRST}
        spreads = {"nifti": self.uncertainty, "dicom": self.objects / "uncertainty" / FIRST}
        return [self.sidecar, *(kind[form] for kind in (volumes, spreads)[: 1 + uncertainty] for form in self.formats)]

    @property
    def sidecar(self) -> Path:
        """What is told about the image."""
        return sidecar_path(self.image)


@dataclass(frozen=True)
class Manifest:
    """The plan of a run, complete before the work starts.

    Parameters
    ----------
    task
        The command, such as ``enhance``.
    product
        What the outputs are, such as ``enhanced``.
    output
        The folder for results and records.
    cases, skipped
        What to work on, and what was seen and left out.
    options
        All that decides the result besides input and model, ready for JSON.
    model
        Name, version and sha256 of the model; empty if the task needs none.
    template
        The series that DICOM made of NIfTI belongs to.
    """

    task: str
    product: str
    output: Path
    cases: tuple[Case, ...]
    skipped: tuple[Skipped, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    template: "Origin | None" = field(default=None, repr=False)


@dataclass(frozen=True)
class Record:
    """What came of a case.

    Parameters
    ----------
    case
        Which.
    status
        How it ended.
    reason
        Why it did not become a result, in one line.
    seconds
        How long it took.
    facts
        What its sidecar says.
    error
        The exception behind a failure, for a traceback on request.
    """

    case: Case
    status: Status
    reason: str = ""
    seconds: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    error: Exception | None = field(default=None, repr=False)
