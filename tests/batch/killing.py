"""Real processes and real kills: a batch run as a program, shot again and again, and what it leaves."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time

from tests.bad_files import good
from tests.conftest import ROOT

PASSING = ("seconds", "peak_memory_mb", "versions")
"""What of a sidecar may differ from run to run."""

LIMIT = 120
LINGER = 0.03
"""Seconds at most between the first result of a run and the shot."""


def program(folder, out, *options):
    """Start ``medidiff enhance`` with a quick task, in a session of its own."""
    command = [sys.executable, "-m", "tests.batch.program", "enhance", "-i", folder, "-o", out, "--device", "cpu"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [*map(str, command), "--in-flight", "2", "-q", *map(str, options)],
        cwd=ROOT,
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def to_the_end(folder, out, *options):
    """Run it undisturbed; returns the exit code and what it said."""
    started = program(folder, out, *options)
    told = started.communicate(timeout=LIMIT * 5)[1]
    return started.returncode, told


def killed(folder, out, how, rng, *options):
    """Run it and shoot it: ``all`` at once as when power is lost, the ``parent`` alone, or all ``at a rename``.

    Returns whether it lived long enough to be shot, and which files were half-written at that moment.
    """
    pause, paused = out.parent / "pause", out.parent / "paused"
    paused.unlink(missing_ok=True)
    before = whole(out)
    if how == "at a rename":
        pause.touch()
    started = program(folder, out, *options)
    until = time.monotonic() + LIMIT
    while not (paused.exists() if how == "at a rename" else whole(out) > before):
        if started.poll() is not None:
            started.stderr.close()
            return False, []
        assert time.monotonic() < until, "nothing happened"
        time.sleep(0.005)
    time.sleep(0 if how == "at a rename" else rng.uniform(0, LINGER))
    if how == "parent":
        os.kill(started.pid, signal.SIGKILL)
    else:
        os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    started.stderr.close()
    pause.unlink(missing_ok=True)
    return True, [path for path in out.rglob("*.part") if "_enhanced.nii.gz" in path.name]


def whole(out):
    """How many results there are."""
    return sum(1 for _ in out.rglob("*_enhanced.json")) if out.exists() else 0


def same_results(one, two):
    """Whether two folders have the same volumes, byte for byte, and the same sidecars but for what passes."""
    volumes = [{str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*.nii*")} for out in (one, two)]
    sidecars = [{str(path.relative_to(out)): told(path) for path in out.rglob("*_enhanced.json")} for out in (one, two)]
    return volumes[0] == volumes[1] and sidecars[0] == sidecars[1]


def told(path):
    facts = json.loads(path.read_text())
    return {name: value for name, value in facts.items() if name not in PASSING}


def made_twice(out):
    """Cases that the log says were made more than once, over all runs."""
    with (out / "log.jsonl").open() as stream:
        ended = [line for line in map(json.loads, stream) if line["event"] == "ended" and line["status"] == "done"]
    codes = [line["code"] for line in ended]
    return {code for code in codes if codes.count(code) > 1}


def table(out):
    with (out / "cases.csv").open() as stream:
        return list(csv.DictReader(stream))


def shoot_until_done(folder, out, kills, *options, seed=0):
    """Kill and resume, then run to the end.

    Returns
    -------
    shots, at_rename, code
        How often it was killed, how often between a temporary file and its rename, and the last exit code.
    """
    rng = random.Random(seed)
    shots = at_rename = 0
    for number in range(kills):
        how = ("at a rename", "all", "parent")[number % 3]
        shot, parts = killed(folder, out, how, rng, *options)
        shots += shot
        at_rename += bool(parts) and how == "at a rename"
    code, _ = to_the_end(folder, out, *options)
    return shots, at_rename, code


def many(folder, count):
    """Small scans."""
    for number in range(count):
        good(folder / f"{number:04}.nii", seed=number)
    return folder
