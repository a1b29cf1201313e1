"""Which files make up the cases of a run, decided before the first is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from medidiff.errors import InputError, UsageError
from medidiff.evaluation.images import Image, find_images
from medidiff.evaluation.pairing import Pairing, match, pair_up

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
    notes
        What should be known about the images, by method.
    error
        Why the case cannot be scored, if that is known before.
    """

    name: str
    reference: Image
    images: Mapping[str, Image] = field(default_factory=dict)
    baselines: "Mapping[str, Baseline]" = field(default_factory=dict)
    source: Image | None = None
    region: Image | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    error: str = ""

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
    paired = {name: pair_up(root, references, by=by) for name, root in roots.items()}
    sources = _beside(inputs, references, by, "input") if inputs else Pairing({}, {})
    masks = _beside(Path(region), references, by, "region") if str(region) not in ("head", "all") else None
    named = {case: pair[1] for pairing in (*paired.values(), sources) for case, pair in pairing.pairs.items()}
    names = {case for pairing in paired.values() for case in pairing.pairs} | (sources.pairs.keys() if made else set())
    beside = _Beside(paired, made, sources if inputs else None, masks)
    cases = [beside.planned(name, named[name]) for name in sorted(names)]
    if not cases:
        raise InputError("nothing can be paired", where=str(references))
    kept = {image.path for case in cases for image in (case.reference, *case.images.values())}
    left = _left(paired, kept) if len(paired) == 1 else _left(paired, set())
    others = {what: some for what, some in (("input", sources), ("region", masks)) if some is not None}
    return Plan(cases, (*roots, *made), roots, _joined(left, _left(others, kept, always=True)))


@dataclass(frozen=True)
class _Beside:
    """Everything that was paired, to be put together by case."""

    paired: Mapping[str, Pairing]
    made: "Mapping[str, Baseline]"
    sources: Pairing | None
    masks: Pairing | None

    def planned(self, name: str, reference: Image) -> Planned:
        images = {method: p.pairs[name][0] for method, p in self.paired.items() if name in p.pairs}
        source = self.sources.pairs.get(name) if self.sources else None
        mask = self.masks.pairs.get(name) if self.masks else None
        notes = {method: self._noted(name, method) for method in images}
        error = "no mask of this name among the regions" if self.masks and not mask else ""
        return Planned(name, reference, images, self.made, source and source[0], mask and mask[0], notes, error)

    def _noted(self, name: str, method: str) -> str:
        lacks = self.sources is not None and name not in self.sources.pairs
        told = [self.paired[method].notes.get(name, ""), "no data residual: no input of this name" if lacks else ""]
        return "; ".join(part for part in told if part)


def _left(paired: Mapping[str, Pairing], kept: set[Path], *, always: bool = False) -> dict[Path, str]:
    """Put together what is left; ``always`` names the kind, otherwise it is named where there are several."""
    left: dict[Path, str] = {}
    for name, pairing in paired.items():
        label = f" ({name})" if always or len(paired) > 1 else ""
        left = _joined(left, {p: why + label for p, why in pairing.unpaired.items() if p not in kept})
    return left


def _joined(one: Mapping[Path, str], other: Mapping[Path, str]) -> dict[Path, str]:
    """All reasons of every path, each once, sorted by path."""
    told = {path: dict.fromkeys(some[path] for some in (one, other) if path in some) for path in (*one, *other)}
    return {path: "; ".join(reasons) for path, reasons in sorted(told.items())}


def _baselines(names: Sequence[str], inputs: Path | None) -> "dict[str, Baseline]":
    if not names:
        return {}
    if inputs is None:
        raise UsageError("baselines are made of measurements", needed="--input")
    from medidiff.evaluation.measured import baseline_named  # brings torch along

    return {named.name: named for named in map(baseline_named, names)}


def _beside(root: Path, references: Path, by: str, what: str) -> Pairing:
    """Pair measurements or masks with the references; a single file belongs to all of them."""
    images, truths = find_images(root, kspace=what == "input"), find_images(references)
    if root.is_file() and len(images) == 1:
        return Pairing({truth.shown: (images[0], truth) for truth in truths}, {})
    pairing = match(images, truths, by="auto" if Path(by).suffix else by, what=what)
    if not pairing.pairs:
        raise InputError(f"no {what} can be paired with a reference", where=str(root), found=f"{len(images)} images")
    return pairing
