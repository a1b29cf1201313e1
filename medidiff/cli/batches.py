"""The one path of all commands that work through many inputs: plan, refuse, foretell or run, count, end."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from medidiff.batch import Case, Manifest, Record, Status, Task, finished, plan, run
from medidiff.cli.guard import Exit, debugging
from medidiff.cli.run_report import RunReport
from medidiff.cli.running import Running
from medidiff.cli.watchers import watching

__all__ = ["Product", "carry_out", "describe_model", "exit_code", "tell_skipped"]

NO_IMAGE = "no image found; NIfTI (.nii, .nii.gz) and DICOM are read"


@dataclass(frozen=True)
class Product:
    """What a command makes.

    Parameters
    ----------
    task, product, suffix
        As in `medidiff.batch.plan`.
    nothing
        What is said if there is no input for it.
    """

    task: str
    product: str
    suffix: str
    nothing: str = NO_IMAGE


def becomes(case: Case) -> str:
    """Foretell a case of which no more is known than its names."""
    return f"{case.source} -> {', '.join(map(str, case.results))}"


def carry_out(
    product: Product,
    inputs: Sequence[Path],
    output: Path,
    task: Task,
    running: Running,
    *,
    options: Mapping[str, Any],
    describe: Callable[[], Mapping[str, Any]] = dict,
    foretell: Callable[[Case], str] = becomes,
    prepare: Callable[[Manifest], None] = lambda manifest: None,
    **planning: Any,
) -> None:
    """Plan the inputs; then print the plan or run it, and end the command with the code for how it went.

    Parameters
    ----------
    options
        What decides the results besides input and model.
    describe
        Gives name, version and sha256 of the model; called once it is known that there is work for it.
    foretell
        The line of a case that is not done, for ``--dry-run``.
    prepare
        Called before a run, to make ready its folder.
    planning
        What else `medidiff.batch.plan` takes.
    """
    planning |= {"task": product.task, "product": product.product, "suffix": product.suffix, "part": running.part}
    manifest = plan(inputs, output, options=options, model={}, **planning)
    _refuse_empty(manifest, product.nothing)
    way = running.way()
    manifest = replace(manifest, model=describe())
    tell_skipped(manifest, quiet=running.quiet, verbose=running.verbose)
    if running.dry_run:
        for case in manifest.cases:
            done = not running.force and finished(case, manifest)
            click.echo(f"{case.source}: done before" if done else foretell(case))
        return
    prepare(manifest)
    pages = RunReport(manifest) if running.report else None
    look = pages.look if pages else None
    with watching(manifest, quiet=running.quiet, verbose=running.verbose, debug=debugging(), look=look) as watcher:
        records = run(manifest, running.bounded(task), watcher=watcher, way=way)
    if pages:
        pages.close(records)
    if not running.quiet:
        click.echo(f"{_counted(records)}; see {manifest.record('cases.csv')}", err=True)
    click.get_current_context().exit(exit_code(records))


def describe_model(name: str, *, quiet: bool) -> dict[str, Any]:
    """Tell which model it is, once it is known that its weights are whole."""
    from medidiff.models import check_model

    card = check_model(name)
    if not quiet:
        click.echo(f"model {card['name']} {card['version']}", err=True)
    return {fact: card[fact] for fact in ("name", "version", "sha256")}


def tell_skipped(manifest: Manifest, *, quiet: bool, verbose: bool) -> None:
    """Tell which files were left out, or how many."""
    if quiet or not manifest.skipped:
        return
    if verbose:
        for item in manifest.skipped:
            click.echo(f"left out: {item.path}: {item.reason}", err=True)
    else:
        click.echo(f"{len(manifest.skipped)} left out (-v tells which)", err=True)


def exit_code(records: Sequence[Record]) -> Exit:
    """Tell how a run went."""
    well = sum(record.status.well for record in records)
    if well == len(records):
        return Exit.DONE
    return Exit.SOME_FAILED if well else Exit.ALL_FAILED


def _refuse_empty(manifest: Manifest, why: str) -> None:
    """End the command if there is nothing to work on; a share may be empty where others are not."""
    if manifest.cases or (manifest.part and manifest.part.number):
        return
    tell_skipped(manifest, quiet=False, verbose=True)
    click.echo(f"error: {why}", err=True)
    click.get_current_context().exit(Exit.NOTHING_FOUND)


def _counted(records: Sequence[Record]) -> str:
    counts = Counter(record.status for record in records)
    return ", ".join(f"{counts[status]} {status}" for status in Status if counts[status]) or "nothing to do"
