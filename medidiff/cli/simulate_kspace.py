"""``medidiff simulate kspace``: what coils would have measured of an image."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medidiff.cli import options
from medidiff.cli.running import Running

if TYPE_CHECKING:
    from medidiff.batch import Work

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  medidiff simulate kspace -i sharp/ -o rawdata/ --coils 8 --acceleration 4
  medidiff simulate kspace -i t1.nii.gz -o rawdata/ --mask poisson --acceleration 8 --noise 2
  medidiff reconstruct -i rawdata/ -o images/
"""

MASKS = click.Choice(["random", "equispaced", "gaussian", "poisson"])
DECISIVE = ("coils", "acceleration", "mask", "calibration", "partial", "noise", "axis", "seed")


@dataclass(frozen=True)
class Request:
    """The options of ``kspace``, as given."""

    inputs: tuple[Path, ...]
    more: tuple[Path, ...]
    output: Path
    coils: int
    acceleration: float
    mask: str
    calibration: int
    partial: float
    noise: float
    axis: str
    seed: int

    def decisive(self) -> dict[str, Any]:
        """Collect what decides the result besides the input."""
        return {name: value for name, value in asdict(self).items() if name in DECISIVE}


@click.command("kspace", epilog=EXAMPLES)
@options.inputs_options
@options.output_option("Folder for the k-space; it mirrors the input folders.")
@click.option("--coils", type=click.IntRange(min=1), default=8, show_default=True, metavar="N", help="About the head.")
@click.option(
    "--acceleration", type=click.FloatRange(min=1), default=4.0, show_default=True, metavar="R", help="Of the whole."
)
@click.option(
    "--mask", type=MASKS, default="equispaced", show_default=True, help="Lines of slices; poisson: points of a volume."
)
@click.option(
    "--calibration",
    type=click.IntRange(min=0),
    default=24,
    show_default=True,
    metavar="N",
    help="Lines fully sampled in the middle.",
)
@click.option(
    "--partial",
    type=click.FloatRange(0.5, 1, min_open=True),
    default=1.0,
    show_default=True,
    metavar="F",
    help="Partial Fourier: the fraction of lines that are measured at all.",
)
@click.option(
    "--noise",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    metavar="S",
    help="SD of a complex sample's noise, in the image's units.",
)
@click.option(
    "--axis", type=options.AXES, default="auto", show_default=True, help="Across the slices, or a volume's readout."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="S", help="Of all draws.")
@options.force_option
@options.debug_option
@options.verbosity_options
def command(**given: Any) -> None:
    """Measure images with coils about the head, a smooth phase and an undersampled Cartesian k-space.

    Every image PATH becomes PATH.npz (docs/kspace.md tells its entries), which reconstruct reads, on the image's grid.
    """
    running = Running.taken_from(given)
    simulate(Request(**given), running)


def simulate(request: Request, running: Running) -> None:
    """Carry out the command."""
    from medidiff.batch import Task
    from medidiff.cli.batches import Product, carry_out

    carry_out(
        Product("simulate kspace", "k-space", ""),
        options.gathered(request.inputs, request.more),
        request.output,
        Task(partial(_open, request)),
        running,
        options=request.decisive(),
        form="kspace",
    )


def _open(request: Request, device: str) -> "Work":
    """Make what is done with each image, on a CPU."""
    from medidiff.tasks import SimulatedKSpace, simulate_kspace
    from medidiff.volume import Volume

    def work(volume: Volume, progress: Callable[[float], None]) -> SimulatedKSpace:
        made = simulate_kspace(volume, **request.decisive())
        grid = volume.geometry.as_dict()
        told = {"geometry": {"input": grid, "output": grid}, "sampled": float(made.sampled.mean())}
        return SimulatedKSpace(volume, None, math.nan, math.nan, told, kspace=made)

    return work
