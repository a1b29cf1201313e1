"""``summary.md``: tables fit for a paper, with the definitions as their caption."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from medidiff.evaluation.preset import ALONG, DEFINITIONS
from medidiff.evaluation.summary import STATISTICS
from medidiff.evaluation.table import Table

__all__ = [
    "COMPARED",
    "MAIN",
    "comparison_row",
    "counted",
    "defined",
    "figure",
    "markdown",
    "means",
    "subjects_told",
    "title",
    "without_scores",
]

Means = tuple[str, int, list[tuple[str, str]]]
"""Method, number of cases, and mean and interval of each metric."""

MAIN = ("psnr", "ssim", "ssim_slices", "nmse", "hfen", "gradient_energy_ratio", "data_residual")
"""Metrics of the first table; the others follow in a second one."""
COMPARED = ("psnr", "ssim", "ssim_slices", "hfen", "gradient_energy_ratio")
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
        *(["## Detail, spectrum and calibration", *_means(told["methods"], rest)] if rest else []),
        *[part for group in told["groups"] for part in _group(table, group, main)],
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


def _lines(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def _caption(table: Table) -> str:
    settings, told = table.settings, table.summary
    definitions = "; ".join(f"{name}: {text}" for name, text in defined(table).items())
    counts = told["cases"]
    return (
        f"Preset `{settings.get('preset')}`, {len(table.cases)} cases of {subjects_told(table)}, "
        f"{counts['scored']} scores, {counts['failed']} failed, {counts['unpaired']} unpaired. Mean [95 % interval]. "
        f"Region `{settings.get('region')}`: "
        f"{settings.get('region_definition')} Data range: {settings.get('data_range')} Crop: {settings.get('crop')} "
        f"Resampled: {settings.get('resample')} {definitions}. {STATISTICS} "
        f"medidiff {told['version']}. Research use only."
    )


def means(methods: Mapping[str, Mapping[str, Any]], metrics: Sequence[str]) -> tuple[list[str], list[Means]]:
    """Titles of the metrics that there are, and each method's name, number of cases, and means with intervals."""
    shown = [name for name in metrics if any(name in told for told in methods.values())]
    rows = []
    for method, told in methods.items():
        n = max((_count(figures) for figures in told.values()), default=0)
        rows.append((method, n, [_cell(name, told.get(name), n) for name in shown]))
    return [title(name) for name in shown], rows


def subjects_told(table: Table) -> str:
    """Say of how many people the cases are."""
    return f"{len(table.subjects)} subject{'s' * (len(table.subjects) != 1)}"


def counted(told: Mapping[str, Any], n: int) -> str:
    """Say of how many cases a mean is where it is not of ``n``, and how many of them are infinite; or nothing."""
    other = f" (n={_count(told)})" if _count(told) != n else ""
    return other + (f" ({told['infinite']} infinite)" if told["infinite"] else "")


def _count(told: Mapping[str, Any]) -> int:
    return int(told["n"] + told["infinite"])


def _cell(metric: str, told: Mapping[str, Any] | None, n: int) -> tuple[str, str]:
    """Mean and interval; nothing for an interval that there is not."""
    if told is None:
        return NONE, ""
    mean, low, high = (figure(metric, told[name]) for name in ("mean", "low", "high"))
    return mean + counted(told, n), "" if low == NONE else f"{low} to {high}"


def _means(methods: Mapping[str, Mapping[str, Any]], metrics: Sequence[str]) -> list[str]:
    titles, rows = means(methods, metrics)
    body = [[m, str(n), *[f"{mean} [{ends}]" if ends else mean for mean, ends in cells]] for m, n, cells in rows]
    return [_lines(["method", "n", *titles], body)] if titles else []


def _comparisons(told: Sequence[Mapping[str, Any]], first: str, where: str = "##") -> list[str]:
    shown = [c for c in told if c["metric"] in COMPARED]
    if not shown:
        return []
    head = ["metric", "against", "n", "subjects", "difference [95 % interval]", "p", "p (Holm)", "wins"]
    return [f"{where} {first} against each other method", _lines(head, [comparison_row(c) for c in shown])]


def _group(table: Table, group: str, main: Sequence[str]) -> list[str]:
    told = table.summary
    versus = _comparisons(told["group_comparisons"][group], table.methods[0], f"### {group}:")
    return [f"## {group}", *_means(told["groups"][group], main), *versus]


def comparison_row(c: Mapping[str, Any]) -> list[str]:
    """Write metric, other method, cases, subjects, difference with interval, p, adjusted p and share of wins."""
    ends = " to ".join(figure(c["metric"], c[end], signed=True) for end in ("low", "high"))
    difference = figure(c["metric"], c["difference"], signed=True)
    difference += f" ({c['infinite']} infinite)" if c["infinite"] else ""
    difference = difference if NONE in ends.split() else f"{difference} [{ends}]"
    p_values = [NONE if c[name] != c[name] else f"{c[name]:.2g}" for name in ("p", "p_holm")]
    who = [title(c["metric"]), c["against"], str(c["n"]), str(c["subjects"])]
    return [*who, difference, *p_values, f"{100 * c['wins']:.0f} %"]


def _worst(cases: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> list[str]:
    if not cases:
        return []
    metric = cases[0]["metric"]
    body = [[case["case"], *[figure(metric, case[method]) for method in methods]] for case in cases]
    return [f"## Worst cases by {title(metric)}", _lines(["case", *methods], body)]


def _left(table: Table) -> list[str]:
    left = without_scores(table)
    return ["## Without scores", _lines(["case", "method", "reason"], left)] if left else []


def without_scores(table: Table) -> list[list[str]]:
    """Case, method and reason of everything that has no scores."""
    failed = [[row.case, row.method, row.score.error] for row in table.rows if row.score.error]
    return failed + [[str(path), "", reason] for path, reason in table.unpaired.items()]


def defined(table: Table) -> dict[str, str]:
    """Title and definition of each metric that there is."""
    names = dict.fromkeys(ALONG[name][0] if name in ALONG else name for name in table.metrics)
    return {title(name): DEFINITIONS[name] for name in names}
