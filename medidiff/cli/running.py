"""How a batch is run, as given on the command line: nothing here decides a result."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import click

from medidiff.cli import options
from medidiff.errors import UsageError

if TYPE_CHECKING:
    from medidiff.batch import Engine, Part, Task, Way

__all__ = ["Running", "running_options"]

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Running:
    """The options of `running_options`, as given."""

    force: bool = False
    retry_failed: bool = False
    report: bool = False
    dry_run: bool = False
    quiet: bool = False
    verbose: bool = False
    device: str = "cpu"
    threads: int | None = None
    num_parts: int | None = None
    part_id: int | None = None
    timeout: float | None = None
    in_flight: int | None = None
    scheduler: str | None = None
    cluster: str | None = None

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> "Running":
        """Take these options out of all that were given."""
        return cls(**{field.name: given.pop(field.name) for field in fields(cls) if field.name in given})

    @property
    def part(self) -> "Part | None":
        """Which share to do.

        Raises
        ------
        UsageError
            If one of the two options is missing, or there is no such part.
        """
        from medidiff.batch import Part

        if self.num_parts is None and self.part_id is None:
            return None
        if self.num_parts is None or self.part_id is None:
            raise UsageError("--num-parts and --part-id belong together", hint="give both")
        return Part(self.part_id, self.num_parts)

    def way(self) -> "Way":
        """Tell the engine how."""
        from medidiff.batch import Way
        from medidiff.batch.task import PATIENCE

        told = {name: value for name, value in asdict(self).items() if name not in ("quiet", "verbose", "dry_run")}
        return Way(self.engine(), self.force, self.retry_failed, self.timeout or PATIENCE, told)

    def engine(self) -> "Engine":
        """Choose where to compute.

        Raises
        ------
        MedidiffError
            If a device is not there, or options exclude each other.
        """
        from medidiff.batch.processes import HANDS

        if self.scheduler and self.cluster:
            raise UsageError("--scheduler and --cluster exclude each other", hint="give one of them")
        if self.scheduler or self.cluster:
            from medidiff.batch.cluster import cluster

            if self.scheduler:
                return cluster(self.scheduler, device="auto" if self.device == "all" else self.device)
            places = self.places()
            return cluster("", device=",".join(places), workers=len(places))
        return processes(self.places(), hands=self.in_flight or HANDS)

    def places(self) -> tuple[str, ...]:
        """Devices of this machine, one for each worker."""
        names = tuple(self.device.split(","))
        if set(names) == {"cpu"}:
            return names
        from medidiff.tasks.device import choose_devices

        return choose_devices(names)

    def bounded(self, task: "Task") -> "Task":
        """Give a task its number of threads, in whichever process it is opened."""
        from functools import partial

        from medidiff.batch import Task

        return Task(partial(_opened, task.open, self.threads), task.read) if self.threads else task


def processes(places: tuple[str, ...], *, hands: int) -> "Engine":
    """Compute in a worker for each place; see `medidiff.batch.processes`."""
    from medidiff.batch import processes

    return processes(places, hands=hands)


def _opened(open_task: Callable[[str], Any], threads: int, device: str) -> Any:
    import torch

    torch.set_num_threads(threads)
    return open_task(device)


def running_options(command: Command) -> Command:
    """Add the options of commands that run on devices: where, how many at once, which share, what to do again."""
    for add in reversed(_OPTIONS):
        command = add(command)
    return command


_POSITIVE = click.IntRange(min=1)
_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--device",
        type=options.DEVICES,
        default="auto",
        show_default=True,
        help="Where to compute; several with commas between them, or all.",
    ),
    click.option("--threads", type=_POSITIVE, metavar="N", help="CPU threads; by default all cores."),
    click.option(
        "--in-flight",
        type=_POSITIVE,
        metavar="N",
        help="Cases in hand at once for each device: one computing, others read and written. By default 4.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="S",
        help="Give up a case after so many seconds without progress. By default 3600.",
    ),
    click.option(
        "--num-parts", type=_POSITIVE, metavar="N", help="Do one of N shares, for job arrays: with --part-id."
    ),
    click.option("--part-id", type=click.IntRange(min=0), metavar="K", help="Which share, from 0 to N - 1."),
    click.option("--scheduler", metavar="ADDRESS", help="Compute on the Dask cluster at tcp://HOST:PORT."),
    click.option(
        "--cluster", type=click.Choice(["local"]), help="Compute on a Dask cluster of this machine, a worker a device."
    ),
    options.force_option,
    click.option("--retry-failed", is_flag=True, help="Try again what failed before though nothing has changed."),
    options.report_option,
    click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing."),
    options.debug_option,
    options.verbosity_options,
)
