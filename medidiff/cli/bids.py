"""What is planned otherwise for a BIDS dataset."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from medidiff.errors import UsageError

__all__ = ["bids_planning", "resolution_label"]


def bids_planning(
    root: Path, *, resolution: str, form: str, participants: Sequence[str], sessions: Sequence[str]
) -> dict[str, Any]:
    """Tell `medidiff.cli.batches.carry_out` how to find images, name results and make the output a dataset.

    Raises
    ------
    UsageError
        If DICOM is asked for.
    """
    from medidiff.batch.derivative import as_derivative, describe_derivative
    from medidiff.io.bids import find_bids

    if form in ("dicom", "both"):
        raise UsageError("a BIDS derivative holds NIfTI", where="--format", found=form)
    return {
        "find": partial(find_bids, participants=participants, sessions=sessions),
        "shape": as_derivative(resolution),
        "prepare": partial(describe_derivative, raw=root),
    }


def resolution_label(spacing: float | tuple[float, float, float] | None, *, like: bool) -> str:
    """Label a target for ``res-``: ``iso`` is the model's choice.

    >>> resolution_label(1.2, like=False), resolution_label((1, 1, 2), like=False), resolution_label(None, like=False)
    ('1p2mm', '1x1x2mm', 'iso')
    """
    if like or spacing is None:
        return "like" if like else "iso"
    numbers = spacing if isinstance(spacing, tuple) else (spacing,)
    return "x".join(f"{number:g}".replace(".", "p") for number in numbers) + "mm"
