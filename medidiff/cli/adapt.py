"""``medidiff adapt``: a model for a study or a scanner, from its scans."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medidiff.cli import options
from medidiff.cli.guard import Exit
from medidiff.errors import MedidiffError, OutputError

if TYPE_CHECKING:
    from medidiff.io.discover import Found
    from medidiff.models import Model
    from medidiff.tasks.adapter import General
    from medidiff.volume import Volume

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  medidiff adapt -i scans/ -o our-scanner/
  medidiff adapt -i scans/ -o our-scanner/ --seconds 600 --label site-3
  medidiff adapt -i study_folder/ -o t2-model/ --select "description=T2"
  medidiff adapt -i scans/ -o our-scanner/ --recipe sr-brain.toml --data heads/
  medidiff enhance -i scans/ -o enhanced/ --model our-scanner/

Research use only.
"""


@click.command("adapt", epilog=EXAMPLES)
@options.inputs_options
@options.output_option("Folder of the adapted model, for enhance --model.")
@click.option("--model", default="sr-brain", show_default=True, metavar="NAME|DIR", help="What to start from.")
@click.option(
    "--seconds",
    type=options.POSITIVE,
    metavar="S",
    help="At most so long; by default 20 for each scan on a GPU and 300 on a CPU, unless steps are given.",
)
@click.option("--steps", type=click.IntRange(min=1), metavar="N", help="At most so many steps; they can be repeated.")
@click.option("--label", default="adapted", show_default=True, help="What the model's version gets behind a plus sign.")
@click.option("--axis", type=options.AXES, default="auto", show_default=True, help="Array axis across the slices.")
@click.option("--slice-thickness", type=options.POSITIVE, help="By default from the sidecar, else the spacing.")
@click.option("--profile", type=options.PROFILES, help="Slice profile; by default gaussian.")
@click.option("--noise", type=click.FloatRange(min=0), metavar="S", help="SD of the noise in the scans' own units.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="S", help="Of what is drawn.")
@click.option("--recipe", type=options.EXISTING, metavar="RECIPE", help="Learn from its data, too, half of each step.")
@click.option("--data", type=options.EXISTING, metavar="DIR", help="Folder of the recipe's volumes.")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda|cuda:N", help="Where to compute.")
@options.precision_option
@options.select_option
@options.irregular_option
@click.option("--force", is_flag=True, help="Write over a model that is there.")
@options.debug_option
@click.option("-q", "--quiet", is_flag=True, help="Only errors on stderr.")
def command(
    inputs: tuple[Path, ...],
    more: tuple[Path, ...],
    output: Path,
    model: str,
    select: tuple[str, ...],
    allow_irregular: bool,
    recipe: Path | None,
    data: Path | None,
    force: bool,
    quiet: bool,
    **told: Any,
) -> None:
    """Adapt a model to the scans of a study or a scanner.

    What is sharp in the scans' planes is measured as their slices were, and the model is tuned on these pairs. A part
    of every scan is held out, and tells what was gained; where nothing was, no model is written. The folder has
    weights and a card, in which no scan is named; the folder is printed.
    """
    from medidiff.io import Selection
    from medidiff.io.discover import discover
    from medidiff.models import find_model, save_model

    find_model(model)
    if (output / "card.json").exists() and not force:
        raise OutputError("there is a model already", where=str(output), hint="choose another folder, or --force")
    rules = Selection.parse(select, allow_irregular=allow_irregular)
    found, _ = discover(options.gathered(inputs, more), output=output, selection=rules)
    volumes = list(_read(found, allow_irregular, str(told["axis"])))
    if not volumes:
        click.echo("error: no scan to adapt to; NIfTI (.nii, .nii.gz) and DICOM are read", err=True)
        click.get_current_context().exit(Exit.NOTHING_FOUND)
    adapted = _adapt(volumes, model, recipe, data, told)
    if not quiet:
        click.echo(_line(adapted.card), err=True)
    click.echo(save_model(adapted.network.state_dict(), adapted.card, output, exact=True))


def _adapt(
    volumes: "list[Volume]", model: str, recipe: Path | None, data: Path | None, told: dict[str, Any]
) -> "Model":
    from medidiff.tasks import Adapting, adapt_model

    how = Adapting(seconds=told.pop("seconds"), steps=told.pop("steps"), again=0.5)
    general = _general(recipe, data, told["seed"], told["device"]) if recipe else None
    return adapt_model(volumes, model, adapt=how, general=general, **told)


def _general(recipe: Path, data: Path | None, seed: int, device: str) -> "General":
    """Pairs from the data of a recipe."""
    from dataclasses import replace

    from medidiff.tasks.device import choose_device
    from medidiff.training import read_recipe
    from medidiff.training.heads import load_heads
    from medidiff.training.pairs import draw_batch

    read = read_recipe(recipe)
    heads = load_heads(replace(read, data=data) if data else read, choose_device(device))
    return lambda step, many, size: draw_batch(heads, seed=(seed, step), groups=many, patches=1, size=size)


def _read(found: "Sequence[Found]", allow_irregular: bool, axis: str) -> "Iterator[Volume]":
    """Read scans; those that cannot be used are told and left out."""
    from medidiff.io.nifti import check_content, read_nifti
    from medidiff.tasks import plan_grids

    for item in found:
        try:
            if item.stack is None:
                volume = read_nifti(item.path)
            else:
                from medidiff.io.dicom import read_stack

                volume = read_stack(item.stack, allow_irregular=allow_irregular)
            check_content(volume)
            plan_grids(volume.geometry, axis=axis)
        except MedidiffError as error:
            click.echo(f"left out: {item.path}: {error}", err=True)
        else:
            yield volume


def _line(card: Any) -> str:
    """What was done, in a line."""
    done = card["adapted"]
    what = f"{card['name']} {card['version']}: {done['steps']} steps in {done['seconds']:.0f} s"
    return f"{what} on {done['learnt_from']} scans, {done['gain_db']:+.2f} dB on parts not learnt from"
