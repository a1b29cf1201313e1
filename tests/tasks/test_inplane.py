"""Pairs that a scan makes of itself: the slices' own operator, sharp axes only, nothing from outside the box."""

import numpy as np
import pytest
import torch

from medidiff.models.condition import NUMBERS
from medidiff.physics import SliceProfile
from medidiff.tasks.example import Example, fineness, parted
from medidiff.tasks.inplane import draw, edge_of
from medidiff.tasks.posing import posed
from medidiff.volume import Volume

BOX = ((0, 24), (0, 22), (0, 24))
CPU = torch.device("cpu")


def problem(volume, **told):
    return posed(volume, CPU, **({"noise": 0} | told)).problem


@pytest.fixture(scope="module")
def example(thick, sharp):
    image = torch.from_numpy(sharp.array / 1000)
    return Example(image, problem(thick).operator, 0.0)


def lesson(example, axis=0, box=BOX, seed=0, turn=False, **told):
    how = {"patches": 3, "size": 12} | told
    return draw(example, box, axis, np.random.default_rng(seed), turn=turn, **how)


def test_the_planes_axes_are_sharp_and_the_slices_are_not(example):
    assert example.sharp == (0, 1)


def smoothed(image, axis, factor):
    """The image with no more than so many voxels had held, by a Fourier transform."""
    spectrum = torch.fft.fft(image, dim=axis)
    kept = torch.fft.fftfreq(image.shape[axis]).abs() < 0.5 / factor
    shape = [-1 if a == axis else 1 for a in range(3)]
    return torch.fft.ifft(spectrum * kept.reshape(shape), dim=axis).real


@pytest.mark.parametrize("axis", range(3))
def test_an_axis_that_was_interpolated_is_not_fine(axis):
    image = torch.randn(48, 40, 44, generator=torch.Generator().manual_seed(1)).cumsum(0).cumsum(1).cumsum(2)
    assert min(fineness(image, a) for a in range(3)) > 0.3
    found = [fineness(smoothed(image, axis, 2), a) for a in range(3)]
    assert found[axis] < 0.05
    assert min(found[:axis] + found[axis + 1 :]) > 0.3


def test_white_noise_and_sharp_edges_are_fine_to_the_end():
    edges = torch.zeros(64, 8, 8)
    edges[20:41] = 1
    assert fineness(edges, 0) > 1.2
    noise = torch.randn(64, 32, 32, generator=torch.Generator().manual_seed(0))
    assert fineness(noise, 0) > 3


@pytest.mark.parametrize("axis", [0, 1])
def test_axes_that_were_interpolated_are_not_learnt_from(axis, example):
    blurred = Example(smoothed(example.image, axis, 2), example.operator, 0.0)
    assert blurred.sharp == (1 - axis,)
    both = smoothed(blurred.image, 1 - axis, 2)
    assert Example(both, example.operator, 0.0).sharp == ()


@pytest.mark.parametrize("axis", [0, 1])
def test_an_axis_half_as_fine_as_the_other_is_not_learnt_from(axis, example, monkeypatch):
    other = {axis: 0.2, 1 - axis: 0.5}
    monkeypatch.setattr("medidiff.tasks.example.fineness", lambda image, a: other[a])
    assert Example(example.image, example.operator, 0.0).sharp == (1 - axis,)
    other[axis] = 0.3
    assert Example(example.image, example.operator, 0.0).sharp == (0, 1)


@pytest.mark.parametrize("axis", [0, 1])
def test_detail_that_was_not_measured_makes_no_axis_fine(axis, example):
    """Between slices a sample has detail of its own, which an interpolated axis of the planes has not."""
    smooth = smoothed(example.image, axis, 2)
    pattern = torch.tensor([1.0, -1.0] * 12)
    rough = 0.1 * torch.randn(24, 22, 1, generator=torch.Generator().manual_seed(0)) * pattern
    sampled = Example(smooth + rough, example.operator, 0.0)
    assert min(fineness(sampled.image, a) for a in (0, 1)) > 1
    assert sampled.sharp == (1 - axis,)


def test_of_a_large_head_some_voxels_are_drawn_around(example, monkeypatch):
    assert len(example.centres) == int((example.image >= 0.1).sum())
    monkeypatch.setattr("medidiff.tasks.example.CENTRES", 100)
    few = Example(example.image, example.operator, 0.0).centres
    assert few.shape == (100, 3)
    assert len(np.unique(few, axis=0)) == 100
    assert all(example.image[tuple(voxel)] >= 0.1 for voxel in few)


def test_an_image_coarse_along_all_axes_is_sharp_along_none(sharp):
    low = Volume(sharp.array[::2, ::2, ::2], sharp.geometry.reshaped((12, 11, 12)))
    operator = problem(low, spacing=1).operator
    nothing = Example(torch.ones(operator.fine.shape), operator, 0.0)
    assert nothing.sharp == ()
    assert parted(nothing, 4) is None


@pytest.mark.parametrize("axis", [0, 1])
def test_what_should_be_answered_is_the_image(axis, example):
    drawn = lesson(example, axis)
    truth = drawn.pairs.maps[:, :1] + drawn.scale * drawn.pairs.residual
    rest = [a for a in range(3) if a != axis]
    windows = example.image.permute(*rest, axis).unfold(0, 12, 1).unfold(1, 12, 1).unfold(2, 12, 1)
    for patch in truth[:, 0]:
        assert float((windows - patch).abs().amax((3, 4, 5)).min()) < 1e-5


def test_the_operator_is_that_of_the_slices_at_another_place(example):
    drawn = lesson(example)
    told = dict(zip(NUMBERS, drawn.pairs.numbers[0].tolist(), strict=True))
    assert told["log2 ratio z"] == pytest.approx(2)
    assert told["log2 ratio x"] == told["log2 ratio y"] == pytest.approx(0)
    assert told["thickness over spacing z"] == pytest.approx(1)
    assert told["profile tails"] == pytest.approx(4 * example.operator.tails)
    phases = {tuple(lesson(example, seed=seed).pairs.maps[0, 3, 0, 0, :3].tolist()) for seed in range(5)}
    assert len(phases) == 5


@pytest.mark.parametrize("profile", ["rect", "gaussian"])
def test_profile_and_thickness_are_kept(profile, thick, sharp):
    operator = problem(thick, profile=profile, slice_thickness=3.0).operator
    drawn = lesson(Example(torch.from_numpy(sharp.array / 1000), operator, 0.0))
    told = dict(zip(NUMBERS, drawn.pairs.numbers[0].tolist(), strict=True))
    assert told["thickness over spacing z"] == pytest.approx(0.75)
    assert (told["profile tails"] == 0) == (profile == "rect")


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("turn", [False, True])
def test_nothing_outside_the_box_is_seen(axis, turn, example):
    box = ((4, 20), (3, 19), (8, 24))
    inside = torch.full_like(example.image, torch.nan)
    window = tuple(slice(*side) for side in box)
    inside[window] = example.image[window]
    blind = Example(inside, example.operator, 0.0)
    for seed in range(4):
        pairs = lesson(blind, axis, box, seed, turn).pairs
        assert all(torch.isfinite(part).all() for part in vars(pairs).values())


def test_the_seed_decides(example):
    one, same, other = (lesson(example, seed=seed, turn=True).pairs for seed in (1, 1, 2))
    assert torch.equal(one.residual, same.residual)
    assert torch.equal(one.maps, same.maps)
    assert not torch.equal(one.residual, other.residual)


def test_noise_is_put_on_what_is_measured_and_told(example):
    quiet, noisy = (lesson(Example(example.image, example.operator, noise)).pairs for noise in (0.0, 0.05))
    assert quiet.numbers[0, -1] == 0 < noisy.numbers[0, -1]
    assert float((noisy.maps[:, :1] - quiet.maps[:, :1]).std()) > 0.005


def test_answers_are_judged_by_their_slices_alone(example):
    drawn = lesson(example, size=16, box=BOX)
    residual = drawn.pairs.residual
    error, count = drawn.error(residual)
    assert error == 0
    assert count < residual.numel() / 2
    unseen = torch.zeros_like(residual)
    for number, rows in enumerate(drawn.slices):
        hidden = torch.linalg.svd(rows.float())[2][-1]
        shape = [-1 if a == drawn.across else 1 for a in range(3)]
        unseen[number, 0] = hidden.reshape(shape)
    assert drawn.error(residual + unseen)[0] == pytest.approx(0, abs=1e-6)
    assert drawn.error(residual + 1)[0] == pytest.approx(count * drawn.scale**2, rel=0.05)


@pytest.mark.parametrize("held", range(3))
@pytest.mark.parametrize("axis", [0, 1])
def test_only_answers_in_the_judged_box_count(held, axis, example):
    judged = tuple((0, 8) if a == held else side for a, side in enumerate(BOX))
    drawn = lesson(example, axis, judged=judged, size=16, patches=6)
    order = [*(a for a in range(3) if a != axis), axis]
    place = order.index(held)
    residual = drawn.pairs.residual
    for number, window in enumerate(drawn.windows):
        outside = torch.zeros_like(residual)
        outside[number] = 1
        outside[(number, 0, *window)] = 0
        assert drawn.error(residual + outside)[0] == 0
        assert window[place].stop - window[place].start <= 8
        assert all(window[other] == slice(0, 16) for other in range(3) if other != place)


def test_a_fifth_of_the_head_is_held_out_and_the_boxes_do_not_meet(example):
    parts = parted(example, 4)
    assert parts is not None
    learnt, judged = parts
    (axis,) = [a for a in range(3) if learnt[a] != judged[a]]
    assert judged[axis][1] == learnt[axis][0]
    assert (judged[axis][0], learnt[axis][1]) == (0, example.image.shape[axis])
    share = (example.centres[:, axis] < judged[axis][1]).mean()
    assert 0.15 < share < 0.3


@pytest.mark.parametrize("least", [13, 30])
def test_a_scan_too_small_for_patches_is_not_parted(least, example):
    assert parted(example, least) is None


def test_slices_too_far_apart_for_a_box_teach_nothing(thick):
    operator = problem(thick).operator
    far = SliceProfile(operator.fine, operator.coarse.reshaped((24, 22, 1)), thickness=(1, 1, 24))
    assert Example(torch.ones(24, 22, 24), far, 0.0).lessons(BOX) == ()


def test_patches_are_as_large_as_the_box_allows():
    assert edge_of(BOX, 64, 8) == 16
    assert edge_of(BOX, 64, 4) == 20
    assert edge_of(BOX, 12, 4) == 12
