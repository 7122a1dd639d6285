"""The continuous double auction in scripts and in all weathers: no unit is sold twice, and money is conserved."""

from collections import Counter
from typing import Any

import pytest

from auctions.continuous import ContinuousDouble
from auctions.order_book import Order
from auctions.order_messages import (
    CancelOrder,
    Enter,
    Leave,
    MarketClosed,
    MarketOpen,
    OrderWanted,
    Released,
    Top,
    Trade,
)
from auctions.traders import ZeroIntelligence
from auctions.venue import Trader, Venue
from walras.agents import Agent
from walras.allocation import Award, Outcome
from walras.effects import Broadcast, Decide, Effect, Finish, Ignore, MakeAward, Send, SetTimer, Withdraw
from walras.errors import ScenarioError
from walras.items import Lot, Task
from walras.messages import Message
from walras.questions import Question
from walras.simulation.faults import Crash, Faults
from walras.simulation.network import Network, Uniform
from walras.simulation.simulation import Simulation
from walras.testing import Script, check_mechanism, check_protocol

WHEAT = Lot("wheat", quantity=1000)
STOCK = {"s1": 3, "s2": 3, "s3": 3}


# ------------------------------------------------------------------------------------------------------- the venue, scripted
def venue(**settings: Any) -> Venue:
    return ContinuousDouble(**settings).opener("pit", (WHEAT,), ("ann", "ben"))


def opened(finish_by: float = 1e9, **settings: Any) -> Script:
    script = Script(venue(**settings), me="pit", conversation="pit/1", finish_by=finish_by)
    script.start()
    return script


def said(effects: list[Effect]) -> list[tuple[Any, Message]]:
    return [(e.to, e.message) for e in effects if isinstance(e, Send | Broadcast)]


def test_it_opens_closes_in_time_and_says_so_to_who_is_late() -> None:
    script = Script(venue(), me="pit", conversation="pit/1", finish_by=60.0)
    assert script.start() == [SetTimer("close", 59.75), Broadcast(("ann", "ben"), MarketOpen("wheat", 59.75))]
    assert script.at(59.75) == [Broadcast(("ann", "ben"), MarketClosed()), Finish(Outcome("done"))]
    late = script.late("ann", Order("buy", 1, 5, number=1))
    assert late[-1] == Send("ann", MarketClosed())


def test_without_a_finish_by_it_never_closes_unless_it_is_told_to() -> None:
    script = Script(venue(), me="pit", conversation="pit/1")
    assert not [effect for effect in script.start() if isinstance(effect, SetTimer)]
    assert script.cancel()[-1] == Finish(Outcome("cancelled"))


def test_a_trade_binds_at_the_makers_price_and_everybody_hears_of_it() -> None:
    script = opened()
    resting = script.hear("ann", Order("sell", 2, 10, number=1))
    assert resting == [
        Send("ann", Released(0, left=2)),
        Broadcast(("ann", "ben"), Top(1, None, 0, 10, 2)),
    ]
    assert script.hear("ben", Order("buy", 1, 12, number=1)) == [
        MakeAward(Award("wheat", "ben", 10, 1, "ann")),
        Send("ann", Released(0, sold=1, left=1)),
        Broadcast(("ann", "ben"), Trade(2, 10, 1, "buy")),
        Send("ben", Released(1, bought=1)),
        Broadcast(("ann", "ben"), Top(3, None, 0, 10, 1)),
    ]


def test_a_new_order_takes_the_place_of_the_old_one_and_cancelling_leaves_none() -> None:
    script = opened()
    script.hear("ann", Order("buy", 1, 10, number=1))
    assert said(script.hear("ann", Order("buy", 1, 8, number=2))) == [
        ("ann", Released(1, left=1)),
        (("ann", "ben"), Top(2, 8, 1)),
    ]
    assert said(script.hear("ann", CancelOrder(3))) == [("ann", Released(3)), (("ann", "ben"), Top(3))]
    assert not script.role.book.orders


@pytest.mark.parametrize("number", [1, 2])
def test_doubles_and_what_was_overtaken_change_nothing(number: int) -> None:
    script = opened()
    script.hear("ann", Order("buy", 1, 10, number=2))
    before = script.state()
    (ignored,) = script.hear("ann", Order("buy", 1, 99, number=number))
    assert isinstance(ignored, Ignore)
    assert script.state() == before


def test_who_did_not_know_of_its_trade_trades_no_second_time() -> None:
    """Its new order was on the way when the old one traded: it must not sell a second unit."""
    script = opened()
    script.hear("ann", Order("sell", 1, 10, number=1))
    script.hear("ben", Order("buy", 1, 10, number=1))
    effects = script.hear("ann", Order("sell", 1, 9, number=2, seen=0))
    assert said(effects) == [
        ("ann", Released(2, sold=1, why="it was given before its trader knew of its last trade"))
    ]
    assert not script.role.book.orders
    script.hear("ann", Order("sell", 1, 9, number=3, seen=1))
    assert list(script.role.book.orders) == [("ann", 3)]


def test_nobody_sells_more_than_it_owns_and_what_was_bought_may_be_sold() -> None:
    script = opened(endowments={"ann": 2})
    assert "3 units are offered, 2 are owned" in repr(script.hear("ann", Order("sell", 3, 5, number=1)))
    assert "1 units are offered, 0 are owned" in repr(script.hear("ben", Order("sell", 1, 5, number=1)))
    script.hear("ann", Order("sell", 2, 5, number=2))
    script.hear("ben", Order("buy", 2, 5, number=2))
    assert "1 units are offered, 0 are owned" in repr(
        script.hear("ann", Order("sell", 1, 5, number=3, seen=2))
    )
    script.hear("ben", Order("sell", 2, 7, number=3, seen=2))
    assert script.role.book.top("sell").units == 2


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (Order("sell", 1, float("nan"), number=1), "price is nan"),
        (Order("sell", 1, -1, number=1), "price is -1"),
        (Order("sell", 0, 5, number=1), "units is 0"),
        (Order("sell", 1.5, 5, number=1), "units is 1.5; expected a whole number"),
        (Order("buy", 1, number=1), "no account can hold what a market order to buy may cost"),
        (Order("buy", 10**200, 1e300, number=1), "a sum that somebody can pay"),
        (Order("sell", 1, 5, number=0), "number is 0; expected a whole number of 1 or more"),
        (Order("sell", 1, 5, number="1"), "number is '1'"),  # type: ignore[arg-type]
        (Order("lend", 1, 5, number=1), "side is 'lend'"),  # type: ignore[arg-type]
        (CancelOrder(-3), "number is -3"),
        (Leave(0), "number is 0"),
    ],
)
def test_nonsense_is_ignored_with_its_reason(order: Message, why: str) -> None:
    script = opened()
    effects = script.hear("ann", order)
    (ignored,) = [effect for effect in effects if isinstance(effect, Ignore)]
    assert why in ignored.why
    assert not script.role.book.orders
    script.role.check()


def test_a_market_order_to_sell_takes_what_there_is() -> None:
    script = opened()
    script.hear("ann", Order("buy", 2, 10, number=1))
    effects = script.hear("ben", Order("sell", 5, number=1))
    assert [e.line.quantity for e in effects if isinstance(e, MakeAward)] == [2]
    assert ("ben", Released(1, sold=2)) in said(effects)


def test_all_orders_lapse_after_a_trade_where_the_rules_say_so() -> None:
    script = opened(clear_on_trade=True)
    script.hear("ann", Order("sell", 1, 20, number=1))
    script.hear("cyd", Order("sell", 1, 10, number=1))
    told = said(script.hear("ben", Order("buy", 1, 10, number=1)))
    assert ("ann", Released(1, why="the book is cleared after every trade")) in told
    assert not script.role.book.orders


def test_who_leaves_hears_no_more_and_is_answered_every_time() -> None:
    script = opened()
    script.hear("ann", Order("buy", 1, 5, number=1))
    assert said(script.hear("ann", Leave(2))) == [("ann", Released(2)), (("ben",), Top(2))]
    assert said(script.hear("ann", Leave(2))) == [("ann", Released(2))]


def test_who_comes_by_its_own_wish_is_told_how_things_are() -> None:
    script = opened()
    script.hear("ann", Order("sell", 1, 20, number=1))
    assert said(script.hear("dan", Enter())) == [
        ("dan", MarketOpen("wheat", 1e9 - 0.25)), ("dan", Released(0)), ("dan", Top(1, None, 0, 20, 1)),
    ]  # fmt: skip
    assert "dan" in script.role.audience


def test_the_venue_is_a_proper_role() -> None:
    inputs = [
        ("start",),
        ("hear", "ann", Order("sell", 2, 10, number=1)),
        ("hear", "ben", Order("buy", 3, 11, number=1)),
        ("hear", "ben", CancelOrder(2)),
        ("hear", "dan", Enter()),
        ("hear", "dan", Order("buy", 1, 9, number=1)),
        ("hear", "ann", Order("sell", 1, number=2, seen=2)),
        ("hear", "ann", Leave(3)),
        ("timer", "close"),
    ]
    effects = check_protocol(venue, inputs, me="pit", conversation="pit/1", finish_by=60.0)
    lines = [effect.line for effect in effects if isinstance(effect, MakeAward)]
    assert lines == [Award("wheat", "ben", 20, 2, "ann"), Award("wheat", "dan", 9, 1, "ann")]


# ------------------------------------------------------------------------------------------------------ the trader, scripted
def trader(**settings: Any) -> Script:
    script = Script(Trader(ContinuousDouble(**settings)), me="ann", conversation="pit/1", finish_by=60.0)
    script.start()
    script.hear("pit", MarketOpen("wheat", 59.75))
    return script


def asked(script: Script) -> OrderWanted:
    (effect,) = [effect for effect in script.timer("next") if isinstance(effect, Decide)]
    assert isinstance(effect.question, OrderWanted)
    return effect.question


def test_a_trader_asks_with_all_that_it_knows() -> None:
    script = trader(endowments={"ann": 2})
    script.hear("pit", Top(1, 4, 1, 9, 2))
    script.hear("pit", Trade(2, 9, 2, "buy"))
    question = asked(script)
    assert (question.good, question.market, question.number, question.owned) == ("wheat", "pit/1", 1, 2)
    assert (question.top, question.tape) == (Top(1, 4, 1, 9, 2), (Top(1, 4, 1, 9, 2), Trade(2, 9, 2, "buy")))
    (sent, _) = script.decided("order 1", Order("sell", 1, 8))
    assert sent == Send("pit", Order("sell", 1, 8, number=1, seen=0))
    script.hear("pit", Released(0, left=1))
    again = asked(script)
    assert again.resting == Order("sell", 1, 8, number=1)
    assert again.tape == ()


def test_of_all_that_it_hears_between_two_questions_a_trader_keeps_the_latest() -> None:
    script = trader()
    for serial in range(1, 301):
        script.hear("pit", Trade(serial, 9, 1, "buy"))
    assert [heard.serial for heard in asked(script).tape] == list(range(45, 301))


def test_money_is_freed_when_the_venue_says_so_and_not_before() -> None:
    script = trader()
    for number in (1, 2, 3):
        asked(script)
        script.decided(f"order {number}", Order("buy", 1, 5))
    assert script.hear("pit", Released(2, left=1)) == [Withdraw("order 1"), Withdraw("order 2")]
    assert script.hear("pit", Released(1)) == [Ignore(Released(1), "overtaken")]
    assert script.hear("pit", Released(3, bought=1)) == [Withdraw("order 3")]
    assert asked(script).bought == 1
    (sent, _) = script.decided("order 4", Order("buy", 1, 6))
    assert sent.message.seen == 1  # type: ignore[attr-defined]


def test_the_mind_is_told_how_much_of_its_order_still_rests() -> None:
    script = trader()
    asked(script)
    script.decided("order 1", Order("buy", 3, 5))
    script.hear("pit", Released(0, bought=1, left=2))
    resting = asked(script).resting
    assert resting is not None
    assert (resting.units, resting.price) == (2, 5)


def test_an_order_knows_only_what_its_mind_was_told() -> None:
    """A trade that is heard of while the mind ponders makes its answer out of date, which the venue will see."""
    script = trader()
    asked(script)
    script.decided("order 1", Order("buy", 1, 5))
    asked(script)
    script.hear("pit", Released(1, bought=1))
    (sent, _) = script.decided("order 2", Order("buy", 1, 5))
    assert sent.message.seen == 0  # type: ignore[attr-defined]


def test_a_trader_asks_to_enter_until_it_is_heard_and_to_leave_until_it_may() -> None:
    script = Script(Trader(ContinuousDouble()), me="ann", conversation="pit/1", finish_by=60.0)
    script.start()
    assert [Send("pit", Enter())] * 2 == [script.timer("next")[0] for _ in range(2)]
    script.hear("pit", MarketOpen("wheat"))
    asked(script)
    assert script.decided("order 1", Leave())[0] == Send("pit", Leave(1))
    assert script.timer("next")[0] == Send("pit", Leave(1))
    assert script.hear("pit", Released(1)) == [Finish(Outcome("left"))]


def test_only_the_venue_is_believed() -> None:
    script = trader()
    before = script.state()
    for message in (
        MarketOpen("rye"),
        Released(0, bought=3),
        Top(9, 1, 1),
        Trade(9, 5, 1, "buy"),
        MarketClosed(),
    ):
        (ignored,) = script.hear("eve", message)
        assert isinstance(ignored, Ignore)
    (ignored,) = script.hear("pit", Released(7))
    assert isinstance(ignored, Ignore)
    assert script.state() == before


def test_the_trader_is_a_proper_role() -> None:
    inputs = [
        ("start",),
        ("hear", "pit", MarketOpen("wheat")),
        ("timer", "next"),
        ("decided", "order 1", Order("buy", 2, 5)),
        ("hear", "pit", Top(1, 5, 2)),
        ("hear", "pit", Released(0, left=2)),
        ("hear", "pit", Trade(2, 5, 1, "sell")),
        ("hear", "pit", Released(0, bought=1, left=1)),
        ("timer", "next"),
        ("decided", "order 2", None),
        ("timer", "next"),
        ("decided", "order 3", CancelOrder()),
        ("hear", "pit", Released(3, bought=1)),
        ("timer", "next"),
        ("hear", "pit", MarketClosed()),
    ]
    check_protocol(lambda: Trader(ContinuousDouble()), inputs, me="ann", conversation="pit/1", finish_by=60.0)


@pytest.mark.parametrize(
    ("answer", "legal"),
    [
        (Order("sell", 2, 5), True),
        (Order("sell", 3, 5), False),
        (Order("buy", 3, 5), True),
        (Order("buy", 3), False),
        (Order("sell", 1), True),
        (Order("sell", 1, float("nan")), False),
        (None, True),
        (Leave(), True),
        ("buy", False),
    ],
)
def test_what_is_legal_and_what_it_binds(answer: Any, legal: bool) -> None:
    question = OrderWanted(good="wheat", market="pit/1", number=1, owned=2, decide_by=1.0)
    assert question.accepts(answer) == legal
    held = question.commits(answer) if legal else None
    assert (held.money if held is not None else 0) == (15 if answer == Order("buy", 3, 5) else 0)


# ------------------------------------------------------------------------------------------------------- in all weathers
def gambler(question: Question, agent: Agent) -> Any:
    """Buys and sells as the dice fall, more than it can pay or owns; now and then it cancels, or leaves."""
    assert isinstance(question, OrderWanted) and agent.rng is not None
    rng = agent.rng
    toss = rng.random()
    if toss < 0.1:
        return CancelOrder() if toss < 0.08 else Leave()
    price = rng.randint(3, 7) if toss < 0.9 else None
    return Order("buy" if toss < 0.5 else "sell", rng.randint(1, 3), price, only_now=rng.random() < 0.2)


def pit(seed: int, finish_by: float = 40.0, joins: bool = False, **settings: Any) -> Simulation:
    """Three who own wheat and three who have money; with `joins` they come by their own wish, one after the other."""
    simulation = Simulation(seed=seed, check=True, **settings)
    simulation.add(Agent("pit", money=0))
    names = ["s1", "s2", "s3", "b1", "b2", "b3"]
    for name in names:
        simulation.add(Agent(name, gambler, money=30))
    rules = ContinuousDouble(endowments=STOCK, every_s=0.5)
    simulation.open(rules, [WHEAT], "pit", [] if joins else names, finish_by=finish_by)
    for k, name in enumerate(names if joins else []):
        simulation.env.call_at(0.1 + 0.3 * k, 1, lambda who: simulation.join(who, "pit/1"), name)
    return simulation


def settled(simulation: Simulation) -> int:
    """How many trades there were, if all is well: money and wheat are where the trades have put them."""
    ledger, lines = simulation.world.ledger, [line for _, line in simulation.world.awards]
    assert ledger.conserved()
    assert ledger.overcommitments == 0, "somebody paid what it did not have"
    assert sum(ledger.balances().values()) == 6 * 30
    owned = Counter(STOCK)
    for line in lines:
        assert line.winner is not None and line.seller is not None
        owned[line.seller] -= line.quantity
        assert owned[line.seller] >= 0, f"{line.seller} sold a unit that it did not own"
        owned[line.winner] += line.quantity
    assert sum(owned.values()) == sum(STOCK.values())
    return len(lines)


FOUL = Network(latency=Uniform(0.01, 0.8), loss=0.15, duplication=0.3, reordering=0.3)


@pytest.mark.parametrize("seed", range(6))
def test_in_a_foul_network_nothing_is_sold_twice_and_all_ends(seed: int) -> None:
    simulation = pit(seed, network=FOUL)
    simulation.run()
    assert settled(simulation) > 5
    assert simulation.world.outcomes["pit/1"].status == "done"
    assert not [
        port for seats in simulation.world.seats_of.values() for port in seats.values() if not port.ended
    ]


@pytest.mark.parametrize("seed", range(3))
def test_a_venue_without_an_end_goes_on_after_crashes_from_a_copy(seed: int) -> None:
    crashes = tuple(Crash("pit", 9.0 * k, 0.4) for k in (1, 2, 3))
    simulation = pit(seed, float("inf"), joins=True, faults=Faults((*crashes, Crash("b1", 15.0, 2.0))))
    simulation.run(until=40.0)
    assert settled(simulation) > 5
    journal = simulation.world.seats_of["pit/1"]["pit"].journal  # type: ignore[attr-defined]
    assert 0 < len(journal) <= 64, "the journal of an endless role grows without bounds"


def test_a_run_goes_on_after_a_horizon() -> None:
    whole, halves = pit(3, float("inf"), joins=True), pit(3, float("inf"), joins=True)
    whole.run(until=20.0)
    halves.run(until=7.0)
    halves.run(until=20.0)
    assert whole.role("pit/1", "pit") == halves.role("pit/1", "pit")
    assert whole.world.trace.digest == halves.world.trace.digest


@pytest.mark.parametrize("clear", [False, True], ids=["kept", "cleared"])
def test_it_keeps_what_every_mechanism_promises(clear: bool) -> None:
    people = [Agent("pit"), *(Agent(n, ZeroIntelligence(1, 20), values={"wheat": 4 + k}, money=60) for k, n in enumerate(
        ("s1", "s2", "b1", "b2")))]  # fmt: skip
    rules = ContinuousDouble(endowments=STOCK, clear_on_trade=clear)
    report = check_mechanism(rules, people, [WHEAT], within_s=12.0, kills=12)
    assert report.endings["calm"] == {"done": 3}
    assert report.endings["everything lost"] == {"done": 3}


def test_a_buyer_cannot_order_for_more_than_it_has() -> None:
    simulation = Simulation(seed=1)
    simulation.add(Agent("pit"))
    simulation.add(Agent("s1", lambda question, agent: Order("sell", 1, 6), money=0))
    simulation.add(Agent("b1", lambda question, agent: Order("buy", 2, 6), money=11))
    simulation.open(ContinuousDouble(endowments=STOCK), [WHEAT], "pit", finish_by=20.0)
    simulation.run()
    assert not simulation.world.awards
    assert {
        row.details["status"] for row in simulation.world.trace if row.kind == "answer" and row.agent == "b1"
    } == {"unfunded"}


# -------------------------------------------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"every_s": 0.0}, "every_s"),
        ({"every_s": float("nan")}, "every_s"),
        ({"decide_within_s": -1.0}, "decide_within_s"),
        ({"margin_s": None}, "margin_s"),
        ({"open_until_s": -5.0}, "open_until_s"),
        ({"clear_on_trade": "yes"}, "clear_on_trade"),
        ({"endowments": {"ann": -1}}, "endowments"),
        ({"endowments": {"ann": 1.5}}, "endowments"),
        ({"endowments": ["ann"]}, "endowments"),
    ],
)
def test_bad_settings_are_refused_by_name(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        ContinuousDouble(**settings)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "items", [(), (Task("job"),), (Lot("a"), Lot("b")), (Lot("a", wanted=True),), (Lot("a", reserve=3),)]
)
def test_it_is_about_one_lot_on_sale(items: tuple[Any, ...]) -> None:
    with pytest.raises(ScenarioError, match="one Lot on sale without a reserve"):
        ContinuousDouble().opener("pit", items, ())
