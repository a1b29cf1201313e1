"""What super-resolution promises whatever the network says; here the network is untrained."""

import itertools
import json

import numpy as np
import pytest
import torch

from medidiff.errors import InputError, ModelError, UsageError
from medidiff.models import Model
from medidiff.physics.noise import head_brightness
from medidiff.tasks import inference, simulate_thick_slices, super_resolve
from medidiff.tasks.grid import turned
from medidiff.volume import Geometry, Volume

ORDERS = list(itertools.permutations(range(3)))


def same(a, b, tolerance=1e-3):
    """Whether two volumes differ by less than a millionth of the brightness."""
    np.testing.assert_allclose(a.array, b.array, rtol=0, atol=tolerance * head_brightness(b.array))


def scaled(volume, factor):
    return Volume(volume.array * factor, volume.geometry, volume.meta)


def test_the_result_agrees_with_the_measurement_on_the_fine_grid(enhanced, sharp):
    assert enhanced.residual_after <= 1e-3 < enhanced.residual_before
    assert enhanced.volume.geometry.allclose(sharp.geometry)
    measured = simulate_thick_slices(enhanced.volume, spacing=4, axis="z")
    again = simulate_thick_slices(sharp, spacing=4, axis="z")
    assert np.linalg.norm(measured.array - again.array) <= 1e-3 * np.linalg.norm(again.array)


@pytest.mark.parametrize(
    "options", [{"samples": 2}, {"detail": 1.0}, {"steps": 1, "samples": 3, "detail": 0.5}], ids=str
)
def test_samples_agree_with_the_measurement_too(options, enhance, thick):
    assert enhance(thick, **options).residual_after <= 1e-3


def test_the_residual_of_a_noisy_measurement_is_its_noise(sharp, enhance):
    noisy = simulate_thick_slices(sharp, spacing=4, axis="z", noise=40, seed=1)
    result = enhance(noisy, noise=None, detail=1.0)
    allowed = 40 * np.sqrt(noisy.array.size) / np.linalg.norm(noisy.array)
    assert result.provenance["noise"] == {"sd": 40.0, "origin": "sidecar", "denoised_for_proposal": True}
    assert 0.8 * allowed <= result.residual_after <= 1.2 * allowed


def test_the_same_seed_gives_the_same_output_and_another_does_not(enhance, thick):
    first, again, other = (enhance(thick, detail=1.0, seed=seed).volume.array for seed in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()


def test_with_all_mirror_images_a_mirrored_scan_gives_the_mirrored_result(model, thick):
    whole = Model(model.network, {**model.card, "tile": 24, "blind_start": True})
    flipped = Volume(thick.array[::-1].copy(), thick.geometry, thick.meta)

    def apart(mirrors):
        told = {"device": "cpu", "precision": "fp32", "noise": 0, "mirrors": mirrors}
        one, other = (super_resolve(volume, whole, **told).volume.array for volume in (thick, flipped))
        return np.abs(one[::-1] - other).max()

    assert apart(8) < 0.05 < apart(1)


def test_the_output_does_not_depend_on_how_many_tiles_run_at_once(enhance, thick, monkeypatch):
    one = enhance(thick, detail=1.0).volume
    monkeypatch.setattr(inference, "TILES_AT_ONCE", {"cpu": 3})
    same(enhance(thick, detail=1.0).volume, one, 1e-5)


@pytest.mark.parametrize("factor", [10, 1e-3])
def test_the_output_scales_with_the_input(factor, enhance, thick):
    options = {"detail": 1.0, "samples": 2}
    plain, more = enhance(thick, **options), enhance(scaled(thick, factor), **options)
    same(more.volume, scaled(plain.volume, factor), 1e-4)
    np.testing.assert_allclose(more.uncertainty.array, plain.uncertainty.array * factor, rtol=1e-2)
    assert more.residual_after == pytest.approx(plain.residual_after, rel=0.1)


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_the_output_turns_with_the_axes(order, enhance, thick, enhanced):
    result, expected = enhance(turned(thick, order)), turned(enhanced.volume, order)
    assert result.volume.geometry.allclose(expected.geometry)
    assert result.residual_after <= 1e-3
    in_plane = [axis for axis in order if axis != 2]
    same(result.volume, expected, 1e-4 if in_plane == [0, 1] else 0.5)


@pytest.mark.parametrize("axis", range(3))
def test_the_geometry_flips_with_the_axes(axis, enhance, thick, enhanced):
    def flipped(volume):
        affine = volume.geometry.affine.copy()
        affine[:3, 3] = volume.geometry.world([volume.geometry.shape[a] - 1 if a == axis else 0 for a in range(3)])
        affine[:, axis] *= -1
        return Volume(np.flip(volume.array, axis), Geometry(volume.geometry.shape, affine), volume.meta)

    result, expected = enhance(flipped(thick)), flipped(enhanced.volume)
    assert result.volume.geometry.allclose(expected.geometry)
    assert result.residual_after <= 1e-3
    same(result.volume, expected, 0.5)


def test_there_is_an_uncertainty_only_where_several_were_drawn(enhance, thick, enhanced):
    assert enhanced.uncertainty is None
    assert enhance(thick, detail=1.0).uncertainty is None
    uncertainty = enhance(thick, samples=2).uncertainty
    assert uncertainty.geometry.allclose(enhanced.volume.geometry)
    assert uncertainty.array.min() >= 0
    assert 0 < uncertainty.array.mean() < 300


def signed(volume):
    """No magnitude: nothing is held to 0, and all is linear."""
    return Volume(volume.array - 1, volume.geometry, volume.meta)


def test_detail_leads_from_the_mean_to_a_sample(enhance, thick):
    mean, half, whole = (enhance(signed(thick), detail=detail).volume.array for detail in (0.0, 0.5, 1.0))
    assert np.abs(whole - mean).mean() > 1
    np.testing.assert_allclose(half, (whole + mean) / 2, atol=1)


def test_a_magnitude_stays_one_as_far_as_the_measurement_allows(enhance, thick):
    held, free = enhance(thick, detail=1.0), enhance(signed(thick), detail=1.0)
    beyond = [np.square(array.clip(max=0)).sum() for array in (held.volume.array, free.volume.array + 1)]
    assert beyond[0] < 0.5 * beyond[1]
    assert held.residual_after <= 1e-3


def test_full_detail_is_the_first_sample_however_many_are_drawn(enhance, thick):
    same(enhance(thick, detail=1.0, samples=3).volume, enhance(thick, detail=1.0).volume, 1e-5)


def test_the_spread_factor_widens_spread_and_detail_alike_and_moves_no_mean(model, thick):
    wide = Model(model.network, {**model.card, "spread_factor": 1.5})

    def run(which, **options):
        return super_resolve(signed(thick), which, device="cpu", precision="fp32", noise=0, samples=2, **options)

    plain, wider = run(model), run(wide)
    same(plain.volume, wider.volume, 1e-6)
    np.testing.assert_allclose(wider.uncertainty.array, 1.5 * plain.uncertainty.array, rtol=1e-5)
    lifelike, more = (run(which, detail=1.0).volume.array - plain.volume.array for which in (model, wide))
    np.testing.assert_allclose(more, 1.5 * lifelike, atol=0.1)
    assert run(wide, detail=1.0).residual_after <= 1e-3


def test_a_widened_sample_of_a_noisy_scan_is_no_farther_from_it_than_the_noise(model, sharp):
    wide = Model(model.network, {**model.card, "spread_factor": 3.0})
    noisy = simulate_thick_slices(sharp, spacing=4, axis="z", noise=40, seed=1)
    result = super_resolve(noisy, wide, device="cpu", precision="fp32", detail=1.0)
    assert result.residual_after <= 1.01 * 40 * np.sqrt(noisy.array.size) / np.linalg.norm(noisy.array)


def test_samples_of_an_image_coarse_along_all_axes_are_said_to_be_uncalibrated(enhance, thick, sharp):
    low = Volume(sharp.array[::2, ::2, ::2], sharp.geometry.reshaped((12, 11, 12)))

    def told(volume, **options):
        return "not calibrated" in " ".join(enhance(volume, **options).provenance["warnings"])

    assert told(low, spacing=1, detail=1.0)
    assert not told(low, spacing=1)
    assert not told(thick, detail=1.0)


def test_the_deviation_is_unbiased_and_averaged_over_neighbours_inside():
    drawn = [torch.full((1, 1, 4, 4, 4), value) for value in (1.0, 2.0, 6.0)]
    found = inference.deviation(drawn, torch.full((1, 1, 4, 4, 4), 3.0))
    torch.testing.assert_close(found, torch.full((1, 1, 4, 4, 4), 7.0).sqrt())


def test_a_grid_turned_against_the_input_gives_both_residuals(enhance, thick, sharp):
    affine = np.eye(4)
    affine[:3, 3] = sharp.geometry.world([12, 11, 12]) - 10
    like = Geometry((20, 20, 20), affine)
    result = enhance(thick, like=like, samples=2)
    assert result.volume.geometry.allclose(like)
    assert result.uncertainty.geometry.allclose(like)
    told = result.provenance
    assert told["data_residual"]["after"] == result.residual_after <= 1e-3
    assert told["data_residual"]["after_resampling"] > result.residual_after
    assert told["geometry"]["working"]["shape"] == [24, 22, 24]


def test_without_resampling_there_is_one_residual(enhanced):
    assert set(enhanced.provenance["data_residual"]) == {"before", "after"}
    assert "working" not in enhanced.provenance["geometry"]


def test_low_resolution_along_every_axis_is_enhanced_too(enhance, sharp):
    low = Volume(sharp.array[::2, ::2, ::2], sharp.geometry.reshaped((12, 11, 12)))
    result = enhance(low, spacing=1)
    assert result.volume.geometry.shape == (24, 22, 24)
    assert result.residual_after <= 1e-3


def test_only_the_named_axis_is_refined(enhance, sharp):
    low = Volume(sharp.array[::2, :, ::3], sharp.geometry.reshaped((12, 22, 8)))
    result = enhance(low, axis="x", spacing=1)
    assert result.volume.geometry.shape == (24, 22, 8)
    assert result.provenance["acquisition"]["used"]["slice_axis"] == "x"
    assert result.residual_after <= 1e-3


def test_options_win_over_the_sidecar_and_the_sidecar_over_assumptions(enhance, thick):
    told = enhance(thick).provenance["acquisition"]
    assert told["used"]["slice_thickness_mm"] == pytest.approx(4)
    assert told["assumed"] == []
    told = enhance(thick, slice_thickness=3, profile="rect").provenance["acquisition"]
    assert (told["used"]["slice_thickness_mm"], told["used"]["profile"]) == (3, "rect")
    bare = Volume(thick.array, thick.geometry)
    assert enhance(bare).provenance["acquisition"]["assumed"] == ["slice_thickness_mm", "profile"]


def test_provenance_is_ready_for_json_and_tells_the_options(enhance, thick):
    told = json.loads(json.dumps(enhance(thick, samples=2, detail=0.5, seed=7, steps=1).provenance))
    assert {
        "samples": 2,
        "detail": 0.5,
        "seed": 7,
        "steps": 1,
        "precision": "fp32",
        "device": "cpu",
    }.items() <= told.items()
    assert told["model"]["name"] == "toy"
    assert any("field of view is small" in warning for warning in told["warnings"])


@pytest.mark.parametrize("options", [{}, {"samples": 2, "steps": 3}], ids=str)
def test_progress_rises_to_one(options, enhance, thick):
    told: list[float] = []
    enhance(thick, progress=told.append, **options)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 0}, "steps and samples"),
        ({"samples": 0}, "steps and samples"),
        ({"detail": 1.5}, "detail must lie between"),
        ({"mirrors": 0}, "mirrors must be 1 to 8"),
        ({"mirrors": 9}, "mirrors must be 1 to 8"),
        ({"detail": float("nan")}, "detail must lie between"),
        ({"noise": -1}, "noise must be 0 or more"),
        ({"slice_thickness": 0}, "thickness must be positive"),
        ({"profile": "sinc"}, "unknown slice profile"),
        ({"precision": "int3"}, "unknown precision"),
        ({"axis": "q"}, "unknown axis"),
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(options, words, enhance, thick):
    with pytest.raises(UsageError, match=words):
        enhance(thick, **options)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((6, 6, 6)), "image is empty"),
        (np.full((6, 6, 6), 5.0), "image is empty"),
        (np.full((6, 6, 6), -5.0), "image is empty"),
        (np.full((6, 6, 6), np.nan), "NaN or infinite"),
        (np.random.default_rng(0).random((6, 6, 3)), "too few slices"),
    ],
    ids=["zero", "constant", "negative", "nan", "three slices"],
)
def test_images_with_nothing_to_enhance_are_refused(array, words, enhance):
    with pytest.raises(InputError, match=words):
        enhance(Volume(array, Geometry(array.shape, np.diag([1.0, 1, 4, 1]))))


def test_a_model_that_is_not_there_is_refused(thick):
    with pytest.raises(ModelError, match="no such model"):
        super_resolve(thick, "no-such-model", device="cpu")
