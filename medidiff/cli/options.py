"""Options that several commands share, and the kinds of values that they take."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from medidiff.cli.guard import set_debugging

__all__ = [
    "AXES",
    "DEVICES",
    "EXISTING",
    "FOLDER",
    "POSITIVE",
    "PROFILES",
    "SPACING",
    "bids_options",
    "debug_option",
    "detail_option",
    "force_option",
    "gathered",
    "inputs_options",
    "irregular_option",
    "json_option",
    "kspace_options",
    "output_option",
    "precision_option",
    "report_option",
    "samples_option",
    "select_option",
    "show_phi_option",
    "verbosity_options",
]

Command = TypeVar("Command", bound=Callable[..., Any])

EXISTING = click.Path(exists=True, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
AXES = click.Choice(["auto", "x", "y", "z"])
PROFILES = click.Choice(["gaussian", "rect"])


class Positive(click.ParamType):  # type: ignore[type-arg]
    """A finite number above zero."""

    name = "MM"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the number."""
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number", param, ctx)
        if not (math.isfinite(number) and number > 0):
            self.fail(f"{value!r} is not above zero", param, ctx)
        return number


class Spacing(click.ParamType):  # type: ignore[type-arg]
    """One spacing for all axes, or one for each of them."""

    name = "MM|X,Y,Z"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | tuple[float, float, float]:
        """Read one number or three with commas between them."""
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]
        numbers = [POSITIVE.convert(part, param, ctx) for part in value.split(",")]
        if len(numbers) == 1:
            return numbers[0]
        if len(numbers) != 3:
            self.fail(f"{value!r} is neither one number nor three", param, ctx)
        return numbers[0], numbers[1], numbers[2]


class Device(click.ParamType):  # type: ignore[type-arg]
    """Where to compute: one place, or several with commas between them."""

    name = "auto|cpu|cuda|cuda:N|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the name; whether the device is there is found out later."""
        if not re.fullmatch(r"auto|all|(cpu|cuda(:\d+)?)(,(cpu|cuda(:\d+)?))*", value):
            self.fail(f"{value!r} is none of auto, cpu, cuda, cuda:N, all, and no list of devices", param, ctx)
        return str(value)


POSITIVE, SPACING, DEVICES = Positive(), Spacing(), Device()


def inputs_options(command: Command) -> Command:
    """Add ``-i PATH...``: the option takes the first path and an argument those after it, as a shell's ``*`` gives."""
    more = click.argument("more", nargs=-1, type=EXISTING, metavar="[PATH]...")
    help_text = "NIfTI images, DICOM objects, zip archives, or folders of them, searched recursively. Several paths."
    return click.option("-i", "--input", "inputs", multiple=True, type=EXISTING, metavar="PATH...", help=help_text)(
        more(command)
    )


def kspace_options(command: Command) -> Command:
    """Add ``-i PATH...`` for k-space, as `inputs_options` does for images."""
    more = click.argument("more", nargs=-1, type=EXISTING, metavar="[PATH]...")
    help_text = "K-space (.h5, .mrd, .cfl, .npy, .npz, .dat), or folders of it, searched recursively. Several paths."
    return click.option("-i", "--input", "inputs", multiple=True, type=EXISTING, metavar="PATH...", help=help_text)(
        more(command)
    )


def gathered(inputs: tuple[Path, ...], more: tuple[Path, ...]) -> list[Path]:
    """Join the paths given with ``-i`` and those after them."""
    if not (inputs or more):
        raise click.UsageError("no input: give files or folders with -i")
    return [*inputs, *more]


def output_option(help_text: str) -> Callable[[Command], Command]:
    """Add ``-o DIR``."""
    return click.option("-o", "--output", required=True, type=FOLDER, metavar="DIR", help=help_text)


def force_option(command: Command) -> Command:
    """Add ``--force``."""
    help_text = "Do finished cases again, and write over files of others that stand in the way (never over an input)."
    return click.option("--force", is_flag=True, help=help_text)(command)


def samples_option(help_text: str) -> Callable[[Command], Command]:
    """Add ``--samples K``."""
    return click.option(
        "--samples", type=click.IntRange(min=1), default=1, show_default=True, metavar="K", help=help_text
    )


def detail_option(command: Command) -> Command:
    """Add ``--detail A``."""
    return click.option(
        "--detail",
        type=click.FloatRange(0, 1),
        default=0.0,
        show_default=True,
        metavar="A",
        help="Mean + detail x (first sample - mean): 0 is the most accurate, 1 the most lifelike.",
    )(command)


def precision_option(command: Command) -> Command:
    """Add ``--precision``."""
    return click.option(
        "--precision",
        type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
        default="auto",
        show_default=True,
        help="Of the network's arithmetic.",
    )(command)


def debug_option(command: Command) -> Command:
    """Add ``--debug``, which the guard reads."""
    help_text = "Show the traceback of an error."
    return click.option("--debug", is_flag=True, callback=set_debugging, expose_value=False, help=help_text)(command)


def report_option(command: Command) -> Command:
    """Add ``--report``."""
    help_text = "Write report.html and a page per case to look at: before, after, uncertainty, data residual, warnings."
    return click.option("--report", is_flag=True, help=help_text)(command)


def json_option(command: Command) -> Command:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def select_option(command: Command) -> Command:
    """Add ``--select RULE``, once for each rule."""
    help_text = "Take only DICOM series with modality=MR, description=REGEX or spacing=LOW-HIGH; all rules must hold."
    return click.option("--select", multiple=True, metavar="RULE", help=help_text)(command)


def bids_options(command: Command) -> Command:
    """Add ``--bids`` and the labels of participants and sessions."""
    help_text = "The input is a BIDS dataset, and the output becomes a derivative of it."
    labels = {"participant": "sub", "session": "ses"}
    for name, key in reversed(labels.items()):
        told = f"Only this {name}, with or without {key}-; may be repeated."
        command = click.option(f"--{name}-label", f"{name}s", multiple=True, metavar="LABEL", help=told)(command)
    return click.option("--bids", is_flag=True, help=help_text)(command)


def irregular_option(command: Command) -> Command:
    """Add ``--allow-irregular``."""
    help_text = "Resample DICOM series with missing, duplicate or unevenly spaced slices, and record it."
    return click.option("--allow-irregular", is_flag=True, help=help_text)(command)


def show_phi_option(command: Command) -> Command:
    """Add ``--show-phi``."""
    help_text = "Show folders of DICOM series and whose they are; without it hashes and descriptions alone."
    return click.option("--show-phi", is_flag=True, help=help_text)(command)


def verbosity_options(command: Command) -> Command:
    """Add ``-q`` and ``-v``."""
    quiet = click.option("-q", "--quiet", is_flag=True, help="Only errors on stderr.")
    return quiet(
        click.option("-v", "--verbose", is_flag=True, help="More on stderr: what was left out, and why.")(command)
    )
