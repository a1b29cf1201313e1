"""Memory and time of a long evaluation: ``python -m benchmarks.many_cases OUTPUT [CASES] [EDGE]``.

Synthetic heads and two predictions of each are written, scored and drawn; the process's resident memory is read as
cases go by. Prints a table and what one case takes.
"""

import resource
import sys
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

from medidiff.evaluation import evaluate
from medidiff.io.nifti import write_nifti
from medidiff.report.evaluation_pages import EvaluationPages
from medidiff.volume import Geometry, Volume

__all__ = ["main", "make"]

METHODS = {"good": 0.5, "bad": 0.9}
"""Standard deviations, voxels, of the blur that each is."""


def main(output: Path, cases: int = 500, edge: int = 64) -> list[tuple[int, float, float]]:
    """Run it; returns cases done, seconds, and MB in use now and then."""
    make(output, cases, edge)
    told: list[tuple[int, float, float]] = []
    began = time.perf_counter()

    def look(done: int, total: int, name: str) -> None:
        if done % max(1, total // 10) == 0:
            told.append((done, time.perf_counter() - began, _resident()))

    pages = EvaluationPages(output / "report")
    table = evaluate(
        {name: output / name for name in METHODS}, output / "r", output / "report", look=pages.add, progress=look
    )
    pages.close(table)
    seconds = time.perf_counter() - began
    print("| cases | s | MB in use |\n| --- | --- | --- |")
    print("\n".join(f"| {done} | {at:.1f} | {mb:.0f} |" for done, at, mb in told))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = (output / "report" / "report.html").stat().st_size / 2**20
    print(
        f"\n{seconds / cases:.2f} s a case with two methods and its page, {seconds:.0f} s in all; peak {peak:.0f} MB;"
    )
    print(f"report.html {size:.1f} MB, {table.counts()['scored']} scores")
    return told


def make(output: Path, cases: int, edge: int) -> None:
    """Write heads of ``edge`` voxels a side with a texture of their own, and blurred ones."""
    shape = (edge, edge, edge * 3 // 4)
    apart = np.linalg.norm((np.indices(shape).T / np.array(shape) - 0.5), axis=-1).T
    grid = Geometry(shape, np.eye(4))
    for case in range(cases):
        texture = ndimage.gaussian_filter(np.random.default_rng(case).normal(size=shape), 1.2)
        head = np.where(apart < 0.42, 100 + 150 * texture, 0)
        images = {"r": head} | {name: ndimage.gaussian_filter(head, sd) for name, sd in METHODS.items()}
        for name, array in images.items():
            (output / name).mkdir(parents=True, exist_ok=True)
            write_nifti(Volume(array, grid), output / name / f"sub-{case:04}_T1w.nii", description="synthetic")


def _resident() -> float:
    """Resident memory of this process, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
