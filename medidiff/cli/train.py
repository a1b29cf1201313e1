"""``medidiff train``: a model from a recipe."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from medidiff.cli import options

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  medidiff train recipe.toml
  medidiff train recipe.toml --fresh
  medidiff train recipe.toml --stop-after 2000
  medidiff train recipe.toml --data heads/
  medidiff enhance -i scans/ -o enhanced/ --model runs/my-model
"""


@click.command("train", epilog=EXAMPLES)
@click.argument("recipe", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--fresh", is_flag=True, help="Start anew instead of resuming from the last checkpoint.")
@click.option("--data", type=options.EXISTING, metavar="DIR", help="Folder of the volumes, if not the recipe's.")
@click.option(
    "--stop-after",
    type=click.IntRange(min=1),
    metavar="STEPS",
    help="Stop, with a checkpoint and a model, once so many steps are done; the schedule stays the recipe's.",
)
@options.debug_option
def command(recipe: Path, fresh: bool, data: Path | None, stop_after: int | None) -> None:
    """Train a model as the TOML file RECIPE says, from a folder of NIfTI files.

    An interrupted training resumes exactly where it was. The folder of the trained model is printed; give it to
    enhance as --model.
    """
    from medidiff.training import train

    click.echo(train(recipe, resume=not fresh, data=data, stop_after=stop_after, progress=_tell))


def _tell(line: Mapping[str, Any]) -> None:
    """One line of the curves, on stderr."""
    click.echo(", ".join(f"{name} {value}" for name, value in line.items()), err=True)
