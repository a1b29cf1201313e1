"""SciPy is the oracle, and enumeration where a handful of people can be enumerated."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from medidiff.evaluation.statistics import bootstrap_interval, by_subject, holm, signed_rank, win_rate

SCORES = np.random.default_rng(3).normal(28, 2, size=15)


def test_the_interval_is_scipys_percentile_bootstrap_where_everybody_has_one_case():
    mine = bootstrap_interval(SCORES, range(15), draws=20_000)
    theirs = stats.bootstrap(
        (SCORES,), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(1)
    ).confidence_interval
    assert mine == pytest.approx(theirs, abs=0.05)


def test_people_are_resampled_with_all_of_their_cases():
    """Ten copies of each score by the same people tell no more than one; by different people they do."""
    copies, owners = np.repeat(SCORES, 10), np.repeat(np.arange(15), 10).tolist()
    assert bootstrap_interval(copies, owners) == pytest.approx(bootstrap_interval(SCORES, range(15)))
    low, high = bootstrap_interval(copies, range(150))
    ends = bootstrap_interval(SCORES, range(15))
    assert high - low < 0.5 * (ends[1] - ends[0])


def test_people_with_more_cases_count_more_as_they_do_in_the_mean():
    """Of the draws of a, b and c, 12 in 27 have a once: 2 of 10 cases are 1, which is the median."""
    values, owners = [0.0] * 8 + [1.0, 1.0], "a" * 8 + "bc"
    assert bootstrap_interval(values, owners, level=0.02) == pytest.approx((0.2, 0.2))


def test_the_interval_covers_the_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(300):
        low, high = bootstrap_interval(rng.normal(size=25), range(25), draws=400)
        inside.append(low <= 0 <= high)
    assert 0.89 <= np.mean(inside) <= 0.98


def test_two_people_have_no_interval_nor_has_an_infinite_mean_and_what_is_undefined_does_not_count():
    assert np.isnan(bootstrap_interval([1.0, 2.0, 3.0, 4.0], "aabb")).all()
    assert bootstrap_interval([1.0, 2.0, 4.0, np.nan], "abcd") == bootstrap_interval([1.0, 2.0, 4.0], "abc")
    assert np.isnan(bootstrap_interval([1.0, 2.0, 4.0, np.inf], "abcd")).all()
    assert by_subject([1.0, 3.0, 5.0, np.nan], "aabb").tolist() == [2.0, 5.0]
    assert by_subject([1.0, 3.0, 5.0, np.inf], "aabb").tolist() == [2.0, np.inf]


@pytest.mark.parametrize("n", [4, 7, 10])
def test_signed_rank_p_is_the_share_of_signs_that_are_as_extreme(n):
    differences = np.random.default_rng(n).normal(0.5, 1, size=n)
    ranks = stats.rankdata(np.abs(differences))
    observed = min(ranks[differences > 0].sum(), ranks[differences < 0].sum())
    sums = [np.dot(signs, ranks) for signs in itertools.product((0, 1), repeat=n)]
    expected = min(1, 2 * np.mean([total <= observed for total in sums]))
    assert signed_rank(differences) == pytest.approx(expected)


def test_seven_people_cannot_give_less_than_one_in_64():
    assert signed_rank([1.0, 2, 3, 4, 5, 6, 7]) == pytest.approx(2 / 2**7)
    assert np.isnan(signed_rank([0.0, 0.0]))


def test_an_infinite_difference_is_the_largest_rank():
    """No error at all is the best that can be, and not nothing."""
    assert signed_rank([-1.0, -2.0, 3.0, 4.0, np.inf]) == pytest.approx(signed_rank([-1.0, -2.0, 3.0, 4.0, 50.0]))
    assert signed_rank([1.0, 2.0, 3.0, 4.0, np.inf]) == pytest.approx(2 / 2**5)
    assert signed_rank([-1.0, 2.0, 3.0, 4.0, -np.inf]) > 0.5


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_lowers_a_p_and_keeps_the_order(p_values):
    adjusted = holm(p_values)
    assert all(a >= p for a, p in zip(adjusted, p_values, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()
    assert max(adjusted) <= 1
    if len(p_values) == 1:
        assert adjusted == p_values


def test_holm_by_hand():
    """Holm 1979: the smallest times 4, the next times 3, and so on, never falling."""
    assert holm([0.01, 0.02, 0.04, 0.03]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert holm([0.01, np.nan, 0.04])[0] == pytest.approx(0.02)


def test_equal_cases_are_half_a_win():
    assert win_rate([3, 2, 1, 5], [1, 2, 3, np.nan]) == 0.5
    assert np.isnan(win_rate([], []))
