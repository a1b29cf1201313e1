"""Run as a program: ``medidiff`` whose second case never ends, for tests that interrupt it from outside.

Model and task are replaced before anything imports them, so no torch is loaded and the program starts at once.
"""

import sys
import time
import types

from tests.fakes import FakeResult, double_slices

NEVER = 120


class Model:
    card = {"name": "toy", "version": "1", "sha256": "abc"}  # noqa: RUF012


def super_resolve(volume, model, *, progress, samples, **_):
    if volume.meta["source"].endswith("b.nii"):
        progress(0.5)
        sys.stderr.write("in the middle\n")
        sys.stderr.flush()
        time.sleep(NEVER)
    return double_slices(volume, progress, samples=samples)


def pretend(name, **contents):
    module = types.ModuleType(name)
    module.__dict__.update(contents)
    sys.modules[name] = module


if __name__ == "__main__":
    pretend("torch")
    pretend("medidiff.models", load_model=lambda name: Model())
    pretend("medidiff.tasks", Result=FakeResult, super_resolve=super_resolve)
    pretend("medidiff.tasks.device", choose_device=lambda name: None)
    from medidiff.cli import main

    main(prog_name="medidiff")
