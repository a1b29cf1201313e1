"""Several processes that train one model: each learns from its share of every batch, and gradients are averaged."""

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn

from medidiff.errors import UsageError
from medidiff.tasks.device import choose_device

__all__ = ["Team", "join", "leave"]


@dataclass(frozen=True)
class Team:
    """Which of how many processes this is, and where it computes."""

    place: torch.device
    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes: curves, checkpoints, weights."""
        return self.rank == 0

    def share(self, groups: int) -> int:
        """Groups of a batch that this process draws.

        Raises
        ------
        UsageError
            If they cannot be shared out evenly.
        """
        if groups % self.size:
            raise UsageError("groups cannot be shared out", found=f"{groups} groups, {self.size} processes")
        return groups // self.size

    def seed(self, seed: int, step: int) -> tuple[int, ...]:
        """What decides this process's part of a batch; alone, it is the whole."""
        return (seed, step) if self.size == 1 else (seed, step, self.rank)

    def wait(self) -> None:
        """Wait for the others: who leaves early takes its part of the last gradients with it, and they wait forever."""
        if self.size > 1:
            dist.barrier()

    def average(self, network: nn.Module) -> None:
        """Replace gradients by their mean over the team."""
        if self.size == 1:
            return
        gradients = [weights.grad for weights in network.parameters() if weights.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        parts = torch.split(flat / self.size, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))


def join(device: str) -> Team:
    """Join the processes that ``torchrun`` started, each on a GPU of its own; without it this process is alone.

    Parameters
    ----------
    device
        auto, cpu, cuda or cuda:N.
    """
    place, size = choose_device(device), int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Team(place)
    if place.type == "cuda":
        place = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(place)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if place.type == "cuda" else "gloo")
    return Team(place, dist.get_rank(), size)


def leave() -> None:
    """Leave the processes that were joined, if any were."""
    if dist.is_initialized():
        dist.destroy_process_group()
