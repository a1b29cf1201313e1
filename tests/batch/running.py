"""Plan and run a batch in a test, and read what it left on disk."""

import csv
import json
from functools import partial

from medidiff.batch import Task, Way, plan, run
from tests.fakes import Memory, double_slices


def planned(inputs, output, *, options=None, sha="abc", suffix="_enhanced", part=None):
    inputs = inputs if isinstance(inputs, list) else [inputs]
    model = {"name": "toy", "version": "1", "sha256": sha}
    settings = {"task": "enhance", "product": "enhanced", "suffix": suffix}
    return plan(inputs, output, **settings, options=options or {"seed": 0}, model=model, part=part)


def done(manifest, work=double_slices, watcher=None, **way):
    """Run in this process, or elsewhere with ``engine=``; ``work`` is done with each volume."""
    task, told = Task(partial(always, work)), {"device": "cpu"}
    return run(manifest, task, watcher=watcher or Memory(), way=Way(settings=told, **way))


def always(work, device):
    return work


def statuses(records):
    return [record.status for record in records]


def table(folder, name="cases.csv"):
    with (folder / name).open() as stream:
        return list(csv.DictReader(stream))


def story(folder):
    return json.loads((folder / "run.json").read_text())


RECORDS = ["cases.csv", "log.jsonl", "manifest.jsonl", "run.json"]


def names(folder):
    """Files in a folder, but for the lock."""
    found = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if name != ".medidiff.lock")


def lines(folder, name="manifest.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]
