"""Volumes side by side, drawn where they lie in space."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from medidiff.errors import InputError, ResourceError
from medidiff.io.atomic import make_folder, replacing
from medidiff.volume import Geometry, Volume

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["VIEWS", "WINDOW", "Cutter", "Plane", "View", "montage", "plane"]

Array = NDArray[np.float32]

WINDOW = (0.5, 99.5)
"""Percentiles of the intensities that are drawn black and white."""


@dataclass(frozen=True)
class View:
    """A plane of the world: its name, the axes it shows (rightwards, upwards) and what the sides are called."""

    name: str
    right: int
    up: int
    sides: tuple[str, str, str, str]

    @property
    def through(self) -> int:
        """The axis of the world that the plane cuts across."""
        return 3 - self.right - self.up


VIEWS = (
    View("axial", 0, 1, ("L", "R", "P", "A")),
    View("coronal", 0, 2, ("L", "R", "I", "S")),
    View("sagittal", 1, 2, ("P", "A", "I", "S")),
)
"""RAS: the patient's right is on the right of the picture; left, right, bottom and top are marked."""


@dataclass(frozen=True)
class Plane:
    """A cut through a volume along two axes of the world.

    Parameters
    ----------
    image
        ``(up, right)``, first row lowest; NaN outside the field of view.
    extent
        Left, right, bottom and top faces, RAS+ mm.
    """

    image: Array
    extent: tuple[float, float, float, float]


def montage(volumes: Mapping[str, Volume], path: Path, *, title: str = "") -> Path:
    """Draw each volume as a row of three planes through its middle: axial, coronal, sagittal.

    Planes follow the axes of the world (RAS, the right of the patient on the right), in true proportions and on one
    scale; an oblique volume is cut along the world's axes, not along its own. Voxels are shown as they are, without
    interpolation. All rows share one window: percentiles 0.5 to 99.5 over all planes.

    Parameters
    ----------
    volumes
        Label to volume, ``(x, y, z)`` real.
    path
        Of the PNG; its folder is made if need be.
    title
        Above the picture.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    InputError
        If there are no volumes, or they have no contrast.
    ResourceError
        If matplotlib is not installed.
    OutputError
        If the file cannot be written.
    """
    if not volumes:
        raise InputError("no volumes to draw", where=str(path))
    rows = {label: [plane(volume, view.right, view.up) for view in VIEWS] for label, volume in volumes.items()}
    figure = _drawn(rows, _window([cut for cuts in rows.values() for cut in cuts], path), title)
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=100, facecolor="black", metadata={"Software": None})
    make_folder(Path(path).parent)
    with replacing(Path(path)) as stream:
        stream.write(picture.getvalue())
    return Path(path)


def plane(volume: Volume, right: int, up: int) -> Plane:
    """Cut a volume through its middle along two axes of the world, by nearest neighbour.

    Parameters
    ----------
    volume
        ``(x, y, z)``.
    right, up
        World axes (0 to 2 for R, A, S) to show.
    """
    return Cutter(volume.geometry).cut(volume, right, up)


class Cutter:
    """Cuts any volume where it lies in the field of view of one grid, so that pictures can be laid over each other.

    Parameters
    ----------
    frame
        Its outer faces and finest spacing are those of the pictures.
    at
        RAS+ mm that the planes go through; by default the middle of the frame.
    """

    def __init__(self, frame: Geometry, at: Sequence[float] | NDArray[np.float64] | None = None) -> None:
        self._low, high = _bounds(frame)
        self.step = min(frame.spacing)
        self._counts = np.maximum(1, np.ceil((high - self._low) / self.step - 1e-6)).astype(int)
        self._at = frame.world((np.array(frame.shape) - 1) / 2) if at is None else np.asarray(at)
        self._places: dict[tuple[int, int, bytes, tuple[int, ...]], NDArray[np.float64]] = {}

    def cut(self, volume: Volume, right: int, up: int) -> Plane:
        """Cut a volume along two axes of the world, by nearest neighbour; NaN outside of it."""
        index = self._index(volume.geometry, right, up)
        image = map_coordinates(volume.array, index, order=0, mode="constant", cval=np.nan)
        left, bottom = self._low[right], self._low[up]
        faces = (left, left + self.step * self._counts[right], bottom, bottom + self.step * self._counts[up])
        return Plane(image, (float(faces[0]), float(faces[1]), float(faces[2]), float(faces[3])))

    def _index(self, grid: Geometry, right: int, up: int) -> NDArray[np.float64]:
        """Voxels that the pixels see, ``(3, up, right)``; kept, since several volumes share a grid."""
        key = (right, up, grid.affine.tobytes(), grid.shape)
        if key not in self._places:
            ticks = [self._low[a] + self.step * (np.arange(self._counts[a]) + 0.5) for a in range(3)]
            world = np.empty((self._counts[up], self._counts[right], 3))
            world[:] = self._at
            world[..., right], world[..., up] = np.meshgrid(ticks[right], ticks[up])
            self._places[key] = np.moveaxis(np.round(grid.index(world) - 1e-6), -1, 0)
        return self._places[key]


def _bounds(grid: Geometry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest world coordinates of the outer faces, mm."""
    corners = grid.world(np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in grid.shape])).reshape(3, -1).T)
    return corners.min(0), corners.max(0)


def _window(cuts: Sequence[Plane], path: Path) -> tuple[float, float]:
    seen = np.concatenate([cut.image[np.isfinite(cut.image)] for cut in cuts])
    black, white = np.percentile(seen, WINDOW) if seen.size else (0.0, 0.0)
    if black == white and seen.size:
        black, white = seen.min(), seen.max()
    if black == white:
        raise InputError("volumes have no contrast to draw", where=str(path))
    return float(black), float(white)


def _drawn(rows: Mapping[str, Sequence[Plane]], window: tuple[float, float], title: str) -> "Figure":
    """Lay the planes out on one scale, inches per mm."""
    figure_class = _figure_class()
    widths = [max(_size(cuts[c])[0] for cuts in rows.values()) for c in range(len(VIEWS))]
    heights = [max(_size(cut)[1] for cut in cuts) for cuts in rows.values()]
    scale = 9 / sum(widths)
    size = (9.6, scale * sum(heights) + 0.32 * len(heights) + 0.5)
    figure = figure_class(figsize=size, layout="constrained")
    axes = figure.subplots(
        len(rows), len(VIEWS), squeeze=False, gridspec_kw={"width_ratios": widths, "height_ratios": heights}
    )
    for row, (label, cuts) in zip(axes, rows.items(), strict=True):
        for place, view, cut, wide in zip(row, VIEWS, cuts, widths, strict=True):
            _draw(place, cut, view, window, (wide, max(_size(c)[1] for c in cuts)))
        row[0].set_title(label, color="white", fontsize=9, loc="left")
    if title:
        figure.suptitle(title, color="white", fontsize=11)
    return figure


def _draw(place: "Axes", cut: Plane, view: View, window: tuple[float, float], room: tuple[float, float]) -> None:
    place.imshow(
        cut.image, cmap="gray", vmin=window[0], vmax=window[1], origin="lower", extent=cut.extent, interpolation="none"
    )
    left, right, bottom, top = cut.extent
    middle = ((left + right) / 2, (bottom + top) / 2)
    place.set_xlim(middle[0] - room[0] / 2, middle[0] + room[0] / 2)
    place.set_ylim(middle[1] - room[1] / 2, middle[1] + room[1] / 2)
    place.set_title(view.name, color="gray", fontsize=8, loc="right")
    place.set_axis_off()
    spots = ((0.01, 0.5), (0.99, 0.5), (0.5, 0.01), (0.5, 0.99))
    for side, (x, y), across, along in zip(
        view.sides, spots, ("left", "right", "center", "center"), ("center", "center", "bottom", "top"), strict=True
    ):
        place.text(x, y, side, color="gold", fontsize=7, transform=place.transAxes, ha=across, va=along)


def _size(cut: Plane) -> tuple[float, float]:
    left, right, bottom, top = cut.extent
    return right - left, top - bottom


def _figure_class() -> "type[Figure]":
    """Matplotlib's figure without pyplot: drawn by Agg, no window system, no global state."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        hint = "pip install 'medidiff[report]'"
        raise ResourceError("pictures need matplotlib", found="not installed", hint=hint) from error
    return Figure
