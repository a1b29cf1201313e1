"""How far a long folder is, on stderr: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from medidiff.cli.watchers import LINE_SECONDS, duration

__all__ = ["counting"]

Count = Callable[[int, int, str], None]


@contextmanager
def counting(*, quiet: bool) -> Iterator[Count | None]:
    """Give what takes the number of cases done, of all, and the name of the case that begins."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _bar() as bar:
            yield bar
    else:
        yield _lines()


def _lines() -> Count:
    began = told = time.monotonic()

    def count(done: int, total: int, name: str) -> None:
        nonlocal told
        now = time.monotonic()
        if done and now - told >= LINE_SECONDS and done < total:
            told = now
            click.echo(
                f"[{done}/{total}] {name}, about {duration((now - began) / done * (total - done))} left", err=True
            )

    return count


@contextmanager
def _bar() -> Iterator[Count]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)

        def count(done: int, total: int, name: str) -> None:
            progress.update(task, completed=done, total=total, description=name.replace("[", "\\["))

        yield count
