"""Usual ranges from the figures of training scans, and how often they alarm: pure functions of rows."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.tables import table
from medidiff.tasks.familiarity import FEATURES, familiarity_warnings

__all__ = ["MARGINS", "Ranges", "alarm_rate", "choose_margin", "detections", "figures_of", "left_out_rate", "ranges"]

Row = Mapping[str, Any]
Ranges = dict[str, list[float | None]]

MARGINS = tuple(round(0.05 * step, 2) for step in range(11))
"""Shares of its width by which a range may be widened at either end."""
MOST_FALSE = 0.02
"""Share of scans of a source that was left out that may alarm; the smallest margin that keeps to it is taken."""
UNBOUNDED_BELOW = ("air_level", "flat", "contradiction")
"""Figures of which little is good."""


def figures_of(row: Row) -> dict[str, float]:
    """Figures of one scan; those that were not measured are left out."""
    return {name: float(row[name]) for name in FEATURES if row.get(name) not in (None, "")}


def ranges(rows: Sequence[Row], margin: float) -> Ranges:
    """Lowest and highest figure of all rows, widened by a share of their distance; null where little is good."""
    usual: Ranges = {}
    for name in FEATURES:
        values = [figures[name] for figures in map(figures_of, rows) if name in figures]
        if values:
            low, high = min(values), max(values)
            extra = margin * (high - low)
            below = None if name in UNBOUNDED_BELOW else round(low - extra, 4)
            usual[name] = [below, round(high + extra, 4)]
    return usual


def alarms(row: Row, usual: Ranges) -> bool:
    """Whether the detector itself, given these ranges, warns of a row."""
    return bool(familiarity_warnings(figures_of(row), {"familiar": {"usual": usual}}))


def alarm_rate(rows: Sequence[Row], usual: Ranges) -> float:
    """Share of rows that alarm; of none, it is not a number."""
    return sum(alarms(row, usual) for row in rows) / len(rows) if rows else math.nan


def left_out_rate(rows: Sequence[Row], margin: float) -> float:
    """Share of alarms on sources that ranges were not fitted on, each source counting the same."""
    sources = sorted({row["source"] for row in rows})
    shares = []
    for source in sources:
        usual = ranges([row for row in rows if row["source"] != source], margin)
        shares.append(alarm_rate([row for row in rows if row["source"] == source], usual))
    return sum(shares) / len(shares)


def choose_margin(rows: Sequence[Row]) -> tuple[float, dict[float, float]]:
    """Smallest margin at which sources left out alarm seldom enough, else the largest; and the share at each."""
    shares = {margin: left_out_rate(rows, margin) for margin in MARGINS}
    kept = [margin for margin, share in shares.items() if share <= MOST_FALSE]
    return (min(kept) if kept else max(MARGINS)), shares


def detections(rows: Sequence[Row], fits: Mapping[float, Ranges], margin: float) -> list[str]:
    """Lines of a Markdown table: for each change, the share of scans that alarm at each margin of ``fits``.

    Which figures were outside how often is told for ``margin``.
    """
    names = list(dict.fromkeys((row["role"], row["change"]) for row in rows))
    body = []
    for role, change in names:
        some = [row for row in rows if (row["role"], row["change"]) == (role, change)]
        each = {name: alarm_rate(some, {name: bounds}) for name, bounds in fits[margin].items()}
        told = ", ".join(f"{name} {share:.0%}" for name, share in sorted(each.items(), key=lambda e: -e[1]) if share)
        rates = [f"{alarm_rate(some, usual):.0%}" for usual in fits.values()]
        body.append([role, change, str(len(some)), *rates, told])
    return table(["role", "change", "scans", *[f"at {m:g}" for m in fits], f"figures outside, at {margin:g}"], body)
