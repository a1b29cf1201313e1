"""What follows from the scores: means with intervals, paired comparisons, sub-groups, worst cases."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from medidiff import __version__
from medidiff.evaluation.differences import compared, differences
from medidiff.evaluation.preset import merit
from medidiff.evaluation.statistics import DRAWS, averaged
from medidiff.evaluation.table import Row, Table
from medidiff.metrics import LEVELS

__all__ = ["STATISTICS", "summarise"]

STATISTICS = (
    f"Means are over cases. Intervals are 95 % percentile bootstrap intervals over subjects ({DRAWS} draws), each "
    "subject with all of its cases. Differences are the first method minus the other, case by case. p is that of the "
    "two-sided Wilcoxon signed-rank test on the means of each subject's differences, p (Holm) adjusted for the methods "
    "compared within a metric. Wins are the share of cases in which the first method is better, equal ones by half; "
    "where 1 (or 0.9) is right, p and wins are of the nearness to it. Means of methods with other n are not "
    "comparable; a mean of infinite scores has no interval."
)
WORST = 10


def summarise(table: Table) -> dict[str, Any]:
    """Put together what ``summary.json`` says.

    ``metric_per_case`` has every row and ``mean`` the means of the first method; ``methods`` has every method's mean,
    interval, median and worst score, ``groups`` the same by sub-group; ``comparisons`` sets the first method against
    each other, ``group_comparisons`` does by sub-group, and ``differences`` has them case by case.
    """
    return {
        "metric_per_case": [_told(row) for row in table.rows],
        "mean": {name: table.mean(name) for name in table.metrics} if table.scored() else {},
        "methods": {method: _figures(table, table.scored(method)) for method in table.methods},
        "comparisons": compared(table),
        "differences": differences(table),
        "groups": {
            group: {method: _figures(table, table.scored(method, group)) for method in table.methods}
            for group in table.groups
        },
        "group_comparisons": {group: compared(table, group) for group in table.groups},
        "calibration": {m: told for m in table.methods if (told := _calibration(table.scored(m)))},
        "worst_cases": worst_cases(table)[:WORST],
        "cases": table.counts(),
        "subjects": len(table.subjects),
        "unpaired": {str(path): reason for path, reason in table.unpaired.items()},
        "settings": dict(table.settings),
        "definitions": {
            "head": table.settings.get("region_definition"),
            "data_range": table.settings.get("data_range"),
            "statistics": STATISTICS,
        },
        "version": __version__,
    }


def worst_cases(table: Table) -> list[dict[str, Any]]:
    """Cases from the worst to the best by the first metric of the first method, with every method's score.

    Those in which the first method has no score come last.
    """
    if not table.metrics:
        return []
    metric = table.metrics[0]
    first = {case: value for case, value in table.values(metric).items() if value == value}
    scores = {method: table.values(metric, method) for method in table.methods}
    ranked = sorted(first, key=lambda case: merit(metric, first[case]))
    ranked += [case for case in table.cases if case not in first and any(case in some for some in scores.values())]
    return [{"case": case, "metric": metric, **{m: scores[m].get(case) for m in table.methods}} for case in ranked]


def _told(row: Row) -> dict[str, Any]:
    facts = {name: value for name, value in row.score.facts.items() if name != "calibration"}
    files = {"prediction_file": row.prediction, "reference_file": row.reference}
    who = {"case": row.case, "method": row.method, "subject": row.subject, "group": row.group}
    return {
        **who,
        **files,
        "metrics": dict(row.score.metrics),
        **facts,
        "note": row.score.note,
        "error": row.score.error,
    }


def _figures(table: Table, rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Mean, interval, median and worst of each metric."""
    told = {}
    for metric in table.metrics:
        kept = [(row, value) for row in rows if (value := row.score.metrics.get(metric, np.nan)) == value]
        if not kept:
            continue
        values, subjects = [value for _, value in kept], [row.subject for row, _ in kept]
        told[metric] = {
            **averaged(values, subjects, seed=table.seed),
            "median": float(np.median(values)),
            "worst": min(values, key=lambda value: merit(metric, value)),
        }
    return told


def _calibration(rows: Sequence[Row]) -> dict[str, Any]:
    """Coverage curve, and error by predicted SD over the data range, means over cases; empty without uncertainties."""
    told = [row.score.facts["calibration"] for row in rows if "calibration" in row.score.facts]
    if not told:
        return {}
    curves = {
        name: np.mean([getattr(one, name) for one in told], axis=0).tolist() for name in ("covered", "sd", "error")
    }
    return {"nominal": list(LEVELS), **curves, "unit": "of the data range", "cases": len(told)}
