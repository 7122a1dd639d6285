"""Proxy bidding: the highest maximum wins, one increment beyond the second, whatever came first."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, strategies as st

from auctions import Bid, Closed, MaximumWanted, Pass, Proxy, Shading, Sniping, StandingBid
from scenarios import llm_router
from tests.auctions.worlds import HOUSE, play, sent
from walras import Agent, Award, Lot, Network, ScenarioError, Simulation, Task
from walras.effects import Broadcast, Decide, Ignore, MakeAward, Send
from walras.simulation import Uniform
from walras.testing import Script, check_mechanism

VALUES = {"ada": {"vase": 12}, "bob": {"vase": 9}, "cyd": {"vase": 5}}
COSTS = {"ada": {"job": 3}, "bob": {"job": 5}, "cyd": {"job": 8}}
VASE = Lot("vase")
NAMES = ("ada", "bob", "cyd")


@pytest.mark.parametrize(
    ("increment", "reserve", "price"),
    [(1, None, 10), (5, None, 12), ("10%", None, 9.9), (1, 11, 11), (1, 12, 12)],
)
def test_the_price_is_an_increment_more_than_the_second_maximum(
    increment: Any, reserve: Any, price: float
) -> None:
    result = play(Proxy(increment=increment), [Lot("vase", reserve=reserve)], VALUES)
    (line,) = result.allocation.lines
    assert line.winner == "ada"
    assert line.price == pytest.approx(price)


@pytest.mark.parametrize(
    ("increment", "reserve", "price"), [(1, 20, 4), (3, 20, 3), ("10%", 20, 4.5), (1, 3, 3)]
)
def test_procured_it_is_an_increment_less_than_the_second_minimum(
    increment: Any, reserve: Any, price: float
) -> None:
    result = play(Proxy(increment=increment), [Task("job", reserve=reserve)], costs=COSTS)
    (record,) = result.records
    assert record.winner == "ada"
    assert record.paid == pytest.approx(price)


@pytest.mark.parametrize(("reserve", "price"), [(8, 10), (11, 11), (12, 12), (13, None)])
def test_a_maximum_that_meets_a_hidden_reserve_is_bid_up_to_it(reserve: float, price: float | None) -> None:
    mechanism = Proxy(increment=1, hidden_reserve=True)
    result = play(mechanism, [Lot("vase", reserve=reserve)], VALUES)
    assert [line.price for line in result.allocation.lines] == ([] if price is None else [price])
    assert all("reserve" not in call["item"] for _, _, call in sent(result, StandingBid))
    pair = play(mechanism, [Lot("vase", quantity=2, reserve=reserve)], VALUES)
    wanted = (
        [8, 8] if reserve == 8 else [] if price is None else [reserve]
    )  # the second one, of 9, meets only 8
    assert [line.price for line in pair.allocation.lines] == wanted


@pytest.mark.parametrize(("reserve", "paid"), [(6, 4), (3.5, 3.5), (3, 3), (2, 0)])
def test_procured_a_minimum_that_meets_a_hidden_reserve_is_bid_down_to_it(
    reserve: float, paid: float
) -> None:
    mechanism = Proxy(increment=1, hidden_reserve=True, opening=20)
    (record,) = play(mechanism, [Task("job", reserve=reserve)], costs=COSTS).records
    assert (record.winner, record.paid) == (("ada", paid) if paid else (None, 0))


def test_alone_one_pays_the_opening_price() -> None:
    assert play(Proxy(opening=4), [VASE], {"ada": {"vase": 12}}).allocation["vase"].price == 4


def test_several_units_cost_the_same() -> None:
    result = play(Proxy(increment=1), [Lot("vase", quantity=2)], VALUES)
    assert [(line.winner, line.price) for line in result.allocation.lines] == [("ada", 6), ("bob", 6)]


def test_a_maximum_of_just_the_present_price_is_not_worth_sending_on_either_side() -> None:
    for item, better in ((VASE, 8.0), (Task("job", reserve=20), 6.0)):
        call = StandingBid(item, 2, 9, 10.0, 10.0, 10.0, 10.0, ("bob",), 7.0)
        assert [Proxy().useful(call, price, None) for price in (7.0, better)] == [False, True]


def test_maxima_are_not_told() -> None:
    result = play(Proxy(increment=1), [VASE], VALUES)
    assert [call.get("price") for _, _, call in sent(result, StandingBid)] == [None, 10]
    assert len(sent(result, Bid)) == 3


def auctioneer(item: Any = VASE, seed: int = 0, **settings: Any) -> Script:
    rules = Proxy(**({"increment": 1, "lasts_s": 10.0, "idle_s": None} | settings))
    script = Script(rules.opener(HOUSE, (item,), NAMES), me=HOUSE, finish_by=60.0, seed=seed)
    script.start()
    return script


def said(script: Script) -> StandingBid:
    return [
        e.message for e in script.effects if isinstance(e, Broadcast) and isinstance(e.message, StandingBid)
    ][-1]


def test_a_dialogue_in_which_a_leader_is_overtaken_and_raises() -> None:
    script = auctioneer(gather_s=0.0)
    story: list[tuple[str, float, tuple[str, ...], float]] = [
        ("ada", 8, ("ada",), 0),
        ("bob", 5, ("ada",), 6),  # too little: the proxy answers
        ("cyd", 10, ("cyd",), 9),
        ("ada", 9.5, ("cyd",), 10),  # never beyond the own maximum
        ("cyd", 20, ("cyd",), 10.5),  # raised by the leader: an increment more than the second
        ("bob", 3, ("cyd",), 10.5),  # less than before: does not count
    ]
    for sender, maximum, leaders, price in story:
        script.hear(sender, Bid("vase", maximum, round=said(script).round))
        if "gavel" in script.timers:
            script.timer("gavel")
        assert (said(script).leaders, said(script).price) == (leaders, price)
    assert MakeAward(Award("vase", "cyd", 10.5)) in script.timer("hammer")


@given(maxima=st.lists(st.integers(0, 12), min_size=3, max_size=3), reserve=st.integers(0, 6))
def test_the_order_of_arrival_decides_nothing(maxima: list[int], reserve: int) -> None:
    outcomes = set()
    for order in permutations(zip(NAMES, maxima, strict=True)):
        script = auctioneer(Lot("vase", reserve=reserve), gather_s=0.0)
        for sender, maximum in order:
            script.hear(sender, Bid("vase", maximum, round=said(script).round))
            if "gavel" in script.timers:
                script.timer("gavel")
        effects = script.timer("hammer")
        outcomes.add(tuple(effect.line for effect in effects if isinstance(effect, MakeAward)))
    assert len(outcomes) == 1
    admitted = sorted((m for m in maxima if m >= reserve), reverse=True)
    prices = [line.price for line in next(iter(outcomes))]
    if len(admitted) > 1:
        assert prices == [max(reserve, min(admitted[0], admitted[1] + 1))]
    else:
        assert prices == [reserve] * len(admitted)


def test_equal_maxima_are_decided_by_dice_or_by_arrival_as_stated() -> None:
    def winner(seed: int, first: str, second: str, **settings: Any) -> tuple[str, ...]:
        script = auctioneer(seed=seed, gather_s=0.0, **settings)
        for name in (first, second):
            script.hear(name, Bid("vase", 7, round=1))
            script.timer("gavel")
        assert said(script).price == 7
        return said(script).leaders

    drawn = [winner(seed, "ada", "bob") for seed in range(12)]
    assert set(drawn) == {("ada",), ("bob",)}
    assert drawn == [winner(seed, "bob", "ada") for seed in range(12)]
    assert {winner(seed, "bob", "ada", ties="arrival") for seed in range(12)} == {("bob",)}


def test_below_the_opening_price_and_too_late_nothing_counts() -> None:
    script = auctioneer(Lot("vase", reserve=5))
    low = Bid("vase", 4, round=1)
    assert script.hear("ada", low)[0] == Ignore(low, "too-low")
    script.timer("hammer")
    script.port.now = 10.5
    (ignored, _) = script.hear("ada", Bid("vase", 9, round=1))
    assert ignored == Ignore(Bid("vase", 9, round=1), "late")


def test_a_bidder_that_would_repeat_itself_goes_home() -> None:
    script = Script(Proxy(increment=1).bidder(HOUSE), me="ada")
    call = StandingBid(VASE, 1, 0, 10.0, 10.0, 10.0, 10.0, bidders=3)
    script.hear(HOUSE, call)
    (question,) = script.questions.values()
    assert isinstance(question, MaximumWanted)
    assert (question.rule, question.mine, question.ask) == ("second_price", None, 0)
    script.decided("bid", Bid("vase", 6, round=1))
    outbid = StandingBid(VASE, 2, 8, 10.0, 10.0, 10.0, 10.0, ("bob",), 7, 3)
    effects = script.hear(HOUSE, outbid)
    assert isinstance(effects[-1], Decide)
    assert effects[-1].question.mine == 6  # type: ignore[attr-defined]
    assert script.decided("bid", Bid("vase", 6, round=2)) == [Send(HOUSE, Pass("vase", round=2))]


def test_equilibrium_bidders_know_it_for_a_second_price() -> None:
    result = play(Proxy(increment=1), [VASE], VALUES, strategies=dict.fromkeys(NAMES, Shading()))
    assert result.allocation["vase"].winner == "ada"


def test_snipers_do_not_change_what_truthful_maxima_lead_to() -> None:
    """Against bidders with proxies there is nothing to be gained at the last moment (Roth and Ockenfels 2002)."""
    rules = Proxy(increment=1, lasts_s=20.0, idle_s=None)
    sniped = play(rules, [VASE], VALUES, strategies={"ada": Sniping(1.0), "bob": Sniping(2.0)})
    assert sniped.allocation == play(rules, [VASE], VALUES).allocation


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("item", [VASE, Task("job", reserve=20)])
def test_over_a_bad_network_the_price_is_the_rules_for_what_came_in_time(item: Any, seed: int) -> None:
    """Re-computed from the trace."""
    network = Network(latency=Uniform(0.0, 1.0), loss=0.15, duplication=0.2)
    result = play(Proxy(increment=1, attempts=1), [item], VALUES, COSTS, seed=seed, network=network)
    closed_at = min(at for at, _, _ in sent(result, Closed))
    lost = {(row.agent, str(row.details["message"])) for row in result.trace if row.kind == "lost"}
    maxima: dict[str, float] = {}
    for row in result.trace:
        if row.kind == "message" and row.details["message"]["type"] == "Bid":
            arrival = row.details["arrival"]
            if (
                arrival is not None
                and arrival <= closed_at
                and (row.agent, str(row.details["message"])) not in lost
            ):
                maxima[row.agent] = row.details["message"]["price"]
    ranked = sorted(maxima.values(), reverse=not item.procured)
    awarded = [row.details["line"] for row in result.trace if row.kind == "award"]
    if not ranked:
        assert awarded == []
    elif item.procured:
        price = 20 if len(ranked) == 1 else max(ranked[0], ranked[1] - 1)
        assert [line["price"] for line in awarded] == [price]
    else:
        price = 0 if len(ranked) == 1 else min(ranked[0], ranked[1] + 1)
        assert [line.get("price", 0) for line in awarded] == [price]


@pytest.mark.parametrize("item", [VASE, Task("job", copies=2, reserve=20)])
def test_it_keeps_what_every_mechanism_promises(item: Any) -> None:
    people = [Agent(HOUSE, capacity=0, money=100.0)]
    people += [Agent(name, values=VALUES[name], costs=COSTS[name], money=20.0) for name in VALUES]
    report = check_mechanism(Proxy(increment=1, close="soft"), people, [item], kills=8)
    assert report.endings["calm"] == report.endings["doubling"] == {"done": 3}


def test_the_router_runs_under_it() -> None:
    result = Simulation(llm_router(tasks=20), Proxy(), seed=7, check=True).run()
    assert [record.status for record in result.records] == ["done"] * 20


def test_a_procurement_has_to_begin_somewhere() -> None:
    with pytest.raises(ScenarioError, match="opening is None"):
        Proxy().opener(HOUSE, (Task("job"),), NAMES)
