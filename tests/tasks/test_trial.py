"""A trial leaves samples out of some planes, and tells what predicts them."""

import numpy as np
import pytest
import torch

from medidiff.kspace import KSpace
from medidiff.physics.masks import poisson_disc
from medidiff.tasks.measurement import measure
from medidiff.tasks.trial import TRIED, trial_of
from tests.physics.heads import coils, grid, lines, measured

STACK = (48, 40, 12)


def measurement_of(shape=STACK, *, mask=None, axes=(0, 1), number=6, noise=0.0):
    image, maps = coils(shape, number=number)
    _, _, y = measured(shape, number=number, axes=axes, noise=noise)
    mask = lines(shape[1], calibration=14) if mask is None else mask
    told = {"maps": maps.numpy(), "meta": {"noise_sd": noise}}
    data = KSpace((y * mask).numpy(), grid(shape), axes, np.broadcast_to(mask.numpy(), shape), **told)
    return image, measure(data, coils=12, kernel=6, crop=0.8, noise=None, seed=0, device=torch.device("cpu"))


def test_a_tenth_is_left_out_of_the_region_and_of_the_rest():
    _, measurement = measurement_of()
    trial = trial_of(measurement, 0)
    inside, outside = trial.hidden
    assert torch.equal(trial.shown.mask.int() + inside.int() + outside.int(), measurement.mask.int())
    assert 0 < int(outside.sum()) <= 0.2 * int(measurement.mask.sum())
    assert not bool((trial.shown.y * ~trial.shown.mask).abs().any())


def test_a_stack_is_tried_in_some_of_its_planes_all_of_each():
    _, measurement = measurement_of()
    trial = trial_of(measurement, 0)
    assert trial.shown.y.shape == trial.y.shape == (6, 48, 40, TRIED)
    assert torch.equal(trial.y[..., 0], measurement.y[..., 0])
    assert torch.equal(trial.y[..., -1], measurement.y[..., -1])
    maps = trial.shown.maps.maps
    assert maps is not None
    assert maps.shape == (1, 6, 48, 40, TRIED)


def test_a_single_plane_is_tried_whole():
    _, measurement = measurement_of((48, 40, 1))
    assert trial_of(measurement, 0).y.shape == (6, 48, 40, 1)


def test_a_volume_is_tried_across_its_readout():
    mask = torch.from_numpy(poisson_disc((40, 24), acceleration=2, calibration=10))[None]
    _, measurement = measurement_of((20, 40, 24), mask=mask, axes=(0, 1, 2))
    assert trial_of(measurement, 0).y.shape == (6, TRIED, 40, 24)


@pytest.mark.parametrize(("away", "share"), [(-3.0, 0.25), (-1.0, 0.5), (0.0, 1.0), (0.5, 1.0), (2.0, 0.0)])
def test_the_share_is_how_far_the_truth_lies_on_the_way_to_the_other(away, share):
    image, measurement = measurement_of((48, 40, 1))
    wrong = torch.randn(image.shape, generator=torch.Generator().manual_seed(0)) * 0.1
    assert trial_of(measurement, 0).share(image + wrong, image + away * wrong) == pytest.approx(share, abs=1e-3)


def test_noise_of_what_was_left_out_hardly_matters():
    image, measurement = measurement_of(noise=0.05)
    wrong = torch.randn(image.shape, generator=torch.Generator().manual_seed(0)) * 0.1
    planes = torch.linspace(0, STACK[2] - 1, TRIED).round().long()
    one, other = ((image + far * wrong)[..., planes] for far in (1, -3))
    assert trial_of(measurement, 0).share(one, other) == pytest.approx(0.25, abs=0.05)


def test_equal_images_have_no_way_between_them():
    image, measurement = measurement_of((48, 40, 1))
    assert trial_of(measurement, 0).share(image, image) == 0


def test_a_single_sample_leaves_nothing_to_judge_by():
    mask = torch.zeros(1, 40, 1, dtype=torch.bool)
    mask[:, 20] = True
    image, measurement = measurement_of((48, 40, 1), mask=mask)
    trial = trial_of(measurement, 0)
    assert trial.share(image, 2 * image) == 0
    assert list(trial.errors([image])) == [0]
    assert not trial.calibrated
