"""A network of planes sees each plane with its neighbours, and periodically, as a Fourier transform does."""

import pytest
import torch

from medidiff.models import (
    as_channels,
    as_complex,
    load_model,
    plane_denoiser,
    plane_maps,
    plane_numbers,
    residual_unit,
)
from tests.toy import PLANE_CARD, make_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(make_model(tmp_path_factory.mktemp("planes"), **PLANE_CARD))


def images(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.complex64)


def asked(model, maps, batch=2):
    numbers = torch.tensor(plane_numbers(acceleration=4, noise=0.01, coils=8, refined=1))
    return plane_denoiser(model, maps, numbers, precision="fp32", batch=batch, progress=lambda many: None)


def test_complex_images_become_channels_and_come_back():
    x = images(3, 5, 4)
    assert as_channels(x).shape == (3, 2, 5, 4)
    assert torch.equal(as_complex(as_channels(x)), x)


def test_each_plane_is_told_with_those_beside_it():
    x = images(4, 6, 5)
    maps = plane_maps(x)
    assert maps.shape == (4, 6, 6, 5)
    for place in range(4):
        assert torch.equal(as_complex(maps[place, :2]), x[place])
        before, after = (as_complex(maps[place, part]) for part in (slice(2, 4), slice(4, 6)))
        assert torch.equal(before, x[place - 1] if place else torch.zeros_like(x[0]))
        assert torch.equal(after, x[place + 1] if place < 3 else torch.zeros_like(x[0]))


def test_a_plane_alone_sees_nothing_beside_it():
    x = images(3, 6, 5)
    assert torch.equal(plane_maps(x, alone=True)[1], plane_maps(x[1:2])[0])
    assert torch.equal(plane_maps(x[:1]), plane_maps(x[:1], alone=True))


def test_numbers_are_finite_whatever_the_noise():
    told = [plane_numbers(acceleration=4, noise=noise, coils=8, refined=9) for noise in (0.0, 0.01, 1e30)]
    assert all(abs(number) < 10 for numbers in told for number in numbers)
    assert told[0] != told[1]


def test_the_unit_grows_with_acceleration_and_shrinks_from_pass_to_pass():
    assert residual_unit(8, 0) > residual_unit(4, 0) > residual_unit(4, 1) > residual_unit(4, 2) == residual_unit(4, 7)


@pytest.mark.parametrize("shape", [(16, 16), (17, 13), (5, 24)])
def test_any_size_is_taken(model, shape):
    maps = plane_maps(images(3, *shape))
    r = torch.randn(2, 3, 2, *shape)
    assert asked(model, maps)(r, torch.tensor([0.5, 1.0])).shape == r.shape


def test_batches_do_not_matter(model):
    maps, r, t = plane_maps(images(5, 16, 12)), torch.randn(1, 5, 2, 16, 12), torch.tensor([0.5])
    one, other = (asked(model, maps, batch)(r, t) for batch in (1, 4))
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_nothing_is_seen_of_the_noise_at_time_one(model):
    maps, t = plane_maps(images(2, 16, 16)), torch.ones(1)
    one, other = (asked(model, maps)(images(1, 2, 2, 16, 16, seed=seed).real, t) for seed in (1, 2))
    assert torch.equal(one, other)
    assert one.any()


def test_samples_of_one_call_are_those_of_several(model):
    maps, r = plane_maps(images(2, 16, 16)), torch.randn(3, 2, 2, 16, 16)
    t = torch.tensor([0.3, 0.6, 0.9])
    denoise = asked(model, maps)
    for k in range(3):
        torch.testing.assert_close(denoise(r, t)[k], denoise(r[k : k + 1], t[k : k + 1])[0], atol=1e-5, rtol=1e-4)
