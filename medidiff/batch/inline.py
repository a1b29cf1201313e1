"""The plainest engine: one case after the other, in this process."""

from collections.abc import Iterator

from medidiff.batch.attempt import attempt, prepare
from medidiff.batch.task import Engine, Job, Teller, Terms

__all__ = ["inline"]


def inline(device: str = "cpu") -> Engine:
    """Compute here, without any protection against what crashes or hangs: for tests and for short work."""

    def engine(jobs: Iterator[Job], terms: Terms, tell: Teller, *, keep: tuple[int, ...] = ()) -> None:
        work = terms.task.open(device)
        for job in jobs:
            tell.ended(attempt(job, terms, work, tell, prepare=prepare, device=device))

    return engine
