"""Statistics of a study: intervals for means, paired differences, many tests at once. Pure functions of numbers.

Runs of one seed meet the same world whatever the mechanism, so mechanisms are compared by their differences within
seeds: what one world is worth and another is not cancels out.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from scipy.special import stdtr, stdtrit

from walras.errors import WalrasError

_NUMBERS_AT_ONCE = 1_000_000


class Interval(msgspec.Struct, frozen=True):
    """An estimate and where the truth may lie, in the unit of the values; `n` is how many values there were."""

    estimate: float
    low: float
    high: float
    n: int


class Difference(msgspec.Struct, frozen=True):
    """A mean difference with its interval, and `p`: how likely one so large is by chance where there is none."""

    estimate: float
    low: float
    high: float
    p: float
    n: int


def mean_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """The mean of a population and its Student t interval, from a sample.

    Parameters
    ----------
    values : (n,) independent draws, any unit; exact coverage where they are normal, else nearly so for n of 20 or more
    level : the share of such intervals that hold the true mean, in (0, 1)

    Returns
    -------
    Interval : ``mean ± t * s / sqrt(n)``, t the quantile of Student's distribution with n - 1 degrees of freedom; with
        one value the ends are nan, with none all is nan

    Raises
    ------
    WalrasError : for a level outside (0, 1)

    References
    ----------
    Student, "The probable error of a mean", Biometrika 6(1), 1908.

    Examples
    --------
    >>> interval = mean_interval([4.0, 5.0, 6.0])
    >>> interval.estimate, round(interval.low, 3), round(interval.high, 3)
    (5.0, 2.516, 7.484)
    """
    _check_level(level)
    n = len(values)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    mean = math.fsum(values) / n
    if n == 1:
        return Interval(mean, math.nan, math.nan, 1)
    half = float(stdtrit(n - 1, (1.0 + level) / 2.0)) * _standard_error(values, mean)
    return Interval(mean, mean - half, mean + half, n)


def paired_difference(ours: Sequence[float], theirs: Sequence[float], level: float = 0.95) -> Difference:
    """The mean of ``ours - theirs`` over pairs, its t interval, and the p-value of the paired t test.

    Parameters
    ----------
    ours, theirs : (n,) in one unit; the k-th of both are of the same world
    level : the share of such intervals that hold the true mean difference, in (0, 1)

    Returns
    -------
    Difference : `p` is two-sided; 1 where all pairs are equal, 0 where all differ by the same amount; nan, as the ends
        of the interval are, for fewer than two pairs

    Raises
    ------
    WalrasError : for a level outside (0, 1), or sequences of different lengths

    References
    ----------
    Law, Simulation Modeling and Analysis, 5th ed., 2015, section 10.2.1 (paired-t confidence interval) and 11.2
    (common random numbers).

    Examples
    --------
    >>> found = paired_difference([5.0, 7.0, 9.0], [4.0, 5.0, 6.0])
    >>> found.estimate, round(found.p, 4)
    (2.0, 0.0742)
    """
    if len(ours) != len(theirs):
        raise WalrasError(f"{len(ours)} values cannot be paired with {len(theirs)}; expected as many")
    pairs = [a - b for a, b in zip(ours, theirs, strict=True)]
    mean = mean_interval(pairs, level)
    if mean.n < 2:
        return Difference(mean.estimate, mean.low, mean.high, math.nan, mean.n)
    error = _standard_error(pairs, mean.estimate)
    if error > 0:
        p = 2.0 * float(stdtr(mean.n - 1, -abs(mean.estimate) / error))
    else:
        p = 1.0 if mean.estimate == 0 else 0.0
    return Difference(mean.estimate, mean.low, mean.high, p, mean.n)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for being many: those at most alpha are all true with probability of at least 1 - alpha.

    Parameters
    ----------
    p_values : (m,) in [0, 1]; nan where there was no test

    Returns
    -------
    list of (m,) : never below what was given, and in the same order; nan stays nan and does not count

    Notes
    -----
    In ascending order, p_(k) becomes ``max over j <= k of min(1, (m - j + 1) p_(j))``. It holds however the tests
    depend on each other, and rejects all that Bonferroni's m p does, and more.

    References
    ----------
    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6(2), 1979.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [math.nan] * len(p_values)
    order = sorted((k for k, p in enumerate(p_values) if not math.isnan(p)), key=lambda k: p_values[k])
    least = 0.0
    for rank, k in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * p_values[k]))
        adjusted[k] = least
    return adjusted


def bootstrap_quantile_interval(
    values: Sequence[float], q: float, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Interval:
    """A quantile of a population and its percentile bootstrap interval, from a sample.

    Parameters
    ----------
    values : (n,) independent draws, any unit. Latencies within one run wait for each other: for these it is too narrow
    q : which quantile, in [0, 1]
    level : the share of such intervals that hold the true quantile, nearly, where n q (1 - q) is 5 or more
    resamples : how often the sample is drawn again, 1 or more
    seed : of the draws; the same seed gives the same interval

    Returns
    -------
    Interval : all nan for no values

    Raises
    ------
    WalrasError : for a level or quantile out of range, or no resamples

    References
    ----------
    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13. Quantiles are of type 7 of Hyndman and
    Fan, "Sample quantiles in statistical packages", The American Statistician 50(4), 1996.

    Examples
    --------
    >>> interval = bootstrap_quantile_interval(range(101), 0.5)
    >>> interval.estimate, interval.low < 50 < interval.high
    (50.0, True)
    """
    _check_level(level)
    if not 0 <= q <= 1 or resamples < 1:
        raise WalrasError(f"q is {q}, resamples {resamples}; expected q in [0, 1] and 1 resample or more")
    sample = np.asarray(values, dtype=float)
    if not len(sample):
        return Interval(math.nan, math.nan, math.nan, 0)
    rng = np.random.default_rng(seed)
    at_once = max(1, _NUMBERS_AT_ONCE // len(sample))
    sizes = [min(at_once, resamples - first) for first in range(0, resamples, at_once)]
    found = [np.quantile(rng.choice(sample, (size, len(sample))), q, axis=1) for size in sizes]
    low, high = np.quantile(np.concatenate(found), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(np.quantile(sample, q)), float(low), float(high), len(sample))


def _standard_error(values: Sequence[float], mean: float) -> float:
    n = len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1) / n)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise WalrasError(f"level is {level}; expected a share between 0 and 1, such as 0.95")
