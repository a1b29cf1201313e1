"""Put together what `benchmarks.compare` left in a folder: ``python -m benchmarks.summarise DIR`` prints Markdown."""

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.coverage import Spread, coverage, decile_coverage, fit_factor, load_spreads
from benchmarks.tables import IDENTITY, summary, table

__all__ = ["covering", "main"]

Kinds = Mapping[str, Sequence[Spread]]


def main(folder: Path) -> str:
    """Write ``summary.md`` and return it."""
    rows = [
        row for path in sorted(folder.glob("results-*.csv")) for row in csv.DictReader(path.read_text().splitlines())
    ]
    facts = [json.loads(path.read_text()) for path in sorted(folder.glob("facts-*.json"))]
    notes = list(dict.fromkeys(note for some in facts for note in some["notes"]))
    parts = [
        summary(rows, notes),
        *[
            _listed(title, [fact for some in facts for fact in some[key]])
            for key, title in (("seeds", "Two seeds"), ("noise", "Noise"))
        ],
    ]
    scored, calibrating = (_by_kind(load_spreads(folder, role)) for role in ("scored", "calibration"))
    if scored and calibrating:
        parts.append(_coverage_told(scored, calibrating))
    text = "\n".join(part for part in parts if part)
    (folder / "summary.md").write_text(text)
    return text


def _by_kind(spreads: Sequence[tuple[Mapping[str, Any], Spread]]) -> dict[str, list[Spread]]:
    kinds: dict[str, list[Spread]] = {}
    for facts, spread in spreads:
        kinds.setdefault(f"{facts['contrast']} {facts['slices']} {facts['profile']}", []).append(spread)
    return dict(sorted(kinds.items()))


def covering(kinds: Kinds, factor: float) -> list[list[str]]:
    """Rows of coverage in percent, by kind of case: how many cases, all voxels, each decile of the predicted SD."""
    rows = []
    for kind, some in kinds.items():
        whole = float(np.mean([coverage(spread, factor) for spread in some]))
        figures = [f"{100 * share:.1f}" for share in (whole, *decile_coverage(some, factor))]
        rows.append([kind, str(len(some)), *figures])
    return rows


def _coverage_told(scored: Kinds, calibrating: Kinds) -> str:
    factor = fit_factor([spread for kind, some in calibrating.items() if "isotropic" not in kind for spread in some])
    head = ["slices", "cases", "all", *[f"decile {d}" for d in range(1, 11)]]
    lines = [
        f"\n## Coverage of mean +- 1.645 c SD, c = {factor:.3f} (nominal 90 %)\n",
        "c multiplies the SD as delivered, in which the card's calibration is contained already.",
        "It is fitted on thick slices alone.\n",
        *table(head, covering(scored, factor)),
        "\nOn the heads that c was fitted on:\n",
        *table(head, covering(calibrating, factor)),
    ]
    return "\n".join(lines) + "\n"


def _listed(title: str, facts: Sequence[Mapping[str, Any]]) -> str:
    """A table of figures that are not scores, one row a case."""
    if not facts:
        return ""
    figures = [key for key, value in facts[0].items() if isinstance(value, float)]
    body = [[*[str(fact[key]) for key in IDENTITY], *[f"{fact[key]:.3g}" for key in figures]] for fact in facts]
    return "\n".join([f"\n## {title}\n", *table([*IDENTITY, *figures], body)]) + "\n"


if __name__ == "__main__":
    print(main(Path(sys.argv[1])))
