"""The options that say how a model is adapted to each scan."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import click

from medidiff.cli import options
from medidiff.errors import UsageError

if TYPE_CHECKING:
    from medidiff.tasks import Adapting

__all__ = ["Adaptation", "adapt_options"]

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Adaptation:
    """The options of `adapt_options`, as given.

    Raises
    ------
    UsageError
        If it is told how to adapt, but not to.
    """

    adapt: bool = False
    adapt_seconds: float | None = None
    adapt_steps: int | None = None

    def __post_init__(self) -> None:
        if not self.adapt and (self.adapt_seconds or self.adapt_steps):
            raise UsageError("--adapt-seconds and --adapt-steps need --adapt", hint="give it, too")

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> "Adaptation":
        """Take these options out of all that were given."""
        return cls(**{field.name: given.pop(field.name) for field in fields(cls)})

    @property
    def how(self) -> "Adapting | None":
        """What the task is told."""
        from medidiff.tasks import Adapting

        return Adapting(seconds=self.adapt_seconds, steps=self.adapt_steps) if self.adapt else None

    @property
    def decisive(self) -> dict[str, Any]:
        """What decides the result; nothing where the model stays as it is."""
        return asdict(self) if self.adapt else {}


def adapt_options(command: Command) -> Command:
    """Add ``--adapt``, ``--adapt-seconds`` and ``--adapt-steps``."""
    steps = click.option(
        "--adapt-steps", type=click.IntRange(min=1), metavar="N", help="At most so many steps; they can be repeated."
    )
    seconds = click.option(
        "--adapt-seconds",
        type=options.POSITIVE,
        metavar="S",
        help="At most so long; by default 20 on a GPU and 300 on a CPU, unless steps are given.",
    )
    told = "Experiment: tune the model to each scan first; used if it gains on a part that it did not learn from."
    return click.option("--adapt", is_flag=True, help=told)(seconds(steps(command)))
