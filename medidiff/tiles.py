"""Overlapping tiles, blended inside each call of the denoiser.

The noise belongs to the volume: every tile sees its own window of one noisy volume, so neighbours agree where they
overlap and the answer does not depend on the order of the tiles or on how many run at once.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["blend", "starts"]

Window = tuple[slice, slice, slice]


def starts(size: int, tile: int, overlap: int) -> list[int]:
    """First voxels of the evenly spread tiles that cover ``size`` voxels with at least ``overlap`` in common."""
    if size <= tile:
        return [0]
    count = -(-(size - overlap) // (tile - overlap))
    return [round(i * (size - tile) / (count - 1)) for i in range(count)]


def blend(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    tile: int,
    overlap: int,
    batch: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Tensor:
    """Apply ``function`` tile by tile and blend what it returns.

    Parameters
    ----------
    function
        ``(b, c, tile, tile, tile)`` to ``(b, 1, tile, tile, tile)``.
    x
        ``(1, c, X, Y, Z)``; sides shorter than a tile are padded with their edge values.
    tile, overlap
        Voxels along each axis; tiles share at least ``overlap``.
    batch
        Tiles to run at once: changes memory and speed, not the result.
    progress
        Called with the tiles done and their total.

    Returns
    -------
    Tensor
        ``(1, 1, X, Y, Z)`` float32.
    """
    size = x.shape[-3:]
    x = pad(x, _padding(size, tile), mode="replicate")
    window = _window(tile, overlap).to(x.device)
    total = torch.zeros((1, 1, *x.shape[-3:]), device=x.device)
    weight = torch.zeros_like(total)
    places = list(_places(x.shape[-3:], tile, overlap))
    for first in range(0, len(places), batch):
        chosen = places[first : first + batch]
        answers = function(torch.cat([x[(..., *place)] for place in chosen]))
        for place, answer in zip(chosen, answers, strict=True):
            total[(0, slice(None), *place)] += window * answer.float()
            weight[(0, slice(None), *place)] += window
        progress(first + len(chosen), len(places))
    blended = total / weight
    return blended[..., : size[0], : size[1], : size[2]]


def _padding(size: Sequence[int], tile: int) -> list[int]:
    missing = [max(0, tile - n) for n in size]
    return [side for lack in reversed(missing) for side in (0, lack)]


def _places(size: Sequence[int], tile: int, overlap: int) -> Iterator[Window]:
    for corner in product(*(starts(n, tile, overlap) for n in size)):
        x, y, z = (slice(start, start + tile) for start in corner)
        yield x, y, z


def _window(tile: int, overlap: int) -> Tensor:
    """``(tile, tile, tile)``, falling linearly towards the faces across the overlap."""
    distance = torch.minimum(torch.arange(tile), torch.arange(tile).flip(0)) + 0.5
    ramp = (distance / max(overlap, 1)).clamp(max=1)
    return ramp[:, None, None] * ramp[:, None] * ramp
