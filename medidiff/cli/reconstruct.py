"""``medidiff reconstruct``: images from undersampled k-space."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medidiff.cli import options
from medidiff.cli.running import Running, running_options

if TYPE_CHECKING:
    from medidiff.batch import Case, Work
    from medidiff.kspace import KSpace
    from medidiff.tasks import Result

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  medidiff reconstruct -i rawdata/ -o images/
  medidiff reconstruct -i scan.h5 -o images/ --method l1-wavelet
  medidiff reconstruct -i kspace.npy -o images/ --method zero-filled --complex
  medidiff reconstruct -i rawdata/ -o images/ --method diffusion --model runs/recon-brain --samples 8
  medidiff reconstruct -i rawdata/ -o images/ --dry-run

Research use only.
"""

METHODS = click.Choice(["zero-filled", "cg-sense", "l1-wavelet", "diffusion"])
DECISIVE = ("method", "iterations", "weight", "coils", "kernel", "crop", "noise", "seed")
ASKED = ("passes", "steps", "samples", "detail", "precision")
"""What decides a result of diffusion besides."""


@dataclass(frozen=True)
class Request:
    """The options of the command, as given."""

    inputs: tuple[Path, ...]
    more: tuple[Path, ...]
    output: Path
    method: str
    iterations: int | None
    weight: float
    coils: int
    kernel: int
    crop: float
    noise: float | None
    seed: int
    complex_image: bool
    fastmri: bool
    model: str
    passes: int | None
    steps: int | None
    samples: int
    detail: float
    precision: str

    def decisive(self) -> dict[str, Any]:
        """Collect what decides the result besides input and model."""
        names = DECISIVE + (ASKED if self.method == "diffusion" else ())
        told = {name: getattr(self, name) for name in names}
        return told | ({"complex_image": True} if self.complex_image else {})


@click.command("reconstruct", epilog=EXAMPLES)
@options.kspace_options
@options.output_option("Folder for the images; it mirrors the input folders.")
@click.option("--method", type=METHODS, default="diffusion", show_default=True, help="How images are found.")
@click.option("--iterations", type=click.IntRange(min=1), metavar="N", help="At most; by default the method's own.")
@click.option(
    "--weight",
    type=click.FloatRange(min=0),
    default=0.003,
    show_default=True,
    metavar="W",
    help="Of the wavelets of l1-wavelet, relative to the brightness of the zero-filled image.",
)
@click.option(
    "--coils", type=click.IntRange(min=1), default=12, show_default=True, metavar="N", help="Compress more to so many."
)
@click.option(
    "--kernel", type=click.IntRange(min=2), default=5, show_default=True, metavar="N", help="Edge of ESPIRiT's blocks."
)
@click.option(
    "--crop",
    type=click.FloatRange(0, 1),
    default=0.8,
    show_default=True,
    metavar="C",
    help="ESPIRiT eigenvalue below which a voxel has no sensitivity; 0 keeps the air.",
)
@click.option(
    "--noise", type=click.FloatRange(min=0), metavar="S", help="SD of a complex sample; by default it is measured."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="S", help="Of what is drawn.")
@click.option("--complex", "complex_image", is_flag=True, help="Write complex values instead of the magnitude.")
@click.option("--fastmri", is_flag=True, help="Write PATH_recon.h5, too, as fastMRI's challenge takes it.")
@click.option("--model", default="recon-brain", show_default=True, metavar="NAME|DIR", help="Of diffusion.")
@click.option("--passes", type=click.IntRange(min=1), metavar="N", help="Of diffusion: evaluations for the mean.")
@click.option("--steps", type=click.IntRange(min=1), metavar="N", help="Of diffusion: evaluations for each sample.")
@options.samples_option("Of diffusion: from 2 on, their SD is written.")
@options.detail_option
@options.precision_option
@running_options
def command(**given: Any) -> None:
    """Make images of undersampled Cartesian k-space, of one coil or many, of slices or a volume.

    Every file PATH becomes PATH_recon.nii.gz in the output folder, the magnitude as float32, with PATH_recon.json
    telling all that was done and how well the image agrees with the measurement. Diffusion adds PATH_inferred.nii.gz,
    the share of each voxel that was not measured, and, with several samples, PATH_uncertainty.nii.gz. Its shipped
    model knows brains alone, and a file does not tell what it is of: take another --method for all else. cases.csv
    and run.json record the run. Paths of results go to stdout, all else to stderr.

    A case that fails is recorded and the others go on. Finished cases are skipped when the command is run again.
    """
    running = Running.taken_from(given)
    reconstruct(Request(**given), running)


def reconstruct(request: Request, running: Running) -> None:
    """Carry out the command."""
    from medidiff.batch import Task
    from medidiff.cli.batches import Product, carry_out
    from medidiff.io.kspace import SUFFIXES, find_kspace, read_kspace

    carry_out(
        Product("reconstruct", "reconstructed", "_recon", f"no k-space found; {', '.join(SUFFIXES)} are read"),
        options.gathered(request.inputs, request.more),
        request.output,
        Task(partial(_open, request), read_kspace),
        running,
        options=request.decisive(),
        find=find_kspace,
        describe=partial(_describe, request, quiet=running.quiet),
        shape=_with_slices if request.fastmri else None,
    )


def _describe(request: Request, *, quiet: bool) -> dict[str, Any]:
    """Tell which model it is, if there is one."""
    from medidiff.cli.batches import describe_model

    return describe_model(request.model, quiet=quiet) if request.method == "diffusion" else {}


def _with_slices(case: "Case") -> "Case":
    """Write the magnitude as HDF5, too."""
    return replace(case, formats=(*case.formats, "fastmri"))


def _open(request: Request, device: str) -> "Work":
    """Make what is done with each file."""
    from medidiff.models import load_model
    from medidiff.tasks import reconstruct

    known: dict[str, Any] = {"model": load_model(request.model)} if request.method == "diffusion" else {}

    def work(kspace: "KSpace", progress: Callable[[float], None]) -> "Result":
        return reconstruct(kspace, **request.decisive(), **known, device=device, progress=progress)

    return work
