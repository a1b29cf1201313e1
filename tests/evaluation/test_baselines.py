import numpy as np
import pytest
import torch
from scipy import ndimage

from medidiff.errors import UsageError
from medidiff.evaluation import baselines
from medidiff.evaluation.baselines import Pair, cubic, cubic_dc, fit_weight, trilinear, tv, tv_objective
from medidiff.physics import SliceProfile, relative_residual
from medidiff.volume import Geometry

COARSE = Geometry((10, 9, 6), np.diag([1.0, 1.0, 3.0, 1.0]))
OPERATOR = SliceProfile(COARSE.refined(1.0), COARSE, thickness=(1.0, 1.0, 3.0))


def blobs(seed=0, smooth=1.0):
    image = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=OPERATOR.fine.shape), smooth)
    return torch.from_numpy(100 + 100 * image)


def identity(shape, spacing=(1.0, 1.0, 1.0)):
    grid = Geometry(shape, np.diag([*spacing, 1.0]))
    return SliceProfile(grid, grid, thickness=spacing)


def step(shape):
    y = torch.ones(shape, dtype=torch.float64)
    y[shape[0] // 2 :] = 2
    return y


@pytest.mark.parametrize("baseline", [trilinear, cubic])
def test_interpolation_keeps_constants_and_straight_lines_inside(baseline):
    flat = torch.full(COARSE.shape, 7.0, dtype=torch.float64)
    torch.testing.assert_close(baseline(flat, OPERATOR), torch.full(OPERATOR.fine.shape, 7.0, dtype=torch.float64))
    positions = torch.from_numpy(OPERATOR.positions(2))
    line = torch.arange(6, dtype=torch.float64).expand(COARSE.shape)
    inside = slice(1, -1) if baseline is trilinear else slice(7, -7)
    tolerance = 1e-9 if baseline is trilinear else 0.02
    drawn = baseline(line, OPERATOR)[..., inside]
    torch.testing.assert_close(drawn, positions[inside].expand_as(drawn), atol=tolerance, rtol=0)


def test_trilinear_lies_between_its_neighbours_and_passes_through_the_samples():
    y = OPERATOR.forward(blobs())
    x = trilinear(y, OPERATOR)
    torch.testing.assert_close(x[..., 1::3], y)
    torch.testing.assert_close(x[..., 2], (2 * y[..., 0] + y[..., 1]) / 3)


def test_consistency_agrees_at_small_weights_and_changes_nothing_at_large_ones():
    y = OPERATOR.forward(blobs())
    residuals = [relative_residual(cubic_dc(y, OPERATOR, weight=w), y, OPERATOR) for w in (1e-8, 1e-3, 1e-1, 1e8)]
    assert residuals == sorted(residuals)
    assert residuals[0] < 1e-6
    torch.testing.assert_close(cubic_dc(y, OPERATOR, weight=1e9), cubic(y, OPERATOR))


@pytest.mark.parametrize(("spacing", "pull"), [((1.0, 1.0, 1.0), 1.0), ((2.0, 1.0, 1.0), 0.5)])
def test_total_variation_moves_the_plateaus_of_a_step_towards_each_other(spacing, pull):
    """min |x - y|^2 / 2 + w s pull |jump|: each plateau of 4 voxels moves by w s pull / 4 (Strong & Chan 2003)."""
    y = step((8, 3, 2))
    x = tv(y, identity(y.shape, spacing), weight=0.1, iterations=400)
    moved = 0.1 * 2 * pull / 4
    expected = y + torch.where(y == 1, moved, -moved)
    torch.testing.assert_close(x, expected, atol=1e-5, rtol=0)


def test_a_weight_beyond_the_closed_form_limit_flattens_a_step():
    y = step((8, 3, 2))
    x = tv(y, identity(y.shape), weight=2.0, iterations=2000)
    torch.testing.assert_close(x, torch.full_like(y, 1.5), atol=1e-3, rtol=0)


def test_total_variation_does_not_touch_its_input():
    y = step((8, 3, 2))
    kept = y.clone()
    tv(y, identity(y.shape), weight=0.1, iterations=5)
    assert torch.equal(y, kept)


def test_total_variation_converges_and_beats_its_neighbourhood():
    y = OPERATOR.forward(blobs())
    x = tv(y, OPERATOR, weight=1e-2, iterations=3000)
    best = tv_objective(x, y, OPERATOR, weight=1e-2)
    assert tv_objective(tv(y, OPERATOR, weight=1e-2, iterations=150), y, OPERATOR, weight=1e-2) < 1.02 * best
    generator = torch.Generator().manual_seed(0)
    for size in (0.01, 0.1, 1.0):
        other = x + size * torch.randn(x.shape, generator=generator, dtype=x.dtype)
        assert tv_objective(other, y, OPERATOR, weight=1e-2) > best
    for start in (cubic(y, OPERATOR), cubic_dc(y, OPERATOR, weight=1e-3), trilinear(y, OPERATOR)):
        towards = x + 1e-2 * (start - x)
        assert tv_objective(towards, y, OPERATOR, weight=1e-2) > best


def test_the_data_step_solves_its_normal_equations():
    y, v, tau = OPERATOR.forward(blobs()), blobs(1), 0.7
    x = baselines._data_prox(y, OPERATOR, tau)(v)
    gradient = OPERATOR.adjoint(OPERATOR.forward(x) - y) / OPERATOR.norm**2 + (x - v) / tau
    assert gradient.abs().max() < 1e-9 * v.abs().max()


def test_divergence_is_minus_the_adjoint_of_the_gradient():
    inverse = [1.0, 0.5, 0.25]
    x, dual = blobs(), torch.stack([blobs(seed) for seed in (1, 2, 3)])
    left, right = (baselines._gradient(x, inverse) * dual).sum(), -(x * baselines._divergence(dual, inverse)).sum()
    torch.testing.assert_close(left, right)


def test_units_and_batches_do_not_change_the_result():
    ys = torch.stack([OPERATOR.forward(blobs(seed)) for seed in (0, 1)])
    both = tv(ys, OPERATOR, weight=1e-3, iterations=20)
    torch.testing.assert_close(both[1], tv(ys[1], OPERATOR, weight=1e-3, iterations=20))
    torch.testing.assert_close(tv(1000 * ys, OPERATOR, weight=1e-3, iterations=20), 1000 * both)


@pytest.mark.parametrize(("weight", "iterations"), [(0.0, 10), (-1.0, 10), (float("nan"), 10), (1e-3, 0)])
def test_senseless_total_variation_is_refused(weight, iterations):
    with pytest.raises(UsageError):
        tv(torch.ones(COARSE.shape), OPERATOR, weight=weight, iterations=iterations)


def pairs():
    """Noisy, so that an optimum lies inside."""
    noise = torch.randn(COARSE.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    truth = blobs(smooth=1.5)
    return [Pair(OPERATOR.forward(truth) + 0.3 * noise, OPERATOR, truth, truth > 0)]


def test_the_weight_is_the_best_on_the_grid_and_the_grid_is_printed():
    fit = fit_weight(cubic_dc, pairs(), [1e4, 1e-6, 1e-4, 1e-2, 1.0, 1e2])
    assert [weight for weight, _ in fit.table] == [1e-6, 1e-4, 1e-2, 1.0, 1e2, 1e4]
    assert max(fit.table, key=lambda row: row[1])[0] == fit.weight
    assert fit.inside
    assert f"{fit.weight:.3g}: " in str(fit)
    assert "*" in str(fit)


def test_the_weight_of_a_shrinkage_is_found_where_algebra_says():
    """|w y - y / 2|^2 is least at w = 1/2."""
    y = pairs()[0].y
    half = Pair(y, identity(COARSE.shape), y / 2, y > 0)
    fit = fit_weight(lambda y, operator, weight: weight * y, [half], [0.3, 0.45, 0.51, 0.7])
    assert fit.weight == 0.51
    assert fit.table[2][1] == pytest.approx(
        float(20 * torch.log10((y / 2).max() / 0.01 / y.square().mean().sqrt())), abs=1e-6
    )


def test_an_optimum_on_the_edge_and_an_empty_grid_are_told():
    fit = fit_weight(tv, pairs(), [1e-2, 1e-1, 1.0])
    assert not fit.inside
    assert "EDGE" in str(fit)
    with pytest.raises(UsageError, match="2 weights"):
        fit_weight(tv, pairs(), [1.0, 2.0])
    with pytest.raises(UsageError, match="0 pairs"):
        fit_weight(tv, [], [1.0, 2.0, 3.0])


def test_a_weight_that_is_best_at_none_levels_off_at_the_edge():
    """Without noise, the smaller the weight of data consistency the better, until nothing changes any more."""
    truth = blobs(smooth=1.5)
    clean = [Pair(OPERATOR.forward(truth), OPERATOR, truth, truth > 0)]
    fit = fit_weight(cubic_dc, clean, [1e-6, 1e-5, 1e-1])
    assert not fit.inside
    assert fit.levels_off
    assert "levels off" in str(fit)
    assert "EDGE" not in str(fit)
    assert not fit_weight(tv, pairs(), [1e-2, 1.0, 2.0]).levels_off
