"""All scores of a run as one object: rows to work with, figures by method, and what follows from them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medidiff.errors import ResourceError
from medidiff.evaluation.preset import EXTRA
from medidiff.evaluation.score import Score

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Row", "Table"]


@dataclass(frozen=True)
class Row:
    """One method on one case.

    Parameters
    ----------
    case, method
        Which.
    subject, group
        Whose image it is, and which sub-group it belongs to.
    score
        What came of it.
    prediction, reference
        Where both are from.
    """

    case: str
    method: str
    subject: str
    group: str
    score: Score
    prediction: Path | str
    reference: Path

    @property
    def status(self) -> str:
        """``scored`` or ``failed``."""
        return "failed" if self.score.error else "scored"

    def record(self) -> dict[str, Any]:
        """The row as plain columns."""
        told = {"case": self.case, "method": self.method, "subject": self.subject, "group": self.group}
        facts = {name: self.score.facts.get(name) for name in ("data_range", "region_voxels")}
        files = {"prediction": str(self.prediction), "reference": str(self.reference)}
        note = self.score.error or self.score.note
        return {**told, "status": self.status, **self.score.metrics, **facts, **files, "note": note}


@dataclass(frozen=True)
class Table:
    """The scores of a run; ``table.mean("psnr")``, ``table.to_pandas()``, ``for row in table``.

    Parameters
    ----------
    rows
        One for each case and method, cases sorted by name.
    methods
        In the order given; the first is compared with each of the others.
    settings
        How scores were taken.
    unpaired
        What was left out, and why.
    seed
        Of the bootstrap.
    """

    rows: Sequence[Row]
    methods: Sequence[str]
    settings: Mapping[str, Any] = field(default_factory=dict)
    unpaired: Mapping[Path, str] = field(default_factory=dict)
    seed: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """Names of the scores that there are, in the order of the preset."""
        seen = {name for row in self.rows for name in row.score.metrics}
        known = (*self.settings.get("metrics", ()), *EXTRA, *sorted(seen))
        return tuple(dict.fromkeys(name for name in known if name in seen))

    @cached_property
    def cases(self) -> tuple[str, ...]:
        """Names of the cases."""
        return tuple(dict.fromkeys(row.case for row in self.rows))

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """Whose images the cases are, each once."""
        return tuple(dict.fromkeys(row.subject for row in self.rows))

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the sub-groups; none if there was nothing to group by."""
        return tuple(sorted({row.group for row in self.rows if row.group}))

    def scored(self, method: str = "", group: str = "") -> list[Row]:
        """Rows that have scores, of the first method unless another is named."""
        name = method or self.methods[0]
        return [row for row in self.rows if row.method == name and not row.score.error and group in ("", row.group)]

    def values(self, metric: str, method: str = "", group: str = "") -> dict[str, float]:
        """Score of each case; nan where the metric is undefined."""
        return {row.case: row.score.metrics.get(metric, float("nan")) for row in self.scored(method, group)}

    def mean(self, metric: str, method: str = "") -> float:
        """Mean over the cases in which the metric is defined; nan if there is none."""
        values = [value for value in self.values(metric, method).values() if value == value]
        return sum(values) / len(values) if values else float("nan")

    def counts(self) -> dict[str, int]:
        """How many rows were scored and failed, and what is unpaired."""
        failed = sum(bool(row.score.error) for row in self.rows)
        return {"scored": len(self.rows) - failed, "failed": failed, "unpaired": len(self.unpaired)}

    def records(self) -> list[dict[str, Any]]:
        """Every row as a dict of plain columns."""
        return [row.record() for row in self.rows]

    def to_pandas(self) -> "pd.DataFrame":
        """Every row as a data frame.

        Raises
        ------
        ResourceError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ResourceError(
                "a data frame needs pandas", found="not installed", hint="pip install pandas"
            ) from error
        return pd.DataFrame(self.records())

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Everything that follows from the scores, ready for JSON; see docs/evaluation.md."""
        from medidiff.evaluation.summary import summarise

        return summarise(self)

    def markdown(self) -> str:
        """The tables of ``summary.md``."""
        from medidiff.evaluation.markdown import markdown

        return markdown(self)

    def _repr_markdown_(self) -> str:
        return self.markdown()
