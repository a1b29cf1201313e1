import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medidiff.errors import UsageError
from medidiff.physics.masks import LINE_MASKS, partial_fourier, poisson_disc
from tests.strategies import seeds


@pytest.fixture(params=LINE_MASKS, ids=str)
def family(request):
    return LINE_MASKS[request.param]


@given(st.integers(40, 300), st.floats(1, 8), st.integers(0, 5), seeds, st.sampled_from(sorted(LINE_MASKS)))
def test_lines_give_exactly_the_acceleration_and_a_full_centre(n, acceleration, calibration, seed, name):
    mask = LINE_MASKS[name](n, acceleration=acceleration, calibration=calibration, seed=seed)
    assert mask.shape == (n,)
    assert mask.sum() == round(n / acceleration)
    assert mask[n // 2 - calibration // 2 :][:calibration].all()


def test_the_same_seed_gives_the_same_mask_and_another_another(family):
    one, two, other = (family(200, acceleration=4, calibration=16, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_equispaced_lines_are_equally_far_apart():
    mask = LINE_MASKS["equispaced"](240, acceleration=4, calibration=0)
    assert set(np.diff(np.flatnonzero(mask))) == {4}


def test_gaussian_lines_lie_more_densely_in_the_middle():
    counts = np.sum([LINE_MASKS["gaussian"](200, acceleration=5, calibration=8, seed=s) for s in range(50)], axis=0)
    assert counts[60:96].mean() > 2 * counts[:36].mean()


@given(st.integers(30, 70), st.integers(30, 70), st.floats(2, 8), seeds)
def test_discs_give_the_acceleration_and_a_full_centre(a, b, acceleration, seed):
    mask = poisson_disc((a, b), acceleration=acceleration, calibration=8, seed=seed)
    assert mask.sum() == pytest.approx(a * b / acceleration, rel=0.02)
    assert mask[a // 2 - 4 : a // 2 + 4, b // 2 - 4 : b // 2 + 4].all()


def test_points_of_discs_keep_apart_the_more_the_farther_out():
    mask = poisson_disc((120, 120), acceleration=6, calibration=0, seed=3)
    nearest = {}
    for name, box in {"middle": slice(45, 75), "corner": slice(0, 30)}.items():
        points = np.argwhere(mask[box, box])
        apart = np.linalg.norm(points[:, None] - points[None], axis=-1) + 1e9 * np.eye(len(points))
        nearest[name] = apart.min()
    assert nearest["corner"] > nearest["middle"] + 1


def test_discs_are_drawn_the_same_from_the_same_seed():
    one, two, other = (poisson_disc((50, 41), acceleration=4, calibration=8, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_partial_fourier_keeps_the_last_part():
    mask = partial_fourier(100, fraction=0.75)
    assert mask.sum() == 75
    assert mask[25:].all()
    assert not mask[:25].any()


def test_a_centre_larger_than_the_whole_is_told(family):
    with pytest.raises(UsageError, match="calibration region leaves no sample"):
        family(100, acceleration=8, calibration=24)
    with pytest.raises(UsageError, match="leaves no sample"):
        poisson_disc((20, 20), acceleration=8, calibration=16)


def test_figures_out_of_range_are_told(family):
    with pytest.raises(UsageError, match="1 or more"):
        family(100, acceleration=0.5, calibration=4)
    with pytest.raises(UsageError, match="partial Fourier"):
        partial_fourier(10, fraction=0.3)
