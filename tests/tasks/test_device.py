"""Short memory costs tiles, not the result; what is not there is refused."""

import pytest
import torch

from medidiff.errors import ResourceError, UsageError
from medidiff.tasks.device import (
    choose_device,
    choose_devices,
    choose_precision,
    forget_peak_memory,
    with_less_memory,
)


def attempts(fits):
    """What is tried until ``fits(tile, batch)``."""
    tried = []

    def run(tile, batch):
        tried.append((tile, batch))
        if not fits(tile, batch):
            raise torch.OutOfMemoryError
        return "done"

    return tried, run


def test_fewer_tiles_at_once_come_before_smaller_ones():
    tried, run = attempts(lambda tile, batch: tile < 96)
    answer, warnings = with_less_memory(run, tile=96, multiple=16, batch=4)
    assert answer == "done"
    assert tried == [(96, 4), (96, 2), (96, 1), (64, 1)]
    assert warnings == ["tile reduced from 96 to 64 voxels to fit memory"]


def test_fewer_tiles_at_once_are_told():
    tried, run = attempts(lambda tile, batch: batch <= 2)
    answer, warnings = with_less_memory(run, tile=96, multiple=16, batch=4)
    assert (answer, warnings) == ("done", ["tiles at once reduced from 4 to 2 to fit memory"])
    assert tried == [(96, 4), (96, 2)]


def test_where_memory_is_enough_nothing_is_said():
    tried, run = attempts(lambda tile, batch: True)
    assert with_less_memory(run, tile=96, multiple=16, batch=4) == ("done", [])
    assert tried == [(96, 4)]


def test_too_little_memory_is_told():
    _, run = attempts(lambda tile, batch: False)
    with pytest.raises(ResourceError, match="not enough memory"):
        with_less_memory(run, tile=96, multiple=16, batch=1)


def test_a_cpu_without_memory_falls_back_too():
    def run(tile, batch):
        return torch.empty(2**50 if batch > 1 else 1).numel()

    told = ["tiles at once reduced from 2 to 1 to fit memory"]
    assert with_less_memory(run, tile=96, multiple=16, batch=2) == (1, told)


def test_other_failures_are_not_taken_for_short_memory():
    def run(tile, batch):
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        with_less_memory(run, tile=96, multiple=16, batch=2)


def test_devices_and_precisions_that_are_not_there_are_refused():
    with pytest.raises(UsageError, match="unknown device"):
        choose_device("abacus")
    with pytest.raises(ResourceError, match="no such GPU"):
        choose_device("cuda:99")
    with pytest.raises(UsageError, match="unknown precision"):
        choose_precision("int3", torch.device("cpu"))
    assert choose_device("cpu").type == "cpu"
    assert choose_precision("auto", torch.device("cpu")) in ("bf16", "fp32")


def test_several_devices_are_one_worker_each():
    assert choose_devices(["cpu", "cpu"]) == ("cpu", "cpu")
    gpus = torch.cuda.device_count()
    assert choose_devices(["all"]) == (tuple(f"cuda:{number}" for number in range(gpus)) or ("cpu",))
    with pytest.raises(ResourceError, match="no such GPU"):
        choose_devices(["cpu", f"cuda:{gpus}"])


def test_a_gpu_is_started_before_its_memory_is_counted(monkeypatch):
    """PyTorch calls a device with a number invalid until then, which every worker of a batch met."""
    done = []
    monkeypatch.setattr(torch.cuda, "init", lambda: done.append("init"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: done.append(f"reset {device}"))
    forget_peak_memory(torch.device("cuda", 1))
    assert done == ["init", "reset cuda:1"]
    forget_peak_memory(torch.device("cpu"))
    assert len(done) == 2
