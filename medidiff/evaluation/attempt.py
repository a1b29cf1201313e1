"""One method on one case: read or made, brought onto the grid, scored; what goes wrong becomes a reason."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from medidiff.errors import InputError, MedidiffError
from medidiff.evaluation.images import Image, read_file
from medidiff.evaluation.plan import Planned
from medidiff.evaluation.preset import Rules
from medidiff.evaluation.score import RESAMPLED, Score, Truth, fitted, score
from medidiff.volume import Volume

if TYPE_CHECKING:
    from medidiff.evaluation.measured import Baseline, Measured

__all__ = ["attempt", "failed", "measured"]


def measured(case: Planned) -> "Measured | None":
    """Read the measurement of a case, if it has one."""
    if case.source is None:
        return None
    from medidiff.evaluation.measured import read_measured  # brings torch along

    return read_measured(case.source)


def attempt(
    case: Planned,
    method: str,
    truth: Truth,
    source: "Measured | None",
    rules: Rules,
    images: dict[str, Volume],
    spreads: dict[str, Volume],
) -> Score:
    """Score one method; a failure becomes its reason."""
    try:
        image, note = _made(case.images.get(method) or case.baselines[method], truth, source, rules)
        images[method] = image
        spread, why = _spread(case.images.get(method), truth, rules)
        told = score(image, truth, rules, spread=spread).noted(note).noted(why).noted(case.notes.get(method, ""))
        if spread is not None and "calibration" in told.facts:
            spreads[method] = spread
        return _with_residual(told, image, source)
    except Exception as error:
        return failed(error)


def _made(what: "Image | Baseline", truth: Truth, source: "Measured | None", rules: Rules) -> tuple[Volume, str]:
    """Read an image or make a baseline, on the reference's grid."""
    if isinstance(what, Image):
        volume = what.read()
    elif source is None:
        raise InputError("no measurement to make the baseline of", where=what.name)
    else:
        volume = source.baseline(what, truth.volume.geometry)
    return fitted(volume, truth, resample=rules.resample)


def _spread(image: Image | None, truth: Truth, rules: Rules) -> tuple[Volume | None, str]:
    """Read the standard deviation beside an image, on the reference's grid, or say why there is none."""
    if image is None or image.spread is None:
        unread = image is not None and image.has_unread_spread
        return None, "no calibration: parametric maps beside DICOM series are not read" if unread else ""
    try:
        volume, note = fitted(read_file(image.spread), truth, resample=rules.resample)
    except MedidiffError as error:
        return None, f"no calibration: {error}"
    if not note.startswith(RESAMPLED):
        return volume, ""
    return replace(volume, array=np.maximum(volume.array, 0)), ""  # a cubic spline rings below 0


def _with_residual(told: Score, image: Volume, source: "Measured | None") -> Score:
    """Add the data residual, or why there is none."""
    if source is None:
        return told
    try:
        residual = source.residual(image)
    except MedidiffError as error:
        return told.noted(f"no data residual: {error}")
    if residual is None:
        return told.noted("no data residual of a magnitude against k-space")
    return Score({**told.metrics, "data_residual": residual}, told.facts, told.note)


def failed(error: Exception) -> Score:
    """Say in one line why a case has no scores."""
    if isinstance(error, MedidiffError):
        return Score(error=str(error))
    kind = "not enough memory" if isinstance(error, MemoryError) else f"unexpected {type(error).__name__}: {error}"
    return Score(error=" ".join(kind.split()))
