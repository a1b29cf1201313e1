"""A recipe: everything that makes a trained model what it is, in one TOML file."""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from medidiff.errors import UsageError
from medidiff.models import BOLDEST

__all__ = ["Group", "Optimisation", "Recipe", "Validation", "read_recipe"]

Part = TypeVar("Part")


@dataclass(frozen=True)
class Group:
    """Volumes of one source.

    Parameters
    ----------
    files
        Glob below the data folder.
    sharp
        Array axes with true resolution: the only ones that are degraded.
    weight
        Share of the patches that come from here.
    kind
        "image", or "labels" to be rendered with random contrasts.
    isotropic
        Whether all three axes may be degraded together.
    remap, shaded, noisy
        Shares of the patches whose contrast is remapped by a random curve, which are shaded by a coil, and which are
        measured with noise.
    """

    files: str
    sharp: list[int]
    weight: float
    kind: str = "image"
    isotropic: bool = False
    remap: float = 0.35
    shaded: float = 0.3
    noisy: float = 1 / 3


@dataclass(frozen=True)
class Optimisation:
    """How the weights are fitted; see the shipped recipe for the meaning of each figure.

    ``noisy_start`` is for a regression: for so many steps it learns as a diffusion does. Without them the shipped
    network, asked for the mean alone, was seen to answer zero for thousands of steps.

    ``again`` is for a diffusion: every pair is learnt at time 1, as a regression learns it (from nothing instead of
    noise after ``noisy_start`` steps, ``pure_noise`` has no say), and this share of the pairs once more at a random
    time.

    ``skew`` is the power of an even draw that random times are: below 1 they are noisier.

    ``passes`` is for a reconstruction: so many steps learn from one batch, each from the answer to the step before. So
    is ``hard``, the share of the masks of lines, for several coils, that are 6-fold or more, besides those that happen
    to be, and ``stride``, how far passes from the fourth on go towards the answer (`medidiff.models.reach`).

    ``charbonnier`` and ``gradient`` change the loss; see `medidiff.training.losses`.

    ``start`` is a model that is trained further: a folder, relative to the recipe, or the name of a shipped one.
    """

    steps: int
    patch: int = 64
    groups: int = 8
    patches: int = 4
    rate: float = 5e-4
    warm_up: int = 200
    decay: float = 0.01
    average: float = 0.999
    pure_noise: float = 0.5
    noisy_start: int = 0
    charbonnier: float = 0.0
    gradient: float = 0.0
    again: float = 0.0
    skew: float = 1.0
    passes: int = 1
    hard: float = 0.0
    stride: float = 1.0
    start: str = ""
    compile: bool = False
    checkpoint_every: int = 500

    def __post_init__(self) -> None:
        for name in ("pure_noise", "again", "hard"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"'{name}' in the recipe is no share", found=str(getattr(self, name)), needed="0 to 1")
        if not self.skew > 0:
            raise UsageError("'skew' in the recipe makes no sense", found=str(self.skew), needed="above 0")
        if not 1 <= self.stride <= BOLDEST:
            raise UsageError("'stride' in the recipe makes no sense", found=str(self.stride), needed="1 to 2")


@dataclass(frozen=True)
class Validation:
    """Heads of other persons, degraded and enhanced through the task itself: thick slices, or undersampled planes."""

    files: list[str] = field(default_factory=list)
    axes: list[int] = field(default_factory=list)
    every: int = 1000
    spacing: float = 5.0
    acceleration: float = 8.0


@dataclass(frozen=True)
class Recipe:
    """A whole recipe; paths are relative to its file."""

    path: Path
    data: Path
    output: Path
    seed: int
    groups: list[Group]
    optimisation: Optimisation
    validation: Validation
    card: Mapping[str, Any]


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises
    ------
    UsageError
        If it is no TOML file, or a figure is missing or unknown.
    """
    try:
        text = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError("recipe cannot be read", where=str(path), found=str(error)) from error
    for needed in ("data", "output", "seed", "groups", "optimisation", "card"):
        if needed not in text:
            raise UsageError(f"recipe has no '{needed}'", where=str(path))
    return Recipe(
        path=path,
        data=path.parent / text["data"],
        output=path.parent / text["output"],
        seed=int(text["seed"]),
        groups=[_part(Group, group, path) for group in text["groups"]],
        optimisation=_part(Optimisation, text["optimisation"], path),
        validation=_part(Validation, text.get("validation", {}), path),
        card=text["card"] | ({"blind_start": True} if text["optimisation"].get("again") else {}),
    )


def _part(kind: type[Part], table: Mapping[str, Any], path: Path) -> Part:
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(table) - set(known))
    required = {n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING}
    lacking = sorted(required - set(table))
    if unknown or lacking:
        told = f"unknown {', '.join(unknown)}" if unknown else f"no {', '.join(lacking)}"
        raise UsageError(f"[{kind.__name__.lower()}] in the recipe is wrong", where=str(path), found=told)
    return kind(**table)
