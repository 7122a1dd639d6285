"""The call market: sealed orders in scripts, in worlds under every double rule, and in all weathers."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, strategies as st

from auctions.call_market import CallMarket, awards_of
from auctions.clearing import Cleared, Offer, first_price
from auctions.double_clearing import (
    DoubleRule,
    Exchange,
    KDouble,
    checked,
    k_double,
    mcafee,
    trade_reduction,
    vcg_double,
)
from auctions.messages import CallForBids, Closed, Rejected, TieDecided
from auctions.order_book import Order
from auctions.order_messages import Leave, OrderWanted
from auctions.traders import ZeroIntelligence
from tests.auctions.worlds import HOUSE, ignored, play
from walras.agents import Agent
from walras.allocation import Award, Outcome
from walras.effects import Broadcast, Decide, Effect, Finish, Ignore, MakeAward, Send
from walras.errors import LocalProtocolError, ScenarioError
from walras.items import Item, Lot, Task
from walras.results import Result
from walras.simulation.network import Network, Uniform
from walras.testing import Script, check_mechanism, check_protocol

WHEAT = Lot("wheat", quantity=100)
RULES: list[Any] = [k_double, mcafee, trade_reduction, vcg_double]
VALUES = {"b1": 9, "b2": 8, "b3": 7, "b4": 4, "s1": 2, "s2": 3, "s3": 4, "s4": 12}
STOCK = {"s1": 1, "s2": 1, "s3": 1, "s4": 1}


def trade(rule: DoubleRule = k_double, values: Mapping[str, float] = VALUES, **settings: Any) -> Result:
    worth = {name: {"wheat": float(value)} for name, value in values.items()}
    return play(CallMarket(rule, endowments=STOCK), [WHEAT], worth, **settings)


def gains(result: Result, start: float = 100.0) -> dict[str, float]:
    return {
        name: money - start for name, money in result.balances.items() if name != HOUSE and money != start
    }


# ---------------------------------------------------------------------------------------------------------- whole runs
@pytest.mark.parametrize(
    ("rule", "money", "house"),
    [
        (k_double, {"b1": -5.5, "b2": -5.5, "b3": -5.5, "s1": 5.5, "s2": 5.5, "s3": 5.5}, 0),
        (mcafee, {"b1": -7, "b2": -7, "s1": 4, "s2": 4}, 6),
        (trade_reduction, {"b1": -7, "b2": -7, "s1": 4, "s2": 4}, 6),
        (vcg_double, {"b1": -4, "b2": -4, "b3": -4, "s1": 7, "s2": 7, "s3": 7}, -9),
    ],
)
def test_the_money_moves_as_the_rule_says(rule: DoubleRule, money: dict[str, float], house: float) -> None:
    result = trade(rule)
    assert gains(result) == money
    assert result.balances[HOUSE] - 1000 == house
    outcome = result.outcomes[f"{HOUSE}/1"]
    assert outcome.status == "done" and outcome.awards == result.allocation.lines
    traded = {line.winner for line in outcome.awards if line.won} | {
        line.seller for line in outcome.awards if line.won
    }
    assert traded == money.keys()


@pytest.mark.parametrize("rule", RULES)
def test_the_result_does_not_depend_on_the_order_of_arrival(rule: DoubleRule) -> None:
    results = [trade(rule, seed=seed, network=Network(latency=Uniform(0.0, 0.8))) for seed in range(6)]
    assert len({result.trace.digest for result in results}) == 6
    assert len({result.allocation.lines for result in results}) == 1


def test_equal_orders_are_decided_by_the_venues_dice_and_published() -> None:
    winners, sellers = set(), set()
    for seed in range(12):
        result = trade(values={"b1": 9, "b2": 9, "s1": 4}, seed=seed)
        (line,) = result.allocation.lines
        (fact,) = [row.details["fact"] for row in result.trace if row.kind == "fact"]
        assert (fact["type"], fact["tied"], fact["chosen"]) == (
            TieDecided.__name__,
            ["b1", "b2"],
            [line.winner],
        )
        winners.add(line.winner)
        result = trade(values={"b1": 9, "s1": 4, "s2": 4}, seed=seed)
        sellers.add(result.allocation["wheat"].seller)
    assert winners == {"b1", "b2"} and sellers == {"s1", "s2"}


def test_a_tie_among_sellers_is_published_though_others_ask_less() -> None:
    result = trade(values={"b1": 9, "b2": 9, "s1": 4, "s2": 6, "s3": 6})
    (fact,) = [row.details["fact"] for row in result.trace if row.kind == "fact"]
    (chosen,) = fact["chosen"]
    assert fact["tied"] == ["s2", "s3"] and {line.seller for line in result.allocation.lines} == {
        "s1",
        chosen,
    }


def test_nobody_trades_where_nobody_gains() -> None:
    result = trade(values={"b1": 3, "s1": 4})
    assert not result.allocation.lines and result.outcomes[f"{HOUSE}/1"].status == "done"


def test_late_orders_do_not_trade() -> None:
    """Minds answer in time, but their messages take longer than what is allowed for them."""
    result = trade(values={"b1": 9, "s1": 4}, network=Network(latency=Uniform(1.2, 1.3)))
    assert not result.allocation.lines
    assert ignored(result).count("late") == 2


def test_traders_of_a_continuous_market_trade_here_too() -> None:
    zero = ZeroIntelligence(low=1, high=12)
    result = trade(strategies=dict.fromkeys(VALUES, zero), seed=4)
    assert any(line.won for line in result.allocation.lines)
    for name, gained in gains(result).items():
        assert gained >= -VALUES[name] if name.startswith("b") else gained >= VALUES[name]


def test_orders_for_several_units_are_filled_by_several_traders() -> None:
    def orders(side: Any, units: int, price: float) -> Any:
        return lambda question, agent: Order(side, units, price)

    strategies = {"b1": orders("buy", 3, 10), "s1": orders("sell", 2, 4), "s2": orders("sell", 2, 6)}
    rules = CallMarket(vcg_double, endowments={"s1": 2, "s2": 2})
    result = play(rules, [WHEAT], {name: {"wheat": 1.0} for name in strategies}, strategies=strategies)
    # b1 displaces two units at 4 and one at 6; each seller gets what its units bring to b1, as nobody else could serve it
    assert gains(result) == {"b1": -14, "s1": 16, "s2": 10}
    assert sum(line.quantity for line in result.allocation.lines) == 3


def test_several_goods_are_traded_side_by_side() -> None:
    values = {"b1": {"wheat": 9, "rye": 5}, "s1": {"wheat": 4, "rye": 3}}
    rules = CallMarket(endowments={"s1": 1})
    result = play(rules, [WHEAT, Lot("rye", quantity=5)], values)
    assert {line.item: line.price for line in result.allocation.lines} == {"wheat": 6.5, "rye": 4}


@pytest.mark.parametrize("disclose", ["all", "own"])
def test_both_sides_hear_of_their_trades_and_of_others_only_if_all_is_disclosed(disclose: Any) -> None:
    rules = CallMarket(disclose=disclose, endowments=STOCK)
    result = play(rules, [WHEAT], {name: {"wheat": value} for name, value in VALUES.items()})
    told = [row.details for row in result.trace if row.kind in ("message", "broadcast")]
    heard = [
        row["message"]["awards"]
        for row in told
        if row["message"]["type"] == "Closed" and "awards" in row["message"]
    ]
    assert sorted(map(len, heard)) == ([3] if disclose == "all" else [1] * 6)
    statuses = [
        row.details["outcome"]["status"]
        for row in result.trace
        if row.kind == "finish" and row.agent != HOUSE
    ]
    assert sorted(statuses) == ["released"] * 2 + ["traded"] * 6


# ------------------------------------------------------------------------------------------------------------- scripts
def venue(**settings: Any) -> Script:
    rules = CallMarket(**{"endowments": STOCK, **settings})
    script = Script(
        rules.auctioneer(WHEAT, ("b1", "s1", "s2")), me="pit", conversation="pit/1", finish_by=60.0
    )
    script.start()
    return script


def of(effects: Sequence[Effect], kind: type) -> list[Any]:
    return [effect for effect in effects if isinstance(effect, kind)]


def test_the_last_answer_closes_the_market() -> None:
    script = venue()
    assert script.hear("b1", Order("buy", 1, 8, number=1)) == []
    assert script.hear("s2", Leave(1)) == []
    effects = script.hear("s1", Order("sell", 1, 4, number=1))
    award = Award("wheat", "b1", 6, 1, "s1")
    assert of(effects, MakeAward) == [MakeAward(award)]
    assert effects[-1] == Finish(Outcome("done", (award,)))


def test_the_first_answer_counts_and_strangers_do_not() -> None:
    script = venue()
    script.hear("b1", Order("buy", 1, 8, number=1))
    for sender, why in (("b1", "a second answer"), ("eve", "from a stranger")):
        assert [e.why for e in of(script.hear(sender, Order("buy", 1, 9, number=1)), Ignore)] == [why]


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (Order("buy", 1, float("nan")), "unparsable"),
        (Order("buy", 1, -1), "unparsable"),
        (Order("buy", 0, 5), "unparsable"),
        (Order("buy", 1.5, 5), "unparsable"),
        (Order("buy", 1), "unparsable"),
        (Order("ask", 1, 5), "unparsable"),  # type: ignore[arg-type]
        (Order("sell", 2, 5), "ineligible"),
    ],
)
def test_nonsense_and_what_is_not_owned_is_rejected_and_can_be_mended(order: Order, reason: Any) -> None:
    script = venue()
    assert Send("s1", Rejected("wheat", reason)) in script.hear("s1", order)
    assert script.hear("s1", Order("sell", 1, 5)) == []


def test_at_the_deadline_it_clears_and_what_comes_then_is_late() -> None:
    script = venue()
    script.hear("b1", Order("buy", 1, 8))
    script.hear("s1", Order("sell", 1, price=None))
    effects = script.at(2.0)
    assert of(effects, MakeAward) == [MakeAward(Award("wheat", "b1", 4, 1, "s1"))], (
        "who sells at any price asks 0"
    )
    assert of(script.late("s2", Order("sell", 1, 5)), Send) == [Send("s2", Rejected("wheat", "closed"))]


def test_a_venue_that_stood_still_over_the_deadline_takes_nothing_that_it_hears_after_it() -> None:
    script = venue()
    script.hear("b1", Order("buy", 1, 8))
    script.hear("s1", Order("sell", 1, 4))
    script.port.now = 2.01
    assert of(script.hear("s2", Order("sell", 1, 3)), Send) == [Send("s2", Rejected("wheat", "late"))]
    effects = script.timer("reply")
    assert of(effects, MakeAward) == [MakeAward(Award("wheat", "b1", 6, 1, "s1"))]
    told = of(effects, Broadcast)[0]
    assert of(script.late("s1", Order("sell", 1, 4)), Send) == [Send("s1", told.message)]


def test_a_trader_asks_once_and_has_its_money_held() -> None:
    rules = CallMarket(endowments={"ann": 2})
    role = rules.bidder("pit")
    script = Script(role, me="ann", conversation="pit/1", finish_by=60.0)
    script.start()
    (decide,) = script.hear("pit", CallForBids(WHEAT, 2.0))
    assert isinstance(decide, Decide) and isinstance(decide.question, OrderWanted)
    assert (decide.question.owned, decide.question.decide_by) == (2, 1.75)
    assert of(script.hear("pit", CallForBids(WHEAT, 2.0)), Ignore)
    assert script.decided(decide.name, Order("buy", 2, 5)) == [Send("pit", Order("buy", 2, 5, number=1))]
    assert of(script.hear("eve", Closed("wheat")), Ignore)
    sold = Closed("wheat", (Award("wheat", "ben", 5, 1, "ann"),))
    assert script.hear("pit", sold) == [Finish(Outcome("traded"))]


def test_cancelled_it_releases_everybody_and_awards_nothing() -> None:
    script = venue()
    script.hear("b1", Order("buy", 1, 8))
    effects = script.cancel()
    (finish,) = of(effects, Finish)
    assert not of(effects, MakeAward) and finish.outcome.status == "cancelled"
    assert [e.message for e in of(effects, Broadcast)] == [Closed("wheat", reason="cancelled")]


# -------------------------------------------------------------------------------------------------------------- awards
cleared = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 20)), max_size=4)


@given(cleared, cleared, st.sampled_from(RULES))
def test_awards_pay_everybody_exactly_what_the_rule_says(
    buys: list[tuple[int, int]], sells: list[tuple[int, int]], rule: DoubleRule
) -> None:
    bids = [Offer(f"b{k}", price, units) for k, (units, price) in enumerate(buys)]
    asks = [Offer(f"s{k}", price, units) for k, (units, price) in enumerate(sells)]
    exchange = checked(rule(bids, asks), bids, asks)
    money: dict[str, float] = {}
    units: dict[str, int] = {}
    for award in awards_of(exchange, "wheat", "pit"):
        payer, payee = str(award.winner), award.seller or "pit"
        assert award.price >= 0 and (award.won or award.price > 0)
        money[payer] = money.get(payer, 0) - award.price
        money[payee] = money.get(payee, 0) + award.price
        units[payer] = units.get(payer, 0) + award.quantity
        units[payee] = units.get(payee, 0) - award.quantity
    for line in exchange.bought:
        assert (units.pop(line.bidder), money.pop(line.bidder)) == (line.units, -line.price)
    for line in exchange.sold:
        assert (units.pop(line.bidder), money.pop(line.bidder)) == (-line.units, line.price)
    assert money.pop("pit", 0) == exchange.revenue and not money and units in ({}, {"pit": 0})


def test_what_floats_leave_over_is_nobodys_charge() -> None:
    exchange = Exchange((Cleared("b", 3, 0.1 * 3),), tuple(Cleared(f"s{k}", 1, 0.1) for k in range(3)))
    assert [award.quantity for award in awards_of(exchange, "wheat", "pit")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("exchange", "said"),
    [
        (Exchange((Cleared("b", 1, 5),)), "has 1 units bought; expected as many as sold, 0"),
        (Exchange((Cleared("b", 1, 9),), (Cleared("s", 1, 4),)), "bidder='b', units=1, price=9"),
        (Exchange((Cleared("b", 1, 5),), (Cleared("s", 1, 3),)), "bidder='s', units=1, price=3"),
        (Exchange((Cleared("b", 2, 5),), (Cleared("s", 2, 8),)), "bidder='b', units=2, price=5"),
        (Exchange((Cleared("x", 1, 5),), (Cleared("s", 1, 5),)), "bidder='x', units=1, price=5"),
        (Exchange((Cleared("b", 1, float("nan")),), (Cleared("s", 1, 5),)), "bidder='b', units=1, price=nan"),
    ],
)
def test_a_rule_that_takes_what_was_not_ordered_is_an_error(exchange: Exchange, said: str) -> None:
    with pytest.raises(LocalProtocolError) as error:
        checked(exchange, [Offer("b", 8)], [Offer("s", 4)])
    assert said in str(error.value)


# ------------------------------------------------------------------------------------------------------------ settings
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"reply_within_s": 0}, "reply_within_s"),
        ({"margin_s": 2.0}, "margin_s is 2.0; expected less than reply_within_s"),
        ({"rule": 3}, "rule is 3; expected a function"),
        (
            {"rule": first_price},
            "rule is 'first_price'; expected a function of buys, sells, such as auctions.mcafee",
        ),
        ({"endowments": {"a": -1}}, "endowment of a is -1; expected a whole number of 0 or more"),
        ({"endowments": {"a": 1.5}}, "endowment of a is 1.5"),
    ],
)
def test_bad_settings_name_their_field(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ScenarioError) as error:
        CallMarket(**settings)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (Task("job"), "Lots on sale without a reserve"),
        (Lot("wheat", wanted=True), "Lots on sale without a reserve"),
        (Lot("wheat", reserve=3), "Lots on sale without a reserve"),
        (Lot("wheat", quantity=3), "quantity of wheat is 3; expected at least the 4 endowed units"),
    ],
)
def test_only_goods_are_traded_and_there_are_as_many_as_are_owned(item: Item, said: str) -> None:
    with pytest.raises(ScenarioError) as error:
        CallMarket(endowments=STOCK).opener("pit", (item,), ("ann",))
    assert said in str(error.value)


# --------------------------------------------------------------------------------------------------------- all weathers
@pytest.mark.parametrize("rule", [KDouble(0.3), mcafee, vcg_double])
def test_in_all_weathers(rule: DoubleRule) -> None:
    agents = [Agent("pit", capacity=0, money=100.0)]
    agents += [Agent(name, values={"wheat": value}, money=30.0) for name, value in VALUES.items()]
    report = check_mechanism(CallMarket(rule, endowments=STOCK), agents, [WHEAT], kills=8)
    assert {*report.endings["calm"], *report.endings["lossy"]} == {"done"}


def test_the_roles_keep_to_what_a_protocol_may_do() -> None:
    rules = CallMarket(mcafee, endowments=STOCK)
    check_protocol(
        lambda: rules.auctioneer(WHEAT, ("b1", "b2", "s1", "s2")),
        [
            ("start",),
            ("hear", "b1", Order("buy", 1, 8, number=1)),
            ("hear", "s1", Order("sell", 2, 4, number=1)),
            ("hear", "s1", Order("sell", 1, 4, number=1)),
            ("hear", "s2", Order("sell", 1, 4, number=1)),
            ("hear", "b2", Order("buy", 1, 8, number=1)),
        ],
    )
    check_protocol(
        lambda: rules.bidder("pit"),
        [
            ("start",),
            ("hear", "pit", CallForBids(WHEAT, 2.0)),
            ("decided", "bid", Order("buy", 1, 8)),
            ("hear", "pit", Closed("wheat")),
        ],
    )
