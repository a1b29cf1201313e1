"""Every command ends with one clear line and one of seven exit codes; tracebacks only on request."""

import io
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from types import FrameType
from typing import Any

import click

from medidiff.errors import MedidiffError

__all__ = ["Exit", "Guarded", "debugging", "set_debugging"]

DEBUG = "medidiff.debug"


class Exit(IntEnum):
    """What a shell is told."""

    DONE = 0
    UNEXPECTED = 1
    USAGE = 2
    NOTHING_FOUND = 3
    ALL_FAILED = 4
    SOME_FAILED = 5
    INTERRUPTED = 130


class Guarded(click.Group):
    """A group whose commands never show a traceback unless ``--debug`` is given."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and turn what it raises into a line and an exit code."""
        _print_any_name()
        try:
            with _terminable(), warnings.catch_warnings():
                if not sys.warnoptions:
                    warnings.simplefilter("ignore")
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            _tell(ctx, "interrupted: what was finished is kept; the same command goes on from there", Exit.INTERRUPTED)
        except MedidiffError as error:
            _tell(ctx, f"error: {error}", Exit.USAGE)
        except Exception as error:
            line = " ".join(f"unexpected {type(error).__name__}: {error}".split())
            _tell(ctx, f"{line}; --debug shows where", Exit.UNEXPECTED)


def debugging(ctx: click.Context | None = None) -> bool:
    """Tell whether ``--debug`` was given."""
    return bool((ctx or click.get_current_context()).meta.get(DEBUG))


def set_debugging(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    """Remember ``--debug``."""
    ctx.meta[DEBUG] = value


def _tell(ctx: click.Context, line: str, code: Exit) -> None:
    if debugging(ctx):
        click.echo(traceback.format_exc(), err=True)
    click.echo(line, err=True)
    ctx.exit(code)


def _print_any_name() -> None:
    """Print names of files that are no UTF-8 byte by byte, as ``ls`` does, instead of failing at them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="surrogateescape")


@contextmanager
def _terminable() -> Iterator[None]:
    """Take a request to terminate, as schedulers send it, for Ctrl-C: everything is tidied up first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
