"""Which device and precision to run on, and what to do when memory is short."""

import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from medidiff.errors import ResourceError, UsageError
from medidiff.models import PRECISIONS

__all__ = [
    "choose_device",
    "choose_devices",
    "choose_precision",
    "forget_peak_memory",
    "peak_memory_mb",
    "with_less_memory",
]

Answer = TypeVar("Answer")
FALLBACK_TILE = 2 / 3
"""Edge of the smaller tile that is tried last, as a fraction of the model's own."""


def choose_device(name: str) -> torch.device:
    """Resolve auto, cpu, cuda or cuda:N.

    Raises
    ------
    ResourceError
        If the device is not there.
    UsageError
        If it is no device name.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError("unknown device", found=name, needed="auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ResourceError(
            "no such GPU", found=f"{torch.cuda.device_count()} GPUs", needed=name, hint="use --device cpu"
        )
    return device


def choose_devices(names: Sequence[str]) -> tuple[str, ...]:
    """Resolve several names, and ``all``: every GPU, or the CPU where there is none.

    Raises
    ------
    MedidiffError
        As `choose_device`.
    """
    if list(names) == ["all"]:
        return tuple(f"cuda:{number}" for number in range(torch.cuda.device_count())) or ("cpu",)
    return tuple(str(choose_device(name)) for name in names)


def choose_precision(name: str, device: torch.device) -> str:
    """Resolve auto: bf16 where the hardware computes it, else fp32.

    Raises
    ------
    UsageError
        If the precision is unknown.
    """
    if name == "auto":
        native = torch.cuda.is_bf16_supported() if device.type == "cuda" else _cpu_has_bf16()
        return "bf16" if native else "fp32"
    if name not in PRECISIONS:
        raise UsageError("unknown precision", found=name, needed=f"auto, {', '.join(PRECISIONS)}")
    return name


def _cpu_has_bf16() -> bool:
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def forget_peak_memory(device: torch.device) -> None:
    """Begin the peak of a GPU anew, so that every case has its own; that of a process is the highest there was."""
    if device.type == "cuda":
        torch.cuda.init()  # type: ignore[no-untyped-call]  # else a device with a number counts as an invalid argument
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_mb(device: torch.device) -> float:
    """Peak memory: of the GPU's tensors since `forget_peak_memory`, or of the whole process so far on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def with_less_memory(
    run: Callable[[int, int], Answer], *, tile: int, multiple: int, batch: int
) -> tuple[Answer, list[str]]:
    """Call ``run(tile, batch)``, with fewer tiles at once and then smaller ones while memory is short.

    Returns
    -------
    tuple
        The answer, and what had to be reduced, as a warning.

    Raises
    ------
    ResourceError
        If even one small tile does not fit.
    """
    for edge, many in _attempts(tile, multiple, batch):
        try:
            return run(edge, many), _reduced(tile, edge, batch, many)
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
            torch.cuda.empty_cache()
    raise ResourceError("not enough memory for one tile", needed=f"{tile}^3 voxels", hint="use another device")


def _reduced(tile: int, edge: int, batch: int, many: int) -> list[str]:
    """Say aloud what it took to fit; fewer tiles at once change nothing but the time."""
    if edge != tile:
        return [f"tile reduced from {tile} to {edge} voxels to fit memory"]
    return [f"tiles at once reduced from {batch} to {many} to fit memory"] if many != batch else []


def _is_out_of_memory(error: Exception) -> bool:
    """Tell the CPU allocator's plain RuntimeError by its words; the GPU's has a class of its own."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def _attempts(tile: int, multiple: int, batch: int) -> Iterator[tuple[int, int]]:
    while batch >= 1:
        yield tile, batch
        batch //= 2
    yield max(multiple, int(tile * FALLBACK_TILE) // multiple * multiple), 1
