"""Plan and run a batch in a test, and read what it left on disk."""

import csv
import json

from medidiff.batch import plan, run
from tests.fakes import Memory, double_slices


def planned(inputs, output, *, options=None, sha="abc", suffix="_enhanced"):
    inputs = inputs if isinstance(inputs, list) else [inputs]
    model = {"name": "toy", "version": "1", "sha256": sha}
    settings = {"task": "enhance", "product": "enhanced", "suffix": suffix}
    return plan(inputs, output, **settings, options=options or {"seed": 0}, model=model)


def done(manifest, work=double_slices, watcher=None, *, force=False):
    return run(manifest, work, watcher=watcher or Memory(), settings={"device": "cpu"}, force=force)


def statuses(records):
    return [record.status for record in records]


def table(folder):
    with (folder / "cases.csv").open() as stream:
        return list(csv.DictReader(stream))


def story(folder):
    return json.loads((folder / "run.json").read_text())


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
