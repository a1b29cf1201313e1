"""How long it takes to look through a study and to read a series: ``python -m benchmarks.dicom``.

The study has 300 mixed objects without suffix: an axial, a sagittal and a two-echo series, a localizer, CT, structured
reports, an enhanced object and stray files. The series has 500 slices of 256 x 256. Both are made here, in a temporary
folder, so that the disk's cache is warm, as after a copy from a PACS. Nothing is asserted: machines differ.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.uid import CTImageStorage, EnhancedSRStorage, JPEGLSLossless, RLELossless

from medidiff.io.dicom import read_stack, scan
from medidiff.io.source import dicom_in
from tests.dicoms import AXIAL, SAGITTAL, Plan, enhanced, slices, values, write


def main() -> None:
    """Make the study and the series, and print the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=500, help="of the series (500)")
    parser.add_argument("--size", type=int, default=256, help="rows and columns of a slice (256)")
    given = parser.parse_args()
    print(f"{len(os.sched_getaffinity(0))} cores")
    with tempfile.TemporaryDirectory() as folder:
        files = make_study(Path(folder) / "study")
        _tell(f"medidiff inspect, {files} mixed files", lambda: inspect(Path(folder) / "study"))
        for name, syntax in {"uncompressed": None, "RLE": RLELossless, "JPEG-LS": JPEGLSLossless}.items():
            series = Path(folder) / name
            make_series(series, given.slices, given.size, *([syntax] if syntax else []))
            _tell(f"scan and read, {given.slices} slices of {given.size} x {given.size}, {name}", lambda: read(series))  # noqa: B023


def make_study(folder: Path) -> int:
    """Write 300 mixed files, and return how many there are."""
    shape = (128, 128, 40)
    series = [
        slices(Plan(values(shape), AXIAL, number=2)),
        slices(Plan(values(shape), SAGITTAL, number=3)),
        [ds for n in (1, 2) for ds in slices(Plan(values(shape), number=4), instance=100 * n, EchoTime=10.0 * n)],
        slices(Plan(values((128, 128, 9)), number=1), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
        slices(Plan(values((128, 128, 100)), number=9), SOPClassUID=CTImageStorage, Modality="CT"),
        slices(Plan(values((8, 8, 10)), number=10), SOPClassUID=EnhancedSRStorage, Modality="SR"),
        [enhanced([Plan(values(shape), number=6)])],
    ]
    objects = [ds for each in series for ds in each]
    paths = write(objects, folder, order=np.random.default_rng(0).permutation(len(objects)))
    strays = 300 - len(paths)
    for place in range(strays):
        (folder / f"stray{place:03d}").write_bytes(b"%PDF" + bytes(100_000))
    return len(paths) + strays


def inspect(folder: Path) -> None:
    """Run the command as a person would."""
    command = [sys.executable, "-m", "medidiff.cli", "inspect", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command


def read(folder: Path) -> None:
    """Find and read the only volume in a folder."""
    sources = [source for path in sorted(folder.iterdir()) for source in dicom_in(path)]
    (series,), _ = scan(sources)
    read_stack(series.stacks[0])


def make_series(folder: Path, count: int, size: int, *syntax: str) -> None:
    """Write a series of square slices, smooth with a little noise."""
    smooth = np.linspace(0, 3000, size * size).reshape(size, size, 1).astype(int)
    write(slices(Plan(smooth + values((size, size, count), high=50))), folder, *syntax)


def _tell(what: str, call: Callable[[], None]) -> None:
    """Print the best of three."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    print(f"{what}: {min(seconds):.2f} s")


if __name__ == "__main__":
    main()
