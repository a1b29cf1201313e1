"""Slice profiles: their shapes, where they lie, how they are refused, and interpolation between them."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from medidiff.errors import GeometryError, UsageError
from medidiff.physics import SliceProfile
from medidiff.volume import Geometry
from tests.physics.operators import OPERATORS, drawn, operator_along
from tests.strategies import rotation

LONG = {"shape": (3, 4, 400), "ratio": 40.0}


def profile_of(operator, axis=2):
    """Weights of the middle slice and the distance of each voxel from its centre, mm."""
    row = operator.coarse.shape[axis] // 2
    distance = (np.arange(operator.fine.shape[axis]) - operator.centres[axis][row]) * operator.fine.spacing[axis]
    return distance, operator.matrices[axis][row].numpy()


def test_a_slice_is_centred_where_the_coarse_grid_says():
    distance, weights = profile_of(operator_along(2, **LONG))
    assert distance @ weights == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("relative", [0.5, 1, 1.5])
@pytest.mark.parametrize("profile", ["gaussian", "rect"])
def test_the_width_at_half_maximum_is_the_thickness(profile, relative):
    operator = operator_along(2, **LONG, relative=relative, profile=profile)
    distance, weights = profile_of(operator)
    wide = np.ptp(distance[weights >= weights.max() / 2 * (1 - 1e-9)]) + operator.fine.spacing[2]
    assert wide == pytest.approx(operator.thickness[2], abs=2 * operator.fine.spacing[2])


def test_an_integer_rect_is_the_mean_of_its_voxels():
    operator = operator_along(2, shape=(4, 5, 12), ratio=3, profile="rect")
    x = drawn((4, 5, 12))
    torch.testing.assert_close(operator.forward(x), x.reshape(4, 5, 4, 3).mean(-1))


def test_interpolation_is_that_of_scipy_by_world_coordinates():
    operator = operator_along(2, shape=(5, 6, 60), ratio=2.5, turn=(0.2, 0.1, -0.3))
    y = drawn(operator.coarse.shape)
    fine = np.moveaxis(np.indices(operator.fine.shape), 0, -1)
    places = operator.coarse.index(operator.fine.world(fine))
    expected = ndimage.map_coordinates(y.numpy(), np.moveaxis(places, -1, 0), order=3, mode="mirror")
    inside = slice(25, -25)
    np.testing.assert_allclose(operator.upsample(y)[..., inside], expected[..., inside], atol=2e-4)


def test_interpolation_is_that_of_scipy_zoom():
    operator = operator_along(1, shape=(5, 75, 6), ratio=3)
    y = drawn(operator.coarse.shape)
    expected = ndimage.zoom(y.numpy(), (1, 3, 1), order=3, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(operator.upsample(y)[:, 24:-24], expected[:, 24:-24], atol=1e-3)


def test_interpolation_meets_the_samples_where_voxels_meet():
    operator = operator_along(2, shape=(4, 5, 21), ratio=3)
    y = drawn(operator.coarse.shape)
    torch.testing.assert_close(operator.upsample(y)[..., 1::3], y)


def test_a_turn_of_the_patient_changes_nothing():
    x = drawn(OPERATORS["z"].fine.shape)
    torch.testing.assert_close(OPERATORS["oblique"].forward(x), OPERATORS["z"].forward(x))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"profile": "sinc"}, UsageError),
        ({"thickness": (1, 1, 0)}, UsageError),
        ({"thickness": (1, 1, float("nan"))}, UsageError),
    ],
    ids=str,
)
def test_what_makes_no_profile_is_refused_in_one_line(changes, error):
    fine = Geometry((4, 4, 8), np.eye(4))
    arguments = {"thickness": (1, 1, 2), "profile": "gaussian"} | changes
    with pytest.raises(error) as told:
        SliceProfile(fine, fine.refined((1, 1, 2)), **arguments)
    assert "\n" not in str(told.value)


def test_grids_that_are_not_parallel_are_refused():
    turned = np.eye(4)
    turned[:3, :3] = rotation(0.1, 0, 0)
    with pytest.raises(GeometryError, match="not parallel"):
        SliceProfile(Geometry((4, 4, 4), np.eye(4)), Geometry((4, 4, 2), turned), thickness=(1, 1, 1))


def test_slices_outside_the_fine_grid_are_refused():
    away = np.diag([1.0, 1.0, 2.0, 1.0])
    away[2, 3] = 50
    with pytest.raises(GeometryError, match="outside the target's field of view along axis 2"):
        SliceProfile(Geometry((4, 4, 8), np.eye(4)), Geometry((4, 4, 4), away), thickness=(1, 1, 2))
