"""What each step learns from: batches drawn ahead on a stream of their own, and, of k-space, in several passes."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor

from medidiff.errors import UsageError
from medidiff.models import Pairs
from medidiff.training.heads import load_heads
from medidiff.training.pairs import draw_batch
from medidiff.training.receivers import Receivers
from medidiff.training.recipe import Recipe
from medidiff.training.scans import draw_scans
from medidiff.training.team import Team

__all__ = ["lessons"]

Drawn = TypeVar("Drawn")


def lessons(
    recipe: Recipe, team: Team, first: int, last: int, answer: Callable[[], Tensor]
) -> Iterator[tuple[int, Pairs]]:
    """Give each step's pairs.

    Parameters
    ----------
    recipe
        Its card's task decides what is drawn.
    team
        Which share of a batch is drawn here.
    first, last
        Steps to give.
    answer
        The network's answer to the pairs given last, from which the next pass starts.

    Raises
    ------
    UsageError
        If training would begin, end or be saved between two passes over one batch.
    """
    how = recipe.optimisation
    if any(step % how.passes for step in (first, last, how.checkpoint_every)):
        found = f"passes {how.passes}, steps {first} to {last}, checkpoint_every {how.checkpoint_every}"
        raise UsageError("steps are not whole passes", found=found, needed="multiples of passes")
    heads = load_heads(recipe, team.place)
    told: dict[str, Any] = {"groups": team.share(how.groups), "patches": how.patches, "size": how.patch}
    if recipe.card["task"] == "super-resolution":
        yield from _ahead(lambda step: draw_batch(heads, seed=team.seed(recipe.seed, step), **told), first, last, team)
        return
    receivers = Receivers.stock(team.place, edge=how.patch)
    draws = _ahead(
        lambda number: draw_scans(heads, receivers, seed=team.seed(recipe.seed, number), **told),
        first // how.passes,
        last // how.passes,
        team,
    )
    for number, scans in draws:
        yield number * how.passes, scans.pairs()
        for later in range(1, how.passes):
            scans = scans.refined(answer())
            yield number * how.passes + later, scans.pairs()


def _ahead(draw: Callable[[int], Drawn], first: int, last: int, team: Team) -> Iterator[tuple[int, Drawn]]:
    """Batches by number, the next one drawn while the last is learnt from."""
    stream = torch.cuda.Stream(team.place) if team.place.type == "cuda" else None  # type: ignore[no-untyped-call]

    def drawn(number: int) -> tuple[Drawn, Any]:
        with torch.cuda.stream(stream) if stream else nullcontext():
            return draw(number), stream.record_event() if stream else None

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(drawn, first) if first < last else None
        for number in range(first, last):
            assert coming is not None  # noqa: S101 - for the type checker
            batch, ready = coming.result()
            if ready is not None:
                torch.cuda.current_stream().wait_event(ready)
                for tensor in _tensors(batch):
                    tensor.record_stream(torch.cuda.current_stream())
            coming = pool.submit(drawn, number + 1) if number + 1 < last else None
            yield number, batch


def _tensors(thing: Any) -> Iterator[Tensor]:
    """All tensors in it, so that their memory is not given away while another stream still reads them."""
    for value in vars(thing).values():
        if isinstance(value, Tensor):
            yield value
        elif hasattr(value, "__dict__"):
            yield from _tensors(value)
