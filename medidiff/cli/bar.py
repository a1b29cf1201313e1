"""The progress bar that a terminal gets."""

import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from medidiff.batch import Case, Record
from medidiff.cli.watchers import Lines, Look

__all__ = ["Bar"]


class Bar(Lines):
    """Lines above a bar of all cases with the time that is left.

    Parameters
    ----------
    total, verbose, debug, look
        As in `Lines`.
    """

    def __init__(self, total: int, *, verbose: bool = False, debug: bool = False, look: Look | None = None) -> None:
        super().__init__(total, verbose=verbose, debug=debug, look=look)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=Console(stderr=True),
            redirect_stdout=sys.stdout.isatty(),
            transient=True,
        )
        self._task = self._progress.add_task("", total=total, left="")

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def tell(self, line: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def started(self, case: Case) -> None:
        """Name the case beside the bar."""
        super().started(case)
        self._progress.update(self._task, description=f"{self._place(self._ended + 1)} {case.source.name}")

    def advanced(self, fraction: float) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=self._ended + fraction, left=self._remaining(fraction)[2:])

    def ended(self, record: Record) -> None:
        """Tell what came of the case, and move the bar."""
        super().ended(record)
        self._progress.update(self._task, completed=self._ended, left=self._remaining()[2:])
