"""A weekend in small: ``python -m benchmarks.batches OUTPUT [CASES] [KILLS]``.

Small synthetic scans, three in a hundred of them hostile, go through ``medidiff enhance`` with a quick task in place of
the network. Printed are the exit code, what became of the hostile ones, cases a minute, and the memory of the program
and of all its processes as cases go by. Then the same is killed again and again by SIGKILL, one time in three between a
temporary file and its rename, taken up again, and held against the run that was left alone.
"""

import os
import sys
import time
from collections import Counter
from pathlib import Path

from tests.bad_files import BAD_FILES, good
from tests.batch import killing

__all__ = ["main", "make", "watched"]

HOSTILE = 33
"""One in so many."""

OPTIONS = ("--timeout", "5")


def main(output: Path, cases: int = 1000, kills: int = 20) -> dict[str, float]:
    """Run it; returns what it prints."""
    scans = output / "in"
    hostile = make(scans, cases)
    told = watched(scans, output / "whole" / "out")
    rows = killing.table(output / "whole" / "out")
    print(f"{cases} cases, {hostile} of them hostile: exit code {told['code']:.0f}, {len(rows)} recorded")
    for (status, reason), count in Counter((row["status"], _short(row["reason"])) for row in rows).most_common():
        print(f"  {count:5d} {status} {reason}")
    print(f"{told['seconds']:.0f} s, {60 * cases / told['seconds']:.0f} cases a minute")
    (output / "shot").mkdir(exist_ok=True)
    began = time.perf_counter()
    shots, at_rename, code = killing.shoot_until_done(scans, output / "shot" / "out", kills, *OPTIONS)
    same = killing.same_results(output / "whole" / "out", output / "shot" / "out")
    twice = len(killing.made_twice(output / "shot" / "out"))
    print(f"killed {shots} times, {at_rename} of them between temporary file and rename; then exit code {code}")
    print(f"same volumes and sidecars: {same}; made twice: {twice}; {time.perf_counter() - began:.0f} s")
    return told | {"shots": shots, "at_rename": at_rename, "same": same, "twice": twice, "last_code": code}


def make(folder: Path, cases: int) -> int:
    """Write scans and hostile files; returns how many are hostile."""
    killing.many(folder, cases)
    makers = list(BAD_FILES)
    hostile = range(HOSTILE // 2, cases, HOSTILE)
    for place, number in enumerate(hostile):
        (folder / f"{number:04}.nii").unlink()
        if place % 10 == 3:
            good(folder / f"crash.{number:04}.nii")
        elif place % 10 == 7:
            os.mkfifo(folder / f"{number:04}.nii")
        else:
            makers[place % len(makers)](folder / f"{number:04}.nii.gz")
    return len(hostile)


def watched(scans: Path, out: Path) -> dict[str, float]:
    """Run the program, look at its memory, and print it."""
    began = time.perf_counter()
    started = killing.program(scans, out, *OPTIONS)
    looks: list[tuple[int, float, float]] = []
    while started.poll() is None:
        looks.append((killing.whole(out), _resident([started.pid]), _resident(_family(started.pid))))
        time.sleep(1)
    started.communicate()
    seconds = time.perf_counter() - began
    last = next(place for place, look in enumerate(looks) if look[0] == looks[-1][0])
    print("| results | MB of the program | MB of all its processes |\n| --- | --- | --- |")
    for done, own, total in looks[:: max(1, len(looks) // 12)]:
        print(f"| {done} | {own:.0f} | {total:.0f} |")
    settled = looks[len(looks) // 5 :] or looks
    growth = settled[-1][1] - settled[0][1] if settled else 0.0
    print(f"\nthe last result came after {last * seconds / len(looks):.0f} s: what came later were hostile files")
    print(f"from a fifth of the way to the end the program grew by {growth:.1f} MB")
    return {"code": started.returncode, "seconds": seconds, "growth_mb": growth}


def _short(reason: str) -> str:
    """What went wrong, without the file it went wrong in."""
    return reason.split(": ", 1)[-1].split(" (")[0]


def _family(pid: int) -> list[int]:
    """Number of a process and of all below it."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError, IndexError):
            continue
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return sorted(family)


def _resident(pids: list[int]) -> float:
    """Resident memory, MB, of processes that may have ended."""
    total = 0.0
    for pid in pids:
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
        except (OSError, IndexError):
            continue
    return total


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
