"""What became of the lesions and how many blobs appeared, as Markdown."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tables import table

__all__ = ["blob_table", "lesion_summary", "lesion_table"]

Row = Mapping[str, Any]
SCORES = {"contrast_recovered": ".2f", "volume": ".2f", "shift": ".2f"}
SIGNS = {1: "bright", -1: "dark"}


def lesion_summary(folder: Path) -> str:
    """Put the rows of a folder together, write ``lesions.md`` and return it."""
    lesions, blobs = (_rows(folder, name) for name in ("lesions", "blobs"))
    heads = sorted({row["head"] for row in lesions})
    parts = [f"Heads: {', '.join(heads)}."]
    for slices, profile in sorted({(row["slices"], row["profile"]) for row in lesions}):
        some = [row for row in lesions if (row["slices"], row["profile"]) == (slices, profile)]
        parts += [f"\n### Lesions, {slices} {profile}\n", *lesion_table(some)]
    parts += ["\n### Blobs that the truth does not have\n", *blob_table(blobs)]
    text = "\n".join(parts) + "\n"
    (folder / "lesions.md").write_text(text)
    print(text)
    return text


def _rows(folder: Path, name: str) -> list[dict[str, str]]:
    return [
        row for path in sorted(folder.glob(f"{name}-*.csv")) for row in csv.DictReader(path.read_text().splitlines())
    ]


def lesion_table(rows: Sequence[Row]) -> list[str]:
    """For each size and sign: mean of each score by every method; shift is the median, of lesions that left a trace."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    body = []
    for size, sign in sorted({(float(row["diameter"]), int(row["sign"])) for row in rows}, key=lambda k: (k[0], -k[1])):
        kind = [row for row in rows if (float(row["diameter"]), int(row["sign"])) == (size, sign)]
        by_method = [[row for row in kind if row["method"] == method] for method in methods]
        cells = [" / ".join(_score(some, name, form) for some in by_method) for name, form in SCORES.items()]
        detected = " / ".join(f"{100 * np.mean([int(row['detected']) for row in some]):.0f}" for some in by_method)
        body.append([f"{size:g} mm", SIGNS[sign], str(len(by_method[0])), *cells, detected])
    order = " / ".join(methods)
    head = ["size", "sign", "n", "contrast recovered", "volume ratio", "shift, mm", "detected, %"]
    return [f"Each cell: {order}.\n", *table(head, body)]


def _score(rows: Sequence[Row], name: str, form: str) -> str:
    values = np.array([float(row[name]) for row in rows])
    middle = np.nanmedian if name == "shift" else np.mean
    return format(float(middle(values)), form) if np.isfinite(values).any() else "none"


def blob_table(rows: Sequence[Row]) -> list[str]:
    """Blobs of each size in each head, bright + dark, by every method."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    body = []
    cases = dict.fromkeys((row["head"], row["axis"], row["slices"], row["profile"]) for row in rows)
    for case in cases:
        some = [row for row in rows if (row["head"], row["axis"], row["slices"], row["profile"]) == case]
        sizes = sorted({float(row["diameter"]) for row in some})
        cells = [
            " / ".join(f"{row['bright']}+{row['dark']}" for row in some if float(row["diameter"]) == size)
            for size in sizes
        ]
        body.append([" ".join(case), f"{float(some[0]['tissue_cm3']):.0f}", *cells])
    head = ["case", "tissue, cm3", *[f"{size:g} mm" for size in sorted({float(row["diameter"]) for row in rows})]]
    return [f"Each cell: bright + dark, {' / '.join(methods)}.\n", *table(head, body)]
