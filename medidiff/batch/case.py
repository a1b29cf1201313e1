"""The nouns of a batch: one input to one output, the plan for all of them, and what came of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medidiff.batch.fault import Fault
from medidiff.errors import UsageError
from medidiff.io.discover import Skipped
from medidiff.io.sidecar import sidecar_path

if TYPE_CHECKING:
    from medidiff.io.dicom import Origin, Stack

__all__ = ["RESEARCH_ONLY", "Case", "Manifest", "Part", "Record", "Status"]

FIRST = "00001.dcm"
RESEARCH_ONLY = "Research use only. Not a medical device; not for diagnosis or treatment."


class Status(StrEnum):
    """What came of a case."""

    DONE = "done"
    DONE_BEFORE = "done before"
    PASSED_BY = "passed by"
    FAILED = "failed"
    FAILED_BEFORE = "failed before"
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
        ``"kspace"``: ``image`` is a NumPy file of k-space. With ``"fastmri"`` the magnitude is written as HDF5, too.
    name
        What the case is called in the records: where its results lie, without suffix; no two are equal.
    about
        What its sidecar says besides.
    inherits
        Further files of metadata of the image, the most general first, as BIDS has them.
    """

    source: Path
    image: Path
    uncertainty: Path
    stack: "Stack | None" = field(default=None, repr=False)
    formats: tuple[str, ...] = ("nifti",)
    name: str = ""
    about: Mapping[str, Any] = field(default_factory=dict, repr=False)
    inherits: tuple[Path, ...] = ()

    @property
    def objects(self) -> Path:
        """The folder of derived DICOM series: ``enhanced`` and ``uncertainty`` in it."""
        return self.image.with_name(f"{self.uncertainty.name.removesuffix('_uncertainty.nii.gz')}_dicom")

    @property
    def inferred(self) -> Path:
        """The share of each voxel that k-space does not determine, if there is one."""
        return self.image.with_name(f"{self.uncertainty.name.removesuffix('_uncertainty.nii.gz')}_inferred.nii.gz")

    @property
    def slices(self) -> Path:
        """The magnitude as fastMRI's challenge takes it, if it is asked for."""
        return self.image.with_name(f"{self.image.name.removesuffix('.nii.gz')}.h5")

    @property
    def results(self) -> tuple[Path, ...]:
        """What a person is told to look at."""
        kinds = {"nifti": self.image, "kspace": self.image, "dicom": self.objects, "fastmri": self.slices}
        return tuple(kinds[form] for form in self.formats)

    def proofs(self, *, uncertainty: bool, inferred: bool = False) -> list[Path]:
        """Files that are there once the case is finished."""
        volumes = {"nifti": self.image, "kspace": self.image, "dicom": self.objects / "enhanced" / FIRST}
        spreads = {"nifti": self.uncertainty, "dicom": self.objects / "uncertainty" / FIRST}
        kinds = [volumes | {"fastmri": self.slices}, *([spreads] if uncertainty else [])]
        maps = [self.inferred] if inferred else []
        return [self.sidecar, *(kind[form] for kind in kinds for form in self.formats if form in kind), *maps]

    @property
    def sidecar(self) -> Path:
        """What is told about the image."""
        return sidecar_path(self.image)


@dataclass(frozen=True)
class Part:
    """A share of a run, for job arrays: every so many cases, beginning with one of the first.

    Parameters
    ----------
    number
        Which, from 0.
    count
        How many there are.

    Raises
    ------
    UsageError
        If there is no such part.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.number < self.count:
            needed = f"0 to {self.count - 1}" if self.count > 0 else "one part or more"
            raise UsageError("no such part", where="--part-id", found=str(self.number), needed=needed)

    def of(self, cases: Sequence[Case]) -> tuple[Case, ...]:
        """Take the cases of this part; all parts together take each case once."""
        return tuple(cases[self.number :: self.count])

    def names(self, name: str) -> str:
        """Give a record a name of its own.

        >>> Part(0, 3).names("cases.csv")
        'cases.part-0-of-3.csv'
        """
        stem, _, suffix = name.rpartition(".")
        return f"{stem}.part-{self.number}-of-{self.count}.{suffix}"


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
    part
        Which share of a larger plan this is, if it is one.
    """

    task: str
    product: str
    output: Path
    cases: tuple[Case, ...]
    skipped: tuple[Skipped, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    template: "Origin | None" = field(default=None, repr=False)
    part: Part | None = None

    def record(self, name: str) -> Path:
        """Where a record of the run belongs: parts do not write over each other's."""
        return self.output / (self.part.names(name) if self.part else name)


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
    fault
        What is behind a failure.
    stages
        Seconds spent on each stage: ``read``, ``wait``, ``compute``, ``write``.
    made_from
        All that decides the result; empty if the input could not be read at all.
    device
        Where it was computed.
    """

    case: Case
    status: Status
    reason: str = ""
    seconds: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    fault: Fault | None = field(default=None, repr=False)
    stages: Mapping[str, float] = field(default_factory=dict, repr=False)
    made_from: Mapping[str, Any] = field(default_factory=dict, repr=False)
    device: str = ""
