"""The closed forms against Monte Carlo, to three standard errors, and against values that can be had by hand."""

from collections.abc import Callable
from math import inf, sqrt

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import beta

from consensus.raft.analysis import Elections, earliest_timeout_s, split_vote_probability
from walras.errors import ScenarioError

DRAWS = 200_000


def within_three_errors(samples: NDArray[np.floating], expected: float) -> bool:
    error = float(samples.std(ddof=1)) / sqrt(len(samples))
    return abs(float(samples.mean()) - expected) <= 3 * error


def is_split(timeouts: NDArray[np.floating], latency: float, servers: int) -> NDArray[np.bool_]:
    """Row by row, by the rules of voting: who has timed out votes for itself, all others for whose request comes first."""
    first = timeouts.min(axis=1, keepdims=True)
    for_the_first = 1 + (timeouts > first + latency).sum(axis=1)
    return np.asarray(for_the_first <= servers // 2)


@pytest.mark.parametrize(
    ("servers", "live", "latency"),
    [(5, 4, 0.1), (5, 4, 0.6), (5, 3, 0.2), (3, 2, 0.3), (9, 8, 0.25), (4, 4, 0.3)],
)
def test_split_votes_come_as_often_as_the_closed_form_says(servers: int, live: int, latency: float) -> None:
    timeouts = np.random.default_rng(servers + live).uniform(size=(DRAWS, live))
    split = is_split(timeouts, latency, servers)
    assert within_three_errors(split.astype(float), split_vote_probability(latency, servers, live))


@pytest.mark.parametrize(("servers", "live"), [(3, 2), (5, 4), (5, 3), (9, 8), (9, 5)])
def test_the_sum_is_the_distribution_function_of_beta(servers: int, live: int) -> None:
    c = live - servers // 2 + 1
    for latency in (0.0, 0.01, 0.3, 0.99, 1.0):
        expected = beta(c - 1, live - c + 2).cdf(latency)
        assert split_vote_probability(latency, servers, live) == pytest.approx(expected, abs=1e-12)


def test_values_by_hand() -> None:
    assert split_vote_probability(0.5, servers=3, live=2) == pytest.approx(0.75)  # |U - V| < 1/2
    assert split_vote_probability(0.3, servers=1, live=1) == 0.0  # nobody else's vote is needed
    assert split_vote_probability(0.0, servers=5, live=2) == 1.0  # two of five are no majority
    assert split_vote_probability(7.0, servers=5, live=4) == 1.0
    assert split_vote_probability(0.0, servers=5, live=3) == 0.0


def test_the_earliest_of_several_timeouts() -> None:
    samples = np.random.default_rng(1).uniform(0.15, 0.3, size=(DRAWS, 4)).min(axis=1)
    assert within_three_errors(samples, earliest_timeout_s(0.15, 0.3, live=4))
    assert earliest_timeout_s(0.15, 0.15, live=4) == 0.15


def downtimes(setting: Elections, trials: int) -> NDArray[np.floating]:
    """Elections held one after the other, each from fresh timers, until one is not split."""
    rng = np.random.default_rng(7)
    heartbeat = setting.low_s / 2 if setting.heartbeat_s is None else setting.heartbeat_s
    taken = -rng.uniform(0, heartbeat, size=trials)
    waiting = np.arange(trials)
    while len(waiting):
        timeouts = rng.uniform(setting.low_s, setting.high_s, size=(len(waiting), setting.live))
        taken[waiting] += timeouts.min(axis=1) + setting.latency_s
        waiting = waiting[is_split(timeouts, setting.latency_s, setting.servers)]
    return taken + setting.latency_s + setting.write_s


@pytest.mark.parametrize(
    "setting",
    [
        Elections(low_s=1.0, high_s=2.0, latency_s=0.1, write_s=0.05),
        Elections(low_s=0.15, high_s=0.155, latency_s=0.003, write_s=0.006),
        Elections(low_s=0.012, high_s=0.024, latency_s=0.003, heartbeat_s=0.0, servers=3, live=2),
    ],
    ids=["thesis", "150-155", "three"],
)
def test_the_expected_downtime(setting: Elections) -> None:
    assert within_three_errors(downtimes(setting, DRAWS), setting.downtime_s)


def test_the_thesis_formula_in_units_of_the_least_timeout() -> None:
    s, latency, write = 4, 0.1, 0.2
    split = split_vote_probability(latency, 5, s)
    expected = (1 + 1 / (s + 1) + latency) / (1 - split) + latency + write - 1 / 4
    setting = Elections(low_s=1.0, high_s=2.0, latency_s=latency, write_s=write)
    assert setting.downtime_s == pytest.approx(expected, rel=1e-12)


def test_timeouts_without_randomness_elect_nobody() -> None:
    setting = Elections(low_s=0.15, high_s=0.15, latency_s=0.003)
    assert setting.split_vote == 1.0 and setting.downtime_s == inf
    assert Elections(low_s=1.0, high_s=2.0, latency_s=0.0, live=2).downtime_s == inf


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (lambda: split_vote_probability(-0.1, 5, 4), "latency"),
        (lambda: split_vote_probability(float("nan"), 5, 4), "latency"),
        (lambda: split_vote_probability(0.1, 0, 0), "servers"),
        (lambda: split_vote_probability(0.1, 5, 6), "live"),
        (lambda: earliest_timeout_s(0.3, 0.15, 4), "timeout range"),
        (lambda: earliest_timeout_s(0.0, 0.15, 4), "timeout range"),
        (lambda: earliest_timeout_s(0.1, 0.15, 0), "live"),
        (lambda: Elections(low_s=1.0, high_s=2.0, latency_s=-1.0), "latency_s"),
        (lambda: Elections(low_s=1.0, high_s=2.0, latency_s=0.1, heartbeat_s=-1.0), "heartbeat_s"),
        (lambda: Elections(low_s=2.0, high_s=1.0, latency_s=0.1), "timeout range"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: Callable[[], object], field: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        wrong()
    assert refused.value.field == field
