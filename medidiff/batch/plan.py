"""Which input becomes which output, decided before the work starts."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from medidiff.batch.case import Case, Manifest, Part
from medidiff.errors import UsageError
from medidiff.io.discover import Found, Skipped, discover
from medidiff.io.formats import formats_for, needs_dicom
from medidiff.io.selection import Selection
from medidiff.io.sidecar import sidecar_path

if TYPE_CHECKING:
    from medidiff.io.dicom import Origin

__all__ = ["Finder", "plan"]


class Finder(Protocol):
    """Searches files and folders; see `medidiff.io.discover.discover`."""

    def __call__(self, inputs: Sequence[Path], *, output: Path | None = None) -> tuple[list[Found], list[Skipped]]:
        """Return what was found, and what was left out."""


def plan(
    inputs: Sequence[Path],
    output: Path,
    *,
    task: str,
    product: str,
    suffix: str,
    options: Mapping[str, Any],
    model: Mapping[str, Any],
    selection: Selection | None = None,
    show_phi: bool = False,
    form: str = "nifti",
    template: "Origin | None" = None,
    find: Finder | None = None,
    part: Part | None = None,
    shape: Callable[[Case], Case] | None = None,
) -> Manifest:
    """Search the inputs and give each its outputs, mirrored under ``output``.

    Parameters
    ----------
    inputs
        Files and folders.
    output
        The folder for results; it need not exist.
    task, product
        The command, and what its outputs are.
    suffix
        What the stem of an output has after the stem of its input.
    options, model
        What decides the results; see `Manifest`.
    selection
        Which DICOM series are wanted; all by default.
    show_phi
        Name the folders of DICOM series, which are often called after patients.
    form
        One of `medidiff.io.formats.FORMATS`, or ``"kspace"``.
    template
        The DICOM series that NIfTI inputs were made from.
    find
        What searches the inputs, if not images are wanted.
    part
        Which share of the cases to plan; all by default.
    shape
        Gives cases other names, as `medidiff.batch.derivative` does.

    Raises
    ------
    InputError
        If an input does not exist.
    UsageError
        If an output would take the place of an input or of its sidecar, or DICOM is wanted of a NIfTI image without a
        template.
    ResourceError
        If DICOM is to be written and what writes it is not installed.
    """
    search = find or partial(discover, selection=selection, show_phi=show_phi)
    found, skipped = search(inputs, output=output)
    formats = partial(formats_for, form, has_template=template is not None)
    cases = tuple(
        _case(
            item,
            output,
            suffix,
            ("kspace",) if form == "kspace" else formats(from_dicom=item.stack is not None, where=str(item.path)),
        )
        for item in found
    )
    if any("dicom" in case.formats for case in cases):
        needs_dicom()
    cases = tuple(map(shape, cases)) if shape else cases
    _protect_inputs(cases)
    mine = part.of(cases) if part else cases
    return Manifest(task, product, output, mine, tuple(skipped), dict(options), dict(model), template, part)


def _case(found: Found, output: Path, suffix: str, formats: tuple[str, ...]) -> Case:
    target = output / found.stem
    ending = ".npz" if formats == ("kspace",) else ".nii.gz"
    image, uncertainty = (target.with_name(f"{target.name}{end}{ending}") for end in (suffix, "_uncertainty"))
    return Case(found.path, image, uncertainty, found.stack, formats, found.stem.as_posix())


def _protect_inputs(cases: Sequence[Case]) -> None:
    precious = {path.resolve() for case in cases for path in (case.source, sidecar_path(case.source))}
    for case in cases:
        for path in (case.image, case.uncertainty, case.sidecar):
            if path.resolve() in precious:
                what = "output would overwrite an input or its sidecar"
                raise UsageError(what, where=str(path), hint="choose another output folder")
