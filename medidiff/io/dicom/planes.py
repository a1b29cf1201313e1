"""A grid as DICOM tells it: planes of rows and columns, each with a position in LPS mm."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medidiff.errors import GeometryError
from medidiff.volume import PARALLEL_TOLERANCE, Geometry, Volume

__all__ = ["LPS", "Planes", "planes_of"]

LPS = np.diag([-1.0, -1.0, 1.0])
"""RAS+ to LPS+ and back."""

STRAIGHTENED_VOXELS = 0.01
"""How far a corner may move, in voxels, when rows and columns are made exactly perpendicular."""

COSINE_DIGITS, MM_DIGITS = 12, 9
"""Decimals of direction cosines and positions; a DICOM decimal string holds 16 characters."""


@dataclass(frozen=True, eq=False)
class Planes:
    """A volume cut into planes.

    Parameters
    ----------
    array
        ``(column, row, plane)``, a view of the volume's array.
    geometry
        Of that array: the same voxels at the same places, RAS+ mm.
    """

    array: NDArray[Any]
    geometry: Geometry

    @property
    def orientation(self) -> NDArray[np.float64]:
        """``(6,)``, LPS direction along a row and down a column, exactly perpendicular."""
        along, down = (LPS @ self.geometry.directions)[:, :2].T
        down = down - (down @ along) * along
        cosines = np.concatenate([along, down / np.linalg.norm(down)])
        return np.asarray(cosines.round(COSINE_DIGITS) + 0.0)

    @property
    def normal(self) -> NDArray[np.float64]:
        """``(3,)``, LPS, right-handed with rows and columns; positions may run along it or against it."""
        return np.cross(self.orientation[:3], self.orientation[3:])

    @property
    def gap(self) -> float:
        """Distance between the centres of neighbouring planes, mm."""
        return round(float(abs(self.normal @ LPS @ self.geometry.affine[:3, 2])), MM_DIGITS)

    def position(self, plane: int) -> NDArray[np.float64]:
        """``(3,)``, LPS mm of the centre of the first pixel."""
        return np.asarray((LPS @ self.geometry.world((0, 0, plane))).round(MM_DIGITS) + 0.0)

    def corners(self, plane: int) -> NDArray[np.float64]:
        """``(4, 3)``, LPS mm of the centres of the corner pixels."""
        columns, rows, _ = self.geometry.shape
        index = [(i, j, plane) for i in (0, columns - 1) for j in (0, rows - 1)]
        return np.asarray(self.geometry.world(index) @ LPS)

    def pixels(self, plane: int) -> NDArray[Any]:
        """``(row, column)`` of one plane."""
        return np.asarray(self.array[:, :, plane].T)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self.pixels(plane) for plane in range(len(self)))

    def __len__(self) -> int:
        return self.geometry.shape[2]


def planes_of(volume: Volume, directions: NDArray[np.float64]) -> Planes:
    """Cut a volume into planes that lie as nearly as its own axes allow like those of the source.

    Nothing is resampled: axes are reordered and reversed, whatever their handedness, and each voxel stays where it is.
    On a grid oblique to the source the planes are oblique to it, too, and say so.

    Parameters
    ----------
    volume
        ``(x, y, z)``, any axis order and sign.
    directions
        ``(3, 3)``, LPS unit vectors as columns: along the source's rows, down its columns, through its slices in the
        order in which they are numbered.

    Raises
    ------
    GeometryError
        If the grid is sheared, which DICOM planes cannot tell.
    """
    cosines = directions.T @ LPS @ volume.geometry.directions
    order = max(permutations(range(3)), key=lambda axes: sum(abs(cosines[i, a]) for i, a in enumerate(axes)))
    signs = [1 if cosines[i, a] >= 0 else -1 for i, a in enumerate(order)]
    array = volume.array.transpose(order)[tuple(slice(None, None, sign) for sign in signs)]
    planes = Planes(array, _reversed(volume.geometry.permuted(order), signs))
    _refuse_shear(planes)
    return planes


def _reversed(geometry: Geometry, signs: list[int]) -> Geometry:
    affine = geometry.affine.copy()
    affine[:3, 3] = geometry.world([0 if sign > 0 else n - 1 for n, sign in zip(geometry.shape, signs, strict=True)])
    affine[:3, :3] *= signs
    return Geometry(geometry.shape, affine)


def _refuse_shear(planes: Planes) -> None:
    geometry = planes.geometry
    straight = geometry.affine.copy()
    straight[:3, :2] = LPS @ planes.orientation.reshape(2, 3).T * geometry.spacing[:2]
    across = np.linalg.norm(np.cross(planes.normal, LPS @ geometry.directions[:, 2]))
    if across > PARALLEL_TOLERANCE or not geometry.allclose(Geometry(geometry.shape, straight), STRAIGHTENED_VOXELS):
        found = f"{np.degrees(np.arcsin(_skew(geometry))):.2g} degrees off"
        hint = "choose a target grid with perpendicular axes"
        raise GeometryError("voxel axes are not at right angles, which DICOM cannot tell", found=found, hint=hint)


def _skew(geometry: Geometry) -> float:
    unit = geometry.directions
    return float(min(1.0, np.abs(unit.T @ unit - np.eye(3)).max()))
