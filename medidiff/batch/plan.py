"""Which input becomes which output, decided before the work starts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medidiff.batch.case import Case, Manifest
from medidiff.errors import UsageError
from medidiff.io.discover import Found, discover
from medidiff.io.selection import Selection
from medidiff.io.sidecar import sidecar_path

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

    Raises
    ------
    InputError
        If an input does not exist.
    UsageError
        If an output would take the place of an input or of its sidecar.
    """
    found, skipped = discover(inputs, output=output, selection=selection, show_phi=show_phi)
    cases = tuple(_case(item, output, suffix) for item in found)
    _protect_inputs(cases)
    return Manifest(task, product, output, cases, tuple(skipped), dict(options), dict(model))


def _case(found: Found, output: Path, suffix: str) -> Case:
    target = output / found.stem
    image, uncertainty = (target.with_name(f"{target.name}{end}.nii.gz") for end in (suffix, "_uncertainty"))
    return Case(found.path, image, uncertainty, found.stack)


def _protect_inputs(cases: Sequence[Case]) -> None:
    precious = {path.resolve() for case in cases for path in (case.source, sidecar_path(case.source))}
    for case in cases:
        for path in (case.image, case.uncertainty, case.sidecar):
            if path.resolve() in precious:
                what = "output would overwrite an input or its sidecar"
                raise UsageError(what, where=str(path), hint="choose another output folder")
