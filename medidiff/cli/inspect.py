"""``medidiff inspect``: what an image is, and whether it would be enhanced."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from medidiff.cli import options, tables
from medidiff.cli.guard import Exit

__all__ = ["command"]

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
    from medidiff.cli.outlook import outlook
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
