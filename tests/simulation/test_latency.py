"""Latencies: bounds that hold for every draw, distributions that are met, settings that are refused."""

from collections.abc import Callable, Iterator
from math import exp, inf, log, nan
from random import Random
from statistics import median

import numpy as np
import pytest
from hypothesis import given, strategies as st

from walras.errors import ScenarioError
from walras.simulation.latency import (
    GREATEST,
    Constant,
    Delay,
    Empirical,
    Latency,
    LogNormal,
    Matrix,
    Uniform,
)

seconds = st.floats(0.0, 1e4) | st.sampled_from([0.0, 0.1, 0.3, 1e-300])


@st.composite
def delays(draw: st.DrawFn) -> Delay:
    low, high = sorted((draw(seconds), draw(seconds)))
    shape = draw(st.sampled_from([Constant, Uniform, LogNormal, Empirical]))
    if shape is Constant:
        return Constant(low)
    if shape is Uniform:
        return Uniform(low, high)
    if shape is LogNormal:
        return LogNormal(low, draw(st.floats(0.0, 10.0)), high)
    return Empirical(tuple(sorted(draw(st.lists(seconds, min_size=2, max_size=8)))))


class Extreme(Random):
    """Dice that fall on the same number each time."""

    def __init__(self, number: float) -> None:
        super().__init__(0)
        self.number = number

    def random(self) -> float:
        return self.number


# ---------------------------------------------------------------------------------------------------- latencies


@given(delays(), st.integers(0, 2**64))
def test_no_draw_exceeds_the_bound_or_is_negative(latency: Delay, seed: int) -> None:
    draw = latency.sampler(Random(seed))
    assert all(0.0 <= draw() <= latency.bound for _ in range(50))


@given(delays(), st.sampled_from([0.0, 2.0**-53, 0.5, 1.0 - 2.0**-52, GREATEST]))
def test_the_bound_holds_for_the_most_extreme_dice(latency: Delay, number: float) -> None:
    delay = latency.sampler(Extreme(number))()
    assert isinstance(delay, float)
    assert 0.0 <= delay <= latency.bound


@given(delays(), st.integers())
def test_the_same_stream_gives_the_same_delays(latency: Delay, seed: int) -> None:
    one, other = latency.sampler(Random(seed)), latency.sampler(Random(seed))
    assert [one() for _ in range(20)] == [other() for _ in range(20)]


@given(delays(), st.floats(0.0, 100.0))
def test_later_moves_every_draw_by_as_much(latency: Delay, by_s: float) -> None:
    plain, moved = latency.sampler(Random(1)), latency.later(by_s).sampler(Random(1))
    for _ in range(20):
        assert moved() == pytest.approx(plain() + by_s, rel=1e-9, abs=1e-9)


def test_a_draw_takes_one_number_so_that_settings_are_paired() -> None:
    for latency in (Uniform(1.0, 2.0), LogNormal(1.0, 0.5), Empirical((1.0, 2.0, 9.0))):
        used, counted = Random(3), Random(3)
        draw = latency.sampler(used)
        for _ in range(7):
            draw()
            counted.random()
        assert used.random() == counted.random()


def test_constant_draws_a_float_even_if_the_setting_is_a_whole_number() -> None:
    assert type(Constant(1).sampler(Random(0))()) is float


def test_lognormal_has_its_median_and_its_sigma() -> None:
    draw = LogNormal(0.05, 0.5, min_s=1.0).sampler(Random(11))
    logs = [log(draw() - 1.0) for _ in range(20_000)]
    assert exp(median(logs)) == pytest.approx(0.05, rel=0.02)
    assert np.std(logs) == pytest.approx(0.5, rel=0.02)


def test_empirical_follows_its_quantiles() -> None:
    quantiles = (0.0, 1.0, 1.5, 4.0, 10.0)
    draw = Empirical(quantiles).sampler(Random(5))
    drawn = np.quantile([draw() for _ in range(40_000)], [0.25, 0.5, 0.75])
    assert drawn == pytest.approx(quantiles[1:-1], rel=0.03)


@given(st.lists(seconds, min_size=1, max_size=30), st.integers(2, 40))
def test_from_samples_is_the_linear_quantile_and_keeps_the_range(samples: list[float], points: int) -> None:
    found = Empirical.from_samples(samples, points)
    assert (found.quantiles_s[0], found.quantiles_s[-1]) == (min(samples), max(samples))
    assert np.quantile(samples, np.linspace(0, 1, points)) == pytest.approx(found.quantiles_s)


def test_a_latency_of_ones_own_needs_a_sampler_and_has_no_bound_unless_it_says_so() -> None:
    class Odd(Latency, frozen=True):
        pass

    assert Odd().bound == inf
    with pytest.raises(TypeError, match="Odd does not say how its delays are drawn"):
        Odd().sampler(Random(0))
    with pytest.raises(TypeError, match="cannot be shifted"):
        Odd().later(1.0)


def wrong() -> Iterator[tuple[Callable[[], object], str]]:
    yield lambda: Constant(-1.0), "seconds is -1.0; expected a finite number of seconds, 0 or more"
    yield lambda: Constant(nan), "seconds is nan"
    yield lambda: Constant("1"), "seconds is '1'"  # type: ignore[arg-type]
    yield lambda: Constant(True), "seconds is True"
    yield lambda: Uniform(0.0, inf), "high_s is inf"
    yield lambda: Uniform(2.0, 1.0), "high_s is 1.0; expected at least low_s, which is 2.0"
    yield lambda: LogNormal(1.0, -0.1), "sigma is -0.1; expected a number in"
    yield lambda: LogNormal(1.0, nan), "sigma is nan"
    yield lambda: Empirical((1.0,)), "expected at least the least and the greatest delay"
    yield lambda: Empirical((1.0, 0.5)), "expected delays in ascending order"
    yield lambda: Empirical((0.0, nan)), r"quantiles_s\[1\] is nan"
    yield lambda: Empirical.from_samples([]), "samples_s is .*; expected at least one measured delay"
    yield lambda: Empirical.from_samples([1.0], 1), "points is 1; expected 2 or more"
    yield lambda: Matrix((), ()), "places is "
    yield lambda: Matrix(("a", "a"), ((0.0, 0.0), (0.0, 0.0))), "expected one or more names, each once"
    yield lambda: Matrix(("a", "b"), ((0.0, 1.0), (1.0,))), "expected 2 rows of 2, as there are places"
    yield lambda: Matrix(("a", "b"), ((0.0, 1.0), (-1.0, 0.0))), "delays_s from b to a is -1.0"


@pytest.mark.parametrize(("make", "message"), list(wrong()))
def test_a_wrong_setting_is_refused_with_its_name_its_value_and_what_was_expected(
    make: Callable[[], object], message: str
) -> None:
    with pytest.raises(ScenarioError, match=message):
        make()
