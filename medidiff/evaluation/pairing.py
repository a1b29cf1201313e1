"""Which image belongs to which reference: by path, name, BIDS entities or a list."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from medidiff.errors import InputError, UsageError
from medidiff.evaluation.images import ADDED, Image, find_images
from medidiff.evaluation.listing import Listing, bids_key, entities, read_listing

__all__ = ["RULES", "Pairing", "match", "pair_up"]

RULES = ("auto", "path", "stem", "bids")
"""Ways to pair; auto is by path and, for what is then left, by stem."""
TABLES = (".csv", ".tsv")
Named = Callable[[str], str]
"""What a key is called where a rule compares names; empty for what has no such name."""


@dataclass(frozen=True)
class Pairing:
    """What belongs together.

    Parameters
    ----------
    pairs
        Case name to ``(image, reference)``, sorted by name.
    unpaired
        What is left, and why; of a table its rows that name nothing, too.
    notes
        Case name to what should be known about the pair.
    """

    pairs: Mapping[str, tuple[Image, Image]]
    unpaired: Mapping[Path, str]
    notes: Mapping[str, str] = field(default_factory=dict)


def pair_up(predictions: Path, references: Path, *, by: str = "auto") -> Pairing:
    """Pair what is in two folders, or two files (or folders of one DICOM series) whatever they are called.

    ``_enhanced`` or ``_recon`` at the end of a stem is ignored, ``_uncertainty`` left out, and so are hidden files.
    Where two files would take the same place, the enhanced one is the prediction and the plain one the reference.

    Parameters
    ----------
    predictions, references
        A file or a folder (searched recursively) each.
    by
        ``path`` below the folder, ``stem`` where it occurs once on either side, ``bids`` (path, then stem, then the
        entities that tell what was scanned), ``auto`` (path, then stem), or the path of a table with the columns
        ``prediction`` and ``reference``.

    Raises
    ------
    InputError
        If a path does not exist, the table cannot be used, or nothing can be paired.
    UsageError
        If there is no such way to pair.
    """
    _check(by)
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
    """Pair images with references; see `pair_up`. ``what`` names those that are no predictions: plain ones go first."""
    unpaired: dict[Path, str] = {}
    left = _by_key(images, unpaired, enhanced_first=not what)
    right = _by_key(references, unpaired, enhanced_first=False)
    found = _found(left, right, by, unpaired)
    pairs = {right[key].shown: (left[mine], right[key]) for mine, key in found.items()}
    notes = {right[key].shown: f"paired by name with {left[mine].shown}" for mine, key in found.items() if key != mine}
    taken = {image.path for pair in pairs.values() for image in pair}
    kinds = what or "prediction", "reference"
    for mine, others, swap in ((left, right, 1), (right, left, -1)):
        rest = [key for key, image in mine.items() if image.path not in taken]
        unpaired |= {mine[key].path: _reason(key, mine, others, by, kinds[::swap]) for key in rest}
    return Pairing(dict(sorted(pairs.items())), dict(sorted(unpaired.items())), notes if by == "auto" else {})


def _check(by: str) -> None:
    if by not in RULES and Path(by).suffix.lower() not in TABLES and not Path(by).is_file():
        raise UsageError("unknown way to pair", found=by, needed=f"{', '.join(RULES)} or a table (.csv, .tsv)")


def _path(key: str) -> str:
    return key


def _stem(key: str) -> str:
    return Path(key).name


def _bids_stem(key: str) -> str:
    """Name without folders, of what was scanned."""
    told = bids_key(key)
    return told and f"{_stem(key)} {told}"


STEPS: Mapping[str, tuple[Named, ...]] = {
    "auto": (_path, _stem),
    "path": (_path,),
    "stem": (_stem,),
    "bids": (_path, _bids_stem, bids_key),
}
"""What each way to pair compares, one after the other."""


def _found(left: Mapping[str, Image], right: Mapping[str, Image], by: str, unpaired: dict[Path, str]) -> dict[str, str]:
    """Keys of images to keys of references."""
    _check(by)
    if by not in RULES:
        return _listed(left, right, read_listing(Path(by), ("prediction", "reference")), unpaired)
    found: dict[str, str] = {}
    for named in STEPS[by]:
        found |= _unique(left, right, named, found)
    return found


def _unique(left: Iterable[str], right: Iterable[str], named: Named, found: Mapping[str, str]) -> dict[str, str]:
    """Pair keys whose name occurs once on either side, among all: what is paired already still has its name."""
    names = [Counter(named(key) for key in side) for side in (left, right)]
    places = {named(key): key for key in right if key not in found.values()}
    once = [key for key in left if key not in found and (name := named(key)) and names[0][name] == names[1][name] == 1]
    return {key: places[named(key)] for key in once if named(key) in places and _may_be_one(key, places[named(key)])}


def _may_be_one(key: str, other: str) -> bool:
    """Whether two names are not of two people."""
    subjects = {told["sub"] for told in (entities(key), entities(other)) if "sub" in told}
    return len(subjects) < 2


def _reason(key: str, mine: Mapping[str, Image], others: Mapping[str, Image], by: str, kinds: Sequence[str]) -> str:
    """Say why an image is left; ``kinds`` are its own and that of the others."""
    if by not in RULES:
        return "not in the table"
    named = STEPS[by][-1]
    counts = [sum(named(other) == named(key) for other in side) if named(key) else 0 for side in (mine, others)]
    if not counts[1] or counts == [1, 1]:
        return f"no {kinds[1]} of this name"
    return " and ".join(f"{n} {kind}{'s' * (n > 1)}" for n, kind in zip(counts, kinds, strict=True)) + " of this name"


def _listed(
    left: Mapping[str, Image], right: Mapping[str, Image], listing: Listing, unpaired: dict[Path, str]
) -> dict[str, str]:
    """Pair what stands in a row; rows that name something that is not there are left."""
    found: dict[str, str] = {}
    for line, row in zip(listing.lines, listing.rows, strict=True):
        mine, other = _key(left, row["prediction"]), _key(right, row["reference"])
        where, kinds = f"{listing.path}, line {line}", {"prediction": mine, "reference": other}
        if lacks := [f"no {kind} {row[kind]!r}" for kind, key in kinds.items() if not key]:
            unpaired[Path(where)] = "; ".join(lacks)
        elif mine in found or other in found.values():
            needed = "one prediction for a reference, one reference for a prediction"
            raise InputError("table pairs something twice", where=where, needed=needed)
        else:
            found[mine] = other
    return found


def _key(images: Mapping[str, Image], cell: str) -> str:
    """Key of what a cell names, below the folder or by an absolute path; empty if there is no such image."""
    path = Path(cell.strip())
    if path.is_absolute():
        return next((key for key, image in images.items() if image.path.absolute() == path), "")
    key = Listing.key(cell)
    return key if key in images else ""


def _by_key(images: Iterable[Image], unpaired: dict[Path, str], *, enhanced_first: bool) -> dict[str, Image]:
    """One image per key; the others are noted as unpaired. ``.nii.gz`` goes before ``.nii``."""

    def rank(image: Image) -> tuple[bool, bool]:
        return image.enhanced != enhanced_first, not image.path.name.lower().endswith(".nii.gz")

    chosen: dict[str, Image] = {}
    for image in sorted(images, key=rank):
        if chosen.setdefault(image.key, image) is not image:
            unpaired[image.path] = f"{chosen[image.key].path.name} takes its place"
    return chosen
