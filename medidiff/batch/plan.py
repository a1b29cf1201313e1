"""Which input becomes which output, decided before the work starts."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medidiff.batch.case import Case, Manifest
from medidiff.errors import UsageError
from medidiff.io.discover import Found, discover
from medidiff.io.formats import formats_for, needs_dicom
from medidiff.io.selection import Selection
from medidiff.io.sidecar import sidecar_path

if TYPE_CHECKING:
    from medidiff.io.dicom import Origin

__all__ = ["plan"]


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
        One of `medidiff.io.formats.FORMATS`.
    template
        The DICOM series that NIfTI inputs were made from.

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
    found, skipped = discover(inputs, output=output, selection=selection, show_phi=show_phi)
    formats = partial(formats_for, form, has_template=template is not None)
    cases = tuple(
        _case(item, output, suffix, formats(from_dicom=item.stack is not None, where=str(item.path))) for item in found
    )
    if any("dicom" in case.formats for case in cases):
        needs_dicom()
    _protect_inputs(cases)
    return Manifest(task, product, output, cases, tuple(skipped), dict(options), dict(model), template)


def _case(found: Found, output: Path, suffix: str, formats: tuple[str, ...]) -> Case:
    target = output / found.stem
    image, uncertainty = (target.with_name(f"{target.name}{end}.nii.gz") for end in (suffix, "_uncertainty"))
    return Case(found.path, image, uncertainty, found.stack, formats)


def _protect_inputs(cases: Sequence[Case]) -> None:
    precious = {path.resolve() for case in cases for path in (case.source, sidecar_path(case.source))}
    for case in cases:
        for path in (case.image, case.uncertainty, case.sidecar):
            if path.resolve() in precious:
                what = "output would overwrite an input or its sidecar"
                raise UsageError(what, where=str(path), hint="choose another output folder")
