"""The files of one finished case: written together, told apart from other people's, found again."""

import hashlib
import math
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from medidiff import __version__
from medidiff.batch.case import RESEARCH_ONLY, Case, Manifest
from medidiff.batch.objects import (
    count_objects,
    discard_objects,
    template_used,
    write_objects,
)
from medidiff.errors import InputError, MedidiffError, OutputError
from medidiff.io.atomic import make_folder, remove, sweep
from medidiff.io.header import read_description
from medidiff.io.kspace.arrays import write_arrays, written_by_medidiff
from medidiff.io.kspace.fastmri import reconstructed_by_medidiff, write_reconstruction
from medidiff.io.nifti import write_nifti
from medidiff.io.sidecar import plain, read_json, sidecar_path, write_json
from medidiff.io.source import digest
from medidiff.kspace import KSpace
from medidiff.volume import Volume

if TYPE_CHECKING:
    from medidiff.tasks import Result
    from medidiff.tasks.result import SimulatedKSpace

__all__ = ["abandon", "finished", "made_from", "refuse_foreign", "save"]


def made_from(case: Case, manifest: Manifest) -> dict[str, Any]:
    """Tell all that decides the result of a case: equal answers, equal results.

    Raises
    ------
    InputError
        If the input cannot be read.
    """
    return {
        "task": manifest.task,
        **_inputs(case),
        "model_sha256": manifest.model.get("sha256"),
        "options": plain(manifest.options),
        **template_used(case, manifest),
    }


def _inputs(case: Case) -> dict[str, Any]:
    """Tell the input by its content: a file and its sidecar, or the objects and the volume in them."""
    if case.stack is not None:
        return {"input_sha256": digest(case.stack.sources), "volume": case.stack.label}
    beside = case.source.with_suffix(".hdr") if case.source.suffix == ".cfl" else sidecar_path(case.source)
    return {
        "input_sha256": _sha256(case.source),
        "sidecar_sha256": _sha256(beside) if beside.is_file() else None,
        **({"inherited_sha256": [_sha256(path) for path in case.inherits]} if case.inherits else {}),
    }


def finished(case: Case, manifest: Manifest, made: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the sidecar of a result that is there and was made from the same input, model and options.

    Empty if there is none, or anything about it has changed. ``made`` is what `made_from` says, if that is known.
    """
    if not _are_files(case.proofs(uncertainty=False)):
        return {}
    try:
        told = read_json(case.sidecar)
        same = told.get("made_from") == (made or made_from(case, manifest))
    except InputError:
        return {}
    uncertainty, inferred = (bool(told.get(name)) for name in ("has_uncertainty", "has_inferred"))
    whole = _are_files(case.proofs(uncertainty=uncertainty, inferred=inferred))
    return told if same and whole and told.get("objects", 0) == count_objects(case) else {}


def _are_files(paths: Iterable[Path]) -> bool:
    return all(path.is_file() for path in paths)


def refuse_foreign(case: Case) -> None:
    """Refuse to write over a file that this program did not write.

    Raises
    ------
    InputError
        If there is one under an output's name.
    OutputError
        If it is a folder.
    """
    for path in (case.image, *_maps(case), case.slices, case.sidecar):
        if path.exists() and not _ours(path) and not (path == case.sidecar and _ours(case.image)):
            what, hint = "exists and was not written by medidiff", "move it, or overwrite it with --force"
            raise InputError(what, where=str(path), hint=hint)


def save(
    case: Case, manifest: Manifest, source: Volume | KSpace, result: "Result", made: Mapping[str, Any]
) -> dict[str, Any]:
    """Write image, uncertainty and sidecar of a case: all of them, or none.

    ``made`` is what `made_from` said when the input was read.

    Returns
    -------
    dict
        What the sidecar says.

    Raises
    ------
    OutputError
        If something cannot be written.
    """
    facts = {**_facts(case, source, result), "made_from": plain(made)}
    make_folder(case.image.parent)
    _remove_old(case)
    with ExitStack() as undo:
        undo.callback(_discard, case.sidecar)
        if "nifti" in case.formats:
            undo.callback(_discard, case.image, *_maps(case), *_spread_sidecar(case))
            _write_volumes(case, manifest, source, result)
        if "fastmri" in case.formats:
            undo.callback(_discard, case.slices)
            write_reconstruction(result.volume, case.slices)
        if "kspace" in case.formats:
            undo.callback(_discard, case.image)
            write_arrays(cast("SimulatedKSpace", result).kspace, case.image)
        if "dicom" in case.formats:
            facts["objects"] = write_objects(case, manifest, cast(Volume, source), result)
            undo.callback(discard_objects, case)
        write_json(case.sidecar, facts)
        undo.pop_all()
    return facts


def _maps(case: Case) -> tuple[Path, Path]:
    """Volumes that lie beside the image, if there are any."""
    return case.uncertainty, case.inferred


def _spread_sidecar(case: Case) -> tuple[Path, ...]:
    """Where the standard deviation is told of: in a derivative every image has a sidecar, elsewhere only the result."""
    return (sidecar_path(case.uncertainty),) if case.about else ()


def _write_volumes(case: Case, manifest: Manifest, source: Volume | KSpace, result: "Result") -> None:
    title = f"medidiff {__version__} {{}}, research use only"
    if result.uncertainty is not None:
        write_nifti(_placed(result.uncertainty, source), case.uncertainty, description=title.format("uncertainty"))
        for path in _spread_sidecar(case):
            write_json(path, {"tool": "medidiff", **case.about, "Description": f"Standard deviation. {RESEARCH_ONLY}"})
    if result.inferred is not None:
        write_nifti(_placed(result.inferred, source), case.inferred, description=title.format("share inferred"))
    write_nifti(_placed(result.volume, source), case.image, description=title.format(manifest.product))


def abandon(case: Case) -> None:
    """Tidy up after a process that was killed at a case: fragments, and an image whose sidecar it did not reach."""
    for path in (case.image, *_maps(case), case.slices, case.sidecar, case.objects):
        sweep(path)
    if not case.sidecar.exists():
        _discard(*(path for path in (case.image, *_maps(case), case.slices) if path.is_file() and _ours(path)))
        if "dicom" in case.formats:
            discard_objects(case)


def _discard(*paths: Path) -> None:
    for path in paths:
        with suppress(OutputError):
            remove(path)


def _remove_old(case: Case) -> None:
    """Remove an earlier sidecar, so that it never tells of a newer image, and what of its results is not replaced."""
    with suppress(InputError):
        told = read_json(case.sidecar)
        formats = told.get("formats", ["nifti"])
        if told.get("has_uncertainty") and "nifti" in formats:
            for path in (case.uncertainty, *_spread_sidecar(case)):
                remove(path)
        if told.get("has_inferred"):
            remove(case.inferred)
        if "fastmri" in formats and "fastmri" not in case.formats:
            remove(case.slices)
        if "nifti" in formats and "nifti" not in case.formats:
            remove(case.image)
        if "dicom" in formats and "dicom" not in case.formats:
            discard_objects(case)
    remove(case.sidecar)


def _facts(case: Case, source: Volume | KSpace, result: "Result") -> dict[str, Any]:
    told: Mapping[str, Any] = result.provenance
    warnings = [*source.meta.get("warnings", ()), *told.get("warnings", ())]
    facts = {
        "tool": "medidiff",
        "version": __version__,
        "input": str(case.source),
        **_kept(source),
        **case.about,
        **told,
        **_residual(result),
        "formats": list(case.formats),
        "has_uncertainty": result.uncertainty is not None,
        **({"has_inferred": True} if result.inferred is not None else {}),
        "warnings": list(dict.fromkeys(warnings)),
        "notice": RESEARCH_ONLY,
    }
    return dict(plain(facts))


def _kept(source: Volume | KSpace) -> dict[str, Any]:
    """Keep the BIDS fields of a DICOM input; those that describe its slices are not true of the result."""
    fields = source.meta["sidecar"] if "dicom" in source.meta else {}
    return {name: value for name, value in fields.items() if name not in ("SliceThickness", "SpacingBetweenSlices")}


def _residual(result: "Result") -> dict[str, Any]:
    """Tell ``||A x - y|| / ||y||`` before and after, and what else the task knows of it, if it has any."""
    if not math.isfinite(result.residual_after):
        return {}
    told = {"before": result.residual_before, "after": result.residual_after}
    return {"data_residual": {**told, **result.provenance.get("data_residual", {})}}


def _placed(volume: Volume, source: Volume | KSpace) -> Volume:
    """Give a volume the input's kind of coordinates unless it has its own."""
    code = volume.meta.get("xform_code", source.meta.get("xform_code", 1))
    return replace(volume, meta={**volume.meta, "xform_code": code})


def _ours(path: Path) -> bool:
    try:
        if path.suffix == ".json":
            return read_json(path).get("tool") == "medidiff"
        if path.suffix == ".npz":
            return written_by_medidiff(path)
        if path.suffix == ".h5":
            return reconstructed_by_medidiff(path)
        return read_description(path).startswith("medidiff ")
    except MedidiffError:
        return False


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError("cannot be read", where=str(path), found=error.strerror or str(error)) from error
