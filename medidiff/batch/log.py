"""``log.jsonl``: what happened when, without names, paths or anything else of a patient.

Cases are called by numbers in the order of the plan and by a hash of their name in the manifest, which stays with the
results; what a stranger's error says is left out. So the log may be passed on.
"""

import hashlib
import json
import resource
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from medidiff import __version__
from medidiff.batch.case import Case, Manifest, Record
from medidiff.io.sidecar import plain

__all__ = ["NAME", "Log"]

NAME = "log.jsonl"


class Log:
    """Appends a line for each event; a log that cannot be written stops nothing.

    Parameters
    ----------
    manifest
        The plan.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._path = manifest.record(NAME)
        self._places = {case.name: place for place, case in enumerate(manifest.cases, 1)}
        model = {name: manifest.model.get(name) for name in ("name", "version", "sha256")} if manifest.model else None
        self.add("run", version=__version__, task=manifest.task, cases=len(manifest.cases), model=model)

    def started(self, case: Case) -> None:
        """A case is in hand."""
        self.add("started", **self._called(case))

    def ended(self, record: Record) -> None:
        """What came of a case, stage by stage."""
        told: dict[str, Any] = {
            "status": record.status.value,
            "seconds": round(record.seconds, 3),
            "stages": {name: round(seconds, 3) for name, seconds in record.stages.items()},
            "device": record.device or None,
            "peak_memory_mb": record.facts.get("peak_memory_mb"),
            "error": record.fault.kind if record.fault else None,
            "what": record.fault.what if record.fault else None,
            "warnings": len(record.facts.get("warnings", ())),
            "run_memory_mb": _own_memory_mb(),
        }
        self.add("ended", **self._called(record.case), **told)

    def add(self, event: str, **told: Any) -> None:
        """Append a line."""
        line: Mapping[str, Any] = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **told}
        text = json.dumps(plain({name: value for name, value in line.items() if value is not None}), allow_nan=False)
        with suppress(OSError), self._path.open("a", encoding="utf-8") as stream:
            stream.write(text + "\n")

    def _called(self, case: Case) -> dict[str, Any]:
        code = hashlib.sha256(case.name.encode(errors="surrogateescape")).hexdigest()[:12]
        return {"case": self._places[case.name], "code": code}


def _own_memory_mb() -> float:
    """Most memory of the process that runs the batch so far, without its workers."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)
