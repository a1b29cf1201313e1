"""The DICOM of a case: whose it is, written with the rest or not at all."""

import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from medidiff.batch.case import Case, Manifest
from medidiff.errors import InputError, OutputError
from medidiff.io.sidecar import plain
from medidiff.volume import Volume

if TYPE_CHECKING:
    from medidiff.io.dicom import Origin
    from medidiff.tasks import Result

__all__ = [
    "check_objects",
    "count_objects",
    "discard_objects",
    "refuse_foreign_objects",
    "template_used",
    "write_objects",
]


def check_objects(case: Case, manifest: Manifest, source: Volume) -> None:
    """Make sure, before hours of work, that DICOM can be made of a case if it is to be.

    Its folder must be free and the headers those of one series of one patient. A NIfTI image must lie where the series
    of the template does: nothing else tells whether it belongs to it.

    Raises
    ------
    MedidiffError
        As `refuse_foreign_objects`, and `source_grid` and `template_sources` in `medidiff.io.dicom.output`.
    """
    if "dicom" in case.formats:
        from medidiff.io.dicom.output import source_grid, template_sources

        refuse_foreign_objects(case)
        origin = _origin(manifest, source)
        source_grid(origin.sources, frames=origin.frames)
        if case.stack is None:
            template_sources(origin.sources, source, frames=origin.frames)


def template_used(case: Case, manifest: Manifest) -> dict[str, Any]:
    """Tell the template, if the result depends on it."""
    if manifest.template is None or case.stack is not None or "dicom" not in case.formats:
        return {}
    return {"dicom_template": manifest.template.label}


def count_objects(case: Case) -> int:
    """Tell how many objects lie in the folder of a case; none if it is not written as DICOM."""
    return sum(path.is_file() for path in case.objects.glob("*/*.dcm")) if "dicom" in case.formats else 0


def write_objects(case: Case, manifest: Manifest, source: Volume, result: "Result") -> int:
    """Write the derived series, and the uncertainty as a parametric map, into the case's folder of objects.

    Returns
    -------
    int
        How many objects these are.

    Raises
    ------
    MedidiffError
        As `medidiff.io.dicom.output.write_result`.
    """
    from medidiff.io.dicom.output import write_result

    origin, options = _origin(manifest, source), plain(manifest.options)
    facts = {
        "model": dict(manifest.model),
        "seed": options.get("seed"),
        "options": options,
        "name": case.stack.name if case.stack else "",
        "place": case.stack.place if case.stack else 0,
    }
    return len(write_result(result, origin.sources, case.objects, facts=facts, frames=origin.frames))


def refuse_foreign_objects(case: Case) -> None:
    """Refuse a folder under the name of the objects in which there is anything that is not ours.

    Raises
    ------
    OutputError
        If there is.
    """
    if case.objects.exists():
        from medidiff.io.dicom.readback import refuse_foreign_folder

        refuse_foreign_folder(case.objects)


def discard_objects(case: Case) -> None:
    """Remove the folder of objects if all in it is ours."""
    with suppress(OutputError):
        refuse_foreign_objects(case)
        shutil.rmtree(case.objects, ignore_errors=True)


def _origin(manifest: Manifest, source: Volume) -> "Origin":
    origin: Origin | None = source.meta.get("dicom", manifest.template)
    if origin is None:
        raise InputError("a NIfTI file has no patient, so no DICOM can be written of it")
    return origin
