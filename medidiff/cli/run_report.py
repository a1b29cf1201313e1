"""``--report`` of ``enhance`` and ``reconstruct``: results read back from disk as they come, and drawn."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from medidiff import __version__
from medidiff.batch import Case, Manifest, Record, Status
from medidiff.errors import MedidiffError

if TYPE_CHECKING:
    from medidiff.volume import Volume

__all__ = ["RunReport"]


class RunReport:
    """Draws each finished case of a run, those that were finished before included.

    Parameters
    ----------
    manifest
        The plan of the run.

    Raises
    ------
    ResourceError
        If what draws pages is not installed.
    """

    def __init__(self, manifest: Manifest) -> None:
        from medidiff.report.run_pages import RunPages

        self._manifest = manifest
        self._pages = RunPages(manifest.output, f"medidiff {manifest.task}")

    def look(self, record: Record) -> None:
        """Draw a case; what cannot be drawn is told and costs its page alone."""
        if record.status not in (Status.DONE, Status.DONE_BEFORE):
            return
        try:
            after, spread = _results(record)
            before = _before(record.case, self._manifest, after)
            self._pages.add(record.case.name, record.facts, before, after, spread)
        except (MedidiffError, MemoryError, ValueError) as error:
            click.echo(f"no page of {record.case.name}: {error}", err=True)

    def close(self, records: Sequence[Record]) -> None:
        """Write the page over all, and tell where it is; results are there whether or not it can be written."""
        plan = self._manifest
        model = " ".join(str(plan.model[key]) for key in ("name", "version", "sha256") if key in plan.model)
        settings = {**plan.options, "model": model, "version": f"medidiff {__version__}"}
        try:
            path = self._pages.close([_row(record) for record in records], settings)
            click.echo(f"report: {path}", err=True)
        except MedidiffError as error:
            click.echo(f"no report: {error}", err=True)


def _row(record: Record) -> dict[str, Any]:
    told = record.facts.get("data_residual", {})
    return {
        "name": record.case.name,
        "status": record.status.value,
        "residual": f"{told['before']:.2g} to {told['after']:.2g}" if told else "",
        "seconds": f"{record.seconds:.1f} s",
        "note": record.reason or "; ".join(record.facts.get("warnings", ())),
    }


def _results(record: Record) -> "tuple[Volume, Volume | None]":
    """Read the result and its standard deviation, NIfTI or DICOM."""
    from medidiff.evaluation.images import find_images
    from medidiff.io import read_nifti

    case = record.case
    if "nifti" in case.formats:
        spread = read_nifti(case.uncertainty) if record.facts.get("has_uncertainty") else None
        return read_nifti(case.image), spread
    return find_images(case.objects / "enhanced")[0].read(), None


def _before(case: Case, manifest: Manifest, after: "Volume") -> "dict[str, Volume]":
    """Read what there was: the scan and its interpolation, or the zero-filled image."""
    if manifest.task == "reconstruct":
        from medidiff.io.kspace import read_kspace
        from medidiff.tasks import reconstruct

        return {"zero-filled": reconstruct(read_kspace(case.source), "zero-filled").volume}
    from medidiff.tasks.resampling import resample

    scan = _scan(case, manifest)
    return {"input": scan, "cubic": resample(scan, after.geometry)}


def _scan(case: Case, manifest: Manifest) -> "Volume":
    if case.stack is None:
        from medidiff.io import read_nifti

        return read_nifti(case.source)
    from medidiff.io.dicom import read_stack

    return read_stack(case.stack, allow_irregular=bool(manifest.options.get("allow_irregular")))
