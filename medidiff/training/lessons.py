"""What each step learns from: batches drawn ahead on a stream of their own, and, of k-space, in several passes."""

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor

from medidiff.ahead import ahead
from medidiff.errors import UsageError
from medidiff.models import Pairs
from medidiff.training.heads import load_heads
from medidiff.training.pairs import draw_batch
from medidiff.training.receivers import Receivers
from medidiff.training.recipe import Recipe
from medidiff.training.scans import draw_scans
from medidiff.training.team import Team

__all__ = ["lessons"]


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
        yield from ahead(
            lambda step: draw_batch(heads, seed=team.seed(recipe.seed, step), **told), first, last, team.place
        )
        return
    receivers = Receivers.stock(team.place, edge=how.patch, hard=how.hard)
    draws = ahead(
        lambda number: draw_scans(heads, receivers, seed=team.seed(recipe.seed, number), stride=how.stride, **told),
        first // how.passes,
        last // how.passes,
        team.place,
    )
    for number, scans in draws:
        yield number * how.passes, scans.pairs()
        for later in range(1, how.passes):
            scans = scans.refined(answer())
            yield number * how.passes + later, scans.pairs()
