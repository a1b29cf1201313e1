"""Drawing ahead: what the next step learns from is drawn while the last is learnt from."""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor

__all__ = ["ahead"]

Drawn = TypeVar("Drawn")


def ahead(
    draw: Callable[[int], Drawn], first: int, last: float, place: torch.device
) -> Generator[tuple[int, Drawn], None, None]:
    """Give what is drawn by number, the next one drawn in another thread and, on a GPU, on a stream of its own.

    Parameters
    ----------
    draw
        Given a number, draws on ``place``.
    first, last
        Numbers from the first up to the last, which may be infinite.
    place
        The device.
    """
    stream = torch.cuda.Stream(place) if place.type == "cuda" else None  # type: ignore[no-untyped-call]
    if stream:
        stream.wait_stream(torch.cuda.current_stream(place))

    def drawn(number: int) -> tuple[Drawn, Any]:
        with torch.cuda.stream(stream) if stream else nullcontext():
            return draw(number), stream.record_event() if stream else None

    with ThreadPoolExecutor(1) as pool:
        number, coming = first, pool.submit(drawn, first) if first < last else None
        while coming is not None:
            batch, ready = coming.result()
            if ready is not None:
                torch.cuda.current_stream(place).wait_event(ready)
                for tensor in _tensors(batch):
                    tensor.record_stream(torch.cuda.current_stream(place))
            coming = pool.submit(drawn, number + 1) if number + 1 < last else None
            yield number, batch
            number += 1


def _tensors(thing: Any) -> Iterator[Tensor]:
    """All tensors in it, so that their memory is not given away while another stream still reads them."""
    if isinstance(thing, Tensor):
        yield thing
        return
    parts = thing if isinstance(thing, list | tuple) else vars(thing).values() if hasattr(thing, "__dict__") else ()
    for part in parts:
        yield from _tensors(part)
