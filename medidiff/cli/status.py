"""``medidiff status``: how a batch stands."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medidiff.cli import options

if TYPE_CHECKING:
    from medidiff.batch.standing import Standing

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  medidiff status enhanced/
  medidiff status enhanced/ --json
  watch -n 10 medidiff status enhanced/
"""

FAILURES = 20
"""How many failures are shown unless all are asked for."""


@click.command("status", epilog=EXAMPLES)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR")
@click.option("--all", "show_all", is_flag=True, help=f"Show all failures, not the first {FAILURES} alone.")
@options.json_option
@options.debug_option
def command(folder: Path, show_all: bool, as_json: bool) -> None:
    """Tell how the batch whose results go to DIR stands, while it runs and afterwards.

    Counts, the rate, the time left, what failed and why, and what took longest, of a run or of all parts of one.
    "killed" means that it neither runs nor said how it ended: the same command goes on from there.
    """
    from medidiff.batch.standing import standing
    from medidiff.cli.tables import as_json as json_text

    stands = standing(folder)
    if as_json:
        click.echo(json_text(_facts(stands)))
        return
    for line in _lines(stands, None if show_all else FAILURES):
        click.echo(line)


def _facts(stands: "Standing") -> dict[str, Any]:
    return {
        "task": stands.task,
        "outcome": stands.outcome,
        "parts": stands.parts,
        "cases": len(stands.states),
        "counts": stands.counts,
        "left": stands.left,
        "cases_per_hour": stands.rate * 3600,
        "seconds_left": stands.seconds_left,
        "failures": stands.failures,
        "slowest": [{"case": case, "seconds": seconds} for case, seconds in stands.slowest()],
    }


def _lines(stands: "Standing", most: int | None) -> list[str]:
    from medidiff.cli.watchers import duration, pace

    parts = f" in {stands.parts} parts" if stands.parts else ""
    lines = [f"{stands.task}: {stands.outcome}{parts}, {len(stands.states)} cases"]
    lines += [f"  {count:6d} {state}" for state, count in stands.counts.items()]
    if stands.rate:
        left = stands.seconds_left
        lines.append(pace(stands.rate) + (f", about {duration(left)} left" if left else ""))
    if stands.failures:
        lines += ["failed:", *(f"  {case}: {reason}" for case, reason in list(stands.failures.items())[:most])]
        hidden = len(stands.failures) - (most or len(stands.failures))
        lines += [f"  and {hidden} more (--all)"] if hidden > 0 else []
    if slowest := stands.slowest():
        lines += ["slowest:", *(f"  {duration(seconds):>14}  {case}" for case, seconds in slowest)]
    return lines
