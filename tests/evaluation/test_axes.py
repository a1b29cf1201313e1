"""How a volume is stored says nothing about it: neither its scores nor their names."""

from itertools import permutations

import numpy as np
import pytest

from medidiff import metrics
from medidiff.evaluation import Rules, evaluate, score_pair
from medidiff.evaluation.axes import across_slices, axis_along, reordered
from medidiff.evaluation.preset import ALONG
from medidiff.volume import Geometry, Volume
from tests.evaluation.making import GRID, blurred, folders, head, save

__all__ = ["folders"]

ISOTROPIC = Geometry((20, 22, 24), np.eye(4))


def stored(volume, order, flips=()):
    """The same image in space, its axes in another order and direction."""
    array, grid = volume.array.transpose(order), volume.geometry.permuted(order)
    for axis in flips:
        step = np.eye(4)
        step[axis, axis], step[axis, 3] = -1, grid.shape[axis] - 1
        array, grid = np.flip(array, axis), Geometry(grid.shape, grid.affine @ step)
    return Volume(np.ascontiguousarray(array), grid)


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("grid", [GRID, ISOTROPIC], ids=["thick", "isotropic"])
def test_scores_do_not_depend_on_how_both_are_stored(grid, order):
    truth = Volume(head(), grid)
    guess = Volume(blurred(head(), (0.4, 0.9, 1.5)), grid)
    one = score_pair(guess, truth).metrics
    other = score_pair(stored(guess, order, (0, 2)), stored(truth, order, (0, 2))).metrics
    assert other == pytest.approx(one, rel=1e-6)


def test_the_radial_spectrum_counts_every_frequency_once():
    """A full transform is the oracle."""
    rng = np.random.default_rng(0)
    for shape in ((12, 12, 12), (13, 12, 11), (10, 16, 13)):
        truth = rng.normal(size=shape) + 5
        guess = truth + np.cos(np.arange(shape[2])) * rng.normal(size=shape)
        region = np.ones(shape, dtype=bool)
        window = metrics.spectral_window(region)
        size = np.sqrt(sum(f**2 for f in np.meshgrid(*map(np.fft.fftfreq, shape), indexing="ij"))) * min(shape)
        shells = np.round(np.round(size, 9)).astype(int)
        powers = [np.abs(np.fft.fftn((image - truth.mean()) * window)) ** 2 for image in (guess, truth)]
        means = [np.array([p[shells == s].mean() for s in range(1, min(shape) // 2 + 1)]) for p in powers]
        expected = np.sqrt(np.mean((10 * np.log10(means[0] / means[1])) ** 2))
        assert metrics.radial_spectrum_error(guess, truth, data_range=1.0, region=region) == pytest.approx(expected)


def test_slices_are_across_the_coarsest_axis_and_of_equal_ones_across_that_nearest_to_the_feet():
    assert across_slices(GRID.permuted((2, 0, 1))) == 0
    assert across_slices(ISOTROPIC.permuted((2, 0, 1))) == 0
    assert across_slices(ISOTROPIC, "y") == 1
    assert [axis_along(ISOTROPIC.permuted((2, 0, 1)), world) for world in range(3)] == [1, 2, 0]


def test_the_same_voxels_in_another_order_are_reordered_and_not_interpolated(folders):
    p, r, _ = folders
    truth = Volume(head(), GRID)
    other = stored(Volume(head() + 1, GRID), (2, 0, 1), (1,))
    save(r, "x", truth.array)
    save(p, "x", other.array, other.geometry)
    save(p, "x_uncertainty", np.full(other.geometry.shape, 1.0), other.geometry)
    (told,) = evaluate(p, r)
    assert told.score.metrics["mae"] * told.score.facts["data_range"] == pytest.approx(1, rel=1e-5)
    assert told.score.note == "axes reordered, nothing interpolated"
    assert told.score.metrics["coverage_90"] == 1
    assert reordered(Volume(head(), GRID.refined(GRID.spacing)), GRID) is not None
    assert reordered(Volume(head()[1:], Geometry((19, 22, 24), GRID.affine)), GRID) is None


def fastmri_array(seed=0):
    """Slices of (slice, y, x), higher than wide, as fastMRI's files hold them."""
    slices = np.abs(np.stack([head(seed + i)[i + 6] for i in range(6)])) + 1
    return np.repeat(slices, 2, axis=1)


def test_fastmri_scores_arrays_of_slice_y_x_as_fastmri_does(folders):
    """Its ``evaluate.py`` crops y to the width of x and takes the range of what is left."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    p, r, out = folders
    truth = fastmri_array()
    assert truth.shape == (6, 44, 24)
    guess = truth + np.random.default_rng(1).normal(0, 5, truth.shape).astype(np.float32)
    for folder, array in ((r, truth), (p, guess)):
        folder.mkdir()
        np.save(folder / "file1000000.npy", array)
    told = evaluate(p, r, out, preset="fastmri")
    gt, pred = (array[:, 10:34].astype(np.float64) for array in (truth, guess))
    each = [structural_similarity(a, b, data_range=gt.max()) for a, b in zip(gt, pred, strict=True)]
    scores = told.rows[0].score
    assert scores.facts["slice_axis"] == "x"
    assert scores.metrics["ssim_slices"] == pytest.approx(np.mean(each), abs=1e-6)
    assert scores.metrics["psnr"] == pytest.approx(peak_signal_noise_ratio(gt, pred, data_range=gt.max()), abs=1e-6)
    assert scores.metrics["nmse"] == pytest.approx(np.linalg.norm(gt - pred) ** 2 / np.linalg.norm(gt) ** 2, abs=1e-6)
    assert "across the first axis" in told.settings["slices"]


def test_the_slice_axis_can_be_named_and_is_told(folders):
    p, r, _ = folders
    save(r, "x", head())
    save(p, "x", blurred(head()))
    one, other = (evaluate(p, r, slice_axis=axis) for axis in ("x", "z"))
    assert one.settings["slices"] == "Across x of the reference's array."
    assert one.mean("ssim_slices") != other.mean("ssim_slices")
    how = {"data_range": other.rows[0].score.facts["data_range"], "region": metrics.head_region(head())}
    assert one.mean("ssim_slices") == pytest.approx(metrics.ssim_slices(blurred(head()), head(), axis=0, **how))
    with pytest.raises(Exception, match="unknown slice axis"):
        Rules(slice_axis="w")
    assert ALONG["effective_resolution_z"] == ("effective_resolution", 2)
