"""Which prediction belongs to which reference: by folder and name, without what this program adds to a name."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from medidiff.errors import InputError
from medidiff.io.sidecar import split_suffix

__all__ = ["Pairing", "pair_up"]

ADDED, LEFT_OUT = ("_enhanced", "_recon"), "_uncertainty"


@dataclass(frozen=True)
class Pairing:
    """What belongs together.

    Parameters
    ----------
    pairs
        Case name to ``(prediction, reference)``, sorted by name.
    unpaired
        File to the reason why it is left.
    """

    pairs: Mapping[str, tuple[Path, Path]]
    unpaired: Mapping[Path, str]


def pair_up(predictions: Path, references: Path) -> Pairing:
    """Pair NIfTI files by relative path and name; what is then left, by name alone where that is unambiguous.

    ``_enhanced`` or ``_recon`` at the end of a stem is ignored, ``_uncertainty`` left out, and so are hidden files.
    Where two files would take the same place, the enhanced one is the prediction and the plain one the reference. Two
    files named outright belong together whatever they are called.

    Parameters
    ----------
    predictions, references
        A file or a folder (searched recursively) each.

    Raises
    ------
    InputError
        If a path does not exist, or nothing can be paired.
    """
    for given in (predictions, references):
        if not given.exists():
            raise InputError("no such file or folder", where=str(given))
    if predictions.is_file() and references.is_file():
        return Pairing({_case(predictions): (predictions, references)}, {})
    unpaired: dict[Path, str] = {}
    left = _by_case(_found(predictions), unpaired, enhanced_first=True)
    right = _by_case(_found(references), unpaired, enhanced_first=False)
    pairs = {case: (left[case], right[case]) for case in left.keys() & right.keys()}
    pairs |= _by_name(_without(left, pairs), _without(right, pairs))
    taken = {path for pair in pairs.values() for path in pair}
    unpaired |= {path: "no reference of this name" for path in left.values() if path not in taken}
    unpaired |= {path: "no prediction of this name" for path in right.values() if path not in taken}
    if not pairs:
        found = f"{len(left)} predictions and {len(right)} references (in {references})"
        hint = f"names must be equal but for {' or '.join(ADDED)}"
        raise InputError("nothing can be paired", where=str(predictions), found=found, hint=hint)
    return Pairing(dict(sorted(pairs.items())), dict(sorted(unpaired.items())))


def _found(root: Path) -> Iterator[tuple[str, Path]]:
    """Case names, relative to the root, of the NIfTI files that may take part."""
    if root.is_file():
        yield _case(root), root
        return
    for folder, below, names in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            stem, suffix = split_suffix(name)
            if suffix and not name.startswith(".") and not stem.endswith(LEFT_OUT):
                path = Path(folder, name)
                yield (path.parent.relative_to(root) / _case(path)).as_posix(), path


def _case(path: Path) -> str:
    return split_suffix(path.name)[0].removesuffix(ADDED[0]).removesuffix(ADDED[1])


def _by_case(found: Iterable[tuple[str, Path]], unpaired: dict[Path, str], *, enhanced_first: bool) -> dict[str, Path]:
    """One file per case; the others are noted as unpaired. ``.nii.gz`` goes before ``.nii``."""

    def rank(item: tuple[str, Path]) -> tuple[bool, bool]:
        stem, suffix = split_suffix(item[1].name)
        return stem.endswith(ADDED) != enhanced_first, suffix.lower() != ".nii.gz"

    chosen: dict[str, Path] = {}
    for case, path in sorted(found, key=rank):
        if chosen.setdefault(case, path) != path:
            unpaired[path] = f"{chosen[case].name} takes its place"
    return chosen


def _without(files: Mapping[str, Path], pairs: Mapping[str, tuple[Path, Path]]) -> dict[str, Path]:
    return {case: path for case, path in files.items() if case not in pairs}


def _by_name(left: Mapping[str, Path], right: Mapping[str, Path]) -> dict[str, tuple[Path, Path]]:
    """Pair what lies in different folders, if its name occurs once on either side."""
    names = [Counter(Path(case).name for case in side) for side in (left, right)]
    elsewhere = {Path(case).name: path for case, path in right.items()}
    return {
        case: (path, elsewhere[name])
        for case, path in left.items()
        if names[0][name := Path(case).name] == 1 and names[1][name] == 1
    }
