"""What every command that works through many images shares: find, refuse, run, count, end."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import click

from medidiff.batch import Manifest, Reader, Record, Status, Work, run
from medidiff.cli.guard import Exit, debugging
from medidiff.cli.run_report import RunReport
from medidiff.cli.watchers import watching

__all__ = ["exit_code", "refuse_empty", "run_batch", "tell_skipped"]


NO_IMAGE = "no image found; NIfTI (.nii, .nii.gz) and DICOM are read"


def refuse_empty(manifest: Manifest, why: str = NO_IMAGE) -> None:
    """End the command if there is nothing to work on."""
    if manifest.cases:
        return
    tell_skipped(manifest, quiet=False, verbose=True)
    click.echo(f"error: {why}", err=True)
    click.get_current_context().exit(Exit.NOTHING_FOUND)


def tell_skipped(manifest: Manifest, *, quiet: bool, verbose: bool) -> None:
    """Tell which files were left out, or how many."""
    if quiet or not manifest.skipped:
        return
    if verbose:
        for item in manifest.skipped:
            click.echo(f"left out: {item.path}: {item.reason}", err=True)
    else:
        click.echo(f"{len(manifest.skipped)} left out (-v tells which)", err=True)


def run_batch(
    manifest: Manifest,
    work: Work,
    *,
    settings: Mapping[str, Any],
    force: bool,
    quiet: bool,
    verbose: bool,
    read: Reader | None = None,
    report: bool = False,
) -> None:
    """Run a manifest, tell how it goes, and end the command with the code for how it went."""
    tell_skipped(manifest, quiet=quiet, verbose=verbose)
    pages = RunReport(manifest) if report else None
    look = pages.look if pages else None
    with watching(manifest, quiet=quiet, verbose=verbose, debug=debugging(), look=look) as watcher:
        records = run(manifest, work, watcher=watcher, settings=settings, force=force, read=read)
    if pages:
        pages.close(records)
    if not quiet:
        counts = Counter(record.status for record in records)
        told = ", ".join(f"{counts[status]} {status}" for status in Status if counts[status])
        click.echo(f"{told}; see {manifest.output / 'cases.csv'}", err=True)
    click.get_current_context().exit(exit_code(records))


def exit_code(records: Sequence[Record]) -> Exit:
    """Tell how a run went."""
    well = sum(record.status.well for record in records)
    if well == len(records):
        return Exit.DONE
    return Exit.SOME_FAILED if well else Exit.ALL_FAILED
