"""Tables of what `benchmarks.adaptation` measured: means, differences, seconds and every case, in Markdown."""

import csv
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.tables import OURS

__all__ = ["ADAPTED", "ALONE", "METHODS", "STUDY", "read", "summary"]

ADAPTED, ALONE, STUDY = "adapted", "self-supervised", "study"
METHODS = ("cubic+DC", "TV", OURS, ADAPTED, STUDY, ALONE)
DIFFERENCES = {
    "adapted - plain (worst)": (ADAPTED, (OURS,)),
    "adapted - best classical": (ADAPTED, ("cubic+DC", "TV")),
    "adapted - alone": (ADAPTED, (ALONE,)),
    "study - plain": (STUDY, (OURS,)),
}
Rows = Sequence[Mapping[str, str]]


def read(folder: Path) -> Rows:
    """Rows of all parts."""
    rows: list[Mapping[str, str]] = []
    for path in sorted(folder.glob("results-*.csv")):
        with path.open(newline="") as file:
            rows += csv.DictReader(file)
    return rows


def summary(rows: Rows) -> str:
    """Tables of the means, of the differences, and of every case, in Markdown."""
    cases: dict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
    for one in rows:
        cases[one["site"], one["slices"], one["profile"], one["head"], one["axis"]][one["method"]] = float(one["psnr"])
    whole = {key: found for key, found in cases.items() if OURS in found and {ADAPTED, STUDY} & set(found)}
    groups: dict[tuple[str, ...], list[dict[str, float]]] = defaultdict(list)
    for key, found in whole.items():
        for group in ((*key[:3],), (key[0], "all", "all"), ("all", "all", "all")):
            groups[group].append(found)
    lines = ["# Adapting: PSNR in the head, dB", "", *_table(groups), "", *_seconds(rows), "", "## Every case", ""]
    lines += [f"| site | slices | profile | head | axis | {' | '.join(METHODS)} |", "| --- " * (5 + len(METHODS)) + "|"]
    lines += [f"| {' | '.join(key)} | {_figures(found)} |" for key, found in sorted(whole.items())]
    return "\n".join(lines) + "\n"


def _table(groups: Mapping[tuple[str, ...], Sequence[Mapping[str, float]]]) -> list[str]:
    titles = ("site", "slices", "profile", "n", *METHODS, *DIFFERENCES)
    lines = [f"| {' | '.join(titles)} |", "| --- " * len(titles) + "|"]
    for key, found in sorted(groups.items()):
        means = {name: _mean(some) for name in METHODS if (some := [f[name] for f in found if name in f])}
        gained = " | ".join(_difference(found, *names) for names in DIFFERENCES.values())
        lines.append(f"| {' | '.join(key)} | {len(found)} | {_figures(means)} | {gained} |")
    return lines


def _difference(found: Sequence[Mapping[str, float]], name: str, others: Sequence[str]) -> str:
    """Mean of what a method is better than the best of others, and the worst, where all of them are."""
    gains = [f[name] - max(f[other] for other in others) for f in found if {name, *others} <= set(f)]
    return f"{_mean(gains):+.2f} ({min(gains):+.2f})" if gains else ""


def _seconds(rows: Rows) -> list[str]:
    """Seconds, steps and refusals of each method."""
    lines = ["| method | n | seconds | steps | not used |", "| --- | --- | --- | --- | --- |"]
    for name in METHODS:
        mine = [one for one in rows if one["method"] == name]
        steps = _mean([float(one["steps"]) for one in mine if one["steps"]])
        refused = sum(one["used"] == "False" for one in mine)
        if mine:
            seconds = _mean([float(one["seconds"]) for one in mine])
            told = "" if math.isnan(steps) else f"{steps:.0f}"
            lines.append(f"| {name} | {len(mine)} | {seconds:.2f} | {told} | {refused} |")
    return lines


def _figures(values: Mapping[str, float]) -> str:
    return " | ".join(f"{values[name]:.2f}" if name in values else "" for name in METHODS)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
