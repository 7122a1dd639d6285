"""Welfare and fairness: closed forms, bounds, and what must not depend on units or order."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st

from walras.valuations import Additive, SingleMinded
from walras.welfare import (
    bounded_slowdown,
    efficiency,
    egalitarian,
    envy,
    envy_free_up_to_one,
    gini,
    jain,
    nash_welfare,
    optimality_gap,
    quantile,
    regret,
    social_welfare,
)

SHARES = st.lists(st.one_of(st.floats(0, 1e300), st.integers(0, 20).map(float)), min_size=1, max_size=20)
UTILITIES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20)
SCALES = st.integers(-30, 30).map(lambda k: 2.0**k)  # powers of two: scaling itself does not round


# ------------------------------------------------------------------------------------------- sums and their ratios


@given(UTILITIES, UTILITIES)
def test_welfare_is_the_correctly_rounded_sum_in_any_order(values: list[float], costs: list[float]) -> None:
    exact = sum(map(Fraction, values), Fraction(0)) - sum(map(Fraction, costs), Fraction(0))
    assert social_welfare(values, costs) == float(exact) == social_welfare(values[::-1], costs[::-1])


def test_welfare_keeps_the_cost_of_work_that_failed() -> None:
    assert social_welfare([5.0], costs=[1.0, 2.0]) == 2.0
    assert social_welfare([], costs=[2.0]) == -2.0


def test_efficiency_is_a_share_of_the_optimum_and_undefined_without_one() -> None:
    assert efficiency(5.0, 5.0) == 1.0
    assert efficiency(-1.0, 4.0) == -0.25
    assert math.isnan(efficiency(0.0, 0.0))
    assert math.isnan(efficiency(-1.0, -2.0))
    assert math.isnan(efficiency(math.nan, 2.0))


def test_the_gap_is_worse_above_0_on_both_senses_and_with_negative_optima() -> None:
    assert optimality_gap(12.0, 10.0) == optimality_gap(8.0, 10.0, maximize=True) == 0.2
    assert optimality_gap(-8.0, -10.0) == 0.2
    assert optimality_gap(10.0, 10.0) == 0.0
    assert math.isnan(optimality_gap(1.0, 0.0))


# --------------------------------------------------------------------------------------------------- fairness


def gini_by_definition(x: list[float]) -> Fraction:
    exact = [Fraction(value) for value in x]
    total = sum(exact, Fraction(0))
    return sum((abs(a - b) for a in exact for b in exact), Fraction(0)) / (2 * len(x) * total)


@given(SHARES)
def test_gini_is_its_definition_within_its_bounds(x: list[float]) -> None:
    found = gini(x)
    assert 0.0 <= found <= 1 - 1 / len(x) + 1e-12
    if any(x):
        assert found == pytest.approx(float(gini_by_definition(x)), abs=1e-12)


@given(SHARES)
def test_jain_is_its_definition_within_its_bounds(x: list[float]) -> None:
    found = jain(x)
    assert 1 / len(x) - 1e-12 <= found <= 1.0
    if any(x):
        exact = [Fraction(value) for value in x]
        by_definition = sum(exact, Fraction(0)) ** 2 / (len(x) * sum((a * a for a in exact), Fraction(0)))
        assert found == pytest.approx(float(by_definition), rel=1e-12)


@given(SHARES, SCALES, st.randoms())
def test_inequality_does_not_depend_on_units_or_order(x: list[float], scale: float, random: object) -> None:
    scaled = [value * scale for value in x]
    assume(all(math.isfinite(b) and b / scale == a for a, b in zip(x, scaled, strict=True)))
    assert gini(scaled[::-1]) == gini(x)
    assert jain(scaled[::-1]) == jain(x)


@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_closed_forms_of_even_and_of_one_who_has_all(n: int) -> None:
    even, one = [0.7] * n, [0.0] * (n - 1) + [3.0]
    assert (gini(even), jain(even)) == (0.0, 1.0)
    assert gini(one) == pytest.approx(1 - 1 / n)
    assert jain(one) == pytest.approx(1 / n)


@pytest.mark.parametrize("n", [2, 5, 11])
def test_closed_form_of_a_ladder(n: int) -> None:
    """Shares 1..n: Gini is (n - 1) / 3n, Jain is 3 (n + 1) / (2 (2n + 1))."""
    ladder = [float(k) for k in range(1, n + 1)]
    assert gini(ladder) == pytest.approx((n - 1) / (3 * n))
    assert jain(ladder) == pytest.approx(3 * (n + 1) / (2 * (2 * n + 1)))


def test_having_nothing_alike_is_even() -> None:
    assert (gini([0.0, 0.0]), jain([0.0, 0.0])) == (0.0, 1.0)


@given(st.lists(st.integers(1, 1000).map(float), min_size=2), st.integers(0, 30))
def test_a_gift_from_rich_to_poor_lowers_inequality(x: list[float], k: int) -> None:
    """Dalton's principle of transfers."""
    rich, poor = max(x), min(x)
    assume(rich - poor > 1)
    after = sorted(x)
    gift = min(k, (rich - poor) / 2)
    after[0], after[-1] = poor + gift, rich - gift
    assert gini(after) <= gini(x) + 1e-12
    assert jain(after) >= jain(x) - 1e-12


@pytest.mark.parametrize("measure", [gini, jain, nash_welfare])
@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_shares_below_0_are_refused_with_a_way_out(measure: object, bad: float) -> None:
    assert callable(measure)
    with pytest.raises(ValueError, match=f"finite and 0 or more, not of {bad}: shift utilities"):
        measure([1.0, bad])


@pytest.mark.parametrize("measure", [gini, jain, nash_welfare, egalitarian])
def test_of_nobody_nothing_is_known(measure: object) -> None:
    assert callable(measure)
    assert math.isnan(measure([]))


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=20))
def test_nash_lies_between_the_worst_off_and_the_mean(x: list[float]) -> None:
    found = nash_welfare(x)
    assert egalitarian(x) * (1 - 1e-9) <= found <= math.fsum(x) / len(x) * (1 + 1e-9)
    assert nash_welfare([3.0 * value for value in x]) == pytest.approx(3.0 * found)
    assert nash_welfare([*x, 0.0]) == 0.0


def test_egalitarian_welfare_is_that_of_the_worst_off() -> None:
    assert egalitarian(iter([3.0, -2.0, 5.0])) == -2.0


# -------------------------------------------------------------------------------------------------------- envy

TASTES = {"ada": Additive({"a": 5, "b": 1, "c": 1}), "bob": Additive({"a": 4, "b": 3, "c": 1})}


def test_envy_is_the_most_that_anybody_would_gain_by_swapping() -> None:
    assert envy(TASTES, {"ada": ["a"], "bob": ["b", "c"]}) == 0.0
    assert envy(TASTES, {"ada": ["b"], "bob": ["a"]}) == 4.0
    assert envy(TASTES, {"bob": ["a"]}) == 5.0
    assert envy(TASTES, {"ada": ["b"], "bob": ["a"]}, payments={"bob": 3.0}) == 2.0
    assert envy({}, {}) == 0.0


@pytest.mark.parametrize(
    ("bundles", "fair"),
    [
        ({"ada": ["b"], "bob": ["a"]}, True),
        ({"bob": ["a"]}, True),
        ({"bob": ["a", "b"]}, False),
        ({"ada": ["c"], "bob": ["a", "b"]}, True),
        ({"ada": ["a", "b", "c"]}, False),
        ({}, True),
    ],
)
def test_envy_up_to_one_item_ends_when_the_best_is_taken_out(
    bundles: dict[str, list[str]], fair: bool
) -> None:
    assert envy_free_up_to_one(TASTES, bundles) is fair


@given(st.permutations(["a", "b", "c"]), st.lists(st.integers(0, 9), min_size=6, max_size=6))
def test_round_robin_picking_is_fair_up_to_one_item(order: list[str], values: list[int]) -> None:
    """Caragiannis et al.: with additive values, picking in turns never leaves envy beyond one item."""
    tastes = {
        "ada": Additive(dict(zip(order, values[:3], strict=True))),
        "bob": Additive(dict(zip(order, values[3:], strict=True))),
    }
    left, bundles = sorted(order), {"ada": list[str](), "bob": list[str]()}
    for turn in ("ada", "bob", "ada"):
        pick = max(left, key=lambda item: tastes[turn][item])
        left.remove(pick)
        bundles[turn].append(pick)
    assert envy_free_up_to_one(tastes, bundles)
    assert envy_free_up_to_one({**tastes, "cyd": SingleMinded(("x",), 1)}, bundles)


# ---------------------------------------------------------------------------------------- regret, quantiles, waits


def test_regret_is_summed_over_the_same_tasks() -> None:
    assert regret([0.25, 0.25, 1.0], [0.0, 0.0, 1.75]) == -0.25
    with pytest.raises(ValueError, match="achieved has 1 tasks and hindsight 2"):
        regret([1.0, 2.0], [1.0])


@given(st.lists(st.floats(-1e9, 1e9), min_size=1), st.floats(0, 1))
def test_quantiles_are_those_of_numpy(values: list[float], q: float) -> None:
    assert quantile(values, q) == float(np.quantile(values, q))


@given(st.lists(st.floats(-1e9, 1e9), min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_quantiles_rise_from_the_least_to_the_most(values: list[float], p: float, q: float) -> None:
    assert quantile(values, 0.0) == min(values)
    assert quantile(values, 1.0) == max(values)
    assert quantile(values, min(p, q)) <= quantile(values, max(p, q)) + 1e-6


def test_a_quantile_of_infinite_waits_is_infinite_and_of_nothing_unknown() -> None:
    assert quantile([1.0, math.inf, math.inf], 0.9) == math.inf
    assert math.isnan(quantile([], 0.5))
    with pytest.raises(ValueError, match=r"q is 95; expected a share between 0 and 1, such as 0\.95"):
        quantile([1.0], 95)


def test_slowdown_is_bounded_for_short_tasks_and_never_below_1() -> None:
    assert bounded_slowdown([0.0], [1.0]) == 1.0
    assert bounded_slowdown([19.0], [1.0]) == 2.0
    assert bounded_slowdown([100.0], [100.0]) == 2.0
    assert bounded_slowdown([9.0], [1.0], bound_s=1.0) == 10.0
    assert bounded_slowdown([0.0, 30.0], [5.0, 10.0]) == 2.5
    assert math.isnan(bounded_slowdown([], []))
    with pytest.raises(ValueError, match="runs has 1 tasks and waits 0"):
        bounded_slowdown([], [1.0])
    with pytest.raises(ValueError, match="bound_s is 0"):
        bounded_slowdown([], [], bound_s=0)


def test_arrays_are_taken_as_lists_are() -> None:
    x = np.array([1.0, 2.0, 5.0])
    assert gini(x) == gini(list(x))
    assert quantile(x, 0.5) == 2.0
    assert bounded_slowdown(x, x) == 1.0  # type: ignore[arg-type]


def test_no_index_of_fairness_is_above_1() -> None:
    near = [
        0.999999999999904,
        0.9999999999840683,
        0.9999999999999484,
        0.9999999999999999,
        0.9999999999999998,
        0.9999999994273834,
        1.0,
        0.9999999999113816,
        1.0,
    ]
    assert jain(near) == 1.0


def test_a_product_that_no_float_holds_has_a_mean_all_the_same() -> None:
    assert nash_welfare([1e300] * 3) == pytest.approx(1e300)
