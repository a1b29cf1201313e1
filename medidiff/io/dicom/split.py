"""Which frames of a series make one volume: echoes, times, diffusion weightings and parts of the signal told apart."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from medidiff.io.dicom.frame import Frame

__all__ = ["split"]

ALWAYS = ("stack", "component", "echo", "b", "direction", "refusal")
"""Traits whose values are never mixed in one volume."""

STATED = ("time", "dimension")
"""Traits by which the header itself numbers volumes: they divide frames that lie on the same positions."""

TELLING = ("trigger", "inversion", "flip", "acquisition")
"""Traits that divide frames on the same positions if every value then has all positions, once or equally often."""

LETTERS = {
    "stack": "s",
    "echo": "e",
    "direction": "d",
    "time": "t",
    "dimension": "v",
    "trigger": "p",
    "inversion": "i",
    "flip": "f",
    "acquisition": "a",
}
"""By which names of volumes count the values of a trait."""


def split(frames: Sequence[Frame]) -> list[tuple[str, list[Frame]]]:
    """Divide the frames of a series into volumes.

    Frames that differ in echo, diffusion weighting, part of the complex signal or declared stack never share a volume.
    Those that are alike in all of these and lie on the same positions are divided by time, dimension index, trigger
    time, inversion time, flip angle or acquisition number, in this order, whichever explains the repetition. Without
    repetition none of these divides: slices of one volume may well be excited at different times.

    Returns
    -------
    list of (name, frames)
        The name says what tells the volume from its siblings, such as ``e2_ph`` or ``b1000_d03``; empty if there is
        just one. Frames that still repeat positions stay together: they are refused as duplicates later.
    """
    groups = [
        group
        for alike in _by(frames, lambda frame: tuple(_plain(frame.traits.get(trait)) for trait in ALWAYS))
        for group in _explained(alike, (*STATED, *TELLING))
    ]
    return list(zip(_names(groups), groups, strict=True))


def _explained(frames: list[Frame], traits: Sequence[str]) -> list[list[Frame]]:
    """Divide frames on repeated positions by the first traits that explain the repetition."""
    if not traits or max(_repeats(frames).values()) == 1:
        return [frames]
    trait, later = traits[0], traits[1:]
    parts = _by(frames, lambda frame: _plain(frame.traits.get(trait)))
    if len(parts) == 1 or not _explains(trait, parts, frames):
        return _explained(frames, later)
    return [group for part in parts for group in _explained(part, later)]


def _explains(trait: str, parts: Sequence[list[Frame]], frames: list[Frame]) -> bool:
    """Whether a trait divides volumes rather than the slices of a volume."""
    if trait in STATED:
        return max(max(_repeats(part).values()) for part in parts) < max(_repeats(frames).values())
    first, *others = [_repeats(part) for part in parts]
    return all(other == first for other in others)


def _repeats(frames: Iterable[Frame]) -> Counter[Hashable]:
    """Count how often each position occurs, to 0.01 mm."""
    return Counter(tuple(round(each, 2) + 0.0 for each in frame.position or ()) for frame in frames)


def _by(frames: Iterable[Frame], key: Callable[[Frame], Hashable]) -> list[list[Frame]]:
    groups: dict[Hashable, list[Frame]] = defaultdict(list)
    for frame in frames:
        groups[key(frame)].append(frame)
    return [groups[value] for value in sorted(groups, key=_order)]


def _order(value: Any) -> Any:
    """Sort numbers as numbers, nothing before something, and everything else as text."""
    if isinstance(value, tuple):
        return (3, "", 0.0, tuple(_order(each) for each in value))
    if value is None:
        return (0, "", 0.0, ())
    if isinstance(value, int | float):
        return (1, "", float(value), ())
    return (2, str(value), 0.0, ())


def _plain(value: Any) -> Hashable:
    if isinstance(value, str | tuple) or value is None:
        return value
    return float(value) if isinstance(value, int | float) else str(value)


def _names(groups: Sequence[Sequence[Frame]]) -> list[str]:
    """Name each volume by the traits in which it differs from another, as few as tell all apart."""
    told = [{trait: _plain(value) for trait, value in group[0].traits.items()} for group in groups]
    needed = _needed(told)
    words = [[_word(place, needed, facts, told) for place in range(len(needed))] for facts in told]
    names = ["_".join(filter(None, each)) for each in words]
    seen, count = Counter(names), Counter[str]()
    for place, name in enumerate(names):
        if seen[name] > 1:
            count[name] += 1
            names[place] = f"{name}_{count[name]:03d}".lstrip("_")
    return names


def _needed(told: Sequence[dict[str, Hashable]]) -> list[str]:
    """Choose traits one after the other while each tells more volumes apart."""
    chosen: list[str] = []
    apart = 1
    for trait in (*ALWAYS, *STATED, *TELLING):
        now = len({tuple(facts.get(each) for each in (*chosen, trait)) for facts in told})
        if now > apart:
            chosen, apart = [*chosen, trait], now
    return chosen


def _word(place: int, needed: Sequence[str], facts: dict[str, Hashable], told: Sequence[dict[str, Hashable]]) -> str:
    """Say one trait of a volume: a value where it is short, else its rank among volumes alike in the traits before."""
    trait, before = needed[place], needed[:place]
    value = facts.get(trait)
    if trait == "refusal" or value is None:
        return ""
    if trait == "component":
        return str(value)
    if trait == "b":
        return f"b{value:g}"
    alike = [other for other in told if all(other.get(each) == facts.get(each) for each in before)]
    ranks = sorted({other.get(trait) for other in alike if other.get(trait) is not None}, key=_order)
    digits = len(str(len(ranks)))
    return f"{LETTERS[trait]}{ranks.index(value) + 1:0{digits}d}" if len(ranks) > 1 else ""
