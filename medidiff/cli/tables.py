"""Results for people: aligned columns, and for programs: JSON."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["as_json", "columns"]


def columns(rows: Sequence[Mapping[str, Any]]) -> str:
    """Align rows of equal keys under their names; numbers to the right.

    >>> print(columns([{"case": "a", "psnr": 30.12345}, {"case": "long", "psnr": 5}]))
    case   psnr
    a     30.12
    long      5
    """
    names = list(rows[0])
    cells = [names, *([_cell(row[name]) for name in names] for row in rows)]
    numeric = [all(isinstance(row[name], int | float) for row in rows) for name in names]
    widths = [max(len(row[place]) for row in cells) for place in range(len(names))]
    lines = (
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        for row in cells
    )
    return "\n".join(line.rstrip() for line in lines)


def as_json(value: Any) -> str:
    """Write a value as indented JSON; numbers that are not finite become null, bytes that are no UTF-8 escapes."""
    from medidiff.io.sidecar import plain

    return json.dumps(plain(value), indent=2, ensure_ascii=False).encode(errors="backslashreplace").decode()


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
