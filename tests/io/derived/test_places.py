"""A voxel of the volume is found at the same place of the patient by everyone who reads the derived series."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medidiff.errors import GeometryError
from medidiff.io.dicom.derived import write_derived_series
from medidiff.io.dicom.planes import LPS, planes_of
from medidiff.volume import Geometry, Volume
from tests.io.derived.made_up import STACKS, blob, classic, enhanced, grid
from tests.io.derived.readers import READERS, by_pydicom, value_at
from tests.strategies import AXIS_ORDERS, directions, geometries, rotation

FACTS = {"model": {"name": "sr-brain", "version": "0.2.0", "sha256": "ab" * 32}, "seed": 3, "options": {"steps": 8}}


def fine(geometry):
    """Slices a little under half as far apart, and a plane that is refined as well."""
    x, y, z = geometry.shape
    return geometry.reshaped((x + 3, y + 1, 2 * z + 1))


def places(geometry, rng, count=200):
    index = rng.integers(0, geometry.shape, (count, 3))
    return index, geometry.world(index)


def agrees(volume, array, affine, rng):
    index, world = places(volume.geometry, rng)
    wanted = volume.array[tuple(index.T)]
    return np.abs(value_at(array, affine, world) - wanted).max() <= 0.51 * volume.array.max() / 32700


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize("stack", STACKS)
def test_every_reader_finds_every_voxel_where_it_was(read, ascending, stack, tmp_path, rng):
    thick = grid(stack, ascending=ascending)
    volume = blob(fine(thick), rng)
    paths = write_derived_series(volume, classic(thick), tmp_path / "out", facts=FACTS)
    array, affine = read(paths)
    assert sorted(array.shape) == sorted(volume.geometry.shape)
    assert agrees(volume, array, affine, rng)


@pytest.mark.parametrize("read", READERS)
def test_an_enhanced_source_gives_a_classic_series_at_its_place(read, tmp_path, rng):
    thick = grid("double oblique", ascending=False)
    volume = blob(fine(thick), rng)
    paths = write_derived_series(volume, [enhanced(thick)], tmp_path / "out", facts=FACTS)
    array, affine = read(paths)
    assert agrees(volume, array, affine, rng)


@pytest.mark.parametrize("order", AXIS_ORDERS)
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, 1), (1, -1, -1), (-1, -1, -1)])
def test_axis_order_and_handedness_of_the_array_change_nothing(order, signs, tmp_path, rng):
    thick = grid("oblique")
    straight = blob(fine(thick), rng)
    flips = tuple(slice(None, None, sign) for sign in signs)
    turned = straight.geometry.permuted(order)
    affine = turned.affine.copy()
    affine[:3, 3] = turned.world([0 if s > 0 else n - 1 for n, s in zip(turned.shape, signs, strict=True)])
    affine[:3, :3] *= signs
    volume = Volume(straight.array.transpose(order)[flips], Geometry(turned.shape, affine))
    array, affine = by_pydicom(write_derived_series(volume, classic(thick), tmp_path / "out", facts=FACTS))
    assert agrees(straight, array, affine, rng)
    assert np.allclose((LPS @ affine[:3, 0]) / np.linalg.norm(affine[:3, 0]), STACKS["oblique"][0])


def test_slices_come_in_the_order_in_which_the_source_numbers_them(tmp_path):
    thick = grid()
    rising = write_derived_series(blob(fine(thick)), classic(thick), tmp_path / "a", facts=FACTS)
    numbered_down = classic(thick, order=[6, 5, 4, 3, 2, 1])
    falling = write_derived_series(blob(fine(thick)), numbered_down, tmp_path / "b", facts=FACTS)
    interleaved = classic(thick, order=[1, 4, 2, 5, 3, 6])
    mixed = write_derived_series(blob(fine(thick)), interleaved, tmp_path / "c", facts=FACTS)
    assert [by_pydicom(paths)[1][2, 2] > 0 for paths in (rising, falling, mixed)] == [True, False, True]


@settings(max_examples=15)
@given(geometry=geometries(2, 7), around=directions(), seed=st.integers(0, 99))
def test_any_grid_is_told_as_it_is_even_oblique_to_its_source(geometry, around, seed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("any")
    rng = np.random.default_rng(seed)
    source = Geometry((4, 5, 3), np.block([[around * 6.0, geometry.world((0, 0, 0))[:, None]], [0, 0, 0, 1]]))
    if np.linalg.det(source.affine[:3, :3]) < 0:
        source = Geometry((4, 5, 3), source.affine @ np.diag([1, 1, -1, 1]))
    volume = Volume(rng.uniform(0, 900, geometry.shape).astype(np.float32), geometry)
    array, affine = by_pydicom(write_derived_series(volume, classic(source), folder / "out", facts=FACTS))
    assert agrees(volume, array, affine, rng)


@given(geometry=geometries(1, 5), around=directions())
def test_planes_are_a_view_of_the_same_voxels_at_the_same_places(geometry, around):
    volume = Volume(np.arange(np.prod(geometry.shape), dtype=np.float32).reshape(geometry.shape), geometry)
    planes = planes_of(volume, around)
    assert np.shares_memory(planes.array, volume.array)
    index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), -1).reshape(-1, 3)
    found = np.rint(planes.geometry.index(geometry.world(index))).astype(int)
    assert (planes.array[tuple(found.T)] == volume.array[tuple(index.T)]).all()
    assert (np.diag(around.T @ LPS @ planes.geometry.directions) >= -1e-9).all()


def test_a_sheared_grid_is_refused(tmp_path):
    thick = grid()
    affine = thick.affine.copy()
    affine[:3, 2] += 0.3 * affine[:3, 0]
    with pytest.raises(GeometryError, match="right angles"):
        write_derived_series(blob(Geometry(thick.shape, affine)), classic(thick), tmp_path / "out", facts=FACTS)
    assert not list(tmp_path.iterdir())


def test_a_grid_turned_against_its_source_keeps_its_own_orientation(tmp_path, rng):
    thick = grid("axial")
    turned = fine(thick).affine.copy()
    turned[:3, :3] = rotation(0.0, 0.35, 0.2) @ turned[:3, :3]
    volume = blob(Geometry(fine(thick).shape, turned), rng)
    array, affine = by_pydicom(write_derived_series(volume, classic(thick), tmp_path / "out", facts=FACTS))
    assert agrees(volume, array, affine, rng)
