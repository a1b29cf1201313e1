"""Which files make up the cases of a run, decided before the first is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from medidiff.errors import InputError, UsageError
from medidiff.evaluation.images import Image, find_images
from medidiff.evaluation.pairing import match, pair_up

if TYPE_CHECKING:
    from medidiff.evaluation.measured import Baseline

__all__ = ["Plan", "Planned", "plan_cases"]


@dataclass(frozen=True)
class Planned:
    """One reference and what is compared with it.

    Parameters
    ----------
    name
        Of the case.
    reference
        The truth.
    images
        Predictions by method.
    baselines
        What is made of the source, by method.
    source, region
        The measurement and the mask, if there are any.
    """

    name: str
    reference: Image
    images: Mapping[str, Image] = field(default_factory=dict)
    baselines: "Mapping[str, Baseline]" = field(default_factory=dict)
    source: Image | None = None
    region: Image | None = None

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods that have something to show."""
        return (*self.images, *self.baselines)


@dataclass(frozen=True)
class Plan:
    """All cases, sorted by name, the methods in order, and what was left out."""

    cases: Sequence[Planned]
    methods: Sequence[str]
    roots: Mapping[str, Path]
    unpaired: Mapping[Path, str]


def plan_cases(
    roots: Mapping[str, Path],
    references: Path,
    *,
    by: str = "auto",
    inputs: Path | None = None,
    baselines: Sequence[str] = (),
    region: str | Path = "head",
) -> Plan:
    """Find and pair everything; see `medidiff.evaluation.evaluate` for the arguments.

    Raises
    ------
    InputError
        If a path does not exist or nothing can be paired.
    UsageError
        If there is no method, two have one name, or baselines have no inputs.
    """
    roots = {name: Path(root) for name, root in roots.items()}
    made = _baselines(baselines, inputs)
    if not (roots or made):
        raise UsageError("nothing to score", needed="predictions or baselines")
    if twice := roots.keys() & made.keys():
        raise UsageError("two methods have the same name", found=", ".join(sorted(twice)))
    unpaired: dict[Path, str] = {}
    paired = {name: _paired(root, references, by, unpaired, name, len(roots)) for name, root in roots.items()}
    sources = _beside(inputs, references, by, unpaired, "input") if inputs else {}
    masks = _beside(Path(region), references, by, {}, "region") if str(region) not in ("head", "all") else {}
    names = sorted({case for pairs in paired.values() for case in pairs} | (sources.keys() if made else set()))
    truths = {case: pair[1] for pairs in (*paired.values(), sources) for case, pair in pairs.items()}
    cases = [
        Planned(
            name,
            truths[name],
            {method: pairs[name][0] for method, pairs in paired.items() if name in pairs},
            made,
            sources[name][0] if name in sources else None,
            _only(masks, name),
        )
        for name in names
    ]
    if not cases:
        raise InputError("nothing can be paired", where=str(references))
    kept = {image.path for case in cases for image in (case.reference, *case.images.values())}
    left = {path: reason for path, reason in sorted(unpaired.items()) if len(roots) > 1 or path not in kept}
    return Plan(cases, (*roots, *made), roots, left)


def _baselines(names: Sequence[str], inputs: Path | None) -> "dict[str, Baseline]":
    if not names:
        return {}
    if inputs is None:
        raise UsageError("baselines are made of measurements", needed="--input")
    from medidiff.evaluation.measured import baseline_named  # brings torch along

    return {named.name: named for named in map(baseline_named, names)}


def _paired(
    root: Path, references: Path, by: str, unpaired: dict[Path, str], name: str, methods: int
) -> Mapping[str, tuple[Image, Image]]:
    pairing = pair_up(root, references, by=by)
    for path, reason in pairing.unpaired.items():
        told = f"{reason} ({name})" if methods > 1 else reason
        unpaired[path] = f"{unpaired[path]}; {told}" if path in unpaired else told
    return pairing.pairs


def _beside(
    root: Path, references: Path, by: str, unpaired: dict[Path, str], what: str
) -> Mapping[str, tuple[Image, Image]]:
    """Pair measurements or masks with the references; a single file belongs to all of them."""
    images, truths = find_images(root, kspace=what == "input"), find_images(references)
    if root.is_file() and len(images) == 1:
        return {truth.shown: (images[0], truth) for truth in truths}
    pairing = match(images, truths, by="auto" if Path(by).suffix else by, what=what)
    if not pairing.pairs:
        raise InputError(f"no {what} can be paired with a reference", where=str(root), found=f"{len(images)} images")
    unpaired |= {path: reason for path, reason in pairing.unpaired.items() if what in reason}
    return pairing.pairs


def _only(masks: Mapping[str, tuple[Image, Image]], name: str) -> Image | None:
    if masks and name not in masks:
        raise InputError("a case has no mask", where=name, needed="a mask for every reference, or one file for all")
    return masks[name][0] if masks else None
