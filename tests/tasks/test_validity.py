"""What is outside the model's range is said, and where the noise comes from."""

import numpy as np
import pytest

from medidiff.tasks import simulate_thick_slices
from medidiff.tasks.acquisition import noise_of
from medidiff.volume import Geometry, Volume


def warnings(enhance, volume, **options):
    return " | ".join(enhance(volume, **options).provenance["warnings"])


def test_spacings_outside_the_range_are_said(enhance, sharp, thick):
    assert "spacing" not in warnings(enhance, thick)
    apart = simulate_thick_slices(sharp, spacing=6, axis="z")
    assert "input spacing" not in warnings(enhance, apart)
    wide = Geometry(apart.geometry.shape, apart.geometry.affine @ np.diag([1, 1, 1.5, 1]))
    assert "input spacing 9.00 mm is outside the model's 2 to 7 mm" in warnings(enhance, Volume(apart.array, wide))
    assert "inferring at 2.00 mm is outside the model's 0.7 to 1.35 mm" in warnings(enhance, thick, spacing=(1, 1, 2))


def test_thick_slices_whose_plane_is_refined_too_are_slices(enhance, thick):
    coarse = Volume(thick.array, Geometry(thick.geometry.shape, np.diag([1.5625, 1.5625, 5, 1])))
    assert "input spacing" not in warnings(enhance, coarse)


def test_voxels_coarse_along_all_axes_have_a_range_of_their_own(enhance, thick):
    cubes = Volume(thick.array, Geometry(thick.geometry.shape, np.diag([3.0, 3.0, 3.0, 1])))
    assert "input spacing 3.00 mm is outside the model's 1.5 to 2.5 mm" in warnings(enhance, cubes)


def test_an_axis_that_was_interpolated_is_said(enhance, thick):
    assert "interpolated" not in warnings(enhance, thick)
    smooth = np.repeat(thick.array.mean(0, keepdims=True), 24, axis=0)
    assert "interpolated" in warnings(enhance, Volume(smooth, thick.geometry))


@pytest.mark.parametrize(("sd", "used"), [(5, 0), (60, 60)])
def test_estimated_noise_counts_where_it_is_more_than_the_scans_own(sd, used, sharp, rng):
    flat = 1000 + rng.normal(0, sd, sharp.array.shape)
    found, origin = noise_of(Volume(flat, sharp.geometry), stated=None, brightness=1000)
    assert found == pytest.approx(used, rel=0.15)
    assert origin.startswith("estimated")
