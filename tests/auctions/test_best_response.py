"""Equilibrium bids are best responses, found by going through all that the others may bid."""

from collections.abc import Callable

import numpy as np
import pytest

from auctions import equilibrium as eq
from auctions.best_response import Rival, best_response, expected_utilities, rival
from auctions.clearing import Cleared, ClearingRule, all_pay, first_price, second_price, third_price
from auctions.distributions import Distribution, Exponential, Floats, Power, Uniform
from auctions.values import Risk
from walras.errors import ScenarioError

STEP = 0.01
GRID = np.arange(0.0, 1.0, STEP)
POINTS = 60


@pytest.mark.parametrize(("value", "bid"), [(0.3, 0.2), (0.6, 0.4), (0.9, 0.6)])
def test_of_three_with_uniform_values_everybody_bids_two_thirds(value: float, bid: float) -> None:
    others = [rival(Uniform(), lambda v: 2 * v / 3, points=150)] * 2
    assert best_response(others[0].bids, value, others, first_price).bid == pytest.approx(bid, abs=0.005)


def shaded(n: int, distribution: Distribution) -> dict[str, tuple[ClearingRule, Callable[[Floats], Floats]]]:
    return {
        "first": (first_price, lambda v: eq.first_price(v, n, distribution)),
        "second": (second_price, lambda v: v),
        "third": (third_price, lambda v: eq.third_price(v, n, distribution)),
        "all pay": (all_pay, lambda v: eq.all_pay(v, n, distribution)),
    }


@pytest.mark.parametrize("distribution", [Uniform(), Power(0.0, 1.0, 2.0), Exponential(0.25)], ids=repr)
@pytest.mark.parametrize("format_", ["first", "second", "third", "all pay"])
def test_nobody_gains_by_leaving_the_equilibrium(distribution: Distribution, format_: str) -> None:
    """With two rivals in equilibrium: of all bids that anybody makes, one's own is the best, for every value.

    On the rivals' own points ties count half, so that sums are as exact as the midpoint rule.
    """
    rule, bid = shaded(3, distribution)[format_]
    others = [rival(distribution, bid, POINTS)] * 2
    grid, values = others[0].bids, distribution.grid(POINTS)
    wrong, lost = np.array([0.5, 1.5]), []
    for own in range(5, POINTS, 9):
        earned = expected_utilities(grid, float(values[own]), others, rule)
        assert earned.max() - earned[own] < 1e-3 * values[own]
        if format_ != "second":  # where one's value is weakly best, much else is nearly as good
            assert abs(int(earned.argmax()) - own) <= 1
        off = expected_utilities(wrong * grid[own], float(values[own]), others, rule)
        lost.append(float((earned[own] - off).max() / values[own]))
    assert max(lost) > 5e-3, "a bid that is clearly wrong costs its bidder something"


def test_with_a_reserve_bids_begin_at_the_reserve() -> None:
    others = [rival(Uniform(), lambda v: eq.first_price(v, 2, Uniform(), 0.5), points=1000)]
    for value in (0.55, 0.7, 0.9):
        best = best_response(GRID, value, others, first_price, reserve=0.5)
        assert best.bid == pytest.approx(eq.first_price(value, 2, Uniform(), 0.5), abs=2 * STEP)
    assert best_response(GRID, 0.45, others, first_price, reserve=0.5).utility == 0.0


@pytest.mark.parametrize("risk", [Risk(crra=0.5), Risk(crra=0.8)])
def test_who_is_averse_to_risk_bids_more(risk: Risk) -> None:
    others = [rival(Uniform(), lambda v: eq.first_price(v, 2, Uniform(), crra=risk.crra), points=1000)]
    best = best_response(GRID, 0.6, others, first_price, utility=risk)
    assert best.bid == pytest.approx(eq.first_price(0.6, 2, Uniform(), crra=risk.crra), abs=STEP)
    assert best.bid > best_response(GRID, 0.6, others, first_price).bid


def test_constant_absolute_risk_aversion_raises_first_price_bids_too() -> None:
    others = [rival(Uniform(), lambda v: v / 2, points=1000)]
    bids = [best_response(GRID, 0.6, others, first_price, utility=Risk(cara=a)).bid for a in (0.0, 2.0, 10.0)]
    assert bids[0] < bids[1] < bids[2] < 0.6
    assert best_response(GRID, 0.6, others, second_price, utility=Risk(cara=10.0)).utility == pytest.approx(
        expected_utilities(np.array([0.6]), 0.6, others, second_price, utility=Risk(cara=10.0))[0]
    )


def test_finite_cases_are_exact_and_ties_are_fair() -> None:
    """One coin: a rival bids 1 or 3. At 1 one wins half of half the time; of two such rivals, a third of a quarter."""
    coin = Rival(np.array([1.0, 3.0]), np.array([0.5, 0.5]))
    assert expected_utilities(np.array([1.0, 2.0, 3.0]), 5.0, [coin], first_price).tolist() == [1.0, 1.5, 1.5]
    assert expected_utilities(np.array([1.0]), 5.0, [coin, coin], first_price).tolist() == [
        pytest.approx(4 / 12)
    ]
    assert expected_utilities(np.array([3.0]), 5.0, [coin], all_pay).tolist() == [5 * 0.75 - 3]
    absent = Rival(np.array([np.nan]), np.array([1.0]))
    assert expected_utilities(np.array([0.0, np.nan]), 5.0, [absent], first_price).tolist() == [5.0, 0.0]


def test_a_rule_of_ones_own_can_be_studied() -> None:
    def half_price(bids: object, reserve: float, units: int) -> list[Cleared]:
        best = bids[0]  # type: ignore[index]
        return [Cleared(best.bidder, 1, best.price / 2)]

    coin = Rival(np.array([1.0, 3.0]), np.array([0.25, 0.75]))
    assert expected_utilities(np.array([2.0, 4.0]), 5.0, [coin], half_price).tolist() == [1.0, 3.0]


def test_too_many_combinations_are_refused() -> None:
    others = [rival(Uniform(), lambda v: v, points=200)] * 3
    with pytest.raises(
        ScenarioError, match="8,000,000 combinations'; expected 1 or more, with 2,000,000 at most"
    ):
        best_response(GRID, 0.5, others, first_price)
