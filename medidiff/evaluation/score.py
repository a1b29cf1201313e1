"""Scores of one image against its reference, where the rules say and relative to what they say."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medidiff import metrics
from medidiff.errors import GeometryError, InputError
from medidiff.evaluation.axes import axis_along, reordered
from medidiff.evaluation.preset import ALONG, Rules, masked
from medidiff.metrics import METRICS, calibration_of, head_region
from medidiff.volume import Geometry, Volume

__all__ = ["RESAMPLED", "Score", "Truth", "fitted", "prepared", "score", "score_pair"]

Array = NDArray[Any]
RESAMPLED = "prediction resampled (cubic) onto the reference's grid"
REORDERED = "axes reordered, nothing interpolated"
EDGE = 1e-3
"""Voxels that rounding may put beyond an outer face."""


@dataclass(frozen=True)
class Score:
    """What came of one image.

    Parameters
    ----------
    metrics
        One value for each metric of the preset; nan where one is undefined, empty if the case failed.
    facts
        ``data_range``, ``region_voxels`` and, with an uncertainty, ``calibration``.
    note
        What should be known about the figures.
    error
        Why there are none.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    error: str = ""

    def noted(self, note: str) -> "Score":
        """Add what should be known."""
        return replace(self, note="; ".join(part for part in (self.note, note) if part))


@dataclass(frozen=True, eq=False)
class Truth:
    """A reference made ready: where scores count and what they are relative to.

    Parameters
    ----------
    volume
        The reference, ``(x, y, z)``.
    region
        ``(x, y, z)``, bool.
    span
        Range of intensities.
    crop
        The part that is scored.
    across
        The axis that slices lie across.
    """

    volume: Volume
    region: NDArray[np.bool_]
    span: float
    crop: tuple[slice, ...]
    across: int

    @property
    def whole_region(self) -> NDArray[np.bool_]:
        """The region on the whole grid of the reference."""
        region = np.zeros(self.volume.geometry.shape, dtype=bool)
        region[self.crop] = self.region
        return region


def prepared(reference: Volume, rules: Rules, mask: Volume | None = None) -> Truth:
    """Find the region and the range of a reference; ``mask`` is the region where the rules name a file.

    Raises
    ------
    InputError
        If the reference is constant or not finite, or has no head, or the mask does not fit.
    """
    across = rules.across(reference)
    crop = rules.crop(reference.geometry.shape, across)
    array = reference.array[crop]
    if not np.isfinite(array).all():
        found = f"{np.count_nonzero(~np.isfinite(array))} voxels"
        raise InputError("reference has values that are not finite", where=_where(reference), found=found)
    if array.min() == array.max():
        raise InputError("reference is constant", where=_where(reference), found=f"{array.min():g} everywhere")
    if mask is not None:
        region = masked(mask, reference)
    else:
        everywhere = str(rules.region) == "all"
        region = np.ones(array.shape, dtype=bool) if everywhere else head_region(array)
    region = region[crop] if region.shape == reference.geometry.shape else region
    span = rules.preset.span(array, region) if rules.data_range is None else rules.data_range
    return Truth(reference, region, span, crop, across)


def score_pair(prediction: Volume, reference: Volume, rules: Rules | None = None) -> Score:
    """Score one volume against its reference on the same grid.

    Raises
    ------
    InputError
        If the reference has no head, or no metric is defined.
    """
    chosen = rules or Rules()
    return score(prediction, prepared(reference, chosen), chosen)


def score(prediction: Volume, truth: Truth, rules: Rules, *, spread: Volume | None = None) -> Score:
    """Score a volume on the reference's grid; ``spread`` is its standard deviation, if it has one.

    Raises
    ------
    InputError
        If a value in the region is not finite, or no metric is defined.
    """
    images = prediction.array[truth.crop], truth.volume.array[truth.crop]
    where = {"data_range": truth.span, "region": truth.region}
    values: dict[str, float] = {}
    notes: dict[str, None] = {}
    for name in rules.preset.metrics:
        try:
            values[name] = _value(name, images, truth, where)
        except InputError as error:
            values[name], notes[f"no {name}: {error}"] = float("nan"), None
        else:
            notes |= {f"no {name}: it comes out as no number": None} if np.isnan(values[name]) else {}
    if all(np.isnan(value) for value in values.values()):
        raise InputError("no metric is defined", where=_where(prediction), found=next(iter(notes)))
    facts = {"data_range": truth.span, "region_voxels": int(truth.region.sum()), "slice_axis": "xyz"[truth.across]}
    told = Score(values, facts, note="; ".join(notes))
    return told if spread is None else _calibrated(told, images, spread.array[truth.crop], truth)


def _calibrated(told: Score, images: tuple[Array, Array], spread: Array, truth: Truth) -> Score:
    """Add how the standard deviation goes with the error, relative to the range, or why it cannot be told."""
    relative = (np.asarray(array, dtype=np.float64) / truth.span for array in (*images, spread))
    try:
        calibration = calibration_of(*relative, region=truth.region)
    except InputError as error:
        return told.noted(f"no calibration: {error}")
    values = {name: getattr(calibration, name) for name in ("coverage_90", "calibration_error", "sd_error")}
    why = "no sd_error: a tenth of the voxels has SD 0" if np.isnan(calibration.sd_error) else ""
    return Score({**told.metrics, **values}, {**told.facts, "calibration": calibration}, told.note).noted(why)


def _value(name: str, images: tuple[Array, Array], truth: Truth, where: dict[str, Any]) -> float:
    if name in ALONG:
        metric, world = ALONG[name]
        grid = truth.volume.geometry
        axis = axis_along(grid, world)
        how = {"spacing": grid.spacing[axis]} if metric == "effective_resolution" else {}
        return float(getattr(metrics, metric)(*images, axis=axis, **how, **where))
    how = {"axis": truth.across} if name == "ssim_slices" else {}
    return METRICS[name](*images, **how, **where)


def fitted(prediction: Volume, truth: Truth, *, resample: bool) -> tuple[Volume, str]:
    """Bring a prediction onto its reference's grid if it may be, and say so.

    The same voxels in another order are reordered; anything else is interpolated, if it may be.

    Raises
    ------
    GeometryError
        If the grids differ and it may not, or it shows nothing of the region.
    """
    one, other = prediction.geometry, truth.volume.geometry
    gridless = prediction.meta.get("gridless") or truth.volume.meta.get("gridless")
    if one.allclose(other) or (gridless and one.shape == other.shape):
        return prediction, "no grid is known: shapes are equal" if gridless else ""
    if not gridless and (same := reordered(prediction, other)) is not None:
        return same, REORDERED
    if not resample or gridless:
        raise _other_grid(_where(prediction), one, other)
    from medidiff.tasks.resampling import resample as resampled  # brings torch along, which nothing else here needs

    outside = _outside(prediction, truth)
    if outside == 1:
        raise GeometryError("prediction shows nothing of the region", where=_where(prediction))
    lacks = f"; {100 * outside:.2g} % of the region lies outside the prediction, scored as 0" if outside else ""
    return resampled(prediction, other), f"{RESAMPLED}{lacks}"


def _outside(prediction: Volume, truth: Truth) -> float:
    """Share of the region's voxels whose centres lie outside the prediction's field of view."""
    voxels = np.argwhere(truth.whole_region)
    where = prediction.geometry.index(truth.volume.geometry.world(voxels))
    beyond = (where < -0.5 - EDGE) | (where > np.array(prediction.geometry.shape) - 0.5 + EDGE)
    return float(beyond.any(-1).mean())


def _where(volume: Volume) -> str:
    return str(volume.meta.get("source", ""))


def _other_grid(where: str, found: Geometry, needed: Geometry) -> GeometryError:
    told = [f"{g.shape} of {' x '.join(f'{s:.3g}' for s in g.spacing)} mm" for g in (found, needed)]
    if told[0] == told[1]:
        told[0] += f", {_apart(found, needed):.3g} mm away"
    hint = "use --resample reference, or enhance with --like REFERENCE"
    return GeometryError("not on the reference's grid", where=where, found=told[0], needed=told[1], hint=hint)


def _apart(one: Geometry, other: Geometry) -> float:
    """Largest distance between corners of the same index, mm."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in one.shape])).reshape(3, -1).T
    return float(np.linalg.norm(one.world(corners) - other.world(corners), axis=1).max())
