"""Scores: scikit-image is the oracle, closed forms and symmetries the rest."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from skimage import metrics as oracle

from medidiff import metrics
from medidiff.errors import InputError

SHAPE = (17, 14, 19)
ALL = np.ones(SHAPE, dtype=bool)
SCALE_FREE = list(metrics.METRICS.values())
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


def fastmri_scores(gt, pred):
    """What fastMRI's evaluate.py computes, to the letter (facebookresearch/fastMRI, fastmri/evaluate.py)."""
    maxval = gt.max()
    ssim = sum(oracle.structural_similarity(gt[s], pred[s], data_range=maxval) for s in range(gt.shape[0]))
    return {
        "nmse": np.linalg.norm(gt - pred) ** 2 / np.linalg.norm(gt) ** 2,
        "psnr": oracle.peak_signal_noise_ratio(gt, pred, data_range=maxval),
        "ssim_slices": ssim / gt.shape[0],
    }


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("seed", [1, 2])
def test_over_whole_volumes_with_the_maximum_as_range_scores_are_fastmris(seed, axis):
    p, r = (image.astype(float) for image in pair(seed))
    expected = fastmri_scores(np.moveaxis(r, axis, 0), np.moveaxis(p, axis, 0))
    for name, value in expected.items():
        how = {"axis": axis} if name == "ssim_slices" else {}
        told = metrics.METRICS[name](p, r, data_range=float(r.max()), region=ALL, **how)
        assert told == pytest.approx(value, abs=1e-9), name


def test_slices_count_where_the_region_is_and_others_not_at_all():
    p, r = pair(3)
    region = np.zeros(SHAPE, dtype=bool)
    region[5:9, 5:9, 7] = True
    _, local = oracle.structural_similarity(r[..., 7], p[..., 7], data_range=3.0, full=True)
    told = metrics.ssim_slices(p, r, data_range=3.0, region=region)
    assert told == pytest.approx(local[5:9, 5:9].mean(), abs=1e-5)
    border = np.indices(SHAPE)[0] < 3
    with pytest.raises(InputError, match="border"):
        metrics.ssim_slices(p, r, data_range=3.0, region=border)
    with pytest.raises(InputError, match="too small"):
        metrics.ssim_slices(p[:6], r[:6], data_range=3.0, region=region[:6])


def test_monai_agrees_with_scikit_image_where_its_window_lies_inside():
    from monai.metrics.regression import PSNRMetric, SSIMMetric

    p, r = pair(6)
    tensors = [torch.from_numpy(image.copy())[None, None] for image in (p, r)]
    inner = np.zeros(SHAPE, dtype=bool)
    inner[5:-5, 5:-5, 5:-5] = True
    theirs = float(SSIMMetric(3, data_range=3.0, win_size=11, kernel_sigma=1.5)(*tensors))
    assert metrics.ssim(p, r, data_range=3.0, region=inner) == pytest.approx(theirs, abs=1e-5)
    decibel = float(PSNRMetric(3.0)(*tensors))
    assert metrics.psnr(p, r, data_range=3.0, region=ALL) == pytest.approx(decibel, abs=1e-4)


def test_air_of_zeros_flatters_similarity_over_the_whole_image_and_not_in_the_head():
    """The artefact behind many an SSIM of 0.99: windows that see nothing are perfect."""
    p, r = (np.where(REGION, image, 0) for image in pair(4))
    wide = [np.pad(image, 12) for image in (p, r, REGION)]
    bare = metrics.ssim(p, r, data_range=3.0, region=ALL)
    padded = metrics.ssim(*wide[:2], data_range=3.0, region=wide[2] >= 0)
    head = [metrics.ssim(p, r, data_range=3.0, region=REGION), metrics.ssim(*wide[:2], data_range=3.0, region=wide[2])]
    assert head[1] == pytest.approx(head[0], abs=1e-4)
    assert head[0] < bare < padded
    assert padded > 0.97


@pytest.mark.parametrize("metric", [metrics.psnr, metrics.ssim, metrics.ssim_slices, metrics.mae])
def test_symmetric_metrics_do_not_know_which_image_is_the_truth(metric):
    p, r = pair(10)
    one, other = (metric(*images, data_range=3.0, region=REGION) for images in ((p, r), (r, p)))
    assert one == pytest.approx(other)


@pytest.mark.parametrize("sd", [1.0, 1.5, 2.5])
def test_a_gaussian_blur_is_worth_voxels_a_little_above_its_width(sd):
    """Modulation exp(-2 pi^2 f^2 s^2) is one half at f = sqrt(ln 2 / 2) / (pi s)."""
    r = np.random.default_rng(2).normal(size=(96, 24, 24)) + 5
    p = ndimage.gaussian_filter1d(r, sd, axis=0)
    box: dict[str, Any] = {"data_range": 1.0, "region": np.ones(r.shape, dtype=bool), "spacing": 0.8}
    expected = 0.8 * np.pi * sd / np.sqrt(2 * np.log(2))
    assert metrics.effective_resolution(p, r, axis=0, **box) == pytest.approx(expected, rel=0.07)
    assert expected == pytest.approx(1.133 * 0.8 * sd * np.sqrt(8 * np.log(2)), rel=1e-3)
    assert metrics.effective_resolution(p, r, axis=1, **box) == 0.8
    assert metrics.effective_resolution(r, r, axis=0, **box) == 0.8


def test_the_radial_spectrum_sees_gain_and_blur_of_any_direction():
    r = np.random.default_rng(7).normal(size=(24, 26, 28)) + 5
    everywhere = np.ones(r.shape, dtype=bool)
    gain = metrics.radial_spectrum_error(5 + 2 * (r - 5), r, data_range=1.0, region=everywhere)
    assert gain == pytest.approx(20 * np.log10(2), abs=0.05)
    blurs = [
        metrics.radial_spectrum_error(
            ndimage.gaussian_filter1d(r, 1.0, axis=a, mode="wrap"), r, data_range=1.0, region=everywhere
        )
        for a in range(3)
    ]
    assert min(blurs) > 1
    assert max(blurs) == pytest.approx(min(blurs), rel=0.2)


@pytest.mark.parametrize("name", ["prediction", "reference"])
def test_a_value_that_is_no_number_is_named(name):
    p, r = (image.copy() for image in pair(1))
    {"prediction": p, "reference": r}[name][8, 7, 9] = np.nan
    with pytest.raises(InputError, match=f"{name} has values that are not finite.*1 voxels"):
        metrics.mae(p, r, data_range=1.0, region=REGION)


def test_errors_drawn_with_the_predicted_spread_are_covered_as_promised():
    rng = np.random.default_rng(0)
    sd = rng.uniform(0.5, 3, size=(40, 40, 40))
    truth = rng.normal(size=sd.shape)
    told = metrics.calibration_of(truth + sd * rng.normal(size=sd.shape), truth, sd, region=sd > 0)
    assert told.covered == pytest.approx(metrics.LEVELS, abs=0.01)
    assert told.coverage_90 == pytest.approx(0.9, abs=0.01)
    assert told.error == pytest.approx(told.sd, rel=0.05)
    assert told.sd_error < 0.03
    timid = metrics.calibration_of(truth + 2 * sd * rng.normal(size=sd.shape), truth, sd, region=sd > 0)
    assert timid.sd_error == pytest.approx(1, abs=0.05)
    assert timid.calibration_error > 0.2
    assert timid.coverage_90 == pytest.approx(0.589, abs=0.01)  # 2 Phi(1.645 / 2) - 1


@pytest.mark.parametrize("sd", [-1.0, 0.0, np.nan])
def test_what_is_no_standard_deviation_is_refused(sd):
    p, r = pair(1)
    with pytest.raises(InputError):
        metrics.calibration_of(p, r, np.full(SHAPE, sd), region=REGION)
