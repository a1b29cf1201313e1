"""``medidiff inspect``: what images, DICOM series and k-space are, and whether they would be worked on."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medidiff.cli import options, tables
from medidiff.cli.guard import Exit

if TYPE_CHECKING:
    from medidiff.io.dicom import Series

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  medidiff inspect scan.nii.gz
  medidiff inspect scans/ --json
  medidiff inspect study_folder/ --select "description=T2|FLAIR" --select spacing=3-
"""

OBLIQUE_DEGREES = 0.1
"""Angle from the patient's axes at which a grid counts as oblique."""

LONGEST_DESCRIPTION = 32
"""Letters of a series description that a table shows."""


@click.command("inspect", epilog=EXAMPLES)
@click.argument("paths", nargs=-1, required=True, type=options.EXISTING, metavar="PATH...")
@options.json_option
@options.select_option
@options.irregular_option
@options.show_phi_option
@options.debug_option
def command(
    paths: tuple[Path, ...], as_json: bool, select: tuple[str, ...], allow_irregular: bool, show_phi: bool
) -> None:
    """Show what images, DICOM series and k-space are, and whether enhance or reconstruct would take them.

    Shape, spacing, axes, type and slice thickness. DICOM objects are sorted into series by their headers, whatever
    their files are called. Only headers and sidecars are read, so an image full of NaN or of zeros is not noticed
    here; k-space is read whole, and its axes, centre and scale are told. Exit code 3 if no image could be read.
    """
    from medidiff.cli.kspace_outlook import kspace_outlook
    from medidiff.cli.outlook import outlook, series_outlook
    from medidiff.io import Selection, explore
    from medidiff.io.kspace import find_kspace, is_kspace_name

    raw, _ = find_kspace([path for path in paths if path.is_dir() or is_kspace_name(path)])
    others = [path for path in paths if path.is_dir() or not is_kspace_name(path)]
    contents, wanted = explore(others, show_phi=show_phi), Selection.parse(select, allow_irregular=allow_irregular)
    kspace = [kspace_outlook(item.path) for item in raw]
    images = [outlook(item.path) for item in contents.images]
    series = [
        told | (_private(each) if show_phi else {})
        for each in contents.series
        for told in series_outlook(each, wanted.why_not, allow_irregular=allow_irregular)
    ]
    if as_json:
        left_out = [{"path": item.path, "reason": item.reason} for item in contents.skipped]
        click.echo(tables.as_json({"images": images, "series": series, "kspace": kspace, "left_out": left_out}))
    else:
        _print(images)
        print_series(series)
        _print_kspace(kspace)
        for item in contents.skipped:
            click.echo(f"left out: {item.path}: {item.reason}", err=True)
    if not (any(told["readable"] for told in [*images, *kspace]) or any(told["shape"] for told in series)):
        click.echo("error: no image could be read", err=True)
        click.get_current_context().exit(Exit.NOTHING_FOUND)


def _private(series: "Series") -> dict[str, Any]:
    """Tell whose a series is and where it lies."""
    patient, folders = series.patient, sorted({source.folder for source in series.sources})
    return {"patient": patient.name, "patient_id": patient.number, "date": patient.date, "folders": folders}


def _print(facts: Sequence[Mapping[str, Any]]) -> None:
    """Print a table of what could be read, then a line for each image that would not be enhanced and each warning."""
    folder = Path(os.path.commonpath([Path(told["path"]).parent for told in facts])) if facts else Path()
    rows = [_row(told, folder) for told in facts if told["readable"]]
    if rows:
        click.echo(tables.columns(rows))
    for told in facts:
        if told["reason"]:
            click.echo(told["reason"])
        for warning in told["warnings"]:
            click.echo(f"{told['path']}: {warning}")


def print_series(series: Sequence[Mapping[str, Any]]) -> None:
    """Print a table of the volumes of DICOM series, then a line for each that would not be enhanced and each warning.

    Where people asked for it, whose they are and in which folders they lie comes last.
    """
    if series:
        click.echo(tables.columns([_series_row(told) for told in series]))
    for told in series:
        name = "_".join(filter(None, (told["series"], told["volume"])))
        if told["reason"]:
            click.echo(told["reason"] if told["reason"].startswith(name) else f"{name}: {told['reason']}")
        for warning in told["warnings"]:
            click.echo(f"{name}: {warning}")


def _series_row(told: Mapping[str, Any]) -> dict[str, Any]:
    row = {
        "series": told["series"],
        "volume": told["volume"] or "-",
        "description": _cut(told["description"]) or "-",
        "kind": " ".join(filter(None, (told["modality"], told["kind"]))) or "-",
        "objects": told["objects"],
        "shape": "x".join(map(str, told["shape"])) if told["shape"] else "-",
        "spacing mm": _mm(told["spacing_mm"]) if told["spacing_mm"] else "-",
        "axes": told["axes"] or "-",
        "thickness mm": told["thickness_mm"],
        "enhanced to mm": _mm(told["target_spacing_mm"]) if told["enhance"] else "no",
    }
    private = {name: told[name] for name in ("patient", "patient_id", "date") if name in told}
    return row | private | ({"folders": "; ".join(told["folders"])} if "folders" in told else {})


def _print_kspace(kspace: Sequence[Mapping[str, Any]]) -> None:
    """Print a table of what could be read, then a line for what could not, and each warning."""
    rows = [_kspace_row(told) for told in kspace if told["readable"]]
    if rows:
        click.echo(tables.columns(rows))
    for told in kspace:
        if told["reason"]:
            click.echo(told["reason"])
        for warning in told["warnings"]:
            click.echo(f"{told['path']}: {warning}")


def _kspace_row(told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "k-space": Path(told["path"]).name,
        "format": told["format"],
        "coils": told["coils"],
        "shape": "x".join(map(str, told["shape"])),
        "encoded": told["encoded"],
        "acceleration": told["acceleration"],
        "centre off by": ",".join(map(str, told["centre_offset"])),
        "largest": told["largest"],
        "kept": "x".join(map(str, told["keep"])),
        "matrix": "x".join(map(str, told["matrix"])),
        "spacing mm": _mm(told["spacing_mm"]) if told["geometry_known"] else "-",
    }


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_DESCRIPTION else f"{text[: LONGEST_DESCRIPTION - 1]}…"


def _row(told: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    oblique = told["oblique_degrees"]
    return {
        "image": str(Path(told["path"]).relative_to(folder)),
        "shape": "x".join(map(str, told["shape"])),
        "spacing mm": _mm(told["spacing_mm"]),
        "axes": told["axes"],
        "oblique": f"{oblique:.1f} deg" if oblique >= OBLIQUE_DEGREES else "no",
        "type": told["dtype"],
        "thickness mm": told["thickness_mm"],
        "enhanced to mm": _mm(told["target_spacing_mm"]) if told["enhance"] else "no",
    }


def _mm(spacing: tuple[float, ...]) -> str:
    return "x".join(f"{s:.3g}" for s in spacing)
