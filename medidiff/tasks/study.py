"""One model for all scans of a study or a scanner, adapted to them together."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from medidiff.errors import InputError, UsageError
from medidiff.models import Model, load_model
from medidiff.tasks.adaptation import Adapting
from medidiff.tasks.adapter import Adapted, Adapter, General
from medidiff.tasks.device import choose_device, choose_precision
from medidiff.tasks.example import enhanced_plainly
from medidiff.tasks.posing import posed
from medidiff.tasks.problem import Problem
from medidiff.volume import Volume

__all__ = ["adapt_model", "check_label"]

LABEL = re.compile(r"[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*")
OF_THE_ORIGINAL = ("sha256", "scores", "calibration")
"""What is not true any more of a model whose weights have changed."""
LIMIT = "adapted: the scores and the calibration of the spread of the model it came from were not measured again"


def adapt_model(
    volumes: Iterable[Volume],
    model: Model | str | Path = "sr-brain",
    *,
    adapt: Adapting | None = None,
    label: str = "adapted",
    axis: str = "auto",
    slice_thickness: float | None = None,
    profile: str | None = None,
    noise: float | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    general: General | None = None,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Model:
    """Adapt a model to scans, by what their planes tell of them. Research use only.

    Parameters
    ----------
    volumes
        ``(x, y, z)`` each, thick slices; their enhancements are held in memory together.
    model
        To start from; it stays as it is.
    adapt
        How; by default as `medidiff.tasks.Adapting` does, with the seconds of one scan for each, and so that samples
        can be drawn.
    label
        What the version gets behind a plus sign.
    axis, slice_thickness, profile, noise
        As `medidiff.super_resolve` takes them, of all scans.
    seed, device, precision
        Of all that is drawn; where to compute; of the arithmetic.
    general
        Pairs of other heads to learn beside; see `medidiff.tasks.adapter.General`.
    progress
        Called with the fraction done.

    Returns
    -------
    Model
        Its card tells what was done and gained, and names no scan.

    Raises
    ------
    MedidiffError
        `InputError` where nothing was gained on parts of the scans that were not learnt from; `AlreadySharp`,
        `UsageError`, `ModelError` or `ResourceError`.
    """
    place = choose_device(device)
    check_label(label)
    source = model if isinstance(model, Model) else load_model(model)
    source.network.to(place)
    told: dict[str, Any] = {"axis": axis, "slice_thickness": slice_thickness, "profile": profile, "noise": noise}
    problems = [posed(volume, place, **told).problem for volume in volumes]
    if not problems:
        raise InputError("no scans to adapt to")
    arithmetic = choose_precision(precision, place)
    how = adapt or Adapting(again=0.5)
    adapter = Adapter(source, how, place, seed=seed, half=arithmetic == "bf16", scans=len(problems))
    examples = [enhanced_plainly(source, problem, arithmetic, texture=how.texture) for problem in problems]
    found = adapter(examples, general=general, progress=progress)
    if not found.record["used"]:
        raise InputError("the scans have nothing to teach this model", found=found.record["reason"])
    return Model(found.model.network, _card(source.card, found, problems, label))


def check_label(label: str) -> None:
    """Raise unless a label may stand in a version.

    Raises
    ------
    UsageError
        If it has other signs than letters, digits, hyphens and dots between them.
    """
    if not LABEL.fullmatch(label):
        raise UsageError("label cannot stand in a version", found=label, needed="letters, digits, - and . between them")


def _card(card: Mapping[str, Any], found: Adapted, problems: Sequence[Problem], label: str) -> dict[str, Any]:
    """Say where the weights come from; nothing in it tells whose scans they were."""
    kept = {key: value for key, value in card.items() if key not in OF_THE_ORIGINAL}
    version = f"{card['version']}{'.' if '+' in card['version'] else '+'}{label}"
    source = {key: card.get(key) for key in ("name", "version", "sha256")}
    done = {key: value for key, value in found.record.items() if key != "used"}
    slices = sorted({_slices(problem) for problem in problems})
    limits = [*card.get("limits", []), LIMIT]
    unsaved = {"version": version, "sha256": ""}
    return {**kept, **unsaved, "limits": limits, "adapted": {"from": source, "slices": slices, **done}}


def _slices(problem: Problem) -> str:
    operator = problem.operator
    return f"{operator.coarse.spacing[2]:.2f} mm apart, {operator.thickness[2]:.2f} mm thick, {operator.profile}"
