"""What the network is told: where the measured slices lie, how they were made, and an upsampling that agrees."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from medidiff.models import MAPS, MIRRORS, NUMBERS, condition_on, denoiser_of, load_model
from medidiff.models.condition import COARSE, FINE
from medidiff.physics import SliceProfile, relative_residual
from medidiff.volume import Geometry
from tests.toy import make_model


def slices(ratio, *, axis=2, relative=1.0, spacing=1.0, size=12):
    fine = Geometry((size, size, size), np.diag([spacing] * 3 + [1.0]))
    coarse = fine.reshaped([size // ratio if a == axis else size for a in range(3)])
    thickness = relative * ratio * spacing
    return SliceProfile(fine, coarse, thickness=(thickness, thickness, thickness))


def measured(operator, batch=1):
    x = torch.rand((batch, 1, *operator.fine.shape), generator=torch.Generator().manual_seed(0))
    return operator.forward(x)


def told_of(operator, **how):
    numbers = condition_on(measured(operator), operator, **how).numbers[0]
    return dict(zip(NUMBERS, numbers.tolist(), strict=True))


def test_there_is_a_map_and_a_number_for_each_name():
    operator = slices(3)
    condition = condition_on(measured(operator, batch=2), operator)
    assert condition.maps.shape == (2, len(MAPS), 12, 12, 12)
    assert condition.numbers.shape == (2, len(NUMBERS))
    assert torch.equal(condition.base, condition.maps[:, :1])


@pytest.mark.parametrize("axis", range(3))
def test_the_phase_is_one_on_measured_slices(axis):
    operator = slices(3, axis=axis)
    phases = condition_on(measured(operator), operator).maps[0, 1:4].movedim(axis + 1, 1)
    torch.testing.assert_close(phases[axis, 1::3], torch.ones(4, 12, 12))
    torch.testing.assert_close(phases[axis, 0::3], torch.full((4, 12, 12), -0.5))
    for other in {0, 1, 2} - {axis}:
        assert (phases[other] == 1).all()


def test_the_phase_is_minus_one_half_way():
    operator = slices(4)
    shifted = SliceProfile(operator.fine, Geometry((12, 12, 4), np.diag([1.0, 1, 2, 1])), thickness=operator.thickness)
    phase = condition_on(measured(shifted), shifted).maps[0, 3, 0, 0]
    torch.testing.assert_close(phase, torch.tensor([1.0, -1.0] * 6))


def test_details_are_shown_in_the_unit_of_the_residual_and_add_up_to_what_is_not_coarse():
    operator = slices(3, size=24)
    condition = condition_on(measured(operator), operator)
    coarse = torch.from_numpy(gaussian_filter(condition.base[0, 0].numpy(), COARSE, mode="nearest"))
    fine = torch.from_numpy(gaussian_filter(condition.base[0, 0].numpy(), FINE, mode="nearest"))
    finest, finer = condition.scale * condition.maps[0, 4:]
    torch.testing.assert_close(finest, condition.base[0, 0] - fine, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(finest + finer, condition.base[0, 0] - coarse, atol=1e-5, rtol=1e-4)


def test_an_image_without_detail_shows_none():
    operator = slices(3)
    flat = condition_on(torch.full((1, 1, *operator.coarse.shape), 0.7), operator)
    assert float(flat.maps[0, 4:].abs().max()) < 1e-3


def test_the_numbers_are_ratio_thickness_and_spacing():
    told = told_of(slices(4, relative=0.75, spacing=0.8))
    assert told["log2 ratio z"] == pytest.approx(2)
    assert told["log2 ratio x"] == pytest.approx(0, abs=1e-6)
    assert told["thickness over spacing z"] == pytest.approx(0.75)
    assert told["thickness over spacing x"] == 1
    assert told["log2 spacing z"] == pytest.approx(math.log2(0.8))


@pytest.mark.parametrize(("profile", "tails"), [("gaussian", 0.239), ("rect", 0.0)])
def test_the_profile_is_told_by_what_lies_beyond_its_width(profile, tails):
    plain = slices(4)
    operator = SliceProfile(plain.fine, plain.coarse, thickness=plain.thickness, profile=profile)
    assert operator.tails == pytest.approx(tails, abs=1e-3)
    assert told_of(operator)["profile tails"] == pytest.approx(4 * tails, abs=4e-3)


def test_the_noise_is_told_in_hundredths_of_the_brightness():
    assert [round(told_of(slices(4), noise=sd)["log2 noise"], 3) for sd in (0, 0.01, 0.03)] == [0, 1, 2]


def test_a_noisy_measurement_is_agreed_with_less():
    operator = slices(4)
    y = measured(operator)
    apart = [relative_residual(condition_on(y, operator, noise=n).base, y, operator) for n in (0.0, 0.02, 0.1)]
    assert apart == sorted(apart)
    assert apart[2] > 5 * apart[0]


def test_the_upsampling_nearly_agrees_with_the_measurement():
    operator = slices(4)
    y = measured(operator)
    condition = condition_on(y, operator)
    plain = relative_residual(operator.upsample(y), y, operator)
    assert relative_residual(condition.base, y, operator) < min(0.02, plain / 5)


def test_the_residual_grows_with_the_ratio():
    scales = [condition_on(measured(o), o).scale for o in (slices(2), slices(3), slices(6))]
    assert scales == sorted(scales)
    assert scales[0] == pytest.approx(0.02 * math.log2(3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


def test_a_denoiser_answers_each_sample_alone(folder):
    operator, t = slices(3), torch.tensor([0.3, 0.9])
    denoise = denoiser_of(
        load_model(make_model(folder / "a")), condition_on(measured(operator), operator), precision="fp32"
    )
    r = torch.randn((2, 1, 12, 12, 12), generator=torch.Generator().manual_seed(1))
    both = denoise(r, t)
    assert both.shape == r.shape
    torch.testing.assert_close(both[1:], denoise(r[1:], t[1:]))
    assert not torch.allclose(both[:1], both[1:], atol=1e-3)


def test_a_regression_sees_no_noise(folder):
    operator = slices(3)
    model = load_model(make_model(folder / "b", kind="regression"))
    denoise = denoiser_of(model, condition_on(measured(operator), operator), precision="fp32")
    r = torch.randn((2, 1, 12, 12, 12), generator=torch.Generator().manual_seed(1))
    answers = denoise(r, torch.tensor([0.2, 1.0]))
    torch.testing.assert_close(answers[0], answers[1])
    assert answers.abs().max() > 1e-4


def test_a_blind_start_sees_no_noise_at_time_one_alone(folder):
    operator = slices(3)
    model = load_model(make_model(folder / "c", blind_start=True))
    denoise = denoiser_of(model, condition_on(measured(operator), operator), precision="fp32")
    one, other = torch.randn((2, 1, 1, 12, 12, 12), generator=torch.Generator().manual_seed(1))
    for time, alike in ((1.0, True), (0.9, False)):
        answers = [denoise(r, torch.tensor([time])) for r in (one, other)]
        assert torch.equal(*answers) is alike


def test_answers_to_mirror_images_are_averaged_at_time_one_alone(folder):
    operator = slices(3)
    model = load_model(make_model(folder / "d"))
    condition = condition_on(measured(operator), operator)
    r = torch.randn((1, 1, 12, 12, 12), generator=torch.Generator().manual_seed(1))

    def answer(time, mirrors, r=r, condition=condition):
        denoise = denoiser_of(model, condition, precision="fp32", mirrors=mirrors)
        return denoise(r, torch.tensor([time]))

    def mirrored(axes):
        seen = replace(condition, maps=condition.maps.flip(axes))
        return answer(1.0, 1, r.flip(axes), seen).flip(axes)

    assert torch.equal(answer(0.5, 8), answer(0.5, 1))
    for many in (1, 2, 8):
        wanted = torch.stack([mirrored(axes) for axes in MIRRORS[:many]]).mean(0)
        torch.testing.assert_close(answer(1.0, many), wanted)
    assert not torch.allclose(answer(1.0, 2), answer(1.0, 1), atol=1e-4)


def test_all_mirror_images_of_a_volume_differ():
    assert len({tuple(sorted(axes)) for axes in MIRRORS}) == 8
    assert MIRRORS[0] == ()
