"""How a run is told on stderr: a bar on a terminal, plain lines elsewhere; results go to stdout."""

import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from medidiff.batch import Case, Manifest, Record, Status

__all__ = ["LINE_SECONDS", "Lines", "Look", "duration", "watching"]

Look = Callable[[Record], None]
LINE_SECONDS = 30.0
"""Off a terminal, how often the progress within a case is told."""


@contextmanager
def watching(
    manifest: Manifest, *, quiet: bool, verbose: bool, debug: bool, look: Look | None = None
) -> Iterator["Lines"]:
    """Watch a run, with a bar if stderr is a terminal; ``look`` is shown every record once it is told."""
    total = len(manifest.cases)
    if quiet or not sys.stderr.isatty():
        yield Lines(total, quiet=quiet, verbose=verbose, debug=debug, look=look)
        return
    from medidiff.cli.bar import Bar

    with Bar(total, verbose=verbose, debug=debug, look=look) as bar:
        yield bar


class Lines:
    """Tells every case in a line on stderr, and prints the path of every result on stdout.

    Parameters
    ----------
    total
        Number of cases.
    quiet
        Tell failures alone.
    verbose
        Tell beginnings, too.
    debug
        Show tracebacks of failures.
    look
        Shown every record once it is told.
    """

    def __init__(
        self, total: int, *, quiet: bool = False, verbose: bool = False, debug: bool = False, look: Look | None = None
    ) -> None:
        self._total, self._quiet, self._verbose, self._debug, self._look = total, quiet, verbose, debug, look
        self._ended = self._worked = 0
        self._began = self._told = time.monotonic()

    def tell(self, line: str) -> None:
        """Print a line on stderr."""
        click.echo(line, err=True)

    def started(self, case: Case) -> None:
        """Tell that a case begins, if asked to."""
        self._told = time.monotonic()
        if self._verbose:
            self.tell(f"{self._place(self._ended + 1)} {case.source}: begins")

    def advanced(self, fraction: float) -> None:
        """Tell now and then how far the case is."""
        if not self._quiet and time.monotonic() - self._told >= LINE_SECONDS:
            self._told = time.monotonic()
            self.tell(f"{self._place(self._ended + 1)} {fraction:.0%}{self._remaining(fraction)}")

    def ended(self, record: Record) -> None:
        """Tell what came of a case."""
        self._ended += 1
        self._worked += record.status not in (Status.DONE_BEFORE, Status.PASSED_BY)
        if record.status in (Status.DONE, Status.DONE_BEFORE):
            for path in record.case.results:
                click.echo(path)
        if record.status is Status.FAILED:
            self.tell(f"{self._place(self._ended)} failed: {record.reason}")
            if self._debug and record.error:
                self.tell("".join(traceback.format_exception(record.error)))
        elif not self._quiet:
            self._tell_ending(record)
        if self._look:
            self._look(record)

    def noted(self, line: str) -> None:
        """Tell of trouble that belongs to no case."""
        self.tell(f"error: {line}")

    def _tell_ending(self, record: Record) -> None:
        place = self._place(self._ended)
        if record.reason:
            self.tell(f"{place} {record.status}: {record.reason}")
            return
        told = f"{place} {record.case.source}: {record.status}"
        if record.status is Status.DONE:
            told += f" in {duration(record.seconds)}{_residuals(record)}{self._remaining()}"
            for warning in record.facts.get("warnings", ()):
                told += f"\n  warning: {warning}"
        self.tell(told)

    def _place(self, number: int) -> str:
        return f"[{number}/{self._total}]"

    def _remaining(self, fraction: float = 0.0) -> str:
        """Tell the time left, reckoned from the cases that took work; ``fraction`` of the present one is done."""
        worked, left = self._worked + fraction, self._total - self._ended - fraction
        if not (worked and left):
            return ""
        seconds = (time.monotonic() - self._began) / worked * left
        return f", about {duration(seconds)} left"


def duration(seconds: float) -> str:
    """Write a time as people say it.

    >>> duration(3.21), duration(200), duration(7500)
    ('3.2 s', '3 min 20 s', '2 h 5 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _residuals(record: Record) -> str:
    """Tell how well the result agrees with what was measured, and on both grids if it was resampled."""
    told = record.facts.get("data_residual")
    if not told:
        return ""
    line = f", data residual {told['before']:.2g} -> {told['after']:.2g}"
    resampled = told.get("after_resampling")
    return line if resampled is None else f"{line}, {resampled:.2g} once resampled to the output's grid"
