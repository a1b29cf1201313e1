"""What a page shows of one case: layers to compare, maps with their scales, crops where errors are largest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medidiff.report.figures import VIEWS, WINDOW, Cutter, Plane, View
from medidiff.report.pictures import colour_bar, coloured, grey
from medidiff.volume import Geometry, Volume

__all__ = ["Colours", "Scene", "compose"]

Array = NDArray[Any]
SPOTS, APART, CROP, BLUR = 3, 20.0, 44.0, 2.0
"""How many crops, mm between them, their edge in mm, and the SD, mm, over which an error is large or not."""
TOP = 99.5
"""Percentile of a map that its colours end at."""


@dataclass(frozen=True, eq=False)
class Colours:
    """A volume to show in colours.

    Parameters
    ----------
    volume
        ``(x, y, z)``.
    unit
        What its figures are in.
    signed
        Whether zero lies in the middle of the colours.
    """

    volume: Volume
    unit: str
    signed: bool

    @property
    def palette(self) -> str:
        """Of matplotlib."""
        return "RdBu_r" if self.signed else "viridis"


@dataclass(frozen=True)
class Scene:
    """A case ready for the template: pictures are data addresses.

    Parameters
    ----------
    planes
        Name, sides and proportions of each plane, and the marks of the crops in it.
    layers
        Name, and a picture for each plane.
    maps
        The same with the ends of the scale, unit and colour bar.
    crops
        Place, view, sides and the same piece of every layer, and of the map that told where.
    """

    planes: Sequence[Mapping[str, Any]]
    layers: Sequence[Mapping[str, Any]]
    maps: Sequence[Mapping[str, Any]]
    crops: Sequence[Mapping[str, Any]]


def compose(
    layers: Mapping[str, Volume],
    maps: Mapping[str, Colours],
    *,
    frame: Geometry,
    window_of: str,
    region: Array | None = None,
    errors: Volume | None = None,
) -> Scene:
    """Cut everything along three planes and draw it.

    Parameters
    ----------
    layers, maps
        By name, in the order to be shown.
    frame
        The grid whose field of view is shown.
    window_of
        The layer whose intensities set black and white for all.
    region
        ``(x, y, z)`` on the frame: its middle is where the planes are, and where large errors are looked for.
    errors
        On the frame; crops are taken where it is largest. None for no crops.
    """
    cutter = Cutter(frame, _middle(frame, region))
    cuts = {name: [cutter.cut(volume, view.right, view.up) for view in VIEWS] for name, volume in layers.items()}
    window = _window(cuts[window_of])
    pieces = _Pieces(layers, maps, frame, window)
    crops = [pieces.crop(spot, errors) for spot in _spots(errors, region)] if errors is not None else []
    return Scene(
        [_plane(view, cut, crops) for view, cut in zip(VIEWS, cuts[window_of], strict=True)],
        [{"name": name, "pictures": [grey(cut.image, window) for cut in each]} for name, each in cuts.items()],
        [_map(group, cutter, maps) for group in maps.items()],
        crops,
    )


def _middle(frame: Geometry, region: Array | None) -> Array | None:
    """RAS+ mm of the region's centre of mass, on a voxel so that nothing is ambiguous."""
    if region is None or not region.any():
        return None
    return frame.world(np.round(ndimage.center_of_mass(region)))


def _window(cuts: Sequence[Plane]) -> tuple[float, float]:
    seen = np.concatenate([cut.image[np.isfinite(cut.image)] for cut in cuts])
    low, high = np.percentile(seen, WINDOW) if seen.size else (0.0, 1.0)
    return float(low), float(high)


def _plane(view: View, cut: Plane, crops: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    height, width = cut.image.shape
    marks = [
        {"number": number, **_mark(crop["spot"], view, cut)}
        for number, crop in enumerate(crops, 1)
        if crop["view"] == view.name
    ]
    return {"name": view.name, "sides": view.sides, "width": width, "height": height, "marks": marks}


def _mark(spot: Array, view: View, cut: Plane) -> dict[str, float]:
    """Box of a crop as far as it lies in a plane, projected onto it: left, top, width and height in percent."""
    left, right, bottom, top = cut.extent
    across = _share(spot[view.right] - left, right - left)
    down = _share(top - spot[view.up], top - bottom)
    return {"left": across[0], "top": down[0], "width": across[1], "height": down[1]}


def _share(middle: float, size: float) -> tuple[float, float]:
    """Start and length of a crop around a place of a line, in percent of it."""
    start, end = (100 * float(np.clip((middle + side * CROP / 2) / size, 0, 1)) for side in (-1, 1))
    return round(start, 2), round(end - start, 2)


def _map(named: tuple[str, Colours], cutter: Cutter, maps: Mapping[str, Colours]) -> dict[str, Any]:
    name, colours = named
    limits = _limits(colours, maps)
    cuts = [cutter.cut(colours.volume, view.right, view.up) for view in VIEWS]
    return {
        "name": name,
        "unit": colours.unit,
        "low": f"{limits[0]:.3g}",
        "middle": f"{sum(limits) / 2:.3g}",
        "high": f"{limits[1]:.3g}",
        "bar": colour_bar(colours.palette),
        "pictures": [coloured(cut.image, limits, colours.palette) for cut in cuts],
    }


def _limits(colours: Colours, maps: Mapping[str, Colours]) -> tuple[float, float]:
    """Ends of the colours: maps of a kind share those of the first, so that a bad method does not pale the others."""
    alike = (other for other in maps.values() if (other.unit, other.signed) == (colours.unit, colours.signed))
    top = next((top for other in alike if (top := _top(other.volume.array))), 1.0)
    return (-top, top) if colours.signed else (0.0, top)


def _top(array: Array) -> float:
    size = np.abs(array[array != 0])
    return float(np.percentile(size, TOP)) if size.size else 0.0


def _spots(errors: Volume, region: Array | None) -> list[Array]:
    """RAS+ mm of the largest errors, averaged over a few mm, in the region and apart from each other."""
    grid = errors.geometry
    size = ndimage.gaussian_filter(np.abs(errors.array), [BLUR / s for s in grid.spacing])
    size = np.where(region, size, 0) if region is not None else size
    spots: list[Array] = []
    while len(spots) < SPOTS and size.max() > 0:
        voxel = np.array(np.unravel_index(int(np.argmax(size)), size.shape))
        spots.append(grid.world(voxel))
        reach = np.ceil(APART / np.array(grid.spacing)).astype(int)
        size[tuple(slice(max(0, v - r), v + r + 1) for v, r in zip(voxel, reach, strict=True))] = 0
    return spots


@dataclass(frozen=True, eq=False)
class _Pieces:
    """What crops are cut from, and how it is drawn."""

    layers: Mapping[str, Volume]
    maps: Mapping[str, Colours]
    frame: Geometry
    window: tuple[float, float]

    def crop(self, spot: Array, errors: Volume) -> dict[str, Any]:
        """Cut the same piece of every layer and of the map of errors, in the plane in which these are largest."""
        cutter = Cutter(self.frame, spot)
        pieces = {view: _piece(cutter.cut(errors, view.right, view.up), view, spot, cutter.step) for view in VIEWS}
        view = max(pieces, key=lambda one: float(np.nansum(np.abs(pieces[one])) / pieces[one].size))
        cut = {
            name: _piece(cutter.cut(volume, view.right, view.up), view, spot, cutter.step)
            for name, volume in self.layers.items()
        }
        pictures = [{"name": name, "picture": grey(piece, self.window)} for name, piece in cut.items()]
        pictures += [
            {"name": name, "picture": coloured(pieces[view], _limits(colours, self.maps), colours.palette)}
            for name, colours in self.maps.items()
            if colours.volume is errors
        ]
        place = ", ".join(f"{letter} {mm:+.0f}" for letter, mm in zip("RAS", spot, strict=True))
        height, width = pieces[view].shape
        shown = {"place": place, "spot": spot, "view": view.name, "sides": view.sides}
        return {**shown, "pictures": pictures, "width": width, "height": height}


def _piece(cut: Plane, view: View, spot: Array, step: float) -> Array:
    left, _, bottom, _ = cut.extent
    half = max(4, round(CROP / 2 / step))
    middle = (int((spot[view.up] - bottom) / step), int((spot[view.right] - left) / step))
    rows, columns = (slice(max(0, m - half), m + half) for m in middle)
    return np.asarray(cut.image[rows, columns])
