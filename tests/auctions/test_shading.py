"""Strategies that shade: what they answer, within purse and reserve, and what comes of it in simulated auctions."""

from collections.abc import Callable
from math import inf
from typing import Any

import numpy as np
import pytest

from auctions import equilibrium as eq
from auctions.clearing import ClearingRule, all_pay, first_price, rule_name, second_price, third_price
from auctions.distributions import Exponential, Power, Uniform
from auctions.messages import Bid, BidWanted, Pass, PriceOffered
from auctions.sealed import SealedBid
from auctions.shading import Limited, LoadPriced, Naive, Shading, Tabled
from auctions.strategies import truthful
from auctions.values import Affiliated, Independent, Risk, Wallet, common_value
from scenarios.auction_house import AuctionHouse, auction_house
from walras.agents import Agent
from walras.errors import ScenarioError
from walras.items import Item, Lot, Task
from walras.questions import Question
from walras.results.recipe import plain
from walras.simulation import Simulation
from walras.study import compare, settings as settings_of

Strategy = Callable[[Question, Agent], Any]


def price(
    strategy: Strategy,
    value: float,
    rule: str = "first_price",
    item: Item | None = None,
    n: int = 3,
    money: float = inf,
) -> float:
    """What an agent bids to whom the item is worth so much (or costs so much, if it is a task)."""
    item = item or Lot("lot")
    agent = Agent("ada", values={item.id: value}, costs={item.id: value}, money=money)
    answer = strategy(asked(rule, item, n), agent)
    assert isinstance(answer, Bid)
    assert asked(rule, item, n).accepts(answer)
    return answer.price


def asked(rule: str, item: Item, n: int = 3) -> BidWanted:
    return BidWanted(item=item, auctioneer="house", rule=rule, bidders=n, decide_by=1.0)


@pytest.mark.parametrize(
    ("rule", "bid"),
    [("first_price", 0.4), ("second_price", 0.6), ("third_price", 1.2), ("all_pay", 0.144), ("vcg", 0.6)],
)
def test_the_rule_decides_how_one_shades(rule: str, bid: float) -> None:
    assert price(Shading(), 0.6, rule) == pytest.approx(bid)


def test_who_knows_the_number_of_bidders_uses_it() -> None:
    assert price(Shading(bidders=2), 0.6) == pytest.approx(0.3)
    assert price(Shading(), 0.6, n=6) == pytest.approx(0.5)
    assert price(Shading(), 0.6, n=1) == pytest.approx(0.0)
    assert price(Shading(), 0.6, n=1, item=Lot("lot", reserve=0.25)) == 0.25
    assert price(Shading(Independent(Exponential())), 1.0, n=2) == pytest.approx(
        eq.first_price(1.0, 2, Exponential())
    )


def test_a_published_reserve_counts() -> None:
    lot = Lot("lot", reserve=0.5)
    assert price(Shading(), 0.8, n=2, item=lot) == pytest.approx(0.4 + 0.25 / 1.6)
    assert isinstance(Shading()(asked("first_price", lot), Agent("ada", values={"lot": 0.4})), Pass)


def test_where_losers_pay_a_reserve_keeps_those_away_whom_it_would_ruin() -> None:
    """Two of them, a reserve of 1/4: whoever has less than 1/2 bids nothing, since its value times its chance is less."""
    lot = Lot("lot", reserve=0.25)
    assert price(Shading(), 0.4, "all_pay", n=2, item=lot) == 0.0
    assert price(Shading(), 0.5, "all_pay", n=2, item=lot) == pytest.approx(0.25)
    assert price(Shading(), 0.8, "all_pay", n=2, item=lot) == pytest.approx((0.64 + 0.25) / 2)


def test_aversion_to_risk_raises_first_price_bids_only() -> None:
    averse = Shading(risk=Risk(crra=0.5))
    assert price(averse, 0.6) == pytest.approx(0.48)
    assert price(averse, 0.6, "second_price") == 0.6


def test_sellers_of_work_shade_upwards() -> None:
    task = Task("job")
    assert price(Shading(), 0.4, item=task) == pytest.approx(0.4 + 0.6 / 3)
    assert price(Shading(), 0.4, "second_price", item=task) == pytest.approx(0.4)
    assert price(Shading(), 0.4, item=Task("job", reserve=0.9), n=1) == pytest.approx(0.9)
    assert price(Shading(Independent(Exponential(0.2))), 0.4, item=task) == pytest.approx(0.5)
    with pytest.raises(ScenarioError, match="uniform or exponential costs"):
        price(Shading(Independent(Power(exponent=2.0))), 0.4, item=task)


def test_common_values_are_bid_for_with_the_curse_in_mind() -> None:
    model = common_value(0.0, 1000.0, 10.0)
    assert price(Shading(model), 500.0, "second_price", n=4) == pytest.approx(495.0)
    assert price(Shading(model), 500.0, "first_price", n=4) == pytest.approx(490.0)
    assert price(Naive(model), 500.0, "second_price", n=4) == pytest.approx(500.0)
    assert price(Naive(model), 500.0, "first_price", n=4) == pytest.approx(495.0)
    assert price(Shading(Wallet()), 0.3, "second_price", n=2) == pytest.approx(0.6)


def test_nobody_bids_more_than_it_has() -> None:
    assert price(Shading(), 0.9, "third_price", money=0.7) == 0.7
    assert price(Shading(), 0.9, "first_price", money=0.7) == pytest.approx(0.6)
    assert price(Limited(0.5), 0.9) == 0.5
    assert price(Limited(0.5, Shading()), 0.6) == pytest.approx(0.4)
    assert price(Limited(0.5), 0.2, item=Task("job")) == 0.5


def test_a_table_is_a_strategy_on_both_sides() -> None:
    table = Tabled((0.0, 1.0), (0.0, 0.5))
    assert price(table, 0.6) == pytest.approx(0.3)
    assert price(table, 2.0) == 0.5
    assert price(Tabled((0.0, 1.0), (0.5, 1.0)), 0.4, item=Task("job")) == pytest.approx(0.7)


def test_load_makes_dear() -> None:
    class Busy(Agent):
        @property
        def free_slots(self) -> int:
            return 2

    busy = Busy("ada", costs={"job": 3.0}, capacity=5)
    answer = LoadPriced(0.5)(asked("first_price", Task("job")), busy)
    assert isinstance(answer, Bid)
    assert answer.price == 4.5


@pytest.mark.parametrize(
    "strategy",
    [Shading(), Naive(common_value(0, 10, 1)), Tabled((1.0,), (1.0,)), Limited(5.0), LoadPriced(1.0)],
    ids=lambda strategy: type(strategy).__name__,
)
def test_other_questions_are_answered_truthfully(strategy: Strategy) -> None:
    agent = Agent("ada", values={"lot": 3.0})
    offered = PriceOffered(item=Lot("lot"), auctioneer="house", price=2.0, decide_by=1.0)
    assert strategy(offered, agent) == truthful(offered, agent)
    worthless = asked("first_price", Lot("other"))
    assert strategy(worthless, agent) == truthful(worthless, agent)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Shading(bidders=0),
        lambda: Shading(3),  # type: ignore[arg-type]
        lambda: Shading(risk=Risk(cara=1.0)),
        lambda: Tabled((), ()),
        lambda: Tabled((1.0, 0.5), (1.0, 1.0)),
        lambda: Tabled((1.0,), ()),
        lambda: Limited(-1.0),
        lambda: LoadPriced(inf),
    ],
)
def test_nonsense_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ScenarioError):
        make()


# ------------------------------------------------------------------------------------- in simulated auctions
@pytest.mark.parametrize("procured", [False, True], ids=["sold", "procured"])
def test_mechanisms_can_be_compared_on_the_auction_house(procured: bool) -> None:
    """Equilibrium bids rise with values, and fall with costs, so every rule is efficient."""
    rules: dict[str, ClearingRule] = {"first": first_price, "second": second_price}
    study = compare(
        [auction_house(bidding="equilibrium", procured=procured)],
        {label: SealedBid(rule) for label, rule in rules.items()},
        seeds=range(3),
    )
    assert [row.metrics["efficiency"] for row in study.rows] == [pytest.approx(1.0)] * 6


@pytest.mark.parametrize("rule", [first_price, second_price, third_price, all_pay], ids=rule_name)
def test_revenue_in_messages_is_what_the_theory_says(rule: ClearingRule) -> None:
    """300 lots, 4 bidders, uniform: 3/5 a lot, within four standard errors."""
    result = Simulation(
        auction_house(lots=300, bidders=4, bidding="equilibrium"), SealedBid(rule), seed=2
    ).run()
    paid = np.array([record.paid for record in result.records])
    assert result.metrics["efficiency"] == pytest.approx(1.0)
    assert abs(paid.mean() - eq.expected_revenue(4, Uniform())) < 4 * paid.std() / np.sqrt(len(paid))


def test_the_curse_in_messages() -> None:
    def gain(bidding: Any) -> float:
        scenario = auction_house(lots=100, bidders=8, values=common_value(0.0, 1000.0, 10.0), bidding=bidding)
        result = Simulation(scenario, SealedBid(second_price), seed=2).run()
        assert result.metrics["efficiency"] == pytest.approx(1.0), "a common value is the same in all hands"
        return float(result.metrics["welfare"] or 0.0) - float(result.metrics["paid"] or 0.0)

    assert gain("naive") < 0.0 < gain("equilibrium")
    assert gain("naive") == pytest.approx(gain("truthful"), rel=0.1), (
        "a signal is an estimate, except at the ends"
    )


def test_money_runs_out() -> None:
    result = Simulation(auction_house(lots=30, bidders=2, budget=2.0), SealedBid(second_price), seed=2).run()
    spent = [agent.spent for agent in result.agents if agent.id != "house"]
    assert all(0.0 < amount <= 2.0 for amount in spent if amount is not None)
    free = Simulation(auction_house(lots=30, bidders=2), SealedBid(second_price), seed=2).run()
    assert float(result.metrics["paid"] or 0) < float(free.metrics["paid"] or 0)
    assert float(result.metrics["efficiency"] or 0) < 1.0
    assert result.metrics["overcommitments"] == 0


def test_a_reserve_keeps_lots_unsold() -> None:
    result = Simulation(auction_house(bidders=1, reserve=0.5), SealedBid(second_price), seed=2).run()
    prices = [record.paid for record in result.records]
    assert {*prices} == {0.0, 0.5}
    values = auction_house(bidders=1, reserve=0.5).draw(2).drawn.values[:, 0]
    assert [p > 0 for p in prices] == (values >= 0.5).tolist()


def test_the_auction_house_is_the_same_for_every_mechanism_and_another_with_another_seed() -> None:
    one, again, other = (auction_house(values=Affiliated()).draw(seed) for seed in (1, 1, 2))
    assert (one.drawn.values == again.drawn.values).all()
    assert (one.drawn.values != other.drawn.values).any()


def test_the_auction_house_can_be_declared_in_plain_values() -> None:
    given = {"lots": 3, "values": {"kind": "affiliated", "private": 0.5}, "bidding": "naive"}
    built = settings_of.build(AuctionHouse, given)
    assert built == AuctionHouse(lots=3, values=Affiliated(private=0.5), bidding="naive")
    assert settings_of.build(AuctionHouse, plain(built)) == built
    power = {"values": {"kind": "independent", "distribution": {"kind": "power", "exponent": 2.0}}}
    assert settings_of.build(AuctionHouse, power).values == Independent(Power(exponent=2.0))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"lots": 0}, "lots is 0"),
        ({"bidders": 2.5}, "bidders is 2.5"),
        ({"within_s": 0}, "within_s is 0"),
        ({"reserve": float("nan")}, "reserve is nan"),
        ({"budget": -1.0}, "budget is -1.0"),
        ({"worth": None}, "worth is None"),
        ({"values": "high"}, "values is 'high'; expected a model of values, such as"),
        ({"bidding": "clever"}, "bidding is 'clever'"),
        ({"bidding": "naive"}, "with affiliated values only"),
        (
            {"bidding": "equilibrium", "procured": True, "values": Independent(Power(exponent=2.0))},
            r"distribution is Power\(.*\); expected uniform or exponential costs",
        ),
    ],
)
def test_bad_settings_of_the_auction_house_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        AuctionHouse(**settings)
