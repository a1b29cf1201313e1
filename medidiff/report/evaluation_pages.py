"""The report of an evaluation: tables, distributions, and every case to look at."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from medidiff import __version__
from medidiff.evaluation import Seen, Table
from medidiff.evaluation.differences import minus
from medidiff.evaluation.markdown import (
    COMPARED,
    MAIN,
    comparison_row,
    defined,
    figure,
    means,
    subjects_told,
    title,
    without_scores,
)
from medidiff.evaluation.preset import ALONG
from medidiff.evaluation.summary import STATISTICS, worst_cases
from medidiff.report.charts import curves, distribution
from medidiff.report.pages import Pages
from medidiff.report.scene import Colours, Scene, compose
from medidiff.volume import Volume

__all__ = ["EvaluationPages"]

PACKAGES = ("numpy", "scipy", "scikit-image", "nibabel")


class EvaluationPages:
    """Draws each case while its volumes are in memory, and the report once all are scored.

    Parameters
    ----------
    output
        Folder for ``report.html`` and ``cases/``.
    embed
        How many cases, the worst first, are contained in ``report.html``; all have a page of their own.

    Raises
    ------
    ResourceError
        If what draws pages is not installed.
    """

    def __init__(self, output: Path, *, embed: int = 12) -> None:
        self._pages, self._embed = Pages(output, "medidiff evaluation"), embed

    def add(self, seen: Seen) -> None:
        """Write the page of a case; a case without images has none."""
        if seen.truth is None or not seen.images:
            return
        scene = _scene(seen)
        notes = [f"{row.method}: {row.score.error or row.score.note}" for row in seen.rows]
        told = {
            "scene": scene,
            "left": 0,
            "right": len(scene.layers) - 1,
            "crops_at": f"largest error of {next(iter(seen.images))}",
            "scores": _scores(seen),
            "facts": {},
            "warnings": [note for note in notes if not note.endswith(": ")],
        }
        self._pages.write(seen.case, told)

    def close(self, table: Table) -> Path:
        """Write the report; pages of an earlier run's cases go."""
        self._pages.remove_others()
        ranked = worst_cases(table)
        told = {
            "counts": table.counts(),
            "subjects": subjects_told(table),
            "cases": len(table.cases),
            "first": table.methods[0],
            "sections": _sections(table),
            "comparisons": _comparisons(table.summary["comparisons"]),
            "group_comparisons": {g: _comparisons(some) for g, some in table.summary["group_comparisons"].items()},
            "charts": _charts(table, [name for name in table.metrics if name in MAIN]),
            "more_charts": _charts(table, [name for name in table.metrics if name not in MAIN]),
            "calibration": {name: curves(some) for name, some in table.summary["calibration"].items()},
            "ranked": self._ranked(table, ranked),
            "failures": without_scores(table),
            "definitions": defined(table),
            "settings": _settings(table),
            "statistics": STATISTICS,
            "embedded": min(self._embed, len(ranked)),
        }
        return self._pages.finish("evaluation.html", told, [case["case"] for case in ranked[: self._embed]])

    def _ranked(self, table: Table, ranked: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        metric = table.metrics[0] if table.metrics else ""
        rows = []
        for place, case in enumerate(ranked):
            name = case["case"]
            inside = place < self._embed and self._pages.place(name)
            link = f"#{self._pages.anchor(name)}" if inside else self._pages.place(name)
            cells = [figure(metric, case[m]) for m in table.methods]
            cells += [figure(metric, _apart(case, table.methods[0], m), signed=True) for m in table.methods[1:]]
            rows.append({"name": name, "link": link, "cells": cells})
        columns = [*table.methods, *[f"{table.methods[0]} - {m}" for m in table.methods[1:]]]
        return {"title": title(metric) if metric else "", "columns": columns, "rows": rows}


def _apart(case: Mapping[str, Any], one: str, other: str) -> float | None:
    return None if None in (case[one], case[other]) else minus(case[one], case[other])


def _scene(seen: Seen) -> Scene:
    """Input, methods and reference; differences and uncertainties, relative to the range of intensities."""
    truth = seen.truth
    if truth is None:
        raise ValueError("a case without a reference has no scene")
    reference, span = truth.volume, truth.span
    source = {"input": seen.source} if seen.source is not None else {}
    layers = {**source, **seen.images, "reference": reference}
    differences = {name: _scaled(image.array - reference.array, reference, span) for name, image in seen.images.items()}
    unit = "of the data range"
    maps = {f"{name} minus reference": Colours(v, unit, signed=True) for name, v in differences.items()}
    maps |= {
        f"uncertainty of {name}": Colours(_scaled(sd.array, reference, span), f"SD, {unit}", signed=False)
        for name, sd in seen.spreads.items()
    }
    first = next(iter(differences.values()))
    return compose(
        layers, maps, frame=reference.geometry, window_of="reference", region=truth.whole_region, errors=first
    )


def _scaled(array: np.ndarray[Any, Any], like: Volume, span: float) -> Volume:
    return Volume(np.asarray(array / span, dtype=np.float32), like.geometry)


def _scores(seen: Seen) -> dict[str, Any]:
    rows = [row for row in seen.rows if not row.score.error]
    names = list(dict.fromkeys(name for row in rows for name in row.score.metrics if name not in ALONG))
    body = [[row.method, *[figure(name, row.score.metrics.get(name)) for name in names]] for row in rows]
    return {"head": ["method", *map(title, names)], "body": body}


def _sections(table: Table) -> list[dict[str, Any]]:
    """Means of all cases and of each sub-group."""
    told, main = table.summary, [name for name in table.metrics if name in MAIN]
    rest = [name for name in table.metrics if name not in MAIN]
    parts = [("", told["methods"], main), ("Detail, spectrum and calibration", told["methods"], rest)]
    parts += [(group, methods, main) for group, methods in told["groups"].items()]
    return [
        dict(zip(("name", "titles", "rows"), (name, *means(methods, metrics)), strict=True))
        for name, methods, metrics in parts
        if metrics
    ]


def _comparisons(told: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    return [comparison_row(c) for c in told if c["metric"] in COMPARED]


def _charts(table: Table, metrics: Sequence[str]) -> list[dict[str, Any]]:
    return [chart for name in metrics if (chart := distribution(table, name))]


def _settings(table: Table) -> dict[str, str]:
    left_out = ("metrics", "methods")
    kept = {k.replace("_", " "): value for k, value in table.settings.items() if k not in left_out and value != ""}
    methods = {f"method {name}": origin for name, origin in table.settings.get("methods", {}).items()}
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    told = {**kept, **methods, "versions": f"medidiff {__version__}, {versions}"}
    return {key: str(value) for key, value in told.items()}
