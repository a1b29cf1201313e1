"""An image interpolated on another grid lies where it lay."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from medidiff.tasks import resampling
from medidiff.tasks.resampling import resample
from medidiff.volume import Geometry, Volume
from tests.strategies import rotation

ROUND = (0.1, 0.2, -0.1)


def grid(spacing=(1.0, 1.0, 4.0), shape=(20, 24, 6), turn=ROUND, origin=(10, -20, 5)):
    affine = np.eye(4)
    affine[:3, :3] = rotation(*turn) * spacing
    affine[:3, 3] = origin
    return Geometry(shape, affine)


def test_resampling_is_linear_inside_and_zero_outside():
    geometry = grid()
    x, y, z = np.moveaxis(geometry.world(np.moveaxis(np.indices(geometry.shape), 0, -1)), -1, 0)
    target = Geometry(
        (9, 9, 9), np.diag([1.3, 1.3, 1.3, 1.0]) + np.pad(geometry.world([[10, 12, 3]]).T, ((0, 1), (3, 0)))
    )
    moved = resample(Volume(2 * x - 3 * y + z, geometry), target)
    at = target.world(np.moveaxis(np.indices(target.shape), 0, -1))
    where = geometry.index(at)
    last = np.array(geometry.shape) - 1
    inside = ((where >= 0) & (where <= last)).all(-1)
    assert inside.any()
    np.testing.assert_allclose(moved.array[inside], (at @ [2, -3, 1])[inside], atol=1e-3)
    away = Geometry((3, 3, 3), np.diag([1.0, 1, 1, 1]) + np.pad(np.full((3, 1), 500.0), ((0, 1), (3, 0))))
    assert not resample(Volume(x, geometry), away).array.any()


@pytest.mark.parametrize(
    ("spacing", "shape", "origin"),
    [
        ((0.8, 1.3, 1.1), (25, 18, 22), (10, -20, 5)),
        ((2.0, 2.0, 9.0), (9, 7, 3), (11.3, -19.2, 4.1)),
        ((-1.2, 0.7, 2.0), (15, 30, 11), (22, -20, 5)),
        ((1.0, 1.0, 1.0), (40, 44, 40), (0, -30, -5)),
    ],
    ids=["finer", "coarser", "mirrored", "larger and elsewhere"],
)
def test_parallel_grids_are_interpolated_axis_by_axis_and_it_is_the_same(spacing, shape, origin, monkeypatch):
    volume = Volume(np.random.default_rng(0).normal(size=(20, 24, 6)), grid())
    target = grid(spacing, shape, origin=origin)
    found = resample(volume, target).array
    monkeypatch.setattr(resampling, "ASTRAY", -1)
    assert found.any()
    np.testing.assert_allclose(found, resample(volume, target).array, atol=1e-5)


def test_a_grid_turned_by_a_right_angle_gives_the_very_samples():
    volume = Volume(np.random.default_rng(0).normal(size=(20, 24, 6)), grid())
    moved = resample(volume, volume.geometry.permuted((2, 0, 1)))
    np.testing.assert_allclose(moved.array, volume.array.transpose(2, 0, 1), atol=1e-4)
    np.testing.assert_allclose(resample(volume, volume.geometry).array, volume.array, atol=1e-4)


def test_between_samples_it_is_the_cubic_spline_of_the_image():
    wave = np.random.default_rng(1).normal(size=(30, 1, 1))
    volume = Volume(np.broadcast_to(wave, (30, 5, 4)), grid((1, 1, 1), (30, 5, 4), (0, 0, 0), (0, 0, 0)))
    target = grid((0.25, 1, 1), (40, 5, 4), (0, 0, 0), (10, 0, 0))
    expected = map_coordinates(volume.array[:, 0, 0], [10 + 0.25 * np.arange(40)], order=3)
    np.testing.assert_allclose(resample(volume, target).array[:, 2, 1], expected, atol=1e-3)
