"""A network of planes sees each plane with its neighbours, and periodically, as a Fourier transform does."""

import pytest
import torch

from medidiff.models import (
    as_channels,
    as_complex,
    load_model,
    plane_denoiser,
    plane_numbers,
    plane_view,
    reach,
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


def seen(x, **told):
    """The plane and those beside it, turned back."""
    maps, turn = plane_view(x, unit=0.1, **told)
    return [as_complex(maps[..., part : part + 2, :, :]) * turn.conj() for part in (0, 2, 4)]


def test_each_plane_is_told_with_those_beside_it():
    x = images(4, 6, 5)
    itself, before, after = seen(x)
    torch.testing.assert_close(itself, x)
    torch.testing.assert_close(before, torch.cat([torch.zeros_like(x[:1]), x[:-1]]))
    torch.testing.assert_close(after, torch.cat([x[1:], torch.zeros_like(x[:1])]))


def test_a_plane_alone_sees_nothing_beside_it():
    x = images(3, 6, 5)
    alone, itself = plane_view(x, unit=0.1, alone=True)[0], plane_view(x[1:2], unit=0.1)[0]
    torch.testing.assert_close(alone[1], itself[0])


def test_detail_is_what_blurs_take_away_in_the_errors_unit():
    x = images(2, 24, 20)
    for unit in (0.1, torch.tensor([0.1, 0.2])[:, None, None]):
        maps, turn = plane_view(x, unit=unit)
        finest, finer = (as_complex(maps[:, part : part + 2]) * turn.conj() * unit for part in (6, 8))
        spectrum = torch.fft.fft2(x - finest - finer)
        kept = torch.exp(-2 * (torch.pi * 5.0 / 24) ** 2 * torch.ones(()))
        torch.testing.assert_close(spectrum[:, 1, 0], torch.fft.fft2(x)[:, 1, 0] * kept, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(spectrum[:, 0, 0], torch.fft.fft2(x)[:, 0, 0], atol=1e-3, rtol=1e-3)
        assert float(spectrum[:, 12, 10].abs().max()) < 1e-3


@pytest.mark.parametrize("angle", [0.3, 2.0, -3.0])
def test_the_phase_of_the_scan_does_not_matter(angle):
    smooth = torch.exp(-(torch.linspace(-2, 2, 24)[:, None] ** 2) - torch.linspace(-2, 2, 20) ** 2)
    x = smooth + 0.1 * images(3, 24, 20)
    turned = x * torch.polar(torch.ones(()), torch.tensor(angle))
    torch.testing.assert_close(plane_view(turned, unit=0.1)[0], plane_view(x, unit=0.1)[0], atol=1e-4, rtol=1e-3)


def test_tissue_of_smooth_phase_is_seen_nearly_real():
    a, b = torch.linspace(-1, 1, 64)[:, None], torch.linspace(-1, 1, 64)
    x = torch.polar(torch.ones(64, 64), torch.sin(torch.pi * a) + torch.cos(torch.pi * b))[None]
    maps, _ = plane_view(x, unit=0.1)
    assert float(maps[:, 1].abs().mean()) < 0.1
    assert float(maps[:, 0].min()) > 0.7


def test_numbers_are_finite_whatever_the_noise():
    told = [plane_numbers(acceleration=4, noise=noise, coils=8, refined=9) for noise in (0.0, 0.01, 1e30)]
    assert all(abs(number) < 10 for numbers in told for number in numbers)
    assert told[0] != told[1]


def unit(acceleration=4.0, noise=0.01, refined=0):
    return residual_unit(acceleration=acceleration, noise=noise, refined=refined)


def test_the_unit_grows_with_acceleration_and_noise_and_shrinks_from_pass_to_pass():
    assert unit(acceleration=8) > unit() > unit(refined=1) > unit(refined=2) > unit(refined=5) == unit(refined=9)
    assert unit(noise=0.05) > unit() > unit(noise=0.0) > 0
    assert unit(noise=1e30) < 3


@pytest.mark.parametrize("shape", [(16, 16), (17, 13), (5, 24)])
def test_any_size_is_taken(model, shape):
    maps = plane_view(images(3, *shape), unit=0.1)[0]
    r = torch.randn(2, 3, 2, *shape)
    assert asked(model, maps)(r, torch.tensor([0.5, 1.0])).shape == r.shape


def test_batches_do_not_matter(model):
    maps, r, t = plane_view(images(5, 16, 12), unit=0.1)[0], torch.randn(1, 5, 2, 16, 12), torch.tensor([0.5])
    one, other = (asked(model, maps, batch)(r, t) for batch in (1, 4))
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_nothing_is_seen_of_the_noise_at_time_one(model):
    maps, t = plane_view(images(2, 16, 16), unit=0.1)[0], torch.ones(1)
    one, other = (asked(model, maps)(images(1, 2, 2, 16, 16, seed=seed).real, t) for seed in (1, 2))
    assert torch.equal(one, other)
    assert one.any()


def test_samples_of_one_call_are_those_of_several(model):
    maps, r = plane_view(images(2, 16, 16), unit=0.1)[0], torch.randn(3, 2, 2, 16, 16)
    t = torch.tensor([0.3, 0.6, 0.9])
    denoise = asked(model, maps)
    for k in range(3):
        torch.testing.assert_close(denoise(r, t)[k], denoise(r[k : k + 1], t[k : k + 1])[0], atol=1e-5, rtol=1e-4)


def test_the_first_passes_go_all_of_the_way_and_later_ones_as_far_as_they_are_told():
    assert [reach(refined, 2.0) for refined in range(6)] == [1, 1, 1, 2, 2, 2]
    assert [reach(refined, 1.0) for refined in range(6)] == [1] * 6
