"""Overlapping tiles, blended inside each call of the denoiser.

The noise belongs to the volume: every tile sees its own window of one noisy volume, so neighbours agree where they
overlap and the answer does not depend on the order of the tiles or on how many run at once.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import torch
from torch import Tensor

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
    multiple: int = 1,
    batch: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Tensor:
    """Apply ``function`` tile by tile and blend what it returns.

    Parameters
    ----------
    function
        ``(b, c, x, y, z)`` to ``(b, 1, x, y, z)``.
    x
        ``(1, c, X, Y, Z)``; a side shorter than its tile goes on as its mirror image, in which noise stays noise.
    tile, overlap
        Most voxels along each axis, and how many tiles share at least.
    multiple
        Tiles of small volumes are as small as they can be with sides divisible by this.
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
    edges = [min(tile, -(-n // multiple) * multiple) for n in size]
    for axis, (n, edge) in enumerate(zip(size, edges, strict=True), start=2):
        if n < edge:
            x = x.index_select(axis, _mirrored(n, edge).to(x.device))
    window = _window(edges, overlap).to(x.device)
    total = torch.zeros((1, 1, *x.shape[-3:]), device=x.device)
    weight = torch.zeros_like(total)
    places = list(_places(x.shape[-3:], edges, overlap))
    for first in range(0, len(places), batch):
        chosen = places[first : first + batch]
        answers = function(torch.cat([x[(..., *place)] for place in chosen]))
        for place, answer in zip(chosen, answers, strict=True):
            total[(0, slice(None), *place)] += window * answer.float()
            weight[(0, slice(None), *place)] += window
        progress(first + len(chosen), len(places))
    blended = total / weight
    return blended[..., : size[0], : size[1], : size[2]]


def _mirrored(size: int, longer: int) -> Tensor:
    """``(longer,)``, indices 0 to ``size - 1`` and back, as often as needed; the last voxel is not said twice."""
    wave = torch.arange(longer) % max(1, 2 * (size - 1))
    return torch.minimum(wave, max(1, 2 * (size - 1)) - wave) if size > 1 else torch.zeros(longer, dtype=torch.long)


def _places(size: Sequence[int], edges: Sequence[int], overlap: int) -> Iterator[Window]:
    for corner in product(*(starts(n, edge, overlap) for n, edge in zip(size, edges, strict=True))):
        x, y, z = (slice(start, start + edge) for start, edge in zip(corner, edges, strict=True))
        yield x, y, z


def _window(edges: Sequence[int], overlap: int) -> Tensor:
    """``(x, y, z)``, falling linearly towards the faces across the overlap."""
    x, y, z = (_ramp(edge, overlap) for edge in edges)
    return x[:, None, None] * y[:, None] * z


def _ramp(edge: int, overlap: int) -> Tensor:
    distance = torch.minimum(torch.arange(edge), torch.arange(edge).flip(0)) + 0.5
    return (distance / max(overlap, 1)).clamp(max=1)
