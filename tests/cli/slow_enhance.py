"""Run as a program: ``medidiff`` whose second case never ends, for tests that interrupt it from outside.

What is done with a case is replaced by a function that workers find by its name, so no torch is loaded anywhere.
"""

import functools
import time
from pathlib import Path

from tests.fakes import double_slices

NEVER = 120
CARD = {"name": "toy", "version": "1", "sha256": "abc"}


def open_slow(request, like, device):
    return functools.partial(work, request.output)


def describe(name, quiet):
    return CARD


def work(output, volume, progress):
    if volume.meta["source"].endswith("b.nii"):
        (Path(output).parent / "in the middle").touch()
        time.sleep(NEVER)
    return double_slices(volume, progress)


if __name__ == "__main__":
    import medidiff.cli.batches
    import medidiff.cli.enhance
    from medidiff.cli import main
    from tests.cli import slow_enhance

    medidiff.cli.enhance._open = slow_enhance.open_slow
    medidiff.cli.batches.describe_model = slow_enhance.describe
    main(prog_name="medidiff")
