"""A copy of a network, the optimiser that tunes it, and the running average of its weights."""

import copy
import re

import torch
from torch import Tensor, nn

from medidiff.diffusion import ConditionalUNet, Noised
from medidiff.errors import UsageError
from medidiff.models import Pairs

__all__ = ["Tuning"]

MEMORY = 4
"""The average reaches back over about one of so many steps done."""


class Tuning:
    """Steps of AdamW (Loshchilov & Hutter 2019) at a constant rate; what counts is the average of the weights.

    Neither rate nor average knows how many steps there will be, so they may end at any time.

    Parameters
    ----------
    network
        To start from; it is not changed.
    rate, warm_up
        Of the optimiser, and steps until it is reached.
    tuned
        Pattern of the names of the parameters that are tuned.

    Raises
    ------
    UsageError
        If no parameter has such a name.
    """

    def __init__(self, network: ConditionalUNet, *, rate: float, warm_up: int, tuned: str = "") -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.rate, self.warm_up, self.steps = rate, warm_up, 0
        chosen = {name: p for name, p in self.network.named_parameters() if re.search(tuned, name)}
        if not chosen:
            raise UsageError("no parameters to tune", found=f"none called {tuned}")
        self.parameters = [p.requires_grad_(True) for p in chosen.values()]
        self.average = [p.detach().clone() for p in self.parameters]
        fused = self.parameters[0].is_cuda
        self.optimiser = torch.optim.AdamW(self.parameters, lr=rate, weight_decay=0, betas=(0.9, 0.99), fused=fused)

    @property
    def size(self) -> int:
        """How many parameters are tuned."""
        return sum(p.numel() for p in self.parameters)

    def loss(self, pairs: Pairs, asked: Noised, *, half: bool) -> Tensor:
        """Mean squared error of the velocities, its gradients left with the parameters."""
        x, v, t = asked
        with torch.autocast(x.device.type, torch.bfloat16, enabled=half):
            answer = self.network(x, pairs.maps, pairs.numbers, t)
        loss: Tensor = (answer.float() - v).square().mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def step(self, pairs: Pairs, asked: Noised, *, half: bool = False) -> float:
        """Learn from pairs; returns the loss before."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * min(1.0, (self.steps + 1) / self.warm_up)
        loss = self.loss(pairs, asked, half=half)
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()
        keep = self.steps / (self.steps + MEMORY)
        with torch.no_grad():
            torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - keep)
        self.steps += 1
        return float(loss)

    def averaged(self) -> ConditionalUNet:
        """Give the network its average weights, and away: there are no steps after this."""
        with torch.no_grad():
            for parameter, mean in zip(self.parameters, self.average, strict=True):
                parameter.copy_(mean)
        self.optimiser.zero_grad(set_to_none=True)
        return self.network.requires_grad_(False)
