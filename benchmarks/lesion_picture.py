"""Lesions of every size and sign: the truth, the thick slices, and what methods make of them, side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.cases import Case
from medidiff.evaluation.lesions import Lesion

__all__ = ["draw"]

Array = NDArray[np.float32]
HALF = 16.0
"""Half width of a picture, mm."""


def draw(case: Case, lesions: Sequence[Lesion], images: Mapping[str, Array], folder: Path) -> Path:
    """Write ``FOLDER/HEAD-SLICES.png``: a row for the first lesion of each kind, cut across the slices.

    Parameters
    ----------
    case
        With the lesions.
    images
        ``(x, y, z)`` by method, of the head with the lesions.
    """
    from matplotlib.figure import Figure

    first = list({(lesion.diameter, -lesion.sign): lesion for lesion in reversed(lesions)}.items())
    kinds = [lesion for _, lesion in sorted(first)]
    columns = {"truth": case.spec.head.volume.array, "thick slices": _stretched(case), **images}
    figure = Figure(figsize=(1.9 * len(columns), 2.0 * len(kinds)), layout="constrained")
    axes = figure.subplots(len(kinds), len(columns), squeeze=False)
    for row, lesion in zip(axes, kinds, strict=True):
        for panel, (name, image) in zip(row, columns.items(), strict=True):
            _show(panel, case, lesion, image)
            panel.set_title(f"{name}, {lesion.diameter:g} mm {'bright' if lesion.sign > 0 else 'dark'}", fontsize=7)
    path = folder / f"{case.spec.head.name}-{case.spec.slices.replace(' ', '-')}-{case.spec.profile}.png"
    figure.savefig(path, dpi=100)
    return path


def _stretched(case: Case) -> Array:
    """Thick slices on the fine grid, each voxel as it was measured."""
    zoom = [f / c for f, c in zip(case.truth.shape, case.volume.geometry.shape, strict=True)]
    nearest = [np.minimum(((np.arange(n) + 0.5) / z).astype(int), c - 1) for n, z, c in
               zip(case.truth.shape, zoom, case.volume.geometry.shape, strict=True)]  # fmt: skip
    return np.asarray(case.volume.array[np.ix_(*nearest)])


def _show(panel: Any, case: Case, lesion: Lesion, image: Array) -> None:
    """Cut through the lesion, with slices one above the other; it lies between the two marks."""
    spacing = case.spec.head.volume.geometry.spacing
    across = case.spec.axes[0]
    along = next(axis for axis in case.spec.head.sharp[::-1] if axis != across)
    third = 3 - across - along
    plane = np.take(image, round(lesion.centre[third]), axis=third)
    plane = plane if across < along else plane.T
    x, y = (lesion.centre[axis] * spacing[axis] for axis in (along, across))
    extent = (0, plane.shape[1] * spacing[along], plane.shape[0] * spacing[across], 0)
    bounds = np.quantile(ndimage.zoom(case.spec.head.volume.array, 0.25, order=0), (0.02, 0.995))
    panel.imshow(plane, cmap="gray", vmin=bounds[0], vmax=1.1 * bounds[1], extent=extent, interpolation="nearest")
    for side in (-1, 1):
        panel.plot(x + side * (lesion.diameter / 2 + 3), y, marker=(3, 0, 90 * side), color="gold", markersize=4)
    panel.set(xlim=(x - HALF, x + HALF), ylim=(y + HALF, y - HALF), xticks=[], yticks=[])
