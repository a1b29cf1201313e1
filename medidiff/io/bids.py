"""BIDS datasets: which images are in them, what their names say, and what they inherit.

The names are those of the Brain Imaging Data Structure 1.10: ``sub-01/ses-1/anat/sub-01_ses-1_acq-thick_T2w.nii.gz``.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medidiff.errors import InputError, UsageError
from medidiff.io.discover import Found, Skipped
from medidiff.io.sidecar import read_json, sidecar_path, split_suffix

__all__ = ["DESCRIPTION", "Name", "derived_names", "find_bids", "inherited", "merged", "source_uri"]

DESCRIPTION = "dataset_description.json"
CONTRASTS = ("T1w", "T2w", "PDw", "FLAIR")
"""Suffixes of the images that are taken."""

DERIVED = "medidiff"
SPREAD = "medidiffsd"
"""Labels of ``desc-``: of results, and of their standard deviation."""


@dataclass(frozen=True)
class Name:
    """What the name of a BIDS file says.

    Parameters
    ----------
    entities
        Such as ``{"sub": "01", "acq": "thick"}``, in order.
    suffix
        Such as ``T2w``.
    """

    entities: Mapping[str, str]
    suffix: str

    @classmethod
    def parse(cls, stem: str) -> "Name":
        """Read a name without its extension.

        >>> Name.parse("sub-01_acq-thick_T2w")
        Name(entities={'sub': '01', 'acq': 'thick'}, suffix='T2w')
        """
        *pairs, suffix = stem.split("_")
        return cls({key: label for key, _, label in (pair.partition("-") for pair in pairs)}, suffix)

    def applies_to(self, other: "Name") -> bool:
        """Whether metadata under this name are inherited by a file of another name."""
        return self.suffix == other.suffix and self.entities.items() <= other.entities.items()


def find_bids(
    inputs: Sequence[Path],
    *,
    output: Path | None = None,
    participants: Sequence[str] = (),
    sessions: Sequence[str] = (),
) -> tuple[list[Found], list[Skipped]]:
    """Find the anatomical images of datasets.

    Parameters
    ----------
    inputs
        Roots of datasets.
    output
        The folder of results, which is not looked into.
    participants, sessions
        Labels, with or without ``sub-`` and ``ses-``; all by default.

    Raises
    ------
    InputError
        If a root is none.
    UsageError
        If there is no such participant, or more than one dataset.
    """
    if len(inputs) != 1:
        raise UsageError("one dataset at a time", where="--bids", found=f"{len(inputs)} inputs")
    root = Path(os.path.abspath(inputs[0]))  # noqa: PTH100 - resolve() would lose the names of symbolic links
    if not (root / DESCRIPTION).is_file():
        raise InputError("not a BIDS dataset", where=str(root), needed=f"{DESCRIPTION} in it")
    _check_labels(root, participants)
    found: dict[Path, Found] = {}
    skipped = []
    for path in _anatomical(root, participants, sessions):
        stem = split_suffix(path.name)[0]
        name, place = Name.parse(stem), (path.parent / stem).relative_to(root)
        if name.suffix not in CONTRASTS or name.entities.get("part", "mag") != "mag":
            skipped.append(Skipped(path, f"not the magnitude of {', '.join(CONTRASTS)}"))
        elif place in found:
            skipped.append(Skipped(path, f"another image has its name: {found[place].path.name}"))
        else:
            found[place] = Found(path, place)
    return list(found.values()), skipped


def inherited(image: Path) -> tuple[Path, ...]:
    """Metadata files in folders above an image that apply to it, the most general first; not the one beside it."""
    own = sidecar_path(image)
    name = Name.parse(own.stem)
    found: list[Path] = []
    for folder in reversed(_folders_of(image)):
        here = sorted(path for path in folder.glob(f"*{name.suffix}.json") if path != own)
        applying = [path for path in here if Name.parse(path.stem).applies_to(name)]
        found += sorted(applying, key=lambda path: len(Name.parse(path.stem).entities))
    return tuple(found)


def derived_names(stem: Path, resolution: str) -> tuple[Path, Path]:
    """Name the result of an image and its standard deviation.

    >>> [str(name) for name in derived_names(Path("sub-01/anat/sub-01_acq-a_T2w"), "1mm")]
    ['sub-01/anat/sub-01_acq-a_res-1mm_desc-medidiff_T2w', 'sub-01/anat/sub-01_acq-a_res-1mm_desc-medidiffsd_T2w']
    """
    name = Name.parse(stem.name)
    kept = "_".join(f"{key}-{label}" for key, label in name.entities.items() if key not in ("res", "desc"))
    image, spread = (f"{kept}_res-{resolution}_desc-{kind}_{name.suffix}" for kind in (DERIVED, SPREAD))
    return stem.with_name(image), stem.with_name(spread)


def source_uri(image: Path) -> str:
    """Name an image in its dataset, which results call ``raw``."""
    return f"bids:raw:{image.relative_to(_folders_of(image)[-1]).as_posix()}"


def _folders_of(image: Path) -> list[Path]:
    """Folders from that of an image up to the root of its dataset."""
    folders: list[Path] = []
    for folder in image.parents:
        folders.append(folder)
        if (folder / DESCRIPTION).is_file():
            break
    return folders


def _check_labels(root: Path, participants: Sequence[str]) -> None:
    for label in participants:
        if not (root / _labelled("sub", label)).is_dir():
            raise UsageError("no such participant", where="--participant-label", found=label, needed=f"one of {root}")


def _anatomical(root: Path, participants: Sequence[str], sessions: Sequence[str]) -> Iterator[Path]:
    """Images in the ``anat`` folders that are wanted, in order."""
    subjects = {_labelled("sub", label) for label in participants}
    visits = {_labelled("ses", label) for label in sessions}
    for folder in sorted({*root.glob("sub-*/anat"), *root.glob("sub-*/ses-*/anat")}):
        subject, *between, _ = folder.relative_to(root).parts
        if (not subjects or subject in subjects) and (not visits or (between and between[0] in visits)):
            yield from sorted(path for path in folder.iterdir() if split_suffix(path.name)[1])


def _labelled(key: str, label: str) -> str:
    return f"{key}-{label.removeprefix(f'{key}-')}"


def merged(files: Sequence[Path], own: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata of an image: what is inherited, and over it its own.

    Raises
    ------
    InputError
        If one of the files is no JSON object.
    """
    told: dict[str, Any] = {}
    for path in files:
        told |= read_json(path)
    return {**told, **own}
