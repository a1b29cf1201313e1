"""``manifest.jsonl``: the plan of a run, and after it, line by line, what came of each case.

The first lines are written together before the work starts: a ``run``, then a ``case`` for each input and a
``skipped`` for what was left out. Then ``state`` lines are appended, each synced before the next case is told of, and
an ``end``. A line that a loss of power cut short is no line.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medidiff import __version__
from medidiff.batch.case import Case, Manifest, Record, Status
from medidiff.io.atomic import replacing, unwritable
from medidiff.io.sidecar import plain

__all__ = ["NAME", "Journal", "lines_of"]

NAME = "manifest.jsonl"
FORMAT = 1


class Journal:
    """The manifest of a run on disk.

    Parameters
    ----------
    manifest
        The plan. What an earlier run of it says of cases that failed is kept in `earlier`.
    settings
        How it is run: what does not decide the results.

    Raises
    ------
    OutputError
        If it cannot be written.
    """

    def __init__(self, manifest: Manifest, settings: Mapping[str, Any]) -> None:
        self._path = manifest.record(NAME)
        self.earlier = _failures(self._path)
        with replacing(self._path) as stream:
            for line in _plan(manifest, settings, self.earlier):
                stream.write(_encoded(line))
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        self._torn = False

    def started(self, case: Case) -> None:
        """A case is in hand."""
        self._add({"kind": "state", "case": case.name, "state": "running"}, sync=False)

    def ended(self, record: Record) -> None:
        """What came of a case, once its files are on disk."""
        told = {"kind": "state", "case": record.case.name, "state": record.status.value}
        self._add(told | _outcome(record), sync=True)

    def close(self, outcome: str, records: Iterable[Record] = ()) -> None:
        """How the run ended: ``finished``, ``interrupted`` or ``stopped``, and at which cases it was interrupted."""
        for record in records:
            if record.status is Status.INTERRUPTED:
                self.ended(record)
        self._add({"kind": "end", "outcome": outcome}, sync=True)
        os.close(self._descriptor)

    @property
    def gone(self) -> bool:
        """Whether somebody removed it, or the folder around it."""
        try:
            return not os.path.samestat(self._path.stat(), os.fstat(self._descriptor))
        except OSError:
            return True

    def _add(self, line: Mapping[str, Any], *, sync: bool) -> None:
        """Append a line; one that a full disk cuts short ends before the next."""
        data = (b"\n" if self._torn else b"") + _encoded({**line, "at": _now()})
        self._torn = True
        try:
            self._torn = os.write(self._descriptor, data) < len(data)
            if sync:
                os.fsync(self._descriptor)
        except OSError as error:
            raise unwritable(self._path, error) from error


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """Read a manifest; what is no whole line is passed over.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with path.open("rb") as stream:
        for line in stream:
            try:
                told = json.loads(line)
            except ValueError:
                continue
            if isinstance(told, dict):
                yield told


def _failures(path: Path) -> dict[str, dict[str, Any]]:
    """Cases whose last word is a failure that would come again."""
    if not path.is_file():
        return {}
    last: dict[str, dict[str, Any]] = {}
    for line in lines_of(path):
        if line.get("kind") == "case" and "failed" in line:
            last[line["case"]] = line["failed"]
        elif line.get("kind") == "state" and line.get("state") not in ("running", *_UNDECIDED):
            last[line["case"]] = line if line.get("lasting") and line.get("made_from") else {}
    return {name: line for name, line in last.items() if line}


_UNDECIDED = (Status.INTERRUPTED.value, Status.NOT_RUN.value)


def _plan(
    manifest: Manifest, settings: Mapping[str, Any], earlier: Mapping[str, Mapping[str, Any]]
) -> Iterable[dict[str, Any]]:
    yield {
        "kind": "run",
        "format": FORMAT,
        "tool": "medidiff",
        "version": __version__,
        "task": manifest.task,
        "started": _now(),
        "model": manifest.model,
        "options": manifest.options,
        "settings": settings,
        "part": [manifest.part.number, manifest.part.count] if manifest.part else None,
        "cases": len(manifest.cases),
    }
    for case in manifest.cases:
        told = {"kind": "case", "case": case.name, "input": case.source, "outputs": case.results}
        yield told | ({"failed": earlier[case.name]} if case.name in earlier else {})
    for item in manifest.skipped:
        yield {"kind": "skipped", "path": item.path, "reason": item.reason}


def _outcome(record: Record) -> dict[str, Any]:
    fault, facts = record.fault, record.facts
    told = {
        "reason": record.reason,
        "seconds": round(record.seconds, 3),
        "stages": {name: round(seconds, 3) for name, seconds in record.stages.items()},
        "device": record.device,
        "peak_memory_mb": facts.get("peak_memory_mb"),
        "warnings": facts.get("warnings"),
        "made_from": record.made_from,
    }
    told |= {"error": fault.kind, "what": fault.what, "lasting": fault.lasting} if fault else {}
    return {name: value for name, value in told.items() if value not in (None, "", {}, [])}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _encoded(line: Mapping[str, Any]) -> bytes:
    text = json.dumps(plain(line), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode(errors="backslashreplace") + b"\n"
