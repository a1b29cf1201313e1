"""Geometry and Volume: what must hold for every grid."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medidiff.errors import GeometryError, InputError, MedidiffError
from medidiff.volume import Geometry, Volume
from tests.strategies import AXIS_ORDERS, affines, geometries, rotation, shapes, spacings, thick_and_fine, volumes

CORNERS = np.array([(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)])


def faces(geometry):
    """World coordinates of the eight outer corners of the field of view, ``(8, 3)``."""
    return geometry.world(CORNERS * np.array(geometry.shape) - 0.5)


@given(geometries(), spacings)
def test_refining_keeps_the_outer_faces(geometry, spacing):
    np.testing.assert_allclose(faces(geometry.refined(spacing)), faces(geometry), atol=1e-9)


@given(geometries(), spacings)
def test_refined_shape_is_extent_over_spacing_rounded(geometry, spacing):
    refined = geometry.refined(spacing)
    ratio = np.array(geometry.extent) / np.array(spacing)
    assert all(abs(n - r) <= 0.5 + 1e-9 or (n == 1 and r < 0.5) for n, r in zip(refined.shape, ratio, strict=True))
    np.testing.assert_allclose(refined.spacing, np.array(geometry.extent) / np.array(refined.shape))
    np.testing.assert_allclose(refined.extent, geometry.extent)


def test_refining_rounds_half_up_and_never_to_nothing():
    geometry = Geometry((5, 5, 1), np.diag([1, 1, 1, 1]))
    assert geometry.refined((2.0, 10 / 3, 9.0)).shape == (3, 2, 1)


@given(geometries(), st.floats(0.5, 6))
def test_one_spacing_stands_for_three(geometry, spacing):
    assert geometry.refined(spacing).allclose(geometry.refined((spacing,) * 3))


@given(geometries())
def test_refining_to_its_own_spacing_changes_nothing(geometry):
    assert geometry.refined(geometry.spacing).allclose(geometry)


@given(thick_and_fine())
def test_refining_keeps_the_axes_parallel(pair):
    thick, fine = pair
    assert thick.parallel_to(fine)
    assert fine.parallel_to(thick)


@given(geometries(), shapes())
def test_reshaping_back_returns_the_same_grid(geometry, shape):
    assert geometry.reshaped(shape).reshaped(geometry.shape).allclose(geometry)


@given(geometries(), st.sampled_from(AXIS_ORDERS), st.tuples(*[st.floats(0, 1)] * 3))
def test_permuting_leaves_every_voxel_where_it_was(geometry, order, place):
    index = np.array(place) * (np.array(geometry.shape) - 1)
    permuted = geometry.permuted(order)
    assert permuted.shape == tuple(geometry.shape[axis] for axis in order)
    np.testing.assert_allclose(permuted.world(index[list(order)]), geometry.world(index), atol=1e-9)


@given(geometries(), st.sampled_from(AXIS_ORDERS))
def test_permuting_back_returns_the_same_grid(geometry, order):
    assert geometry.permuted(order).permuted(np.argsort(order)).allclose(geometry)


@given(geometries(), st.lists(st.tuples(*[st.floats(-50, 50)] * 3), min_size=1, max_size=5))
def test_index_undoes_world(geometry, places):
    np.testing.assert_allclose(geometry.index(geometry.world(places)), places, atol=1e-6)


@given(affines(), shapes())
def test_spacing_and_directions_make_up_the_affine(affine, shape):
    geometry = Geometry(shape, affine)
    np.testing.assert_allclose(geometry.directions * np.array(geometry.spacing), affine[:3, :3], atol=1e-12)
    np.testing.assert_allclose(geometry.directions.T @ geometry.directions, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(geometry.extent, np.array(shape) * np.array(geometry.spacing))


@given(geometries(), st.floats(0.01, 0.5))
def test_a_turned_grid_is_not_parallel(geometry, angle):
    affine = np.eye(4)
    affine[:3, :3] = rotation(angle, 0, angle)
    assert not Geometry(geometry.shape, affine @ geometry.affine).parallel_to(geometry)


@given(geometries(smallest=2))
def test_a_flipped_axis_is_not_parallel(geometry):
    affine = geometry.affine.copy()
    affine[:3, 0] *= -1
    assert not Geometry(geometry.shape, affine).parallel_to(geometry)


@given(geometries(), st.sampled_from(range(3)))
def test_grids_half_a_voxel_apart_differ(geometry, axis):
    affine = geometry.affine.copy()
    affine[:3, 3] += 0.5 * affine[:3, axis]
    assert geometry.allclose(geometry)
    assert not geometry.allclose(Geometry(geometry.shape, affine))


def test_grids_of_other_shapes_differ():
    assert not Geometry((4, 4, 4), np.eye(4)).allclose(Geometry((4, 4, 5), np.eye(4)))


@given(geometries())
def test_a_grid_survives_json(geometry):
    told = json.loads(json.dumps(geometry.as_dict()))
    assert Geometry(told["shape"], told["affine"]).allclose(geometry)
    np.testing.assert_allclose(told["spacing_mm"], geometry.spacing)


def test_a_grid_cannot_be_changed_behind_its_back():
    affine = np.eye(4)
    geometry = Geometry((2, 2, 2), affine)
    affine[0, 0] = 7
    assert geometry.spacing == (1, 1, 1)
    with pytest.raises(ValueError, match="read-only"):
        geometry.affine[0, 0] = 7


BAD_GRIDS = {
    "an empty axis": ((4, 0, 4), np.eye(4)),
    "two axes": ((4, 4), np.eye(4)),
    "four axes": ((4, 4, 4, 2), np.eye(4)),
    "a 3x3 affine": ((4, 4, 4), np.eye(3)),
    "a NaN": ((4, 4, 4), np.diag([1, np.nan, 1, 1])),
    "a zero axis": ((4, 4, 4), np.diag([1, 0, 1, 1])),
    "two equal axes": ((4, 4, 4), np.array([[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])),
}


@pytest.mark.parametrize(("shape", "affine"), BAD_GRIDS.values(), ids=BAD_GRIDS.keys())
def test_a_grid_that_makes_no_sense_is_refused_in_one_line(shape, affine):
    with pytest.raises(GeometryError) as caught:
        Geometry(shape, affine)
    assert_one_line(caught.value)


@pytest.mark.parametrize("spacing", [0, -1, np.nan, np.inf, (1, 1, 0)])
def test_a_spacing_that_makes_no_sense_is_refused_in_one_line(spacing):
    with pytest.raises(GeometryError) as caught:
        Geometry((4, 4, 4), np.eye(4)).refined(spacing)
    assert_one_line(caught.value)


@given(volumes())
def test_a_volume_keeps_its_values_and_its_grid(volume):
    assert volume.array.dtype == np.float32
    assert volume.array.shape == volume.geometry.shape


@pytest.mark.parametrize(
    ("given_type", "kept"), [(np.uint8, np.float32), (np.float64, np.float32), (complex, np.complex64)]
)
def test_a_volume_is_single_precision(given_type, kept):
    volume = Volume(np.ones((2, 3, 4), given_type), Geometry((2, 3, 4), np.eye(4)))
    assert volume.array.dtype == kept


def test_a_volume_that_does_not_fit_its_grid_is_refused_in_one_line():
    with pytest.raises(InputError) as caught:
        Volume(np.zeros((2, 3, 4)), Geometry((4, 3, 2), np.eye(4)))
    assert_one_line(caught.value)


def assert_one_line(error):
    assert isinstance(error, MedidiffError)
    assert str(error)
    assert "\n" not in str(error)
