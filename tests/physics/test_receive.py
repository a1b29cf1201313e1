import pytest
import torch

from medidiff.errors import InputError
from medidiff.physics import Fourier
from medidiff.physics.receive import (
    compressed,
    covariance,
    cropped,
    measured_noise,
    resized,
    whitened,
    without_oversampling,
)
from tests.physics.heads import lines, measured
from tests.physics.operators import drawn


@pytest.fixture
def mixing():
    """How the noise of four coils depends on each other."""
    return torch.eye(4, dtype=torch.complex64) + 0.4 * drawn((4, 4), seed=1, dtype=torch.complex64)


def test_whitened_noise_is_equal_and_independent(mixing):
    noise = mixing @ drawn((4, 20000), dtype=torch.complex64)
    white, level = whitened(noise.reshape(4, 200, 100, 1), noise)
    found = covariance(white.flatten(1)) / level**2
    torch.testing.assert_close(found, torch.eye(4, dtype=torch.complex128), atol=1e-3, rtol=0)


def test_whitening_independent_coils_changes_nothing():
    noise = drawn((3, 50000), dtype=torch.complex64)
    data = drawn((3, 5, 6, 7), seed=2, dtype=torch.complex64)
    white, level = whitened(data, 3 * noise)
    torch.testing.assert_close(white, data, atol=0.03, rtol=0.03)
    assert level == pytest.approx(3, rel=0.02)


def test_noise_that_cannot_be_whitened_is_told():
    with pytest.raises(InputError, match="too few noise samples"):
        whitened(torch.zeros(4, 2, 2, 1), torch.zeros(4, 5))
    twice = drawn((1, 100), dtype=torch.complex64).expand(2, 100)
    with pytest.raises(InputError, match="silent or a copy"):
        whitened(torch.zeros(2, 2, 2, 1), torch.cat([twice[:1], 0 * twice[:1]]))


@pytest.mark.parametrize("noise", [0.05, 0.2])
@pytest.mark.parametrize("mask", [torch.ones(1, 1, 1, dtype=torch.bool), lines()], ids=["full", "lines"])
def test_noise_is_read_off_the_samples(noise, mask):
    _, _, y = measured(noise=noise)
    assert measured_noise(y * mask, mask, axes=(0, 1))[0] == pytest.approx(noise, rel=0.35)


def blurred_disc(shape=(96, 64), *, noise, cut=False):
    """K-space of four coils, each of which sees a texture of its own in a disc: no sample is free of signal."""
    x, y = (torch.linspace(-1, 1, n) for n in shape)
    inside = (x[:, None] ** 2 + y**2 < 0.6)[None, ..., None]
    seen = drawn((4, *shape, 1), dtype=torch.complex64) * inside
    told = noise * drawn((4, *shape, 1), seed=1, dtype=torch.complex64)
    return Fourier((0, 1)).forward(seen + (told * inside if cut else told))


@pytest.mark.parametrize("axis", [0, 1])
def test_noise_is_read_off_air_along_a_fully_sampled_axis_where_every_sample_holds_signal(axis):
    data = blurred_disc(noise=0.3).movedim(1, axis + 1)
    mask = torch.zeros([1 if a == axis else n for a, n in enumerate(data.shape[1:])], dtype=torch.bool)
    mask.view(-1)[::3] = True
    found, where = measured_noise(data * mask, mask, axes=(0, 1))
    assert found == pytest.approx(0.3, rel=0.05)
    assert where == f"quietest part along {'xy'[axis]}"


def test_air_that_was_cut_out_of_an_image_is_no_measure_of_noise():
    mask = torch.ones(1, 64, 1, dtype=torch.bool)
    found, where = measured_noise(blurred_disc(noise=0.3, cut=True), mask, axes=(0, 1))
    assert found > 0.5
    assert where.startswith("outermost samples")


def test_signal_that_coils_share_is_not_taken_for_noise_where_samples_are_missing_along_both_axes():
    places = drawn((1, 64, 48, 1), dtype=torch.complex64)  # a bright region of random phase: signal in every sample
    shared = torch.linspace(0.2, 2, 8).reshape(8, 1, 1, 1) * places
    data = shared + 0.2 * drawn((8, 64, 48, 1), seed=1, dtype=torch.complex64)
    mask = torch.rand(64, 48, 1, generator=torch.Generator().manual_seed(0)) < 0.3
    found, where = measured_noise(data * mask, mask, axes=(0, 1))
    assert found == pytest.approx(0.2, rel=0.15)
    assert where == "outermost samples, what coils do not share"


def test_coils_that_are_mixtures_of_fewer_do_not_count_as_free_of_noise():
    few = drawn((3, 64, 48, 1), dtype=torch.complex64)
    many = torch.einsum("ij,j...->i...", drawn((8, 3), seed=1, dtype=torch.complex64), few)
    mask = torch.rand(64, 48, 1, generator=torch.Generator().manual_seed(0)) < 0.3
    found, where = measured_noise(many * mask, mask, axes=(0, 1))
    assert found > 0.5
    assert where == "outermost samples"


def test_noise_is_unknown_where_too_little_was_measured():
    assert measured_noise(torch.zeros(2, 8, 8, 1), torch.ones(1, 1, 1, dtype=torch.bool), axes=(0, 1))[0] == 0


def test_virtual_coils_keep_what_dependent_coils_saw():
    few = drawn((3, 6, 7, 2), dtype=torch.complex64)
    many = torch.einsum("ij,j...->i...", drawn((20, 3), seed=1, dtype=torch.complex64), few)
    virtual, matrix = compressed(many, coils=3)
    assert virtual.shape == few.shape
    torch.testing.assert_close(matrix @ matrix.mH, torch.eye(3, dtype=torch.complex64), atol=1e-5, rtol=1e-5)
    sums = [torch.linalg.vector_norm(each, dim=0) for each in (virtual, many)]
    torch.testing.assert_close(sums[0], sums[1], rtol=1e-4, atol=1e-4)


def test_few_coils_are_left_as_they_are():
    data = drawn((4, 3, 3, 1), dtype=torch.complex64)
    assert torch.equal(compressed(data, coils=12)[0], data)


@pytest.mark.parametrize(("n", "m"), [(8, 4), (9, 5), (8, 5), (9, 4)])
def test_oversampling_is_what_is_cut_off_the_image(n, m):
    data = drawn((2, n, 6, 3), dtype=torch.complex128)
    cut = without_oversampling(data, axis=0, samples=m)
    image = Fourier((0, 1)).adjoint(data)
    torch.testing.assert_close(Fourier((0, 1)).adjoint(cut), cropped(image, (m, 6, 3)))
    assert torch.equal(cropped(image, (m, 6, 3))[:, m // 2], image[:, n // 2])


def test_interpolation_keeps_values_and_places():
    image = torch.full((6, 5, 1), 7.0, dtype=torch.complex128)
    torch.testing.assert_close(resized(image, (12, 8, 1)), torch.full((12, 8, 1), 7.0, dtype=torch.complex128))
    x = drawn((2, 5, 7, 1), dtype=torch.complex128)
    assert resized(x, (5, 7, 1)) is x
    torch.testing.assert_close(resized(x, (15, 7, 1))[:, 1::3], x)
