"""Noise and brightness are read off the measurement."""

import numpy as np
import pytest
from scipy import ndimage

from medidiff.physics.noise import denoised, estimate_noise, head_brightness


@pytest.fixture(scope="module")
def smooth():
    """A smooth head of brightness 1000 in dark air."""
    grid = np.linalg.norm(np.indices((40, 44, 36)) - np.array([19.5, 21.5, 17.5])[:, None, None, None], axis=0)
    return (1000 * ndimage.gaussian_filter((grid < 15).astype(np.float64), 2.0)).astype(np.float32)


@pytest.mark.parametrize("sd", [20, 50, 80])
@pytest.mark.parametrize("axes", [(0, 1), (0, 2), (1, 2)])
def test_white_noise_is_found_within_fifteen_percent(smooth, axes, sd, rng):
    noisy = smooth + rng.normal(0, sd, smooth.shape).astype(np.float32)
    assert estimate_noise(noisy, axes=axes) == pytest.approx(sd, rel=0.15)


def test_noise_between_thick_slices_is_found_too(smooth, rng):
    thick = smooth.reshape(40, 44, 9, 4).mean(-1)
    noisy = thick + rng.normal(0, 40, thick.shape).astype(np.float32)
    assert estimate_noise(noisy, axes=(0, 1)) == pytest.approx(40, rel=0.15)


def test_texture_of_a_head_in_quiet_air_is_no_noise(smooth, rng):
    texture = smooth * (1 + 0.06 * rng.standard_normal(smooth.shape))
    noise = [rng.normal(0, 5, smooth.shape) for _ in range(2)]
    scan = np.hypot(texture + noise[0], noise[1]).astype(np.float32)
    assert estimate_noise(scan, axes=(0, 1)) == pytest.approx(2 * 5, rel=0.1)
    blanked = np.where(smooth > 50, scan, 0).astype(np.float32)
    assert estimate_noise(blanked, axes=(0, 1)) > 25  # nothing tells texture and noise apart


@pytest.mark.parametrize("sd", [20, 50])
def test_the_noise_of_magnitudes_is_found(smooth, sd, rng):
    noise = [rng.normal(0, sd, smooth.shape) for _ in range(2)]
    scan = np.hypot(smooth + noise[0], noise[1]).astype(np.float32)
    assert estimate_noise(scan, axes=(0, 1)) == pytest.approx(sd, rel=0.15)


def test_planes_and_edges_are_no_noise():
    x, y, _ = np.indices((20, 20, 8)).astype(np.float32)
    assert estimate_noise(100 + 3 * x - 2 * y + 50 * (x > 9), axes=(0, 1)) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("shape", [(2, 9, 9), (9, 2, 9)])
def test_too_few_voxels_tell_no_noise(shape, rng):
    assert estimate_noise(rng.random(shape, dtype=np.float32), axes=(0, 1)) == 0


@pytest.mark.parametrize("scale", [1e-3, 10, 1e4])
def test_brightness_and_noise_scale_with_the_image(smooth, scale, rng):
    noisy = smooth + rng.normal(0, 30, smooth.shape).astype(np.float32)
    scaled = (scale * noisy).astype(np.float32)
    assert head_brightness(scaled) == pytest.approx(scale * head_brightness(noisy), rel=1e-5)
    assert estimate_noise(scaled, axes=(0, 1)) == pytest.approx(scale * estimate_noise(noisy, axes=(0, 1)), rel=1e-4)


def test_brightness_is_that_of_the_head_whatever_the_air(smooth):
    wide = np.pad(smooth, 20)
    assert head_brightness(wide) == pytest.approx(head_brightness(smooth), rel=0.02)
    assert head_brightness(smooth) == pytest.approx(1000, rel=0.02)


@pytest.mark.parametrize("value", [0, -5])
def test_an_image_without_positive_values_has_no_brightness(value):
    assert head_brightness(np.full((5, 5, 5), value, dtype=np.float32)) == 0


@pytest.mark.parametrize("sd", [0.01, 0.03, 0.06])
def test_denoising_brings_the_truth_nearer_and_never_removes_more_than_the_noise(smooth, sd, rng):
    truth = smooth / np.float32(1000)
    noisy = truth + rng.normal(0, sd, truth.shape).astype(np.float32)
    quiet = denoised(noisy, noise=sd)
    assert 0.4 * sd < (noisy - quiet).std() < sd
    assert (quiet - truth).std() < 0.75 * sd


def test_without_noise_nothing_is_denoised(smooth):
    assert denoised(smooth, noise=0) is smooth
