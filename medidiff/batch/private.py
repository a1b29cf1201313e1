"""The one record that tells which DICOM series lay where; it stays with the person who ran the program."""

from pathlib import Path
from typing import Any

from medidiff.batch.case import Manifest
from medidiff.io.sidecar import read_json, write_json

__all__ = ["NAME", "write_private"]

NAME = "private.json"
NOTICE = "Names paths and identifiers of patients' studies: do not pass it on with the results."


def write_private(manifest: Manifest) -> None:
    """Write ``private.json``, readable by its owner alone, if there is DICOM among the inputs.

    It maps what a volume is called in all other records to its folders and unique identifiers. What an earlier run
    wrote for other volumes is kept.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    told = {case.stack.label: _told(case.stack) for case in manifest.cases if case.stack}
    if not told:
        return
    path = manifest.record(NAME)
    before = _before(path)
    write_json(path, {"notice": NOTICE, "volumes": {**before, **told}}, mode=0o600)


def _told(stack: Any) -> dict[str, Any]:
    return {
        "study_uid": stack.series.study_uid,
        "series_uid": stack.series.uid,
        "folders": sorted({source.folder for source in stack.sources}),
        "objects": len(stack.sources),
    }


def _before(path: Path) -> dict[str, Any]:
    volumes = read_json(path).get("volumes") if path.is_file() else {}
    return volumes if isinstance(volumes, dict) else {}
