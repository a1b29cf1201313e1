"""``medidiff reconstruct``: images from undersampled k-space."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medidiff.cli import options

if TYPE_CHECKING:
    from medidiff.batch import Manifest, Work
    from medidiff.kspace import KSpace
    from medidiff.tasks import Result

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  medidiff reconstruct -i rawdata/ -o images/
  medidiff reconstruct -i scan.h5 -o images/ --method l1-wavelet
  medidiff reconstruct -i kspace.npy -o images/ --method zero-filled
  medidiff reconstruct -i rawdata/ -o images/ --dry-run

Research use only.
"""

METHODS = click.Choice(["zero-filled", "cg-sense", "l1-wavelet"])
DECISIVE = ("method", "iterations", "weight", "coils", "kernel", "crop", "noise", "seed")


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
    device: str
    threads: int | None
    force: bool
    report: bool
    dry_run: bool
    quiet: bool
    verbose: bool

    def decisive(self) -> dict[str, Any]:
        """Collect what decides the result besides the input."""
        return {name: getattr(self, name) for name in DECISIVE}


@click.command("reconstruct", epilog=EXAMPLES)
@options.kspace_options
@options.output_option("Folder for the images; it mirrors the input folders.")
@click.option("--method", type=METHODS, default="cg-sense", show_default=True, help="How images are found.")
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
    "--kernel", type=click.IntRange(min=2), default=6, show_default=True, metavar="N", help="Edge of ESPIRiT's blocks."
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
@click.option("--device", type=options.DEVICES, default="auto", show_default=True, help="Where to compute.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="CPU threads; by default all cores.")
@options.force_option
@options.report_option
@click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")
@options.debug_option
@options.verbosity_options
def command(**given: Any) -> None:
    """Make images of undersampled Cartesian k-space, of one coil or many, of slices or a volume.

    Every file PATH becomes PATH_recon.nii.gz in the output folder, the magnitude as float32, with PATH_recon.json
    telling all that was done and how well the image agrees with the measurement. cases.csv and run.json record the
    run. Paths of results go to stdout, all else to stderr.

    A case that fails is recorded and the others go on. Finished cases are skipped when the command is run again.
    """
    reconstruct(Request(**given))


def reconstruct(request: Request) -> None:
    """Plan and run."""
    from medidiff.batch import plan
    from medidiff.cli.batches import refuse_empty, run_batch
    from medidiff.io.kspace import SUFFIXES, find_kspace, read_kspace

    manifest = plan(
        options.gathered(request.inputs, request.more),
        request.output,
        task="reconstruct",
        product="reconstructed",
        suffix="_recon",
        options=request.decisive(),
        model={},
        find=find_kspace,
    )
    refuse_empty(manifest, f"no k-space found; {', '.join(SUFFIXES)} are read")
    if request.dry_run:
        _print_plan(manifest, force=request.force)
        return
    run_batch(
        manifest,
        _work(request),
        settings={name: getattr(request, name) for name in ("device", "threads", "force")},
        force=request.force,
        quiet=request.quiet,
        verbose=request.verbose,
        read=read_kspace,
        report=request.report,
    )


def _work(request: Request) -> "Work":
    """Make what is done with each file, once it is known that the device is there."""
    import torch

    from medidiff.tasks import reconstruct
    from medidiff.tasks.device import choose_device

    if request.threads:
        torch.set_num_threads(request.threads)
    choose_device(request.device)

    def work(kspace: "KSpace", progress: Callable[[float], None]) -> "Result":
        return reconstruct(kspace, **request.decisive(), device=request.device)

    return work


def _print_plan(manifest: "Manifest", *, force: bool) -> None:
    from medidiff.batch import finished

    for case in manifest.cases:
        done = not force and finished(case, manifest)
        click.echo(f"{case.source}: done before" if done else f"{case.source} -> {case.image}")
