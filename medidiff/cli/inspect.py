"""``medidiff inspect``: what an image is, and whether it would be enhanced."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medidiff.cli import options, tables
from medidiff.cli.guard import Exit
from medidiff.errors import AlreadySharp, InputError, MedidiffError

if TYPE_CHECKING:
    from medidiff.io import Header
    from medidiff.volume import Geometry

__all__ = ["command", "outlook"]

EXAMPLES = """\b
Examples:
  medidiff inspect scan.nii.gz
  medidiff inspect scans/ --json
"""

OBLIQUE_DEGREES = 0.1
"""Angle from the patient's axes at which a grid counts as oblique."""


@click.command("inspect", epilog=EXAMPLES)
@click.argument("paths", nargs=-1, required=True, type=options.EXISTING, metavar="PATH...")
@options.json_option
@options.debug_option
def command(paths: tuple[Path, ...], as_json: bool) -> None:
    """Show shape, spacing, axes, type and slice thickness of images, and whether enhance would take them.

    Only headers and sidecars are read, so an image full of NaN or of zeros is not noticed here. Exit code 3 if no
    image could be read.
    """
    from medidiff.io import discover

    found, skipped = discover(paths)
    facts = [outlook(item.path) for item in found]
    if as_json:
        left_out = [{"path": item.path, "reason": item.reason} for item in skipped]
        click.echo(tables.as_json({"images": facts, "left_out": left_out}))
    else:
        _print(facts)
        for item in skipped:
            click.echo(f"left out: {item.path}: {item.reason}", err=True)
    if not any(told["readable"] for told in facts):
        click.echo("error: no image could be read", err=True)
        click.get_current_context().exit(Exit.NOTHING_FOUND)


def outlook(
    path: Path,
    *,
    spacing: float | tuple[float, float, float] | None = None,
    like: "Geometry | None" = None,
    axis: str = "auto",
) -> dict[str, Any]:
    """Tell the facts of an image, and whether and on which grid it would be enhanced."""
    from medidiff.io import read_header, read_sidecar

    told = dict.fromkeys(FACTS)
    told |= {"path": str(path), "readable": False, "enhance": False}
    try:
        header = read_header(path)
        told |= {"readable": True, **_facts(header)}
        told["thickness_mm"] = read_sidecar(path).get("SliceThickness")
        target = _target(header, spacing=spacing, like=like, axis=axis)
    except MedidiffError as error:
        return {**told, "reason": str(error)}
    return {**told, "enhance": True, "target_shape": target.shape, "target_spacing_mm": target.spacing, "reason": ""}


FACTS = (
    "path",
    "readable",
    "shape",
    "spacing_mm",
    "axes",
    "oblique_degrees",
    "dtype",
    "nifti",
    "affine_from",
    "thickness_mm",
    "enhance",
    "target_shape",
    "target_spacing_mm",
    "reason",
    "warnings",
)
"""What is told of every image, in this order."""


def _facts(header: "Header") -> dict[str, Any]:
    return {
        "shape": header.shape,
        "spacing_mm": header.geometry.spacing,
        "axes": header.axis_codes,
        "oblique_degrees": round(header.obliquity, 2),
        "dtype": header.dtype.name,
        "nifti": header.version,
        "affine_from": header.form,
        "warnings": header.warnings,
    }


def _target(header: "Header", **wanted: Any) -> "Geometry":
    from medidiff.io.nifti import check_shape
    from medidiff.tasks import plan_geometry

    check_shape(header)
    if min(header.geometry.shape) < 2:
        raise InputError("only one slice", where=str(header.path), found=f"shape {header.geometry.shape}")
    try:
        return plan_geometry(header.geometry, **wanted)
    except AlreadySharp as told:
        raise AlreadySharp(told.what, where=str(header.path), found=told.found, needed=told.needed) from None


def _print(facts: list[dict[str, Any]]) -> None:
    """Print a table of what could be read, and below it a line for each image that would not be enhanced."""
    rows = [_row(told) for told in facts if told["readable"]]
    if rows:
        click.echo(tables.columns(rows))
    for told in facts:
        for line in [told["reason"], *(f"{told['path']}: {warning}" for warning in told["warnings"] or ())]:
            click.echo(line) if line else None


def _row(told: dict[str, Any]) -> dict[str, Any]:
    oblique = told["oblique_degrees"]
    return {
        "image": Path(told["path"]).name,
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
