"""What the operators of k-space hold: adjoints, norms, odd sizes, batches, both precisions."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medidiff.physics import Fourier, Sampling, Sensitivities, encoding
from medidiff.physics.wavelet import Wavelet, soft_threshold
from tests.physics.heads import coils
from tests.physics.operators import drawn
from tests.strategies import seeds, shapes

AXES = [(), (0,), (0, 1), (1, 2), (0, 2), (0, 1, 2)]


def maps_of(shape, *, sets=2, number=3, seed=0, dtype=torch.complex128):
    """Random maps whose sets are orthonormal at each voxel."""
    raw = drawn((*shape, number, sets), seed=seed, dtype=torch.complex128)
    return torch.linalg.qr(raw)[0].permute(4, 3, 0, 1, 2).to(dtype)


def operators(shape, axes, seed=0, dtype=torch.complex128):
    """Each operator with the shapes on its two sides."""
    maps = maps_of(shape, seed=seed, dtype=dtype)
    mask = drawn(shape, seed=seed) > 0
    wavelet = Wavelet(shape, axes=axes, name="db2")
    return {
        "Fourier": (Fourier(axes), shape, shape),
        "sampling": (Sampling(mask), shape, shape),
        "sensitivities": (Sensitivities(maps), (2, *shape), (3, *shape)),
        "encoding": (encoding(mask, maps, axes=axes), (2, *shape), (3, *shape)),
        "coil by coil": (encoding(mask, None, axes=axes), (3, *shape), (3, *shape)),
        "wavelet": (wavelet, shape, wavelet.padded),
    }


def gap(operator, before, after, dtype, seed, batch=()):
    """Relative gap between ``<A x, y>`` and ``<x, A^H y>``."""
    x, y = drawn((*batch, *before), seed=seed, dtype=dtype), drawn((*batch, *after), seed=seed + 1, dtype=dtype)
    ahead, back = operator.forward(x), operator.adjoint(y)
    assert ahead.shape == y.shape
    assert back.shape == x.shape
    assert ahead.dtype == back.dtype == dtype
    there, here = torch.vdot(ahead.flatten(), y.flatten()), torch.vdot(x.flatten(), back.flatten())
    return float((there - here).abs() / (torch.linalg.vector_norm(x) * torch.linalg.vector_norm(y)))


@given(shapes(1, 13), st.sampled_from(AXES), seeds)
def test_the_adjoint_is_the_adjoint_at_any_size_and_along_any_axes(shape, axes, seed):
    for name, (operator, before, after) in operators(shape, axes, seed % 1000).items():
        assert gap(operator, before, after, torch.complex128, seed % 1000) < 1e-12, name


@pytest.mark.parametrize(("dtype", "bound"), [(torch.complex64, 1e-5), (torch.complex128, 1e-12)], ids=str)
def test_the_adjoint_holds_in_both_precisions_and_for_batches(dtype, bound):
    for name, (operator, before, after) in operators((9, 16, 7), (0, 1, 2), dtype=dtype).items():
        assert gap(operator, before, after, dtype, 3, batch=(2, 3)) < bound, name


@given(shapes(1, 11), st.sampled_from(AXES), seeds)
def test_no_operator_enlarges_an_image(shape, axes, seed):
    for name, (operator, before, _) in operators(shape, axes, seed % 1000).items():
        x = drawn(before, seed=seed % 1000, dtype=torch.complex128)
        for _ in range(8):
            x = x / torch.linalg.vector_norm(x).clamp_min(1e-30)
            x = operator.normal(x)
        assert float(torch.linalg.vector_norm(x)) <= 1 + 1e-9, name


def test_a_batch_is_measured_one_by_one():
    for name, (operator, before, _) in operators((6, 5, 4), (0, 1)).items():
        x = drawn((2, 3, *before), dtype=torch.complex128)
        torch.testing.assert_close(operator.forward(x)[1, 2], operator.forward(x[1, 2]), msg=name)


@pytest.mark.parametrize("shape", [(8, 7, 5), (9, 6, 1)], ids=str)
def test_the_transform_is_unitary_and_its_origin_is_in_the_middle(shape):
    x = drawn(shape, dtype=torch.complex128)
    torch.testing.assert_close(Fourier().adjoint(Fourier().forward(x)), x)
    point = torch.zeros(shape, dtype=torch.complex128)
    point[tuple(n // 2 for n in shape)] = 1
    flat = torch.full(shape, point.numel() ** -0.5, dtype=torch.complex128)
    torch.testing.assert_close(Fourier().forward(point), flat)
    torch.testing.assert_close(Fourier().adjoint(point), flat)


def test_one_slice_is_the_same_in_two_and_in_three_dimensions():
    x = drawn((9, 8, 1), dtype=torch.complex128)
    torch.testing.assert_close(Fourier((0, 1, 2)).forward(x), Fourier((0, 1)).forward(x))


def test_slices_of_a_stack_do_not_know_each_other():
    x = drawn((6, 5, 3), dtype=torch.complex128)
    torch.testing.assert_close(Fourier((0, 1)).forward(x)[..., 1:2], Fourier((0, 1)).forward(x[..., 1:2]))


def test_fully_sampled_coils_give_the_image_back():
    image, maps = coils((11, 14, 6))
    operator = encoding(torch.ones(1, 1, 1), maps, axes=(0, 1, 2))
    torch.testing.assert_close(operator.normal(image), image, rtol=1e-4, atol=1e-5)


@given(shapes(1, 40), st.sampled_from(AXES), seeds)
def test_wavelets_give_every_image_back(shape, axes, seed):
    wavelet = Wavelet(shape, axes=axes)
    x = drawn(shape, seed=seed % 1000, dtype=torch.complex128)
    torch.testing.assert_close(wavelet.adjoint(wavelet.forward(x)), x)


def test_wavelets_of_a_smooth_image_lie_in_the_corner():
    x = torch.ones(64, 64, 1, dtype=torch.float64)
    wavelet = Wavelet(x.shape, axes=(0, 1))
    w = wavelet.forward(x)
    assert wavelet.levels == 3
    assert torch.linalg.vector_norm(w[wavelet.corner]) == pytest.approx(64)
    assert torch.linalg.vector_norm(w) == pytest.approx(64)


def test_a_soft_threshold_shrinks_magnitudes_and_keeps_phases():
    w = torch.tensor([3 + 4j, 0.6 + 0.8j, 0j])
    torch.testing.assert_close(soft_threshold(w, 2.0), torch.tensor([1.8 + 2.4j, 0j, 0j]))


def test_a_joint_threshold_keeps_the_weak_beside_the_strong():
    w = torch.tensor([[3 + 0j], [4 + 0j]])
    torch.testing.assert_close(soft_threshold(w, 2.5, dim=0), 0.5 * w)
