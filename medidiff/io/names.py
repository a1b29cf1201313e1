"""Names of outputs: every input gets one of its own."""

import os
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medidiff.io.discover import Found

__all__ = ["told_apart"]


def told_apart(found: "list[Found]") -> "list[Found]":
    """Give every file a stem of its own."""
    named = _by_suffix(_by_folder(found))
    taken: set[Path] = set()
    for place, item in enumerate(named):
        stem, count = item.stem, 1
        while stem in taken:
            count += 1
            stem = item.stem.with_name(f"{item.stem.name}_{count}")
        taken.add(stem)
        named[place] = replace(item, stem=stem)
    return named


def _by_folder(found: "list[Found]") -> "list[Found]":
    """Name files of equal stems in different folders from the folder that those share."""
    folders: dict[Path, set[Path]] = defaultdict(set)
    for item in found:
        folders[item.stem].add(item.path.parent)
    return [
        replace(item, stem=(item.path.parent / item.stem.name).relative_to(os.path.commonpath(folders[item.stem])))
        if len(folders[item.stem]) > 1
        else item
        for item in found
    ]


def _by_suffix(found: "list[Found]") -> "list[Found]":
    """Let ``a.nii`` give way to ``a.nii.gz``."""
    zipped = {item.stem for item in found if item.path.name.lower().endswith(".gz")}
    return [
        replace(item, stem=item.stem.with_name(f"{item.stem.name}_nii"))
        if item.stem in zipped and item.path.name.lower().endswith(".nii")
        else item
        for item in found
    ]
