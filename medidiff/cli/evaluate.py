"""``medidiff evaluate``: results against references, and against each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medidiff.cli import options
from medidiff.cli.guard import Exit
from medidiff.cli.tables import columns
from medidiff.errors import ResourceError, UsageError

if TYPE_CHECKING:
    from medidiff.evaluation import Table
    from medidiff.report.evaluation_pages import EvaluationPages

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  medidiff evaluate -p enhanced/ -r references/ -o report/
  medidiff evaluate -p enhanced/ -r references/ -o report/ --resample reference
  medidiff evaluate -p ours=enhanced/ -p other=theirs/ -r references/ -o report/ --group acq
  medidiff evaluate -p enhanced/ -r references/ -o report/ --input thick/ --baseline cubic,cubic+dc,tv
  medidiff evaluate -p images/ -r references/ -o report/ --preset fastmri

Research use only.
"""


@dataclass(frozen=True)
class Request:
    """The options of the command, as given."""

    predictions: tuple[str, ...]
    references: Path
    output: Path
    preset: str
    region: str
    data_range: float | None
    resample: str | None
    slice_axis: str
    pair: str
    source: Path | None
    baseline: tuple[str, ...]
    group: str
    about: Path | None
    seed: int
    pages: int
    no_report: bool
    quiet: bool

    def methods(self) -> dict[str, Path]:
        """Folders of predictions by the name of their method: the one given, or the folder's."""
        methods: dict[str, Path] = {}
        for text in self.predictions:
            name, path = _named(text)
            if not path.exists():
                raise UsageError("no such file or folder", where=f"--predictions {text}")
            if name in methods:
                raise UsageError("two methods have the same name", found=name, hint="name them: -p NAME=DIR")
            methods[name] = path
        return methods

    def baselines(self) -> list[str]:
        """Names of baselines, given with commas or one by one."""
        return [name for text in self.baseline for name in text.split(",") if name]


@click.command("evaluate", epilog=EXAMPLES)
@click.option(
    "-p",
    "--predictions",
    multiple=True,
    metavar="[NAME=]PREDICTIONS",
    help="Results; once for each method. The first is compared with each of the others.",
)
@click.option("-r", "--references", required=True, type=options.EXISTING, metavar="REFERENCES", help="The truth.")
@options.output_option("Folder for cases.csv, summary.json, summary.md and report.html.")
@click.option(
    "--preset",
    type=click.Choice(["volume", "fastmri"]),
    default="volume",
    show_default=True,
    help="Fixes metrics, range, window, crop and region.",
)
@click.option("--region", default="", metavar="head|all|MASK", help="Where scores count; by default the preset's.")
@click.option("--data-range", type=float, metavar="R", help="Range of intensities; by default from the reference.")
@click.option(
    "--resample",
    type=click.Choice(["reference"]),
    is_flag=False,
    flag_value="reference",
    metavar="reference",
    help="Bring predictions onto the references' grids where these differ, and note it.",
)
@click.option(
    "--slice-axis",
    type=click.Choice(["auto", "x", "y", "z"]),
    default="auto",
    show_default=True,
    help="Axis of the references' arrays across slices; auto: the coarsest, or by fastmri the first of .npy.",
)
@click.option(
    "--pair",
    default="auto",
    show_default=True,
    metavar="auto|path|stem|bids|TABLE",
    help="How images are paired; TABLE has the columns prediction and reference.",
)
@click.option(
    "-i",
    "--input",
    "source",
    type=options.EXISTING,
    metavar="INPUTS",
    help="Measurements: data residual, baselines.",
)
@click.option(
    "--baseline",
    multiple=True,
    metavar="NAME[:WEIGHT],...",
    help="Made of the inputs: trilinear, cubic, cubic+dc, tv; of k-space zero-filled, cg-sense, l1-wavelet.",
)
@click.option("--group", default="", metavar="COLUMN|folder|ENTITY", help="Sub-groups: of a table, or by name.")
@click.option("--about", type=options.EXISTING, metavar="TABLE", help="Table (CSV, TSV): groups, subjects.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="S", help="Of the bootstrap.")
@click.option(
    "--pages",
    type=click.IntRange(min=0),
    default=12,
    show_default=True,
    metavar="N",
    help="Worst cases in the report.",
)
@click.option("--no-report", is_flag=True, help="Write no pages.")
@options.debug_option
@click.option("-q", "--quiet", is_flag=True, help="Only errors on stderr.")
def command(**given: Any) -> None:
    """Score results against references, inside the head, and compare methods case by case.

    Images (NIfTI, DICOM, .npy) are paired by name: _enhanced at the end is ignored and _uncertainty left out. Grids
    must be equal unless --resample is given. Means are printed; the output folder gets cases.csv with the scores of
    each case, summary.json, summary.md with intervals and tests, and report.html to look at.
    """
    evaluate(Request(**given))


def evaluate(request: Request) -> None:
    """Score, report, print the means, and end the command with the code for how it went."""
    from medidiff.cli.counting import counting
    from medidiff.evaluation import evaluate as run

    methods = request.methods()
    pages = _pages(request)
    with counting(quiet=request.quiet) as count:
        table = run(
            methods,
            request.references,
            request.output,
            preset=request.preset,
            region=request.region,
            data_range=request.data_range,
            resample=request.resample is not None,
            slice_axis=request.slice_axis,
            pair=request.pair,
            inputs=request.source,
            baselines=request.baselines(),
            group=request.group,
            about=request.about,
            seed=request.seed,
            look=pages.add if pages else None,
            progress=count,
        )
    report = pages.close(table) if pages else None
    if not pages:
        _remove_pages(request.output)
    _print(table, request, report)


def _pages(request: Request) -> "EvaluationPages | None":
    """What draws the pages, unless they are not wanted or cannot be drawn here."""
    if request.no_report:
        return None
    from medidiff.report.evaluation_pages import EvaluationPages

    try:
        return EvaluationPages(request.output, embed=request.pages)
    except ResourceError as error:
        click.echo(f"no report.html: {error}", err=True)
        return None


def _remove_pages(output: Path) -> None:
    """Remove what an earlier run left: pages that do not belong to the new figures."""
    from medidiff.report.pages import remove_pages

    remove_pages(output)


def _print(table: "Table", request: Request, report: Path | None) -> None:
    from medidiff.evaluation.markdown import subjects_told

    counts, context = table.counts(), click.get_current_context()
    if not counts["scored"]:
        reason = table.rows[0].score.error
        click.echo(f"error: none of {len(table)} pairs could be scored, the first because of: {reason}", err=True)
        context.exit(Exit.ALL_FAILED)
    click.echo(columns([_line(table, metric) for metric in table.metrics]))
    told = ", ".join(f"{counts[what]} {what}" for what in ("scored", "failed", "unpaired"))
    if not request.quiet:
        click.echo(f"{subjects_told(table)}, {told}; see {report or request.output / 'summary.md'}", err=True)
    if counts["failed"]:
        context.exit(Exit.SOME_FAILED)


def _line(table: "Table", metric: str) -> dict[str, Any]:
    """Means of a metric, by method where there are several; with n where it is not that of the method's cases."""
    from medidiff.evaluation.markdown import counted

    methods: Sequence[str] = table.methods
    names = ["mean"] if len(methods) == 1 else methods
    line: dict[str, Any] = {"metric": metric}
    for name, method in zip(names, methods, strict=True):
        told = table.summary["methods"][method].get(metric)
        extra = counted(told, len(table.scored(method))) if told else ""
        line[name] = f"{told['mean']:.4g}{extra}" if extra else table.mean(metric, method)
    return line


def _named(text: str) -> tuple[str, Path]:
    """Divide ``NAME=DIR``; what exists as it stands is a folder without a name."""
    name, sign, path = text.partition("=")
    if not sign or Path(text).exists() or "/" in name:
        return _folder_name(Path(text)), Path(text)
    return name.strip() or _folder_name(Path(path)), Path(path)


def _folder_name(path: Path) -> str:
    return path.resolve().name.split(".")[0] or "prediction"
