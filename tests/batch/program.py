"""Run as a program: ``medidiff enhance`` with a quick task instead of a network, that can be stopped at a rename.

If a file ``pause`` lies beside the output folder, the next worker that is about to give a volume its name leaves a
file ``paused`` there and waits to be killed.
"""

import functools
import time
from pathlib import Path

from medidiff.cli import main
from tests.batch.odd_tasks import _misbehave

CARD = {"name": "toy", "version": "1", "sha256": "abc"}


def describe(name, quiet):
    return CARD


def open_toy(request, like, device):
    setattr(Path, "replace", functools.partialmethod(pausing, request.output.parent, Path.replace))  # noqa: B010
    return _misbehave


def pausing(self, beside, replace, target):
    if (beside / "pause").exists() and "_enhanced.nii.gz" in self.name:
        (beside / "paused").touch()
        time.sleep(60)
    return replace(self, target)


if __name__ == "__main__":
    import medidiff.cli.batches
    import medidiff.cli.enhance
    from tests.batch import program

    medidiff.cli.enhance._open = program.open_toy
    medidiff.cli.batches.describe_model = program.describe
    main(prog_name="medidiff")
