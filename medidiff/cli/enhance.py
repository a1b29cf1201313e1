"""``medidiff enhance``: thick slices in, isotropic volumes out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medidiff.cli import options
from medidiff.cli.adapting import Adaptation, adapt_options
from medidiff.cli.running import Running, running_options
from medidiff.errors import UsageError

if TYPE_CHECKING:
    from medidiff.batch import Case, Work
    from medidiff.io import Header
    from medidiff.tasks import Result
    from medidiff.volume import Volume

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  medidiff enhance -i scans/ -o enhanced/
  medidiff enhance -i sub-*/anat/*_T2w.nii.gz -o enhanced/ --spacing 1
  medidiff enhance -i flair.nii.gz -o out/ --like t1.nii.gz --slice-thickness 4
  medidiff enhance -i scans/ -o enhanced/ --samples 8 --device cuda:1
  medidiff enhance -i study_folder/ -o out/ --select "description=T2|FLAIR" --select spacing=3-
  medidiff enhance -i scan.nii.gz -o out/ --format dicom --dicom-template series/
  medidiff enhance -i scans/ -o enhanced/ --adapt --device cuda
  medidiff enhance -i scans/ -o enhanced/ --report --device all
  medidiff enhance -i dataset/ -o dataset/derivatives/medidiff --bids --participant-label 01
  medidiff enhance -i scans/ -o enhanced/ --dry-run

\b
Exit codes: 0 all done (or passed by: already sharp), 2 usage, 3 no image found,
4 every case failed, 5 some failed, 130 interrupted, 1 unexpected.

Research use only.
"""

DECISIVE = (
    *("spacing", "axis", "slice_thickness", "profile", "noise"),
    *("steps", "samples", "detail", "mirrors", "seed", "precision"),
)
"""Options that decide the result."""


@dataclass(frozen=True)
class Request:
    """The options of the command, as given."""

    inputs: tuple[Path, ...]
    more: tuple[Path, ...]
    output: Path
    model: str
    spacing: float | tuple[float, float, float] | None
    like: Path | None
    axis: str
    slice_thickness: float | None
    profile: str | None
    noise: float | None
    steps: int | None
    samples: int
    detail: float
    mirrors: int
    seed: int
    precision: str
    select: tuple[str, ...]
    allow_irregular: bool
    format: str
    dicom_template: Path | None
    show_phi: bool
    bids: bool
    participants: tuple[str, ...]
    sessions: tuple[str, ...]
    adaptation: Adaptation

    def decisive(self, like: "Header | None") -> dict[str, Any]:
        """Collect what decides the result besides input and model."""
        told = {name: getattr(self, name) for name in DECISIVE}
        told |= {"allow_irregular": True} if self.allow_irregular else {}
        return {**told, **self.adaptation.decisive, "like": like.geometry.as_dict() if like else None}


@click.command("enhance", epilog=EXAMPLES)
@options.inputs_options
@options.output_option("Folder for the results; it mirrors the input folders.")
@click.option("--model", default="sr-brain", show_default=True, metavar="NAME|DIR", help="Shipped model, or a folder.")
@click.option("--spacing", type=options.SPACING, help="Spacing of the output; by default the model's choice.")
@click.option("--like", type=options.EXISTING, metavar="IMAGE", help="Write on exactly this image's grid.")
@click.option("--axis", type=options.AXES, default="auto", show_default=True, help="Array axis across the slices.")
@click.option("--slice-thickness", type=options.POSITIVE, help="By default from the sidecar, else the spacing.")
@click.option("--profile", type=options.PROFILES, help="Slice profile; by default gaussian.")
@click.option(
    "--noise",
    type=click.FloatRange(min=0),
    metavar="S",
    help="SD of the input's noise in its own units; by default from the sidecar, else estimated.",
)
@click.option(
    "--steps", type=click.IntRange(min=1), metavar="N", help="Network evaluations per sample; by default the model's."
)
@options.samples_option("From 2 on, the result is their mean, and their SD is written.")
@options.detail_option
@click.option(
    "--mirrors",
    type=click.IntRange(1, 8),
    default=2,
    show_default=True,
    metavar="N",
    help="Mirror images whose answers are averaged for the mean: 8 are the most accurate, 1 is the fastest.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="S",
    help="The same seed gives the same result.",
)
@options.precision_option
@adapt_options
@options.select_option
@options.irregular_option
@click.option(
    "--format",
    type=click.Choice(["nifti", "dicom", "both", "same"]),
    default="same",
    show_default=True,
    help="Of the results; same as the input's.",
)
@click.option(
    "--dicom-template",
    type=options.EXISTING,
    metavar="SERIES",
    help="DICOM series that NIfTI inputs were made from: whose the results are.",
)
@options.show_phi_option
@options.bids_options
@running_options
def command(**given: Any) -> None:
    """Make isotropic volumes of brain scans with thick slices or low resolution.

    Every image PATH becomes PATH_enhanced.nii.gz in the output folder, float32 in the input's intensity scale over
    the same field of view, with PATH_enhanced.json telling all that was done, and PATH_uncertainty.nii.gz (standard
    deviation) if there are several samples. cases.csv and run.json record the run. A 4D image is refused: split it
    first. Paths of results go to stdout, all else to stderr.

    DICOM objects are sorted into series and volumes by their headers; results are derived series, in folders named by
    hashes and numbers, STUDY/NUMBER_SERIES, so that no name gets out, and private.json tells which is which.

    A case that fails is recorded and the others go on. Finished cases (same input, model and options) are skipped
    when the command is run again.
    """
    running = Running.taken_from(given)
    enhance(Request(adaptation=Adaptation.taken_from(given), **given), running)


def enhance(request: Request, running: Running) -> None:
    """Carry out the command."""
    from medidiff.batch import Task
    from medidiff.cli.batches import Product, carry_out, describe_model
    from medidiff.io import Selection
    from medidiff.io.template import read_template

    like = _read_like(request)
    carry_out(
        Product("enhance", "enhanced", "_enhanced"),
        options.gathered(request.inputs, request.more),
        request.output,
        Task(partial(_open, request, like)),
        running,
        options=request.decisive(like),
        describe=partial(describe_model, request.model, quiet=running.quiet),
        foretell=partial(_foretell, request, like),
        selection=Selection.parse(request.select, allow_irregular=request.allow_irregular),
        show_phi=request.show_phi,
        form=request.format,
        template=read_template(request.dicom_template) if request.dicom_template else None,
        **(_bids(request) if request.bids else {}),
    )


def _bids(request: Request) -> dict[str, Any]:
    from medidiff.cli.bids import bids_planning, resolution_label

    return bids_planning(
        options.gathered(request.inputs, request.more)[0],
        resolution=resolution_label(request.spacing, like=request.like is not None),
        form=request.format,
        participants=request.participants,
        sessions=request.sessions,
    )


def _read_like(request: Request) -> "Header | None":
    from medidiff.io import read_header

    if request.like and request.spacing:
        raise UsageError("--spacing and --like exclude each other", hint="give one of them")
    return read_header(request.like) if request.like else None


def _open(request: Request, like: "Header | None", device: str) -> "Work":
    """Load the model in a worker, and see that there is time to adapt it; returns what is done with each volume."""
    from medidiff.models import load_model
    from medidiff.tasks import rehearse, super_resolve

    model, adapt = load_model(request.model), request.adaptation.how
    if adapt:
        rehearse(model, adapt, device=device, precision=request.precision)

    def work(volume: "Volume", progress: Callable[[float], None]) -> "Result":
        result = super_resolve(
            volume,
            model,
            spacing=request.spacing,
            like=like.geometry if like else None,
            axis=request.axis,
            slice_thickness=request.slice_thickness,
            profile=request.profile,
            steps=request.steps,
            samples=request.samples,
            detail=request.detail,
            mirrors=request.mirrors,
            seed=request.seed,
            device=device,
            precision=request.precision,
            noise=request.noise,
            adapt=adapt,
            progress=progress,
        )
        return _placed(result, like) if like else result

    return work


def _placed(result: "Result", like: "Header") -> "Result":
    """Give what was made on an image's grid that image's kind of coordinates; else it keeps the input's."""

    def place(volume: "Volume") -> "Volume":
        return replace(volume, meta={**volume.meta, "xform_code": like.code})

    uncertainty = None if result.uncertainty is None else place(result.uncertainty)
    return replace(result, volume=place(result.volume), uncertainty=uncertainty)


def _foretell(request: Request, like: "Header | None", case: "Case") -> str:
    """Tell the grid of the result, or why there will be none."""
    from medidiff.cli.batches import becomes
    from medidiff.cli.outlook import outlook, outlook_of

    wanted: Any = {"spacing": request.spacing, "like": like.geometry if like else None, "axis": request.axis}
    if case.stack is None:
        grid = outlook(case.source, **wanted)
    else:
        grid = outlook_of(case.stack, allow_irregular=request.allow_irregular, **wanted)
    shape = "x".join(map(str, grid["target_shape"] or ()))
    return f"{becomes(case)} ({shape})" if grid["enhance"] else f"{grid['reason']}: not enhanced"
