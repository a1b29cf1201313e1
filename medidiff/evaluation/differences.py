"""The first method against each other: case by case, and what that allows to be said."""

from typing import Any

import numpy as np

from medidiff.evaluation.preset import merit
from medidiff.evaluation.statistics import averaged, by_subject, holm, signed_rank, win_rate
from medidiff.evaluation.table import Table

__all__ = ["compared", "differences", "minus"]


def compared(table: Table, group: str = "") -> list[dict[str, Any]]:
    """Compare the first method with each other in each metric, over all cases or a sub-group.

    p is adjusted for the methods that are compared within a metric.
    """
    return [comparison for metric in table.metrics for comparison in _within(table, metric, group)]


def differences(table: Table) -> list[dict[str, Any]]:
    """First method minus each other, case by case, in every metric that both have."""
    rows = {(row.case, row.method): row for row in table.rows}
    told = []
    for row in table.scored():
        for against in table.methods[1:]:
            other = rows.get((row.case, against))
            theirs = other.score.metrics if other else {}
            both = {name: minus(value, theirs[name]) for name, value in row.score.metrics.items() if name in theirs}
            if both:
                who = {"case": row.case, "subject": row.subject, "group": row.group}
                told.append({**who, "method": row.method, "against": against, "metrics": both})
    return told


def minus(one: float, other: float) -> float:
    """Difference of two scores; none between equal ones, infinite ones too."""
    return 0.0 if one == other else one - other


def _within(table: Table, metric: str, group: str) -> list[dict[str, Any]]:
    told = [_pair(table, metric, other, group) for other in table.methods[1:]]
    kept = [comparison for comparison in told if comparison["n"] + comparison["infinite"]]
    for comparison, adjusted in zip(kept, holm([c["p"] for c in kept]), strict=True):
        comparison["p_holm"] = adjusted
    return kept


def _pair(table: Table, metric: str, other: str, group: str) -> dict[str, Any]:
    one, two = table.values(metric, "", group), table.values(metric, other, group)
    cases = [case for case in one if one[case] == one[case] and two.get(case, np.nan) == two.get(case)]
    subjects = {row.case: row.subject for row in table.rows}
    owners = [subjects[case] for case in cases]
    merits = [[merit(metric, scores[case]) for case in cases] for scores in (one, two)]
    told = averaged([minus(one[case], two[case]) for case in cases], owners, seed=table.seed)
    better = [minus(a, b) for a, b in zip(*merits, strict=True)]
    return {
        "metric": metric,
        "method": table.methods[0],
        "against": other,
        **{name: told[name] for name in ("n", "subjects", "infinite")},
        "difference": told["mean"],
        **{name: told[name] for name in ("low", "high")},
        "p": signed_rank(by_subject(better, owners)),
        "p_holm": float("nan"),
        "wins": win_rate(*merits),
    }
