"""The Japanese auction: bidders leave as the price rises, and do not come back."""

from math import nan
from typing import Any

import pytest

from auctions import (
    AscendingClock,
    Bid,
    BidSchedule,
    ClockPrice,
    Closed,
    English,
    Pass,
    Rejected,
    StillIn,
    TieDecided,
)
from scenarios import llm_router
from tests.auctions.worlds import HOUSE, play, sent
from walras import Agent, Award, Lot, Network, ScenarioError, Simulation, Task
from walras.effects import Broadcast, CancelTimer, Decide, Finish, Ignore, MakeAward, Publish, Send, SetTimer
from walras.simulation import Uniform
from walras.testing import Script, check_mechanism

VALUES = {"ada": {"vase": 12}, "bob": {"vase": 9}, "cyd": {"vase": 5}}
COSTS = {"ada": {"job": 3}, "bob": {"job": 5}, "cyd": {"job": 8}}
VASE = Lot("vase")
NAMES = ("ada", "bob", "cyd")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("increment", "price"), [(1, 10), (4, 12), ("50%", None)])
def test_the_last_one_in_pays_the_price_at_which_the_second_last_left(
    increment: Any, price: Any, seed: int
) -> None:
    result = play(AscendingClock(increment=increment), [VASE], VALUES, seed=seed)
    (line,) = result.allocation.lines
    assert line.winner == "ada"
    assert line.price == price if price is not None else 6 <= line.price <= 12


def test_procured_the_price_falls_to_the_second_cost() -> None:
    result = play(AscendingClock(increment=1), [Task("job", reserve=20)], costs=COSTS)
    assert (result.records[0].winner, result.records[0].paid) == ("ada", 4)


def test_all_units_cost_the_same_even_where_the_last_to_leave_left_together() -> None:
    result = play(AscendingClock(increment=1), [Lot("vase", quantity=2)], VALUES)
    assert [(line.winner, line.price) for line in result.allocation.lines] == [("ada", 6), ("bob", 6)]
    result = play(AscendingClock(increment=6), [Lot("vase", quantity=2)], VALUES)  # at 6 two, at 12 one
    assert [(line.winner, line.price) for line in result.allocation.lines] == [("ada", 6), ("bob", 6)]
    # at 10 one: two were in at 0
    result = play(AscendingClock(increment=10), [Lot("vase", quantity=2)], VALUES)
    assert [line.price for line in result.allocation.lines] == [0, 0]
    assert result.allocation.lines[0].winner == "ada"


def test_a_hidden_reserve_is_bid_up_to() -> None:
    result = play(AscendingClock(increment=1, hidden_reserve=True), [Lot("vase", reserve=11)], VALUES)
    assert result.allocation["vase"] == Award("vase", "ada", 11)
    assert not play(
        AscendingClock(increment=1, hidden_reserve=True), [Lot("vase", reserve=13)], VALUES
    ).allocation


@pytest.mark.parametrize(
    ("item", "opening", "first"),
    [
        (Lot("vase"), None, 0),
        (Lot("vase", reserve=5), None, 5),
        (Lot("vase", reserve=5), 3, 5),
        (Lot("vase", reserve=5), 8, 8),
        (Task("job", reserve=20), None, 20),
        (Task("job", reserve=20), 30, 20),
        (Task("job", reserve=20), 10, 10),
        (Lot("vase", wanted=True), 7, 7),
    ],
)
def test_the_first_price_is_the_opening_one_but_never_where_the_reserve_forbids_to_trade(
    item: Any, opening: float | None, first: float
) -> None:
    assert AscendingClock(opening=opening).opening_price(item) == first
    assert English(opening=opening).opening_price(item) == first


def test_a_bidder_stays_in_as_far_as_its_money_goes_since_one_bid_is_held_and_not_the_sum_of_all() -> None:
    result = play(AscendingClock(increment=1), [VASE], VALUES, money=10)
    assert result.allocation["vase"] == Award("vase", "ada", 10)
    values = {"ada": {"vase": 12}, "bob": {"vase": 8}}
    result = play(AscendingClock(increment=1), [VASE], values, money=9)
    assert result.allocation["vase"] == Award("vase", "ada", 9)


def auctioneer(item: Any = VASE, seed: int = 0, **settings: Any) -> Script:
    rules = AscendingClock(**({"increment": 2} | settings))
    script = Script(rules.opener(HOUSE, (item,), NAMES), me=HOUSE, finish_by=60.0, seed=seed)
    script.start()
    return script


def test_a_dialogue() -> None:
    script = auctioneer()
    assert script.effects[1:] == [SetTimer("reply", 2.0), Broadcast(NAMES, ClockPrice(VASE, 0, 1, 2.0, 3))]
    assert script.hear("ada", Bid("vase", 0, round=1)) == script.hear("bob", Bid("vase", 0, round=1)) == []
    assert script.hear("cyd", Pass("vase", round=1)) == [
        CancelTimer("reply"),
        SetTimer("reply", 2.0),
        Broadcast(("ada", "bob"), ClockPrice(VASE, 2, 2, 2.0, 2)),
    ]
    script.hear("ada", Bid("vase", 2, round=2))
    effects = script.timer("reply")  # bob is silent, and so has left
    award = Award("vase", "ada", 2)
    assert effects[-3:-1] == [MakeAward(award), Broadcast(NAMES, Closed("vase", (award,)))]
    assert isinstance(effects[-1], Finish)


def test_where_all_leave_together_dice_choose_one_at_the_price_before() -> None:
    winners = set()
    for seed in range(12):
        script = auctioneer(seed=seed)
        for price, round_ in ((0, 1), (2, 2)):
            for name in NAMES:
                script.hear(name, Bid("vase", price, round=round_))
        for name in NAMES[1:]:
            script.hear(name, Pass("vase", round=3))
        effects = script.hear("ada", Pass("vase", round=3))
        (tie,) = [effect.fact for effect in effects if isinstance(effect, Publish)]
        (line,) = [effect.line for effect in effects if isinstance(effect, MakeAward)]
        assert (tie, line.price) == (TieDecided("vase", NAMES, (line.winner,)), 2)  # type: ignore[arg-type]
        winners.add(line.winner)
    assert winners == set(NAMES)


@pytest.mark.parametrize("stay", [(), ("ada",)])
def test_who_leaves_at_the_first_price_gets_nothing_since_there_is_none_before(stay: tuple[str, ...]) -> None:
    script = auctioneer(Lot("vase", quantity=2))
    for name in NAMES:
        effects = script.hear(name, Bid("vase", 0, round=1) if name in stay else Pass("vase", round=1))
    assert [effect.line.winner for effect in effects if isinstance(effect, MakeAward)] == list(stay)


@pytest.mark.parametrize(
    ("bid", "reason"),
    [
        (Bid("vase", 1, round=1), "too-low"),
        (Bid("vase", nan, round=1), "unparsable"),
        (Bid("vase", 0, units=2, round=1), "unparsable"),
        (BidSchedule("vase", ((0, 1),), round=1), "unparsable"),
        (Bid("vase", 0, round=7), "unparsable"),
        (Bid("urn", 0, round=1), "unknown-item"),
        (Bid("vase", 0, round=0), "late"),
    ],
)
def test_a_bid_that_cannot_count_is_rejected(bid: Any, reason: Any) -> None:
    script = auctioneer()
    assert script.hear("ada", bid) == [Ignore(bid, reason), Send("ada", Rejected("vase", reason, bid.round))]


def test_who_has_left_does_not_come_back_and_who_is_late_is_told_so() -> None:
    script = auctioneer()
    for name in NAMES[:2]:
        script.hear(name, Bid("vase", 0, round=1))
    double = Bid("vase", 0, round=1)
    assert script.hear("ada", double) == [Ignore(double, "double")]
    script.timer("reply")
    back = Bid("vase", 2, round=2)
    assert script.hear("cyd", back) == [Ignore(back, "closed"), Send("cyd", Rejected("vase", "closed", 2))]
    assert script.hear("eve", back) == [Ignore(back, "ineligible")]
    script.timer("reply")
    script.port.now += 0.1
    late = Bid("vase", 2, round=2)
    assert script.hear("bob", late) == [Ignore(late, "late"), Send("bob", Rejected("vase", "late", 2))]


def test_what_is_heard_after_its_round_is_late_even_if_the_round_could_not_be_ended() -> None:
    script = auctioneer()
    script.port.now = 2.5
    late = Bid("vase", 0, round=1)
    assert script.hear("ada", late) == [Ignore(late, "late"), Send("ada", Rejected("vase", "late", 1))]


def test_the_bidder_is_asked_at_each_price_once() -> None:
    script = Script(AscendingClock().bidder(HOUSE), me="ada")
    call = ClockPrice(VASE, 4, 3, 2.0, 2)
    (decide,) = script.hear(HOUSE, call)
    assert isinstance(decide, Decide)
    assert decide.question == StillIn(
        item=VASE, auctioneer=HOUSE, bidders=2, round=3, price=4, decide_by=1.75
    )
    assert script.hear(HOUSE, call) == [Ignore(call, "a double, or overtaken")]
    assert script.decided("bid", Bid("vase", 4, round=3)) == [Send(HOUSE, Bid("vase", 4, round=3))]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("item", [VASE, Task("job", reserve=20)])
def test_over_a_bad_network_it_ends_and_the_winner_pays_a_price_that_it_has_bid(item: Any, seed: int) -> None:
    network = Network(latency=Uniform(0.0, 0.9), loss=0.1, duplication=0.2)
    result = play(AscendingClock(increment=1, attempts=1), [item], VALUES, COSTS, seed=seed, network=network)
    awarded = [row.details["line"] for row in result.trace if row.kind == "award"]
    assert len(awarded) <= 1
    for line in awarded:
        bids = [m.get("price", 0) for _, by, m in sent(result, Bid) if by == line["winner"]]
        assert line.get("price", 0) in bids
        last = [call.get("price", 0) for _, _, call in sent(result, ClockPrice)][-1]
        assert abs(last - line.get("price", 0)) <= 1


@pytest.mark.parametrize("item", [VASE, Lot("vase", quantity=2), Task("job", copies=2, reserve=20)])
def test_it_keeps_what_every_mechanism_promises(item: Any) -> None:
    people = [Agent(HOUSE, capacity=0, money=100.0)]
    people += [Agent(name, values=VALUES[name], costs=COSTS[name], money=20.0) for name in VALUES]
    report = check_mechanism(AscendingClock(increment=1), people, [item], kills=8)
    assert report.endings["calm"] == report.endings["doubling"] == {"done": 3}


def test_the_router_runs_under_it() -> None:
    result = Simulation(llm_router(tasks=4), AscendingClock(), seed=7, check=True).run()
    assert [record.status for record in result.records] == ["done"] * 4


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"increment": 0}, "increment"),
        ({"increment": "0%"}, "increment"),
        ({"opening": nan}, "opening"),
        ({"reply_within_s": 0.2}, "margin_s"),
        ({"from_zero": -1}, "from_zero"),
    ],
)
def test_a_setting_out_of_range_is_named(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(ScenarioError, match=f"^{field} is "):
        AscendingClock(**settings)
    with pytest.raises(ScenarioError, match="opening is None"):
        AscendingClock().opener(HOUSE, (Task("job"),), NAMES)
