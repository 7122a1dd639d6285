"""The trading floor: known supply and demand, so that what a market reaches can be told exactly."""

from collections import Counter
from typing import Any

import pytest

from auctions import CallMarket, ContinuousDouble, SealedBid, mcafee, smith_alpha, trade_reduction, vcg_double
from scenarios import trading_floor
from scenarios.trading_floor import VENUE, induced
from walras import Award, Lot, Result, Scenario, ScenarioError, Simulation
from walras.mechanism import Mechanism
from walras.study.catalogue import find


def run(rules: Mechanism, seed: int = 3, **settings: Any) -> Result:
    return Simulation(trading_floor(**settings), rules, seed=seed, check=True).run()


def test_the_shell_knows_it_and_its_mechanisms_by_name() -> None:
    assert find(Scenario, "trading-floor") is trading_floor
    assert find(Mechanism, "continuous-double") is ContinuousDouble
    assert find(Mechanism, "call-market") is CallMarket


@pytest.mark.parametrize(
    ("rule", "welfare"), [(CallMarket(), 750), (CallMarket(mcafee), 750), (CallMarket(vcg_double), 750)]
)
def test_the_truthful_reach_the_whole_surplus_of_smiths_market_when_called_together(
    rule: CallMarket, welfare: float
) -> None:
    result = run(rule, periods=2, traders="truthful")
    assert [record.value for record in result.records] == [welfare, welfare]
    assert result.metrics["efficiency"] == 1.0


def test_on_a_flat_supply_the_trade_that_is_given_up_is_missing_from_the_welfare() -> None:
    """Sixth buyer and sixth seller meet at 200, so giving them up costs nothing; the sums are those of the five others."""
    reduced = run(CallMarket(trade_reduction), periods=1, traders="truthful", market="flat-supply")
    assert reduced.records[0].value == sum(value - 200 for value in (325, 300, 275, 250, 225))
    assert reduced.metrics["optimum"] == 375


def test_values_less_costs_are_counted_trade_by_trade() -> None:
    result = run(ContinuousDouble(), periods=2, traders="zi-c")
    market = induced(trading_floor(), 3)
    for k in (1, 2):
        lines = [
            row.details["line"]
            for row in result.trace
            if row.kind == "award" and row.conversation == f"venue/{k}"
        ]
        traded = Counter(line["winner"] for line in lines) + Counter(line["seller"] for line in lines)
        assert set(traded.values()) == {1}, "a unit each"
        assert result.records[k - 1].value == market.surplus(traded) > 0


def test_zip_traders_learn_from_period_to_period_and_close_in_on_the_equilibrium() -> None:
    result = run(ContinuousDouble(), periods=5)
    prices: dict[str, list[float]] = {}
    for row in result.trace:
        if row.kind == "award":
            prices.setdefault(row.conversation, []).append(row.details["line"]["price"])
    first, last = prices["venue/1"], prices["venue/5"]
    assert smith_alpha(last, 200) < smith_alpha(first, 200) / 2
    assert result.records[-1].value >= 0.95 * 750


def test_drawn_markets_differ_by_seed_and_are_the_same_for_every_mechanism() -> None:
    scenario = trading_floor(market="drawn", pairs=6, periods=1)
    one, again, other = (induced(scenario, seed) for seed in (1, 1, 2))
    assert one == again != other
    assert all(75 <= price <= 325 for side in (one.values, one.costs) for (price,) in side)
    found = [
        run(rules, seed=1, market="drawn", pairs=6, periods=1) for rules in (ContinuousDouble(), CallMarket())
    ]
    assert found[0].optimum == found[1].optimum
    assert all(0.0 < (result.metrics["efficiency"] or 0.0) <= 1.0 for result in found)


def test_what_no_trader_sells_is_worth_nothing() -> None:
    floor = trading_floor().draw(0)
    assert floor.traded(Lot("period-1"), Award("period-1", "b1", 5.0)) == 0.0
    assert floor.traded(Lot("period-1"), Award("period-1", VENUE, 5.0, 0, "s1")) == 0.0
    assert floor.traded(Lot("period-1"), Award("period-1", "b1", 5.0, 0, "s1")) == 0.0
    assert run(SealedBid(), periods=1).metrics["completed"] == 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"periods": 0}, "periods is 0; expected a whole number from 1 to 100,000"),
        ({"pairs": 2.5}, "pairs is 2.5"),
        ({"market": "fish"}, "market is 'fish'; expected one of smith, flat-supply, drawn"),
        ({"traders": "clever"}, "traders is 'clever'; expected one of zip, zi-c, zi-u, truthful"),
        ({"period_s": float("nan")}, "period_s is nan; expected a finite number of seconds, 1 or more"),
        ({"period_s": "long"}, "period_s is 'long'"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ScenarioError, match="^" + said):
        trading_floor(**settings)
