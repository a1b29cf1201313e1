"""Pairs are what the task would measure: same operators, sharp axes only, decided by the seed alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from medidiff.models import MAPS
from medidiff.models.condition import NUMBERS
from medidiff.training import contrast, pairs, read_recipe
from medidiff.training.contrast import blurred, remapped
from medidiff.training.heads import load_heads
from medidiff.training.pairs import _acquisition, draw_batch


@pytest.fixture
def heads(recipe):
    return load_heads(read_recipe(recipe()), torch.device("cpu"))


def batch(heads, seed):
    return draw_batch(heads, seed=(seed, 0), groups=2, patches=2, size=16)


def test_the_seed_decides_a_batch(heads):
    one, same, other = (batch(heads, seed) for seed in (1, 1, 2))
    assert torch.equal(one.residual, same.residual)
    assert torch.equal(one.maps, same.maps)
    assert not torch.equal(one.residual, other.residual)


def test_shapes_are_those_of_the_network(heads):
    drawn = batch(heads, 3)
    assert drawn.residual.shape == (4, 1, 16, 16, 16)
    assert drawn.maps.shape == (4, len(MAPS), 16, 16, 16)
    assert drawn.numbers.shape == (4, len(NUMBERS))
    assert all(torch.isfinite(t).all() for t in vars(drawn).values())


def test_residuals_are_of_the_order_of_one(heads):
    spread = torch.cat([batch(heads, seed).residual for seed in range(12)]).std()
    assert 0.2 < spread < 5


def test_noise_is_added_to_a_third_and_told_nearly_as_it_is(heads):
    operator = _acquisition(heads[0], [1, 0, 2], np.random.default_rng(0), 16)
    x = torch.full((1, 1, *operator.fine.shape), 0.5)
    clean, noise = operator.forward(x), torch.Generator()
    ratios, silent = [], 0
    for seed in range(300):
        y, told = pairs._measured(x, operator, 1 / 3, np.random.default_rng(seed), noise.manual_seed(seed))
        sd = float((y - clean).std())
        if sd == 0:
            assert told == 0
        elif told == 0:
            silent += 1
            assert sd < 0.022
        else:
            ratios.append(told / sd)
    assert 70 < len(ratios) + silent < 130
    assert 5 < silent < 60
    assert 0.8 < min(ratios) <= max(ratios) < 1.3


def test_only_sharp_axes_are_degraded(heads):
    head, rng = heads[0], np.random.default_rng(0)
    for _ in range(60):
        operator = _acquisition(head, [1, 0, 2], rng, 16)
        if len(operator.axes) < 3:  # isotropic draws degrade all
            assert 0 not in operator.axes  # array axis 1 is not sharp
        assert 2 in operator.axes


def test_slices_are_2_to_7_mm_and_patches_keep_their_size(heads):
    rng = np.random.default_rng(1)
    for _ in range(60):
        operator = _acquisition(heads[0], [0, 1, 2], rng, 16)
        assert 1.3 <= operator.coarse.spacing[2] <= 7.8
        assert min(operator.fine.shape) >= 16
        assert all((n - 16) % 2 == 0 for n in operator.fine.shape)


def test_air_stays_dark_in_every_contrast():
    x = torch.linspace(0, 1.2, 50)
    for seed in range(20):
        y = remapped(x, np.random.default_rng(seed))
        assert y[0] == 0
        assert (y >= 0).all()


def test_blurring_keeps_the_mean():
    x = torch.rand(1, 1, 20, 20, 20, generator=torch.Generator().manual_seed(0))
    inside = (..., slice(4, 16), slice(4, 16), slice(4, 16))
    assert blurred(x, 0.6)[inside].mean() == pytest.approx(x[inside].mean().item(), rel=0.02)
    assert blurred(x, 0.6)[inside].std() < x[inside].std()


def test_labels_are_never_shown_as_brightness(heads):
    (labelled,) = [head for head in heads if head.labels is not None]
    assert labelled.labels.tolist() == [0, 2, 3, 24]
    assert labelled.voxels.max() == 3


def test_the_slice_axis_is_always_a_sharp_one(heads, monkeypatch):
    orders = []

    def spied(head, order, rng, size):
        orders.append((head.group.sharp, order[-1]))
        return _acquisition(head, order, rng, size)

    monkeypatch.setattr(pairs, "_acquisition", spied)
    for seed in range(15):
        batch(heads, seed)
    assert all(axis in sharp for sharp, axis in orders)
    assert {axis for sharp, axis in orders if sharp == [0, 2]} == {0, 2}


@pytest.mark.parametrize(("what", "share"), [("remapped", "remap"), ("under_a_coil", "shaded")])
@pytest.mark.parametrize("all_or_none", [0.0, 1.0])
def test_a_group_says_how_many_of_its_images_are_varied(what, share, all_or_none, heads, monkeypatch):
    seen = []

    def spied(x, rng):
        seen.append(x)
        return x

    monkeypatch.setattr(contrast, what, spied)
    group = replace(heads[0].group, **{"remap": 0.5, "shaded": 0.5, share: all_or_none})
    images = [replace(head, group=group) for head in heads if head.labels is None]
    for seed in range(6):
        batch(images, seed)
    assert len(seen) == 12 * all_or_none


@pytest.mark.parametrize("noisy", [0.0, 1.0])
def test_a_group_says_how_many_of_its_measurements_are_noisy(noisy, heads):
    loud = [replace(head, group=replace(head.group, noisy=noisy)) for head in heads]
    told = [value for seed in range(8) for value in batch(loud, seed).numbers[:, -1].tolist()]
    assert any(told) is bool(noisy)
