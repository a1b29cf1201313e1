"""Tables of what `benchmarks.reconstruction` measured: ``python -m benchmarks.kspace_tables DIR...``."""

import argparse
import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

__all__ = ["cases_in", "main", "tables"]

KEYS = ("head", "acceleration", "mask", "noise")
SCORES = ("psnr_head", "psnr", "ssim", "nmse", "residual_over_noise", "seconds")

Scores = Mapping[str, float]
Case = tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print them as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--ours", default="diffusion, 8 passes")
    parser.add_argument("--against", default="BART l1-wavelet")
    given = parser.parse_args(arguments)
    for line in tables(cases_in(given.folders), given.ours, given.against):
        print(line)


def cases_in(folders: Iterable[Path]) -> dict[Case, dict[str, Scores]]:
    """Scores by case and method; where several folders tell of one, the last counts."""
    found: dict[Case, dict[str, Scores]] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("reconstruction-*.csv"))):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                case = tuple(row[key] for key in KEYS)
                found.setdefault(case, {})[row["method"]] = {name: float(row[name] or "nan") for name in SCORES}
    return found


def tables(cases: Mapping[Case, Mapping[str, Scores]], ours: str, other: str) -> Iterator[str]:
    """Means of each method by acceleration and mask, and one against another, with the worst case."""
    methods = sorted({method for scores in cases.values() for method in scores})
    yield f"| {' | '.join(('acceleration', 'mask', 'method', 'n', *SCORES))} |\n|{' --- |' * (4 + len(SCORES))}"
    for acceleration, mask in sorted({(case[1], case[2]) for case in cases}):
        for method in methods:
            some = [s[method] for case, s in cases.items() if case[1:3] == (acceleration, mask) and method in s]
            if some:
                means = " | ".join(_figure(float(np.mean([scores[name] for scores in some])), name) for name in SCORES)
                yield f"| {acceleration} | {mask} | {method} | {len(some)} | {means} |"
    yield ""
    yield f"{ours} over {other}, PSNR in dB\n"
    yield "| acceleration | mask | n | in the head, mean (worst) | everywhere, mean (worst) |"
    yield "| --- | --- | --- | --- | --- |"
    for acceleration in sorted({case[1] for case in cases}):
        for mask in (*sorted({case[2] for case in cases}), "all"):
            pairs = [
                (scores[ours], scores[other])
                for case, scores in cases.items()
                if case[1] == acceleration and mask in (case[2], "all") and {ours, other} <= set(scores)
            ]
            if pairs:
                gains = " | ".join(_gain(pairs, name) for name in ("psnr_head", "psnr"))
                yield f"| {acceleration} | {mask} | {len(pairs)} | {gains} |"


def _gain(pairs: Sequence[tuple[Scores, Scores]], name: str) -> str:
    gains = [one[name] - two[name] for one, two in pairs]
    return f"{np.mean(gains):+.2f} ({min(gains):+.2f})"


def _figure(value: float, name: str) -> str:
    return "" if np.isnan(value) else f"{value:.{4 if name in ('ssim', 'nmse') else 2}f}"


if __name__ == "__main__":
    main()
