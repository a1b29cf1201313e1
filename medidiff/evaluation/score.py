"""Scores of results against references, per case and in the mean."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from medidiff import __version__
from medidiff.errors import GeometryError, MedidiffError
from medidiff.evaluation.pairing import Pairing, pair_up
from medidiff.io.atomic import make_folder, replacing
from medidiff.io.nifti import read_nifti
from medidiff.io.sidecar import write_json
from medidiff.metrics import DATA_RANGE_DEFINITION, HEAD_REGION_DEFINITION, METRICS, data_range_of, head_region
from medidiff.volume import Geometry, Volume

__all__ = ["SCORES", "Score", "evaluate", "score_pair"]

SCORES = ("psnr", "ssim", "nmse", "hfen", "gradient_energy_ratio")
"""What is reported, by names of `medidiff.metrics.METRICS`."""

RESAMPLED = "prediction resampled (cubic) onto the reference's grid"


@dataclass(frozen=True)
class Score:
    """What came of one pair.

    Parameters
    ----------
    metrics
        One value for each of `SCORES`; empty if the case failed.
    facts
        ``data_range`` and ``head_voxels``.
    note
        What should be known about the figures.
    error
        Why there are none.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    error: str = ""


def evaluate(predictions: Path, references: Path, output: Path, *, resample: bool = False) -> dict[str, Any]:
    """Score predictions against references and write ``cases.csv`` and ``summary.json``.

    Parameters
    ----------
    predictions, references
        A file or a folder each, paired as `pair_up` tells.
    output
        Folder for the two files; made if need be.
    resample
        Bring predictions onto the references' grids where these differ, and say so; otherwise such a case fails.

    Returns
    -------
    dict
        What is in ``summary.json``: ``metric_per_case``, ``mean`` over the scored cases, ``failed``, ``unpaired``
        and what "head" and "data range" mean. Figures that are not finite are null in the file.

    Raises
    ------
    InputError
        If nothing can be paired. Pairs that could not be scored are counted and told; ``mean`` is empty if none was.
    OutputError
        If ``output`` cannot be written.
    """
    pairing = pair_up(Path(predictions), Path(references))
    make_folder(Path(output))
    scores = {case: _scored(*pair, resample) for case, pair in pairing.pairs.items()}
    summary = _summary(pairing, scores)
    _write_cases(Path(output) / "cases.csv", pairing, scores)
    write_json(Path(output) / "summary.json", summary)
    return summary


def score_pair(prediction: Volume, reference: Volume) -> Score:
    """Score one volume against its reference on the same grid, in the reference's head.

    Raises
    ------
    InputError
        If the reference has no head, or a metric is undefined.
    """
    region = head_region(reference.array)
    span = data_range_of(reference.array, region)
    metrics = {
        name: METRICS[name](prediction.array, reference.array, data_range=span, region=region) for name in SCORES
    }
    return Score(metrics, {"data_range": span, "head_voxels": int(region.sum())})


def _scored(prediction: Path, reference: Path, resample: bool) -> Score:
    try:
        image, truth = read_nifti(prediction), read_nifti(reference)
        if image.geometry.allclose(truth.geometry):
            return score_pair(image, truth)
        if not resample:
            raise _other_grid(prediction, image.geometry, truth.geometry)
        told = score_pair(_onto(image, truth.geometry), truth)
        return Score(told.metrics, told.facts, note=RESAMPLED)
    except MedidiffError as error:
        return Score(error=str(error))


def _onto(volume: Volume, grid: Geometry) -> Volume:
    from medidiff.tasks.grid import resample  # brings torch along, which nothing else here needs

    return resample(volume, grid)


def _other_grid(where: Path, found: Geometry, needed: Geometry) -> GeometryError:
    told = [f"{g.shape} of {' x '.join(f'{s:.3g}' for s in g.spacing)} mm" for g in (found, needed)]
    if told[0] == told[1]:
        told[0] += f", {_apart(found, needed):.3g} mm away"
    hint = "use --resample, or enhance with --like REFERENCE"
    return GeometryError("not on the reference's grid", where=str(where), found=told[0], needed=told[1], hint=hint)


def _apart(one: Geometry, other: Geometry) -> float:
    """Largest distance between corners of the same index, mm."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in one.shape])).reshape(3, -1).T
    return float(np.linalg.norm(one.world(corners) - other.world(corners), axis=1).max())


def _summary(pairing: Pairing, scores: Mapping[str, Score]) -> dict[str, Any]:
    done = [score.metrics for score in scores.values() if not score.error]
    return {
        "metric_per_case": [_told(case, pairing.pairs[case], score) for case, score in scores.items()],
        "mean": {name: float(np.mean([metrics[name] for metrics in done])) for name in SCORES} if done else {},
        "cases": {"scored": len(done), "failed": len(scores) - len(done), "unpaired": len(pairing.unpaired)},
        "unpaired": {str(path): reason for path, reason in pairing.unpaired.items()},
        "definitions": {"head": HEAD_REGION_DEFINITION, "data_range": DATA_RANGE_DEFINITION},
        "version": __version__,
    }


def _told(case: str, pair: tuple[Path, Path], score: Score) -> dict[str, Any]:
    files = {"case": case, "prediction_file": pair[0], "reference_file": pair[1]}
    return {**files, "metrics": score.metrics, **score.facts, "note": score.note, "error": score.error}


def _write_cases(path: Path, pairing: Pairing, scores: Mapping[str, Score]) -> None:
    facts = ("data_range", "head_voxels")
    rows: list[Sequence[object]] = [("case", "status", *SCORES, *facts, "prediction", "reference", "note")]
    for case, score in scores.items():
        figures = [_figure({**score.metrics, **score.facts}.get(name)) for name in (*SCORES, *facts)]
        status = "failed" if score.error else "scored"
        rows.append((case, status, *figures, *pairing.pairs[case], score.error or score.note))
    for left, reason in pairing.unpaired.items():
        rows.append(("", "unpaired", *[""] * len((*SCORES, *facts)), left, "", reason))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    with replacing(path) as stream:
        stream.write(text.getvalue().encode())


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
