"""What the experiment showed, as Markdown: means, differences case by case, worst cases, targets met or not."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["OURS", "compared", "summary", "table"]

Row = Mapping[str, Any]
OURS = "ours"
CLASSICAL = ("cubic+DC", "TV")
IDENTITY = ("head", "contrast", "axis", "slices", "profile")
SHOWN = {
    "psnr": ".2f", "ssim": ".4f", "nmse": ".4f", "hfen": ".3f", "gradient_energy_ratio": ".3f",
    "power_spectrum_error": ".2f", "residual": ".1e", "seconds": ".2f",
}  # fmt: skip
TARGETS = {"T1w": (2.2, 1.2), "T2w": (1.8, 1.0)}
"""dB over cubic, dB over the better of `CLASSICAL`."""


def summary(rows: Sequence[Row], notes: Iterable[str]) -> str:
    """Put together every table; ``rows`` have the identity of a case, ``method`` and the scores."""
    cases = compared(rows)
    parts = ["# Quality on degraded heads", *[f"- {note}" for note in notes]]
    for contrast in sorted({str(row["contrast"]) for row in rows}):
        parts += [f"\n## {contrast}", *_means([row for row in rows if row["contrast"] == contrast])]
        mine = [case for case in cases if case["contrast"] == contrast]
        parts += [*_differences(mine), *_worst(mine), *_targets(contrast, mine)] if mine else []
    return "\n".join(parts) + "\n"


def compared(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """For each case with our result: PSNR over cubic, the best classical, cubic + DC and regression, and SSIM error."""
    cases: dict[tuple[Hashable, ...], dict[str, Row]] = defaultdict(dict)
    for row in rows:
        cases[tuple(row[key] for key in IDENTITY)][row["method"]] = row
    return [
        dict(zip(IDENTITY, identity, strict=True)) | _against(methods)
        for identity, methods in cases.items()
        if {OURS, "cubic", *CLASSICAL} <= set(methods)
    ]


def _against(methods: Mapping[str, Row]) -> dict[str, Any]:
    psnr = {name: float(row["psnr"]) for name, row in methods.items()}
    ours = psnr[OURS]
    return {
        "over cubic": ours - psnr["cubic"],
        "over best classical": ours - max(psnr[name] for name in CLASSICAL),
        "over cubic+DC": ours - psnr["cubic+DC"],
        "over regression": ours - psnr.get("regression", np.nan),
        "1-SSIM": 1 - float(methods[OURS]["ssim"]),
        "1-SSIM of cubic": 1 - float(methods["cubic"]["ssim"]),
        "residual": float(methods[OURS]["residual"]),
    }


def _means(rows: Sequence[Row]) -> list[str]:
    methods: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        methods[row["method"]].append(row)
    head = ["method", "n", *[name.replace("_", " ") for name in SHOWN]]
    body = [
        [method, str(len(some)), *[format(_mean(some, name), form) for name, form in SHOWN.items()]]
        for method, some in methods.items()
    ]
    return ["\nMeans (methods with fewer cases are not comparable with the others: see n).\n", *table(head, body)]


def _differences(cases: Sequence[Row]) -> list[str]:
    kinds: dict[str, list[Row]] = defaultdict(list)
    for case in sorted(cases, key=lambda case: (case["slices"], case["profile"])):
        kinds[f"{case['slices']} {case['profile']}"].append(case)
    columns = ("over cubic", "over best classical", "over cubic+DC", "over regression")
    body = []
    for name, some in [*kinds.items(), ("all", cases)]:
        figures = [f"{_mean(some, column):+.2f} ({min(case[column] for case in some):+.2f})" for column in columns]
        body.append([name, str(len(some)), *figures, f"{_ssim_ratio(some):.3f}"])
    told = "\nOurs against each, PSNR in dB, mean (worst); SSIM error as a ratio of means.\n"
    return [told, *table(["slices", "n", *columns, "(1-SSIM) / cubic's"], body)]


def _worst(cases: Sequence[Row], count: int = 5) -> list[str]:
    ranked = sorted(cases, key=lambda case: float(case["over best classical"]))[:count]
    body = [
        [*[str(case[key]) for key in IDENTITY], f"{case['over best classical']:+.2f}", f"{case['over cubic+DC']:+.2f}"]
        for case in ranked
    ]
    return ["\nWorst cases, dB.\n", *table([*IDENTITY, "over best classical", "over cubic+DC"], body)]


def _targets(contrast: str, cases: Sequence[Row]) -> list[str]:
    cubic, classical = TARGETS[contrast]
    cases = [case for case in cases if case["axis"] != "all"]
    if not cases:
        return []
    checks = [
        (f"{cubic:+.1f} dB over cubic or more", _mean(cases, "over cubic"), 1, cubic),
        (f"{classical:+.1f} dB over the best classical or more", _mean(cases, "over best classical"), 1, classical),
        ("1 - SSIM at most 0.58 of cubic's", _ssim_ratio(cases), -1, 0.58),
        ("never below cubic+DC (worst, dB)", min(case["over cubic+DC"] for case in cases), 1, 0.0),
        ("within 0.1 dB of regression or better", _mean(cases, "over regression"), 1, -0.1),
        ("data residual at most 1e-3 (worst)", max(case["residual"] for case in cases), -1, 1e-3),
    ]
    body = [
        [name, f"{value:.3g}", "not run" if np.isnan(value) else "met" if sign * (value - limit) >= 0 else "MISSED"]
        for name, value, sign, limit in checks
    ]
    return ["\nTargets, on thick slices.\n", *table(["target", "found", ""], body)]


def _ssim_ratio(cases: Sequence[Row]) -> float:
    return _mean(cases, "1-SSIM") / _mean(cases, "1-SSIM of cubic")


def _mean(rows: Sequence[Row], key: str) -> float:
    return float(np.mean([float(row[key]) for row in rows]))


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    lines = [head, ["---"] * len(head), *body]
    return ["| " + " | ".join(line) + " |" for line in lines]
