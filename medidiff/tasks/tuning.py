"""A copy of a network, the optimiser that tunes it, the running average of its weights, and the way back."""

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

    What is asked for may be drawn to the answers of the network as it was: then it changes where the pairs insist.

    Parameters
    ----------
    network
        To start from; it is not changed.
    rate, warm_up
        Of the optimiser, and steps until it is reached.
    tuned
        Pattern of the names of the parameters that are tuned.
    loyalty
        Weight of the answers of the network as it was, beside 1 of the truth.

    Raises
    ------
    UsageError
        If no parameter has such a name.
    """

    def __init__(
        self, network: ConditionalUNet, *, rate: float, warm_up: int, tuned: str = "", loyalty: float = 0.0
    ) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.source, self.loyalty = network, loyalty
        self.rate, self.warm_up, self.steps = rate, warm_up, 0
        chosen = {name: p for name, p in self.network.named_parameters() if re.search(tuned, name)}
        if not chosen:
            raise UsageError("no parameters to tune", found=f"none called {tuned}")
        self.parameters = [p.requires_grad_(True) for p in chosen.values()]
        self.original = [network.get_parameter(name).detach() for name in chosen]
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
            with torch.no_grad():
                before = self.source(x, pairs.maps, pairs.numbers, t).float() if self.loyalty else v
        loss: Tensor = (answer.float() - (v + self.loyalty * before) / (1 + self.loyalty)).square().mean()
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

    def blended(self, share: float) -> ConditionalUNet:
        """Give the network away, between its first weights (0) and the average (1; Wortsman 2022); no steps follow."""
        with torch.no_grad():
            for parameter, first, mean in zip(self.parameters, self.original, self.average, strict=True):
                parameter.copy_(torch.lerp(first, mean, share))
        self.optimiser.zero_grad(set_to_none=True)
        return self.network.requires_grad_(False)
