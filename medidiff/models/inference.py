"""A model as a denoiser: tiles, precision and device."""

from collections.abc import Callable

import torch
from torch import Tensor

from medidiff.diffusion import Denoiser, from_velocity
from medidiff.models.condition import Condition
from medidiff.models.store import Model
from medidiff.tiles import blend

__all__ = ["MIRRORS", "PRECISIONS", "denoiser_of"]

MIRRORS: tuple[tuple[int, ...], ...] = ((), (-3, -2, -1), (-3, -2), (-1,), (-3,), (-2, -1), (-2,), (-3, -1))
"""Axes along which an image is mirrored: the answers to the first few of these are averaged."""

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def denoiser_of(
    model: Model,
    condition: Condition,
    *,
    precision: str,
    tile: int | None = None,
    batch: int = 1,
    mirrors: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Denoiser:
    """Give a model its condition; what is left is ``(r_t, t) -> r0`` on the normalised residual.

    Parameters
    ----------
    model
        On the device of the condition. A model of kind "regression" sees no noise: it always answers at time 1. One
        whose card says "blind_start" sees none at time 1.
    condition
        Of one volume; the noisy image may hold several samples, which are run one after another.
    precision
        A key of `PRECISIONS`, for the network alone.
    tile, batch
        Edge of the tiles (by default the card's) and how many run at once.
    mirrors
        At time 1 the mean of the answers to so many mirror images counts, 1 to 8: what a network prefers in one
        direction is no knowledge of heads.
    """
    device = condition.maps.device
    edge, overlap = tile or model.card["tile"], model.card["overlap"]
    blind, blind_start = model.card["kind"] == "regression", bool(model.card.get("blind_start"))

    def tiles(stacked: Tensor, t: Tensor) -> Tensor:
        seen = MIRRORS[: mirrors if float(t) == 1 else 1]
        return torch.stack([answer(stacked.flip(axes), t).flip(axes) for axes in seen]).mean(0)

    def answer(stacked: Tensor, t: Tensor) -> Tensor:
        x, maps = stacked[:, :1], stacked[:, 1:]
        many = stacked.shape[0]
        with torch.autocast(device.type, PRECISIONS[precision], enabled=precision != "fp32"):
            v = model.network(x, maps, condition.numbers.expand(many, -1), t.expand(many))
        return from_velocity(x, v.float(), t.expand(many))

    def denoise(r: Tensor, t: Tensor) -> Tensor:
        answers = []
        for one, when in zip(r, t, strict=True):
            time = torch.ones_like(when) if blind else when
            noisy = torch.zeros_like(one) if blind or (blind_start and float(when) == 1) else one
            stacked = torch.cat([noisy[None], condition.maps], 1)
            answers.append(
                blend(
                    lambda x, time=time: tiles(x, time),  # type: ignore[misc]
                    stacked,
                    tile=edge,
                    overlap=overlap,
                    multiple=model.network.multiple,
                    batch=batch,
                    progress=progress,
                )
            )
        return torch.cat(answers)

    return torch.inference_mode()(denoise)
