"""Which image belongs to which reference: by path, name, BIDS entities or a list."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medidiff.errors import InputError
from medidiff.evaluation.images import ADDED, Image, find_images
from medidiff.evaluation.listing import Listing, bids_key, read_listing

__all__ = ["RULES", "Pairing", "match", "pair_up"]

RULES = ("auto", "path", "stem", "bids")
"""Ways to pair; auto is by path and, for what is then left, by stem."""


@dataclass(frozen=True)
class Pairing:
    """What belongs together.

    Parameters
    ----------
    pairs
        Case name to ``(image, reference)``, sorted by name.
    unpaired
        What is left, and why.
    """

    pairs: Mapping[str, tuple[Image, Image]]
    unpaired: Mapping[Path, str]


def pair_up(predictions: Path, references: Path, *, by: str = "auto") -> Pairing:
    """Pair what is in two folders, or two files (or folders of one DICOM series) whatever they are called.

    ``_enhanced`` or ``_recon`` at the end of a stem is ignored, ``_uncertainty`` left out, and so are hidden files.
    Where two files would take the same place, the enhanced one is the prediction and the plain one the reference.

    Parameters
    ----------
    predictions, references
        A file or a folder (searched recursively) each.
    by
        ``path`` below the folder, ``stem`` where it occurs once on either side, ``bids`` (entities that tell what was
        scanned), ``auto``, or the path of a table with the columns ``prediction`` and ``reference``.

    Raises
    ------
    InputError
        If a path does not exist, the table cannot be used, or nothing can be paired.
    """
    left, right = find_images(predictions), find_images(references)
    if _outright(predictions, left) and _outright(references, right):
        return Pairing({right[0].shown: (left[0], right[0])}, {})
    pairing = match(left, right, by=by)
    if not pairing.pairs:
        found = f"{len(left)} predictions and {len(right)} references (in {references})"
        hint = f"names must be equal but for {' or '.join(ADDED)}; --pair stem, bids or a table pairs others"
        raise InputError("nothing can be paired", where=str(predictions), found=found, hint=hint)
    return pairing


def _outright(root: Path, images: Sequence[Image]) -> bool:
    """Whether one image was named: a file, or the folder of a DICOM series."""
    return len(images) == 1 and (root.is_file() or images[0].key == ".")


def match(images: Sequence[Image], references: Sequence[Image], *, by: str = "auto", what: str = "") -> Pairing:
    """Pair images with references; see `pair_up`. ``what`` names the images where there are several kinds."""
    unpaired: dict[Path, str] = {}
    left = _by_key(images, unpaired, enhanced_first=True)
    right = _by_key(references, unpaired, enhanced_first=False)
    found = _found(left, right, by)
    pairs = {right[key].shown: (left[mine], right[key]) for mine, key in found.items()}
    taken = {image.path for pair in pairs.values() for image in pair}
    kind = what or "prediction"
    unpaired |= {image.path: "no reference of this name" for image in left.values() if image.path not in taken}
    unpaired |= {image.path: f"no {kind} of this name" for image in right.values() if image.path not in taken}
    return Pairing(dict(sorted(pairs.items())), dict(sorted(unpaired.items())))


def _found(left: Mapping[str, Image], right: Mapping[str, Image], by: str) -> dict[str, str]:
    """Keys of images to keys of references."""
    if by not in RULES:
        return _listed(left, right, read_listing(Path(by), ("prediction", "reference")))
    found = {} if by in ("stem", "bids") else {key: key for key in left.keys() & right.keys()}
    if by == "path":
        return found
    named = bids_key if by == "bids" else (lambda key: Path(key).name)
    mine, others = ([key for key in side if key not in found] for side in (left, right))
    return found | _unique(mine, others, named)


def _unique(left: Iterable[str], right: Iterable[str], named: Callable[[str], str]) -> dict[str, str]:
    """Pair keys whose name occurs once on either side."""
    names = [Counter(named(key) for key in side) for side in (left, right)]
    places = {named(key): key for key in right}
    return {key: places[name] for key in left if (name := named(key)) and names[0][name] == 1 and names[1][name] == 1}


def _listed(left: Mapping[str, Image], right: Mapping[str, Image], listing: Listing) -> dict[str, str]:
    rows = [(listing.key(row["prediction"]), listing.key(row["reference"])) for row in listing.rows]
    return {mine: other for mine, other in rows if mine in left and other in right}


def _by_key(images: Iterable[Image], unpaired: dict[Path, str], *, enhanced_first: bool) -> dict[str, Image]:
    """One image per key; the others are noted as unpaired. ``.nii.gz`` goes before ``.nii``."""

    def rank(image: Image) -> tuple[bool, bool]:
        return image.enhanced != enhanced_first, not image.path.name.lower().endswith(".nii.gz")

    chosen: dict[str, Image] = {}
    for image in sorted(images, key=rank):
        if chosen.setdefault(image.key, image) is not image:
            unpaired[image.path] = f"{chosen[image.key].path.name} takes its place"
    return chosen
