"""Distributions and curves as figures for a template: places in percent, drawn by HTML and SVG."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from medidiff.evaluation.markdown import figure, title
from medidiff.evaluation.table import Table

__all__ = ["curves", "distribution"]

MOST_DOTS = 150
"""Of one method; more are thinned out at equal steps of rank."""
SIDE, MARGIN = 250, 34
"""Edge of a curve's square and of its margin, pixels."""


def distribution(table: Table, metric: str) -> dict[str, Any]:
    """Lay out every method's scores on one axis: dots are cases, a bar the interval, a line the mean."""
    scores = {method: _finite(table.values(metric, method)) for method in table.methods}
    everything = [value for some in scores.values() for value in some.values()]
    if not everything:
        return {}
    low, high = min(everything), max(everything)
    span = (high - low) or 1.0
    rows = [_row(metric, m, some, table.summary["methods"][m], low, span) for m, some in scores.items() if some]
    ends = [figure(metric, low), figure(metric, high)]
    told = "; ".join(f"{row['name']} mean {row['told']}" for row in rows)
    return {"title": title(metric), "rows": rows, "ends": ends, "alt": f"{title(metric)} of every case: {told}"}


def _row(
    metric: str, method: str, scores: Mapping[str, float], figures: Mapping[str, Any], low: float, span: float
) -> dict[str, Any]:
    def place(value: float) -> float:
        return round(float(np.clip(100 * (value - low) / span, 0, 100)), 2)

    told = figures[metric]
    ranked = sorted(scores.items(), key=lambda item: item[1])
    kept = [ranked[int(i)] for i in np.linspace(0, len(ranked) - 1, min(len(ranked), MOST_DOTS))]
    dots = [{"at": place(value), "told": f"{case}: {figure(metric, value)}"} for case, value in kept]
    has = told["low"] == told["low"]
    bar = (place(told["low"]), place(told["high"]) - place(told["low"])) if has else None
    return {"name": method, "dots": dots, "mean": place(told["mean"]), "bar": bar, "told": figure(metric, told["mean"])}


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    return {case: value for case, value in values.items() if np.isfinite(value)}


def curves(calibration: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Draw how often intervals hold the truth, and how large errors are where the SD is."""
    top = max(max(calibration["sd"]), max(calibration["error"])) or 1.0
    return [
        {
            "title": "coverage of mean +- z SD",
            "alt": "share of voxels whose truth lies in the interval, against the nominal share",
            "x": "nominal",
            "y": "found",
            "top": "1",
            "points": _points(calibration["nominal"], calibration["covered"], 1.0),
        },
        {
            "title": "error against predicted SD, of the data range, tenths of the voxels",
            "alt": "root mean square error against predicted standard deviation in tenths of the voxels",
            "x": "SD / data range",
            "y": "error / data range",
            "top": f"{top:.2g}",
            "points": _points(calibration["sd"], calibration["error"], top),
        },
    ]


def _points(xs: Sequence[float], ys: Sequence[float], top: float) -> list[tuple[float, float]]:
    room = SIDE - 2 * MARGIN
    return [
        (round(MARGIN + room * x / top, 1), round(SIDE - MARGIN - room * y / top, 1))
        for x, y in zip(xs, ys, strict=True)
    ]
