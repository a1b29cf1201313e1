"""Results as a BIDS derivative: their names, what their sidecars add, and what the dataset says of itself."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from medidiff import __version__
from medidiff.batch.case import RESEARCH_ONLY, Case, Manifest
from medidiff.errors import OutputError
from medidiff.io.atomic import make_folder, replacing
from medidiff.io.bids import DESCRIPTION, derived_names, inherited, source_uri
from medidiff.io.sidecar import read_json, write_json

__all__ = ["as_derivative", "describe_derivative"]

VERSION = "1.10.0"
IGNORED = ("cases*.csv", "run*.json", "*.jsonl", "private*.json", "report.html", "cases/", ".medidiff*")
"""What a validator is told to pass by: the records of a run."""

README = """Images made finer by medidiff {version}, each with a record of how.

{notice}
"""


def as_derivative(resolution: str) -> Callable[[Case], Case]:
    """Give cases the names and sidecars of a derivative; ``resolution`` is the label of ``res-``."""

    def renamed(case: Case) -> Case:
        image, spread = derived_names(Path(case.name), resolution)
        output = case.image.parents[len(Path(case.name).parts) - 1]
        about = {
            "Description": f"Made finer by medidiff. {RESEARCH_ONLY}",
            "Sources": [source_uri(case.source)],
            "Resolution": "finer than acquired; the spacing in mm is told under geometry, output",
            "SkullStripped": False,
        }
        named = replace(case, image=output / f"{image}.nii.gz", uncertainty=output / f"{spread}.nii.gz")
        return replace(named, about=about, inherits=inherited(case.source))

    return renamed


def describe_derivative(manifest: Manifest, raw: Path) -> None:
    """Write what makes the output folder a dataset: its description, a readme, and what validators pass by.

    Raises
    ------
    OutputError
        If the folder is another dataset, or cannot be written.
    """
    output = manifest.output
    make_folder(output)
    told = _description(manifest, raw)
    path = output / DESCRIPTION
    if path.exists() and read_json(path).get("GeneratedBy", [{}])[0].get("Name") != "medidiff":
        what, hint = "is another dataset", "choose another output folder"
        raise OutputError(what, where=str(output), hint=hint)
    write_json(path, told)
    _write(output / ".bidsignore", "".join(f"{name}\n" for name in IGNORED))
    _write(output / "README", README.format(version=__version__, notice=RESEARCH_ONLY))


def _description(manifest: Manifest, raw: Path) -> dict[str, Any]:
    known = read_json(raw / DESCRIPTION)
    model = {name: manifest.model[name] for name in ("name", "version", "sha256") if name in manifest.model}
    source = {"URL": known["DatasetDOI"]} if "DatasetDOI" in known else {}
    return {
        "Name": f"{known.get('Name', raw.name)}, made finer by medidiff",
        "BIDSVersion": VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [
            {
                "Name": "medidiff",
                "Version": __version__,
                "Description": f"{manifest.task} with the model {' '.join(model.values())}. {RESEARCH_ONLY}",
            }
        ],
        "DatasetLinks": {"raw": Path(os.path.relpath(raw.resolve(), manifest.output.resolve())).as_posix()},
        **({"License": known["License"]} if "License" in known else {}),
        **({"SourceDatasets": [source]} if source else {}),
    }


def _write(path: Path, text: str) -> None:
    with replacing(path) as stream:
        stream.write(text.encode())
