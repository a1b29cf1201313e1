"""Real series read by medidiff, against reference NIfTI and dcm2niix: ``python -m benchmarks.dicom_table``.

Needs the DICOM samples in ``../shared`` and the package ``dcm2niix``. Each volume is compared with the one nearest to
it: the largest distance between a voxel of ours and the same voxel of theirs, in mm, and the largest difference of
values, as a part of the volume's peak. Prints the table of docs/dicom.md.
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dcm2niix

from tests.io.dicom.real import REFUSED, SERIES, converted, matched, read, references_of

__all__ = ["main", "row"]

HEAD = ("series", "volumes", "mm, reference", "values, reference", "mm, dcm2niix", "values, dcm2niix", "not enhanced")


def main() -> None:
    """Print a line for each folder."""
    print(f"| {' | '.join(HEAD)} |")
    print(f"|---{'|---:' * 5}|---|")
    for folder in SERIES:
        print(f"| {' | '.join(row(folder))} |", flush=True)


def row(folder: str) -> list[str]:
    """Read a folder, and compare all of it."""
    ours = read(folder)
    references, factor = references_of(folder)
    with tempfile.TemporaryDirectory() as place:
        theirs = converted(folder, Path(place), dcm2niix.bin)
    counts = {len(ours), len(references), len(theirs)}
    told = [" / ".join(map(str, sorted(counts))), *_worst(matched(ours, references, factor))]
    refused = ", ".join(sorted(name.split()[-1] for name in REFUSED.get(folder, ())))
    return [_short(folder), *told, *_worst(matched(ours, theirs)), refused or "-"]


def _worst(compared: Iterable[tuple[Any, int, float, float]]) -> tuple[str, str]:
    """Tell the worst of all volumes, and if two of them are like the same one, that."""
    told = list(compared)
    alike = "" if len({best for _, best, _, _ in told}) == len(told) else " (not one to one)"
    apart, values = max(each[2] for each in told), max(each[3] for each in told)
    return f"{apart:.4f}{alike}", f"{values:.1e}" if values else "0"


def _short(folder: str) -> str:
    return folder.replace("dicom2nifti/", "").replace("/anatomical", "").removesuffix("/001").replace("/In", "")


if __name__ == "__main__":
    main()
