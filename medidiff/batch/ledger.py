"""The records of a run: ``run.json``, the plan before and the outcome after, and ``cases.csv``, a line per case."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from io import StringIO
from typing import Any

from medidiff import __version__
from medidiff.batch.case import RESEARCH_ONLY, Case, Manifest, Record, Status
from medidiff.io.atomic import replacing
from medidiff.io.sidecar import write_json

__all__ = ["COLUMNS", "Ledger"]

AS_IT_IS = "surrogateescape"
"""Names of files that are no UTF-8 keep their bytes."""

COLUMNS = (
    "input",
    "output",
    "status",
    "reason",
    "seconds",
    "read_s",
    "compute_s",
    "write_s",
    "device",
    "peak_memory_mb",
    "residual_before",
    "residual_after",
    "shape_in",
    "spacing_in_mm",
    "shape_out",
    "spacing_out_mm",
    "warnings",
)


class Ledger:
    """Records of a run on disk, complete up to the last case whatever happens.

    Parameters
    ----------
    manifest
        The plan, written at once.
    settings
        How it is run: what does not decide the results, such as the device.

    Raises
    ------
    OutputError
        If the output folder cannot be written.
    """

    def __init__(self, manifest: Manifest, settings: Mapping[str, Any]) -> None:
        self._manifest, self._settings, self._started = manifest, dict(settings), datetime.now(UTC)
        self._cases = manifest.record("cases.csv")
        self._lines: dict[tuple[str, Status], str] = {}
        self._write_run("running", ())
        self._write_cases(())

    def add(self, record: Record) -> None:
        """Append the line of a case; a disk that is full now gets another chance when the run ends."""
        line = self._lines[record.case.name, record.status] = _line(_row(record))
        with suppress(OSError), self._cases.open("a", newline="", encoding="utf-8", errors=AS_IT_IS) as stream:
            stream.write(line)

    def close(self, outcome: str, records: Sequence[Record]) -> None:
        """Write how the run ended: ``finished``, ``interrupted`` or ``stopped``.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        self._write_cases(records)
        self._write_run(outcome, records)

    def _write_cases(self, records: Sequence[Record]) -> None:
        with replacing(self._cases) as stream:
            stream.write(_line(COLUMNS).encode())
            for record in records:
                line = self._lines.get((record.case.name, record.status)) or _line(_row(record))
                stream.write(line.encode(errors=AS_IT_IS))

    def _write_run(self, outcome: str, records: Sequence[Record]) -> None:
        plan, now = self._manifest, datetime.now(UTC)
        counts = Counter(record.status for record in records)
        told = {
            "tool": "medidiff",
            "version": __version__,
            "notice": RESEARCH_ONLY,
            "task": plan.task,
            "outcome": outcome,
            "started": self._started.isoformat(timespec="seconds"),
            "written": now.isoformat(timespec="seconds"),
            "seconds": round((now - self._started).total_seconds(), 1),
            "counts": {status.value: counts[status] for status in Status if counts[status]},
            "model": plan.model,
            "options": plan.options,
            "part": [plan.part.number, plan.part.count] if plan.part else None,
            "settings": self._settings,
            "cases": [{"input": case.source, "output": _paths(case)} for case in plan.cases],
            "skipped": [{"path": item.path, "reason": item.reason} for item in plan.skipped],
        }
        write_json(plan.record("run.json"), told)


def _row(record: Record) -> tuple[Any, ...]:
    """Return the values of a line in the order of `COLUMNS`."""
    facts = record.facts
    residual = facts.get("data_residual", {})
    before, after = (facts.get("geometry", {}).get(side, {}) for side in ("input", "output"))
    return (
        record.case.source,
        _paths(record.case) if record.status in (Status.DONE, Status.DONE_BEFORE) else "",
        record.status.value,
        record.reason,
        round(record.seconds, 2),
        *(record.stages.get(name) for name in ("read", "compute", "write")),
        record.device,
        facts.get("peak_memory_mb"),
        residual.get("before"),
        residual.get("after"),
        before.get("shape"),
        before.get("spacing_mm"),
        after.get("shape"),
        after.get("spacing_mm"),
        "; ".join(facts.get("warnings", ())),
    )


def _paths(case: Case) -> str:
    return "; ".join(map(str, case.results))


def _line(row: Sequence[Any]) -> str:
    text = StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow([_cell(value) for value in row])
    return text.getvalue()


def _cell(value: Any) -> str:
    """Write numbers short and lists as ``a x b x c``."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return " x ".join(_cell(item) for item in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
