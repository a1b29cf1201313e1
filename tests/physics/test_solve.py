"""The data-consistency solve: a closed-form posterior, a residual that is the noise, data without noise matched."""

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from medidiff.physics import consistent, project, relative_residual
from tests.physics.operators import OPERATORS, dense, drawn, low_resolution, operator_along

SMALL = {
    "slices": operator_along(2, shape=(4, 3, 12), ratio=3),
    "every axis": low_resolution(shape=(4, 6, 5)),
    "overlaps": operator_along(0, shape=(12, 3, 4), ratio=2, relative=1.6),
}


@pytest.fixture(params=SMALL, ids=str)
def operator(request):
    return SMALL[request.param]


def posterior_mean(operator, x, y, prior_variance, noise_variance):
    """Mean of ``p(image | y)`` for the prior ``N(x, prior I)``, from the precisions (Bishop 2006, eq. 2.116)."""
    a = dense(operator)
    precision = a.T @ a / noise_variance + torch.eye(a.shape[1]) / prior_variance
    pulled = a.T @ y.flatten() / noise_variance + x.flatten() / prior_variance
    return torch.linalg.solve(precision, pulled).reshape(x.shape)


def largest_eigenvalue(operator):
    return float(torch.linalg.matrix_norm(dense(operator), 2)) ** 2


@pytest.mark.parametrize("weight", [1e-3, 0.1, 3.0])
def test_projecting_is_the_posterior_mean_of_a_gaussian_prior(operator, weight):
    x, y = drawn(operator.fine.shape), drawn(operator.coarse.shape, seed=1)
    expected = posterior_mean(operator, x, y, 2.0, 2.0 * weight * largest_eigenvalue(operator))
    torch.testing.assert_close(project(x, y, operator, weight=weight), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("noise", [0.1, 0.5])
def test_consistency_is_the_posterior_mean_whose_residual_is_the_noise(operator, noise):
    x, y = drawn(operator.fine.shape), 2 * drawn(operator.coarse.shape, seed=1)
    a = dense(operator)

    def excess(log_ratio):
        mean = posterior_mean(operator, x, y, 1.0, np.exp(log_ratio))
        return float(torch.linalg.vector_norm(a @ mean.flatten() - y.flatten())) - noise * np.sqrt(y.numel())

    ratio = np.exp(brentq(excess, np.log(1e-3 * largest_eigenvalue(operator)), 10, xtol=1e-10))
    expected = posterior_mean(operator, x, y, 1.0, ratio)
    torch.testing.assert_close(consistent(x, y, operator, noise=noise), expected, rtol=1e-5, atol=1e-6)


def bumpy(shape):
    """A smooth image with edges, around 1."""
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    image = 0.5 + 0.3 * np.cos(9 * x) * np.cos(7 * y) * np.cos(8 * z) + (x**2 + y**2 + z**2 < 0.5)
    return torch.from_numpy(image.astype(np.float32))


@pytest.mark.parametrize("name", sorted(set(OPERATORS) - {"same grid"}))
def test_data_without_noise_are_matched_to_a_thousandth(name):
    operator = OPERATORS[name]
    y = operator.forward(bumpy(operator.fine.shape))
    proposal = operator.upsample(y) + 0.05 * drawn(operator.fine.shape, dtype=torch.float32)
    answer = consistent(proposal, y, operator, noise=0)
    assert relative_residual(answer, y, operator) <= 1e-3 < relative_residual(proposal, y, operator)


@pytest.mark.parametrize("noise", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("ratio", [2, 3.5, 6])
def test_the_residual_is_the_noise(ratio, noise):
    operator = operator_along(2, shape=(16, 16, 24), ratio=ratio)
    y = operator.forward(bumpy(operator.fine.shape))
    y = y + noise * drawn(y.shape, seed=3, dtype=torch.float32)
    answer = consistent(operator.upsample(y) + 2 * drawn(operator.fine.shape, dtype=y.dtype), y, operator, noise=noise)
    residual = float((operator.forward(answer) - y).square().mean().sqrt())
    assert residual == pytest.approx(noise, rel=0.02)


def test_what_agrees_already_is_left_alone():
    operator = OPERATORS["z"]
    x = drawn(operator.fine.shape)
    y = operator.forward(x) + 0.01
    torch.testing.assert_close(consistent(x, y, operator, noise=0.1), x, rtol=0, atol=1e-6)


def test_each_of_a_batch_has_its_own_weight():
    operator = OPERATORS["every axis"]
    y = drawn((1, 1, *operator.coarse.shape))
    x = drawn((3, 1, *operator.fine.shape), seed=1) * torch.tensor([0.1, 1, 10]).reshape(3, 1, 1, 1, 1)
    together = consistent(x, y, operator, noise=0.3)
    for one, proposal in zip(together, x, strict=True):
        torch.testing.assert_close(one, consistent(proposal, y[0], operator, noise=0.3))
        assert float((operator.forward(one) - y).square().mean().sqrt()) == pytest.approx(0.3, rel=0.02)


def test_a_complex_image_is_made_to_agree():
    operator = OPERATORS["z"]
    x, y = drawn(operator.fine.shape, dtype=torch.complex128), drawn(operator.coarse.shape, dtype=torch.complex128)
    answer = consistent(x, y, operator, noise=0)
    parts = [consistent(a, b, operator, noise=0) for a, b in ((x.real, y.real), (x.imag, y.imag))]
    torch.testing.assert_close(answer, torch.complex(*parts))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_precision_is_kept(dtype):
    operator = OPERATORS["z"]
    x, y = drawn(operator.fine.shape, dtype=dtype), drawn(operator.coarse.shape, dtype=dtype)
    assert consistent(x, y, operator, noise=0.1).dtype == dtype


def test_agreeing_twice_changes_nothing_more():
    operator = OPERATORS["overlaps"]
    x, y = drawn(operator.fine.shape), drawn(operator.coarse.shape, seed=1)
    once = consistent(x, y, operator, noise=0.2)
    torch.testing.assert_close(consistent(once, y, operator, noise=0.2), once, rtol=0, atol=1e-6)
