"""Which grid is chosen, and what is refused."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given

from medidiff.errors import AlreadySharp, MedidiffError, ResourceError, UsageError
from medidiff.tasks import plan_geometry, plan_grids
from medidiff.tasks.grid import MOST_VOXELS, SHARP_RATIO, TARGET_RANGE, slice_axis, turned
from medidiff.volume import Geometry, Volume
from tests.strategies import geometries, rotation


def grid(spacing=(1.0, 1.0, 4.0), shape=(20, 24, 6), turn=(0.1, 0.2, -0.1)):
    affine = np.eye(4)
    affine[:3, :3] = rotation(*turn) * spacing
    affine[:3, 3] = 10, -20, 5
    return Geometry(shape, affine)


@pytest.mark.parametrize(
    ("measured", "target"),
    [
        ((1, 1, 4), (1, 1, 1)),
        ((0.9, 0.8, 5), (0.8, 0.8, 0.8)),
        ((0.4, 0.4, 5), (0.4, 0.4, 0.7)),
        ((2, 2, 2), (1.35, 1.35, 1.35)),
        ((1, 5, 0.5), (0.7, 0.7, 0.5)),
        ((2, 2, 6), (1.35, 1.35, 1.35)),
    ],
    ids=str,
)
def test_the_default_target_is_isotropic_at_the_finest_spacing_within_limits(measured, target):
    geometry = grid(measured, (60, 60, 60))
    plan = plan_grids(geometry)
    np.testing.assert_allclose(plan.target.spacing, target, rtol=0.02)
    inferred = [m if m < SHARP_RATIO * t else t for m, t in zip(measured, target, strict=True)]
    np.testing.assert_allclose(plan.working.spacing, inferred, rtol=0.02)
    assert plan.direct == np.allclose(inferred, target, rtol=0.02)


@given(geometries(4, 40))
def test_by_default_nothing_gets_coarser_and_the_field_is_kept(geometry):
    assume(max(geometry.spacing) > 2)
    plan = plan_grids(geometry)
    half = 0.5 / np.array(plan.target.shape)
    assert (np.array(plan.target.spacing) <= np.array(geometry.spacing) * (1 + half) + 1e-9).all()
    np.testing.assert_allclose(plan.target.extent, geometry.extent, rtol=1e-6)
    np.testing.assert_allclose(plan.target.world([-0.5] * 3), geometry.world([-0.5] * 3), atol=1e-6)
    for m, w, t in zip(geometry.shape, plan.working.shape, plan.target.shape, strict=True):
        assert w in (m, t)
    assert plan.direct == (plan.working.shape == plan.target.shape)
    assert min(plan.target.spacing) > min(TARGET_RANGE[0], *geometry.spacing) * 0.8


@pytest.mark.parametrize("axis", range(3))
def test_with_an_axis_only_that_axis_is_refined(axis):
    geometry = grid((2, 3, 4), (12, 13, 14))
    target = plan_geometry(geometry, axis="xyz"[axis])
    for other in range(3):
        assert (target.shape[other] == geometry.shape[other]) == (other != axis)
    assert target.spacing[axis] == pytest.approx(1.35, rel=0.05)


def test_the_slice_axis_is_the_coarsest_or_the_one_named():
    assert [slice_axis(grid(s)) for s in ((4, 1, 1), (1, 4, 1), (1, 1, 4), (2, 2, 2))] == [0, 1, 2, 2]
    assert slice_axis(grid((1, 1, 4)), "x") == 0
    with pytest.raises(UsageError, match="unknown axis"):
        slice_axis(grid(), "w")


@pytest.mark.parametrize(
    ("spacing", "options"),
    [((1, 1, 1), {}), ((0.5, 0.5, 0.8), {}), ((1, 1, 4), {"spacing": 4}), ((1, 1, 4), {"axis": "x"})],
    ids=str,
)
def test_what_is_sharp_is_passed_by(spacing, options):
    with pytest.raises(AlreadySharp, match="already at the target spacing"):
        plan_grids(grid(spacing), **options)


def test_the_very_grid_to_deliver_on_is_worked_on_where_the_field_is_the_same():
    geometry = grid()
    like = geometry.reshaped((25, 24, 30))
    plan = plan_grids(geometry, like=like)
    assert plan.working is like
    assert plan.direct


def test_another_grid_is_delivered_on_after_working_in_parallel_to_the_input():
    geometry, like = grid(), Geometry((24, 24, 24), np.eye(4))
    plan = plan_grids(geometry, like=like)
    assert plan.target is like
    assert plan.working.parallel_to(geometry)
    np.testing.assert_allclose(plan.working.spacing, 1, rtol=0.03)
    assert not plan.direct


def test_a_parallel_grid_over_another_field_is_resampled():
    geometry = grid()
    fine = geometry.reshaped((20, 24, 24))
    affine = fine.affine.copy()
    affine[:3, 3] = fine.world([3, 0, 0])
    plan = plan_grids(geometry, like=Geometry(fine.shape, affine))
    assert plan.working.allclose(fine)
    assert not plan.direct


def test_a_coarser_axis_is_delivered_coarser_but_inferred_as_measured():
    plan = plan_grids(grid(), spacing=(2, 2, 1))
    assert plan.target.shape == (10, 12, 24)
    assert plan.working.shape == (20, 24, 24)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"spacing": 1, "like": grid()}, UsageError, "exclude each other"),
        ({"spacing": 0}, UsageError, "spacing must be positive"),
        ({"spacing": -1}, UsageError, "spacing must be positive"),
        ({"spacing": float("nan")}, UsageError, "spacing must be positive"),
        ({"spacing": (1, 1)}, UsageError, "wrong length"),
        ({"spacing": 0.01}, ResourceError, "too large"),
        ({"spacing": 1e-12}, ResourceError, "too large"),
        ({"like": Geometry((2000, 2000, 2000), np.eye(4))}, ResourceError, "too large"),
        ({"axis": "q"}, UsageError, "unknown axis"),
    ],
    ids=str,
)
def test_what_makes_no_plan_is_refused_in_one_line(options, error, words):
    with pytest.raises(error, match=words) as told:
        plan_grids(grid(), **options)
    assert isinstance(told.value, MedidiffError)
    assert "\n" not in str(told.value)


def test_the_largest_grid_is_just_accepted():
    geometry = Geometry((512, 512, 128), np.diag([1.0, 1, 8, 1]))
    assert np.prod(plan_geometry(geometry, spacing=(1, 1, 1)).shape) == MOST_VOXELS
    with pytest.raises(ResourceError):
        plan_grids(geometry, spacing=(1, 1, 0.99))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_the_plan_turns_with_the_axes(order):
    geometry = grid((0.9, 1.1, 4))
    expected = plan_geometry(geometry).permuted(order)
    assert plan_geometry(geometry.permuted(order)).allclose(expected)


@pytest.mark.parametrize("axis", range(3))
def test_the_plan_flips_with_the_axes(axis):
    def flipped(geometry):
        affine = geometry.affine.copy()
        affine[:, axis] *= -1
        affine[:3, 3] = geometry.world([geometry.shape[a] - 1 if a == axis else 0 for a in range(3)])
        return Geometry(geometry.shape, affine)

    assert plan_geometry(flipped(grid())).allclose(flipped(plan_geometry(grid())))


def test_turning_moves_no_voxel():
    geometry = grid()
    place = np.moveaxis(geometry.world(np.moveaxis(np.indices(geometry.shape), 0, -1)), -1, 0)
    for part in place:
        volume = turned(Volume(part, geometry), (2, 0, 1))
        again = volume.geometry.world(np.moveaxis(np.indices(volume.geometry.shape), 0, -1))
        assert np.abs(again - volume.array[..., None]).min(-1).max() < 1e-4
