"""``medidiff evaluate``: results against references."""

from pathlib import Path

import click

from medidiff.cli import options
from medidiff.cli.guard import Exit
from medidiff.cli.tables import columns

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  medidiff evaluate -p enhanced/ -r references/ -o scores/
  medidiff evaluate -p enhanced/ -r references/ -o scores/ --resample
"""


@click.command("evaluate", epilog=EXAMPLES)
@click.option("-p", "--predictions", required=True, type=options.EXISTING, metavar="PREDICTIONS", help="Results.")
@click.option("-r", "--references", required=True, type=options.EXISTING, metavar="REFERENCES", help="The truth.")
@options.output_option("Folder for cases.csv and summary.json.")
@click.option("--resample", is_flag=True, help="Bring predictions onto the references' grids where these differ.")
@options.debug_option
def command(predictions: Path, references: Path, output: Path, resample: bool) -> None:
    """Score results against references: PSNR, SSIM, NMSE, HFEN and gradient-energy ratio inside the head.

    Images are paired by name: _enhanced at the end is ignored and _uncertainty left out. Grids must be equal unless
    --resample is given. The mean over all cases is printed; cases.csv has the scores of each.
    """
    from medidiff.evaluation import evaluate

    summary = evaluate(predictions, references, output, resample=resample)
    if not summary["mean"]:
        cases = summary["metric_per_case"]
        click.echo(
            f"error: none of {len(cases)} pairs could be scored, the first because of: {cases[0]['error']}", err=True
        )
        click.get_current_context().exit(Exit.ALL_FAILED)
    click.echo(columns([{"metric": name, "mean": float(value)} for name, value in summary["mean"].items()]))
    counts = summary["cases"]
    told = ", ".join(f"{counts[what]} {what}" for what in ("scored", "failed", "unpaired"))
    click.echo(f"{told}; see {output / 'cases.csv'}", err=True)
    if counts["failed"]:
        click.get_current_context().exit(Exit.SOME_FAILED)
