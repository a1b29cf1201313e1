"""Tasks that workers find by their name: quick ones, and ones that misbehave for inputs of certain names."""

import ctypes
import os
import signal
import time
from functools import partial
from pathlib import Path

from medidiff.batch import Task
from medidiff.io.nifti import read_nifti
from tests.fakes import double_slices


def quick(seconds=0.0):
    """Double the slices, and rest."""
    return Task(partial(_open, seconds))


def counted(seconds, folder):
    """Leave a file in the folder, named by how many compute at once, each time one begins."""
    return Task(partial(_open_counted, seconds, folder))


def odd():
    """What happens is in the name of the input: ``crash``, ``hang``, ``oom``, ``crash-reading``, ``hang-reading``."""
    return Task(_open_odd)


def odd_reader():
    return Task(_open_odd, read_oddly)


def refusing():
    return Task(_refuse)


def read_oddly(path):
    if "crash-reading" in path.name:
        ctypes.string_at(0)
    if "kill-reading" in path.name:
        os.kill(os.getpid(), signal.SIGKILL)
    if "hang-reading" in path.name:
        time.sleep(600)
    return read_nifti(path)


def _open(seconds, device):
    return partial(_rest, seconds)


def _rest(seconds, volume, progress):
    time.sleep(seconds)
    return double_slices(volume, progress)


def _open_counted(seconds, folder, device):
    return partial(_rest_counted, seconds, folder, [])


def _rest_counted(seconds, folder, computing, volume, progress):
    computing.append(1)
    (folder / str(len(computing))).touch()
    try:
        return _rest(seconds, volume, progress)
    finally:
        computing.pop()


def _open_odd(device):
    return _misbehave


def _misbehave(volume, progress):
    name = Path(volume.meta["source"]).name
    if name.startswith("crash."):
        ctypes.string_at(0)
    if name.startswith("once."):
        _once(Path(volume.meta["source"]))
    if name.startswith("hang."):
        time.sleep(600)
    if name.startswith("oom."):
        raise MemoryError
    return double_slices(volume, progress)


def _once(path):
    """Die as by the killer of a system out of memory, the first time."""
    mark = path.with_suffix(".mark")
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def _refuse(device):
    raise MemoryError("no room for the model")
