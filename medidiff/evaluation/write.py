"""The files of a run: ``cases.csv``, ``summary.json`` and ``summary.md``, each whole or not at all."""

import csv
import io
from pathlib import Path
from typing import Any

from medidiff.evaluation.table import Table
from medidiff.io.atomic import replacing
from medidiff.io.sidecar import write_json

__all__ = ["write_cases", "write_table"]


def write_table(table: Table, output: Path) -> None:
    """Write all three files into a folder.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    write_cases(table, output)
    write_json(output / "summary.json", table.summary)
    _write_text(output / "summary.md", table.markdown())


def write_cases(table: Table, output: Path) -> None:
    """Write ``cases.csv``, a line for each case and method, and for what has no partner."""
    before, after = ("case", "method", "status", "subject", "group"), ("data_range", "region_voxels", "prediction")
    columns = [*before, *table.metrics, *after, "reference", "note"]
    rows = table.records()
    rows += [{"status": "unpaired", "prediction": str(path), "note": why} for path, why in table.unpaired.items()]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_cell(row.get(name)) for name in columns] for row in rows])
    _write_text(output / "cases.csv", text.getvalue())


def _write_text(path: Path, text: str) -> None:
    with replacing(path) as stream:
        stream.write(text.encode(errors="surrogateescape"))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
