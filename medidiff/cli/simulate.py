"""``medidiff simulate``: measurements made from sharp images, to test and to train with."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medidiff.cli import options, simulate_kspace
from medidiff.cli.running import Running

if TYPE_CHECKING:
    from medidiff.batch import Work

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  medidiff simulate thick-slices -i sharp/ -o thick/ --spacing 5
  medidiff simulate thick-slices -i t1.nii.gz -o thick/ --spacing 5 --slice-thickness 4
  medidiff simulate thick-slices -i sharp/ -o thick/ --spacing 3 --axis z --profile rect --noise 2.5
  medidiff simulate kspace -i sharp/ -o rawdata/ --coils 8 --acceleration 4
  medidiff simulate thick-slices -i study_folder/ -o thick/ --spacing 5 --select "description=T1"
"""


@dataclass(frozen=True)
class Request:
    """The options of ``thick-slices``, as given."""

    inputs: tuple[Path, ...]
    more: tuple[Path, ...]
    output: Path
    spacing: float
    slice_thickness: float | None
    axis: str
    profile: str
    noise: float
    seed: int
    select: tuple[str, ...]

    def decisive(self) -> dict[str, Any]:
        """Collect what decides the result besides the input."""
        names = ("spacing", "slice_thickness", "axis", "profile", "noise", "seed")
        return {name: value for name, value in asdict(self).items() if name in names}


@click.group("simulate", epilog=EXAMPLES)
def command() -> None:
    """Make what a scanner would have measured from sharp images."""


command.add_command(simulate_kspace.command)


@command.command("thick-slices", epilog=EXAMPLES)
@options.inputs_options
@options.output_option("Folder for the thick-slice images; it mirrors the input folders.")
@click.option("--spacing", type=options.POSITIVE, required=True, help="Distance between slice centres.")
@click.option("--slice-thickness", type=options.POSITIVE, help="By default the spacing; less leaves gaps.")
@click.option("--axis", type=options.AXES, default="auto", show_default=True, help="Array axis across the slices.")
@click.option("--profile", type=options.PROFILES, default="gaussian", show_default=True, help="Slice profile.")
@click.option(
    "--noise",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    metavar="S",
    help="SD of added noise, in the image's units.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="S", help="Of the noise.")
@options.select_option
@options.force_option
@options.debug_option
@options.verbosity_options
def thick_slices(**given: Any) -> None:
    """Measure images again with thicker slices.

    Every image keeps its name in the output folder and gets a sidecar with SliceThickness, SpacingBetweenSlices and
    what else was done, so that enhance knows how it was made and evaluate finds its reference. Auto takes the axis
    nearest to head-foot. Results are NIfTI, those of DICOM series too: what no scanner measured goes into no archive.
    """
    running = Running.taken_from(given)
    simulate(Request(**given), running)


def simulate(request: Request, running: Running) -> None:
    """Carry out the command."""
    from medidiff.batch import Task
    from medidiff.cli.batches import Product, carry_out
    from medidiff.io import Selection

    carry_out(
        Product("simulate thick-slices", "simulated", ""),
        options.gathered(request.inputs, request.more),
        request.output,
        Task(partial(_open, request)),
        running,
        options=request.decisive(),
        selection=Selection.parse(request.select),
    )


def _open(request: Request, device: str) -> "Work":
    """Make what is done with each image, on a CPU."""
    from medidiff.tasks import Result, simulate_thick_slices
    from medidiff.volume import Volume

    def work(volume: Volume, progress: Callable[[float], None]) -> Result:
        thick = simulate_thick_slices(volume, **request.decisive())
        grids = {"input": volume.geometry.as_dict(), "output": thick.geometry.as_dict()}
        return Result(thick, None, math.nan, math.nan, {**thick.meta["sidecar"], "geometry": grids})

    return work
