"""Scores: scikit-image is the oracle, closed forms and symmetries the rest."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from skimage import metrics as oracle

from medidiff import metrics
from medidiff.errors import InputError

SHAPE = (17, 14, 19)
ALL = np.ones(SHAPE, dtype=bool)
SCALE_FREE = [metrics.psnr, metrics.ssim, metrics.nmse, metrics.mae, metrics.hfen, metrics.gradient_energy_ratio]
seeds = st.integers(0, 2**31)
Array = NDArray[Any]
Shape = tuple[int, ...]


def smooth_noise(seed: int, shape: Shape = SHAPE) -> Array:
    noise = np.random.default_rng(seed).normal(size=shape)
    return np.asarray(ndimage.gaussian_filter(noise, 1.0) * 3 + 2, dtype=np.float32)


def pair(seed: int) -> tuple[Array, Array]:
    reference = smooth_noise(seed)
    return ndimage.gaussian_filter(reference, 0.8), reference


def ball(shape: Shape, radius: float) -> Array:
    grid = np.indices(shape) - (np.array(shape) - 1).reshape(3, 1, 1, 1) / 2
    return np.asarray((grid**2).sum(0) <= radius**2)


REGION = ball(SHAPE, 5.5)


@given(seed=seeds)
@settings(max_examples=15, deadline=None)
def test_psnr_and_nmse_agree_with_scikit_image_over_the_whole_image(seed):
    p, r = pair(seed)
    assert metrics.psnr(p, r, data_range=3.0, region=ALL) == pytest.approx(
        oracle.peak_signal_noise_ratio(r.astype(float), p.astype(float), data_range=3.0)
    )
    nrmse = oracle.normalized_root_mse(r.astype(float), p.astype(float), normalization="euclidean")
    assert metrics.nmse(p, r, data_range=3.0, region=ALL) == pytest.approx(nrmse**2)


@pytest.mark.parametrize("region", [REGION, ALL, np.indices(SHAPE)[0] == 16], ids=["ball", "all", "face"])
def test_ssim_is_scikit_images_map_averaged_over_the_region(region):
    p, r = (image.astype(float) for image in pair(3))
    _, full = oracle.structural_similarity(
        p, r, data_range=3.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    assert metrics.ssim(p, r, data_range=3.0, region=region) == pytest.approx(full[region].mean(), abs=1e-12)


def test_hfen_is_the_ratio_of_filtered_norms_although_only_a_box_is_filtered():
    p, r = (image.astype(float) for image in pair(4))
    region = ball(SHAPE, 3.0)
    error, detail = (ndimage.gaussian_laplace(image, 1.5)[region] for image in (p - r, r))
    expected = np.linalg.norm(error) / np.linalg.norm(detail)
    assert metrics.hfen(p, r, data_range=1.0, region=region) == pytest.approx(expected, rel=1e-9)


def test_constant_offset_has_closed_form_scores():
    r = smooth_noise(5).astype(float)
    p = r + 0.25
    assert metrics.psnr(p, r, data_range=2.5, region=REGION) == pytest.approx(20.0)
    assert metrics.mae(p, r, data_range=2.5, region=REGION) == pytest.approx(0.1)
    assert metrics.nmse(p, r, data_range=2.5, region=REGION) == pytest.approx(0.0625 / np.mean(r[REGION] ** 2))
    assert metrics.hfen(p, r, data_range=2.5, region=REGION) == pytest.approx(0, abs=5e-3)
    assert metrics.gradient_energy_ratio(p, r, data_range=2.5, region=REGION) == pytest.approx(1)


@given(seed=seeds, gain=st.floats(0.1, 3))
@settings(max_examples=15, deadline=None)
def test_gain_about_the_mean_shows_in_sharpness_and_spectrum(seed, gain):
    r = smooth_noise(seed).astype(float)
    mean = r[REGION].mean()
    p = mean + gain * (r - mean)
    assert metrics.gradient_energy_ratio(p, r, data_range=1.0, region=REGION) == pytest.approx(gain**2)
    for axis in range(3):
        error = metrics.power_spectrum_error(p, r, data_range=1.0, region=REGION, axis=axis)
        assert error == pytest.approx(abs(20 * np.log10(gain)), abs=1e-6)


def test_power_spectrum_error_sees_blur_along_its_own_axis():
    r = np.random.default_rng(6).normal(size=(32, 32, 32)) + 5
    p = ndimage.gaussian_filter1d(r, 1.0, axis=1)
    errors = [metrics.power_spectrum_error(p, r, data_range=1.0, region=r > -9, axis=a) for a in range(3)]
    frequency = np.arange(1, 17) / 32
    expected = np.sqrt(np.mean((20 * np.log10(np.exp(-2 * (np.pi * frequency) ** 2))) ** 2))
    assert errors[1] == pytest.approx(expected, rel=0.1)
    assert max(errors[0], errors[2]) < 0.3 * errors[1]


@pytest.mark.parametrize("metric", SCALE_FREE)
@given(seed=seeds, scale=st.floats(1e-3, 1e4))
@settings(max_examples=8, deadline=None)
def test_units_of_intensity_do_not_matter(metric, seed, scale):
    p, r = pair(seed)
    before = metric(p, r, data_range=2.0, region=REGION)
    assert metric(p * scale, r * scale, data_range=2.0 * scale, region=REGION) == pytest.approx(before, rel=1e-4)


@pytest.mark.parametrize("metric", [metrics.psnr, metrics.nmse, metrics.mae, metrics.gradient_energy_ratio])
def test_what_lies_outside_the_region_does_not_count(metric):
    p, r = pair(7)
    spoiled = np.where(REGION, p, 1e6)
    assert metric(spoiled, r, data_range=2.0, region=REGION) == metric(p, r, data_range=2.0, region=REGION)


@pytest.mark.parametrize(
    ("metric", "best"),
    [
        (metrics.psnr, np.inf), (metrics.ssim, 1), (metrics.nmse, 0), (metrics.mae, 0), (metrics.hfen, 0),
        (metrics.gradient_energy_ratio, 1),
    ],
)  # fmt: skip
def test_an_image_is_like_itself(metric, best):
    r = smooth_noise(8)
    assert metric(r, r, data_range=2.0, region=REGION) == pytest.approx(best)


@pytest.mark.parametrize("metric", SCALE_FREE)
@pytest.mark.parametrize(
    "wrong", [{"data_range": 0.0}, {"data_range": np.nan}, {"region": ~ALL}, {"region": ALL[1:]}, {"region": ALL * 1}]
)
def test_senseless_questions_are_refused_in_one_line(metric, wrong):
    p, r = pair(9)
    with pytest.raises(InputError) as caught:
        metric(p, r, **({"data_range": 1.0, "region": REGION} | wrong))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("metric", [metrics.nmse, metrics.hfen, metrics.gradient_energy_ratio])
def test_scores_against_an_empty_reference_are_refused(metric):
    with pytest.raises(InputError, match="undefined"):
        metric(smooth_noise(1), np.zeros(SHAPE), data_range=1.0, region=REGION)


def test_small_images_have_no_ssim():
    tiny = np.ones((10, 30, 30))
    with pytest.raises(InputError, match="too small"):
        metrics.ssim(tiny, tiny, data_range=1.0, region=tiny > 0)


def overlap(a: Array, b: Array) -> float:
    return float(2 * np.sum(a & b) / (np.sum(a) + np.sum(b)))


def test_head_on_exact_zeros_is_the_brain_with_its_dark_ventricles():
    brain, ventricle = ball((48, 44, 40), 16), ball((48, 44, 40), 4)
    image = np.where(brain & ~ventricle, 100 + smooth_noise(1, brain.shape), 0)
    image[2, 2, 2] = 50.0
    assert overlap(metrics.head_region(image), brain) > 0.995


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e4])
def test_head_on_noise_keeps_skull_dim_cortex_and_neck(scale):
    shape = (56, 52, 48)
    scalp, skull, brain = (ball(shape, radius) for radius in (22, 20, 17))
    rng = np.random.default_rng(0)
    image = np.where(scalp & ~skull, 60.0, np.where(brain, np.linspace(35, 120, shape[0])[:, None, None], 2.0))
    image = np.hypot(image + 3 * rng.normal(size=shape), 3 * rng.normal(size=shape))[:, :, 10:]  # cut through the neck
    head = metrics.head_region(image * scale)
    assert overlap(head, scalp[:, :, 10:]) > 0.93  # smoothing moves the outline out by half a voxel
    assert np.mean(head[scalp[:, :, 10:]]) > 0.995


@pytest.mark.parametrize("image", [np.zeros((9, 9, 9)), np.full((9, 9, 9), np.nan), np.zeros((0, 3, 3))])
def test_no_head_is_found_in_nothing(image):
    with pytest.raises(InputError, match="head"):
        metrics.head_region(image)


def test_data_range_ignores_what_is_outside_and_the_brightest_thousandth():
    image = np.linspace(0, 1000, np.prod(SHAPE)).reshape(SHAPE)
    region = image <= 500
    assert metrics.data_range_of(image, region) == pytest.approx(np.percentile(image[region], 99.9))
    with pytest.raises(InputError, match="empty"):
        metrics.data_range_of(image, image < 0)
    with pytest.raises(InputError, match="positive"):
        metrics.data_range_of(-image, region)
