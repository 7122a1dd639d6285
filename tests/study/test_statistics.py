"""Intervals hold what they promise: against scipy, against published numbers, and by how often they hold the truth."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from walras.errors import WalrasError
from walras.study.statistics import bootstrap_quantile_interval, holm, mean_interval, paired_difference

numbers = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20)


def test_student_sleep_data_give_the_published_figures() -> None:
    """Student's own example (1908), ten patients and two drugs: t = 4.06 with 9 degrees of freedom, p = 0.0028."""
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]

    found = paired_difference(second, first)

    assert found.estimate == pytest.approx(1.58)
    assert found.p == pytest.approx(0.002833, abs=1e-6)
    assert (found.low, found.high) == pytest.approx((0.7001, 2.4599), abs=1e-4)


@given(numbers, st.floats(0.5, 0.999))
def test_the_mean_interval_is_that_of_scipy(values: list[float], level: float) -> None:
    """Student's interval as scipy.stats.ttest_1samp gives it."""
    found = mean_interval(values, level)

    if len(set(values)) == 1:
        assert found.low == pytest.approx(found.high)
    else:
        expected = stats.ttest_1samp(values, 0.0).confidence_interval(level)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-6, abs=1e-6)


def test_the_paired_test_is_that_of_scipy() -> None:
    """Estimate, interval and p-value as scipy.stats.ttest_rel gives them."""
    rng = np.random.default_rng(1)
    for n in (2, 3, 10, 50):
        ours, theirs = rng.normal(size=n), rng.normal(size=n)
        expected = stats.ttest_rel(ours, theirs)
        found = paired_difference(list(ours), list(theirs))

        interval = expected.confidence_interval(0.95)
        assert found.p == pytest.approx(expected.pvalue)
        assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize("n", [3, 10, 30])
def test_mean_intervals_hold_the_truth_as_often_as_they_say(n: int) -> None:
    """Of 4,000 samples from a normal population, 95 % of the intervals hold its mean, within sampling error."""
    rng = np.random.default_rng(n)
    held = 0
    for sample in rng.normal(3.0, 2.0, size=(4000, n)):
        interval = mean_interval(list(sample))
        held += interval.low <= 3.0 <= interval.high

    assert held / 4000 == pytest.approx(0.95, abs=0.012)


def test_bootstrap_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """Of 300 samples from an exponential population, the intervals for the median hold it 95 % of the time, nearly."""
    rng = np.random.default_rng(5)
    held = 0
    for k, sample in enumerate(rng.exponential(1.0, size=(300, 100))):
        interval = bootstrap_quantile_interval(list(sample), 0.5, resamples=300, seed=k)
        held += interval.low <= math.log(2.0) <= interval.high

    assert 0.91 <= held / 300 <= 0.985


def test_the_bootstrap_is_the_same_for_the_same_seed_and_differs_for_another() -> None:
    """A number in a report can be had again."""
    sample = list(np.random.default_rng(2).normal(size=50))

    assert bootstrap_quantile_interval(sample, 0.9) == bootstrap_quantile_interval(sample, 0.9)
    assert bootstrap_quantile_interval(sample, 0.9) != bootstrap_quantile_interval(sample, 0.9, seed=1)


def test_holm_gives_the_textbook_numbers() -> None:
    """As R's p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm"): 0.05 0.08 0.09 0.09 0.09."""
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])


@given(st.lists(st.floats(0.0, 1.0), max_size=12), st.randoms(use_true_random=False))
def test_holm_keeps_the_order_and_lies_between_the_plain_and_bonferroni(
    ps: list[float], random: object
) -> None:
    """Never less strict than no correction, never stricter than Bonferroni's, whatever stands before what."""
    found = holm(ps)

    for p, adjusted in zip(ps, found, strict=True):
        assert p <= adjusted <= min(1.0, len(ps) * p) + 1e-12
    order = sorted(range(len(ps)), key=ps.__getitem__)
    assert [found[k] for k in order] == sorted(found)


def test_holm_errs_in_no_more_than_5_percent_of_families() -> None:
    """Ten true null hypotheses at once, 2,000 times: some one is called real in 5 % of the families, not in 40 %."""
    rng = np.random.default_rng(9)
    families = np.asarray(stats.ttest_1samp(rng.normal(size=(2000, 10, 8)), 0.0, axis=2).pvalue).tolist()
    wrong = sum(min(holm(family)) < 0.05 for family in families)

    assert 0.03 < wrong / 2000 < 0.065


def test_what_was_not_tested_does_not_count() -> None:
    """A test without data leaves the others as if it were not there."""
    first, missing, second = holm([0.01, math.nan, 0.04])

    assert (first, second) == pytest.approx((0.02, 0.04))
    assert math.isnan(missing)


def test_small_samples_say_that_they_know_nothing() -> None:
    """One value has a mean and no interval, none has not even a mean; neither is a difference."""
    assert mean_interval([3.0]).estimate == 3.0
    assert math.isnan(mean_interval([3.0]).low)
    assert math.isnan(mean_interval([]).estimate)
    assert math.isnan(paired_difference([3.0], [1.0]).p)
    assert math.isnan(bootstrap_quantile_interval([], 0.5).estimate)


def test_differences_without_spread_are_certain() -> None:
    """Two messages against 57 in every world is no accident; equal in every world is no difference."""
    assert paired_difference([57.0, 57.0], [2.0, 2.0]).p == 0.0
    assert paired_difference([2.0, 2.0], [2.0, 2.0]).p == 1.0


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, math.nan])
def test_a_level_is_a_share(level: float) -> None:
    """95 is no level, 0.95 is one."""
    with pytest.raises(WalrasError, match="level"):
        mean_interval([1.0, 2.0], level)


def test_bad_arguments_are_named() -> None:
    """Lengths that differ, quantiles beyond 1 and no resamples."""
    with pytest.raises(WalrasError, match="2 values cannot be paired with 1"):
        paired_difference([1.0, 2.0], [1.0])
    with pytest.raises(WalrasError, match="q is 2"):
        bootstrap_quantile_interval([1.0], 2.0)
