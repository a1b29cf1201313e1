"""``summary.md``: tables fit for a paper, with the definitions as their caption."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from medidiff.evaluation.preset import ALONG, DEFINITIONS
from medidiff.evaluation.summary import STATISTICS
from medidiff.evaluation.table import Table

__all__ = ["COMPARED", "MAIN", "figure", "lines_of", "markdown", "outcome", "title"]

MAIN = ("psnr", "ssim", "ssim_slices", "nmse", "hfen", "gradient_energy_ratio", "data_residual")
"""Metrics of the first table; the others follow in a second one."""
COMPARED = ("psnr", "ssim", "ssim_slices", "hfen")
NONE = "-"
TITLES = {"psnr": "PSNR", "ssim": "SSIM", "ssim_slices": "SSIM, slices", "nmse": "NMSE", "mae": "MAE", "hfen": "HFEN"}
PLACES = {"psnr": 2, "radial_spectrum_error": 2, "power_spectrum_error": 2, "effective_resolution": 2}
UNITS = {
    "psnr": " (dB)",
    "radial_spectrum_error": " (dB)",
    "power_spectrum_error": " (dB)",
    "effective_resolution": " (mm)",
}


def markdown(table: Table) -> str:
    """Write every table as Markdown."""
    told = table.summary
    main = [name for name in table.metrics if name in MAIN]
    rest = [name for name in table.metrics if name not in MAIN]
    parts = [
        "# Evaluation",
        _caption(table),
        *_means(told["methods"], main),
        *_comparisons(told["comparisons"], table.methods[0]),
        *(_means(told["methods"], rest) if rest else []),
        *[part for group, methods in told["groups"].items() for part in (f"## {group}", *_means(methods, main))],
        *_worst(told["worst_cases"], table.methods),
        *_left(table),
    ]
    return "\n\n".join(parts) + "\n"


def title(metric: str) -> str:
    """Name a metric as tables do, with its unit."""
    name, axis = (ALONG[metric][0], metric[-1]) if metric in ALONG else (metric, "")
    return f"{TITLES.get(name, name.replace('_', ' '))}{f', {axis}' if axis else ''}{UNITS.get(name, '')}"


def figure(metric: str, value: float | None, *, signed: bool = False) -> str:
    """Write a score with as many places as make sense."""
    if value is None or value != value:
        return NONE
    name = ALONG[metric][0] if metric in ALONG else metric
    sign = "+" if signed else ""
    if name == "data_residual":
        return f"{value:{sign}.1e}"
    return f"{value:{sign}.{PLACES.get(name, 4)}f}"


def lines_of(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table."""
    rows = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def _caption(table: Table) -> str:
    settings, told = table.settings, table.summary
    names = {ALONG[name][0] if name in ALONG else name for name in table.metrics}
    defined = "; ".join(f"{title(name)}: {text}" for name, text in DEFINITIONS.items() if name in names)
    counts = told["cases"]
    return (
        f"Preset `{settings.get('preset')}`, {len(table.cases)} cases, {counts['scored']} scores, {counts['failed']} "
        f"failed, {counts['unpaired']} unpaired. Mean [95 % interval]. Region `{settings.get('region')}`: "
        f"{settings.get('region_definition')} Data range: {settings.get('data_range')} Crop: {settings.get('crop')} "
        f"Resampled: {settings.get('resample')} {defined}. {STATISTICS} medidiff {told['version']}. Research use only."
    )


def _means(methods: Mapping[str, Mapping[str, Any]], metrics: Sequence[str]) -> list[str]:
    shown = [name for name in metrics if any(name in told for told in methods.values())]
    body = []
    for method, told in methods.items():
        n = max((figures["n"] for figures in told.values()), default=0)
        body.append([method, str(n), *[_cell(name, told.get(name)) for name in shown]])
    return [lines_of(["method", "n", *map(title, shown)], body)] if shown else []


def _cell(metric: str, told: Mapping[str, Any] | None) -> str:
    if told is None:
        return NONE
    mean = figure(metric, told["mean"])
    return (
        mean
        if told["low"] != told["low"]
        else f"{mean} [{figure(metric, told['low'])}, {figure(metric, told['high'])}]"
    )


def _comparisons(told: Sequence[Mapping[str, Any]], first: str) -> list[str]:
    shown = [c for c in told if c["metric"] in COMPARED]
    if not shown:
        return []
    head = ["metric", "against", "n", "subjects", "difference [95 % interval]", "p", "p (Holm)", "wins"]
    body = [[title(c["metric"]), c["against"], str(c["n"]), str(c["subjects"]), *outcome(c)] for c in shown]
    return [f"## {first} against each other method", lines_of(head, body)]


def outcome(c: Mapping[str, Any]) -> list[str]:
    """Write difference with interval, p, adjusted p and share of wins of a comparison."""
    ends = ", ".join(figure(c["metric"], c[end], signed=True) for end in ("low", "high"))
    difference = f"{figure(c['metric'], c['difference'], signed=True)} [{ends}]"
    p_values = [NONE if c[name] != c[name] else f"{c[name]:.2g}" for name in ("p", "p_holm")]
    return [difference, *p_values, f"{100 * c['wins']:.0f} %"]


def _worst(cases: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> list[str]:
    if not cases:
        return []
    metric = cases[0]["metric"]
    body = [[case["case"], *[figure(metric, case[method]) for method in methods]] for case in cases]
    return [f"## Worst cases by {title(metric)}", lines_of(["case", *methods], body)]


def _left(table: Table) -> list[str]:
    """What has no scores, and why."""
    failed = [[row.case, row.method, row.score.error] for row in table.rows if row.score.error]
    unpaired = [[str(path), "", reason] for path, reason in table.unpaired.items()]
    return ["## Without scores", lines_of(["case", "method", "reason"], failed + unpaired)] if failed + unpaired else []
