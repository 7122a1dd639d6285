"""The Dutch auction: first-price outcomes on the grid of the ticks, and a stated rule for who takes it together."""

from math import inf, nan
from typing import Any

import pytest

from auctions import (
    Bid,
    BidSchedule,
    ClockPrice,
    Closed,
    Dutch,
    English,
    FirstPrice,
    Independent,
    MarginalValues,
    Pass,
    Rejected,
    Shading,
    TakeAt,
    TieDecided,
    Vickrey,
)
from auctions.dutch import Ladder
from scenarios import llm_router
from tests.auctions.worlds import HOUSE, play, sent
from walras import Agent, Award, Lot, Network, Outcome, ScenarioError, Simulation, Task
from walras.effects import Broadcast, Finish, Ignore, MakeAward, Publish, Send, SetTimer
from walras.simulation import Uniform
from walras.testing import Script, check_mechanism

VALUES = {"ada": {"vase": 12}, "bob": {"vase": 9}, "cyd": {"vase": 5}}
COSTS = {"ada": {"job": 3}, "bob": {"job": 5}, "cyd": {"job": 8}}
VASE = Lot("vase")
NAMES = ("ada", "bob", "cyd")


# -------------------------------------------------------------------------------------------------------------- outcomes
@pytest.mark.parametrize(("tick", "price"), [(1, 12), (3, 11), (7, 6), ("10%", 12)])
def test_the_first_to_take_it_pays_what_the_clock_shows(tick: Any, price: float) -> None:
    result = play(Dutch(start=20, tick=tick), [VASE], VALUES)
    (line,) = result.allocation.lines
    assert line.price == price
    assert line.winner == "ada" or price <= 9


@pytest.mark.parametrize(("tick", "paid"), [(1, 3), (2, 4), ("10%", 4)])
def test_procured_the_clock_rises(tick: Any, paid: float) -> None:
    result = play(Dutch(tick=tick), [Task("job", reserve=20)], costs=COSTS)
    assert (result.records[0].winner, result.records[0].paid, result.records[0].status) == (
        "ada",
        paid,
        "done",
    )


@pytest.mark.parametrize("seed", range(5))
def test_with_equilibrium_bids_dutch_is_a_first_price_and_english_a_second_price_up_to_a_tick(
    seed: int,
) -> None:
    """The same values, four formats: who wins and what is paid, within a tick."""
    drawn = Independent().draw(seed, bidders=4)
    names = [f"bidder-{k}" for k in range(4)]
    values = {name: {"vase": float(v)} for name, v in zip(names, drawn.values[0], strict=True)}
    tick = 0.002
    shaded = dict.fromkeys(names, Shading())

    def outcome(mechanism: Any, strategies: Any = None) -> Award:
        (line,) = play(
            mechanism, [VASE], values, strategies=strategies, seed=seed, finish_by=600.0
        ).allocation.lines
        return line

    first = outcome(FirstPrice(), shaded)
    dutch = outcome(Dutch(start=1, tick=tick, interval_s=0.2), shaded)
    assert dutch.winner == first.winner
    assert first.price - tick <= dutch.price <= first.price
    second = outcome(Vickrey())
    english = outcome(English(increment=tick, lasts_s=600.0))
    assert english.winner == second.winner
    assert abs(english.price - second.price) <= tick * (1 + 1e-9)


def test_several_units_go_one_after_the_other_at_their_own_prices() -> None:
    strategies = {"ada": MarginalValues((12, 7, 2)), "bob": MarginalValues((9, 8))}
    values = {"ada": {"vase": 12}, "bob": {"vase": 9}, "cyd": {"vase": 5}}
    result = play(Dutch(start=20, tick=1), [Lot("vase", quantity=4)], values, strategies=strategies)
    assert [(line.winner, line.price, line.quantity) for line in result.allocation.lines] == [
        ("ada", 12, 1), ("bob", 9, 1), ("bob", 8, 1), ("ada", 7, 1),
    ]  # fmt: skip
    assert result.balances[HOUSE] == 1036
    result = play(Dutch(start=20, tick=10), [Lot("vase", quantity=4)], values, strategies=strategies)
    assert sum(line.quantity for line in result.allocation.lines) == 4
    assert result.allocation.lines[0] == Award("vase", "ada", 10)


def test_each_copy_of_a_task_goes_to_another_worker() -> None:
    result = play(Dutch(tick=1), [Task("job", copies=2, reserve=20)], costs=COSTS)
    assert [(line.winner, line.price) for line in result.allocation.lines] == [("ada", 3), ("bob", 5)]
    assert result.records[0].status == "done"


@pytest.mark.parametrize("hidden", [False, True])
def test_at_the_reserve_without_a_taker_it_is_unsold(hidden: bool) -> None:
    result = play(Dutch(start=30, tick=4, hidden_reserve=hidden), [Lot("vase", reserve=13)], VALUES)
    assert result.outcomes[f"{HOUSE}/1"].status == "unassigned"
    calls = [call["price"] for _, _, call in sent(result, ClockPrice)]
    assert calls == ([30, 26, 22, 18, 14, 13] if hidden else calls[:1])  # all who know it go home
    sold = play(Dutch(start=30, tick=4), [Lot("vase", reserve=12)], VALUES)
    assert sold.allocation["vase"] == Award("vase", "ada", 12)  # the last step is a smaller one


# -------------------------------------------------------------------------------------------------------------- scripted
def auctioneer(item: Any = VASE, finish_by: float = 60.0, seed: int = 0) -> Script:
    rules = Dutch(start=10, tick=2, interval_s=1.0)
    script = Script(rules.opener(HOUSE, (item,), NAMES), me=HOUSE, finish_by=finish_by, seed=seed)
    script.start()
    return script


def test_a_hidden_reserve_cannot_be_read_from_when_the_clock_stops() -> None:
    for reserve in (2, 8):
        rules = Dutch(start=10, tick=2, interval_s=1.0, hidden_reserve=True)
        script = Script(rules.opener(HOUSE, (Lot("vase", reserve=reserve),), NAMES), me=HOUSE, finish_by=60.0)
        script.start()
        (call,) = [e.message for e in script.effects if isinstance(e, Broadcast)]
        assert isinstance(call, ClockPrice)
        assert call.ends_by == 59.75


def test_who_has_taken_a_copy_of_a_task_cannot_take_another() -> None:
    rules = Dutch(start=2, tick=2, interval_s=1.0)
    task = Task("job", copies=2, reserve=20)
    script = Script(rules.opener(HOUSE, (task,), NAMES), me=HOUSE, finish_by=60.0)
    script.start()
    script.hear("ada", Bid("job", 2, round=1))
    assert MakeAward(Award("job", "ada", 2)) in script.timer("tick")
    more = Bid("job", 4, round=2)
    assert script.hear("ada", more) == [Ignore(more, "closed"), Send("ada", Rejected("job", "closed", 2))]


def test_a_dialogue() -> None:
    script = auctioneer()
    assert script.effects[1:] == [
        SetTimer("tick", 1.0),
        Broadcast(NAMES, ClockPrice(VASE, 10, 1, 1.0, 3, 1, 6.0)),
    ]
    script.hear("cyd", Pass("vase", round=1))
    assert script.timer("tick") == [
        SetTimer("tick", 2.0),
        Broadcast(("ada", "bob"), ClockPrice(VASE, 8, 2, 2.0, 3, 1, 6.0)),
    ]
    assert script.hear("bob", Bid("vase", 8, round=2)) == []
    award = Award("vase", "bob", 8)
    effects = script.timer("tick")
    assert effects[:1] == [MakeAward(award)]
    assert Broadcast(NAMES, Closed("vase", (award,))) in effects
    assert isinstance(effects[-1], Finish)
    script.port.now = 2.2
    late = Bid("vase", 8, round=2)
    assert script.hear("ada", late) == [Ignore(late, "late"), Send("ada", Rejected("vase", "late", 2))]


def test_who_takes_it_at_the_same_tick_is_equal_and_dice_choose() -> None:
    def play_out(seed: int, order: tuple[str, ...]) -> str:
        script = auctioneer(seed=seed)
        for name in order:
            script.hear(name, Bid("vase", 10, round=1))
        effects = script.timer("tick")
        (tie,) = [effect.fact for effect in effects if isinstance(effect, Publish)]
        (line,) = [effect.line for effect in effects if isinstance(effect, MakeAward)]
        assert tie == TieDecided("vase", ("ada", "bob"), (line.winner,))  # type: ignore[arg-type]
        return str(line.winner)

    drawn = [play_out(seed, ("ada", "bob")) for seed in range(12)]
    assert set(drawn) == {"ada", "bob"}
    assert drawn == [play_out(seed, ("bob", "ada")) for seed in range(12)]


def test_a_bid_that_crosses_the_next_tick_is_served_at_the_price_it_names_before_the_others() -> None:
    script = auctioneer()
    script.timer("tick")
    script.hear("ada", Bid("vase", 8, round=2))
    script.hear("bob", Bid("vase", 10, round=1))
    assert MakeAward(Award("vase", "bob", 10)) in script.timer("tick")


@pytest.mark.parametrize(
    ("bid", "reason"),
    [
        (Bid("vase", 9, round=1), "too-low"),
        (Bid("vase", 11, round=1), "too-low"),  # nor has it ever shown that
        (Bid("vase", 8, round=2), "too-low"),  # the clock does not show that yet
        (Bid("vase", nan, round=1), "unparsable"),
        (Bid("vase", -10, round=1), "unparsable"),
        (Bid("vase", 10, units=2, round=1), "unparsable"),
        (BidSchedule("vase", ((10, 1),), round=1), "unparsable"),
        (Bid("urn", 10, round=1), "unknown-item"),
    ],
)
def test_a_bid_that_cannot_count_is_rejected(bid: Any, reason: Any) -> None:
    script = auctioneer()
    assert script.hear("ada", bid) == [Ignore(bid, reason), Send("ada", Rejected("vase", reason, bid.round))]


def test_doubles_and_strangers_change_nothing_and_if_all_pass_it_is_over() -> None:
    script = auctioneer(Lot("vase", quantity=2))
    bid = Bid("vase", 10, round=1)
    script.hear("ada", bid)
    assert script.hear("ada", bid) == [Ignore(bid, "a double, or overtaken")]
    assert script.hear("eve", bid) == [Ignore(bid, "ineligible")]
    script.timer("tick")
    assert script.hear("ada", bid) == [Ignore(bid, "a double, or overtaken")]
    for name in NAMES:
        script.hear(name, Pass("vase", round=2))
    assert script.finished is not None
    assert (script.finished.status, len(script.finished.awards)) == ("partial", 1)


def test_the_clock_runs_faster_if_time_is_short_and_always_gets_to_its_end() -> None:
    script = auctioneer(finish_by=3.25)
    script.at(2.999)
    prices = [
        e.message.price
        for e in script.effects
        if isinstance(e, Broadcast) and isinstance(e.message, ClockPrice)
    ]
    assert prices == [10, 8, 6, 4, 2, 0]
    script.at(3.001)
    assert script.finished == Outcome("unassigned", why="1 of 1 without an acceptable bid")


def test_the_bidder_is_asked_once_and_takes_it_when_the_clock_is_there() -> None:
    script = Script(Dutch(start=10).bidder(HOUSE), me="ada")

    def call(round_: int, price: float, left: int = 3) -> ClockPrice:
        return ClockPrice(Lot("vase", quantity=3), price, round_, float(round_), 3, left, 6.0)

    script.hear(HOUSE, call(1, 10))
    (question,) = script.questions.values()
    assert isinstance(question, TakeAt)
    assert (question.rule, question.shown, question.closes_at) == ("discriminatory", 10, 6.0)
    assert (question.decide_by, question.binds_until) == (5.75, 6.25)
    assert script.hear(HOUSE, call(2, 8)) == []
    assert script.decided("bid", BidSchedule("vase", ((9, 1), (7, 2)))) == [Send(HOUSE, Bid("vase", 8, 1, 2))]
    assert script.hear(HOUSE, call(3, 7, left=1)) == [Send(HOUSE, Bid("vase", 7, 1, 3))]
    assert script.hear(HOUSE, call(3, 7)) == [Ignore(call(3, 7), "a double, or overtaken")]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("item", [VASE, Task("job", reserve=20)])
def test_over_a_bad_network_the_winner_pays_what_it_said_and_nobody_in_time_said_more(
    item: Any, seed: int
) -> None:
    """Re-computed from the trace: of what arrived before the end, the best price wins."""
    network = Network(latency=Uniform(0.0, 0.9), loss=0.1, duplication=0.2)
    mechanism = Dutch(start=None if item.procured else 15, tick=1, attempts=1)
    result = play(mechanism, [item], VALUES, COSTS, seed=seed, network=network)
    closed_at = min(at for at, _, _ in sent(result, Closed))
    lost = {(row.agent, str(row.details["message"])) for row in result.trace if row.kind == "lost"}
    bids = {}
    for row in result.trace:
        if row.kind == "message" and row.details["message"]["type"] == "Bid":
            arrival, message = row.details["arrival"], row.details["message"]
            if arrival is not None and arrival <= closed_at and (row.agent, str(message)) not in lost:
                bids[row.agent] = message.get("price", 0)
    awarded = [row.details["line"] for row in result.trace if row.kind == "award"]
    assert len(awarded) == bool(bids)
    for line in awarded:
        assert line["price"] == bids[line["winner"]] == (min if item.procured else max)(bids.values())


@pytest.mark.parametrize("item", [VASE, Lot("vase", quantity=2), Task("job", copies=2, reserve=20)])
def test_it_keeps_what_every_mechanism_promises(item: Any) -> None:
    people = [Agent(HOUSE, capacity=0, money=100.0)]
    people += [Agent(name, values=VALUES[name], costs=COSTS[name], money=20.0) for name in VALUES]
    mechanism = Dutch(start=None if item.procured else 15, tick=1)
    report = check_mechanism(mechanism, people, [item], kills=8)
    assert report.endings["calm"] == report.endings["doubling"] == {"done": 3}


def test_the_router_runs_under_it() -> None:
    result = Simulation(llm_router(tasks=50), Dutch(), seed=7, check=True).run()
    assert [record.status for record in result.records] == ["done"] * 50


# -------------------------------------------------------------------------------------------------------------- settings
@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"tick": 0}, "tick"),
        ({"tick": -1}, "tick"),
        ({"tick": inf}, "tick"),
        ({"tick": "0%"}, "tick"),
        ({"tick": "200%"}, "tick"),
        ({"tick": "two"}, "tick"),
        ({"start": -1}, "start"),
        ({"stop": nan}, "stop"),
        ({"interval_s": 0}, "interval_s"),
    ],
)
def test_a_setting_out_of_range_is_named(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(ScenarioError, match=f"^{field} is .*; expected "):
        Dutch(**settings)


@pytest.mark.parametrize(
    ("settings", "item", "message"),
    [
        (
            {},
            VASE,
            "start is None; expected a price that is more than anybody would pay, since vase is on sale",
        ),
        ({}, Task("job"), "stop is None; expected a price to end with, or a finite reserve of job"),
        (
            {"start": 5},
            Lot("vase", reserve=8),
            "start is 5; expected at least 8, or no tick ever reaches the reserve",
        ),
        (
            {"start": 9},
            Task("job", reserve=8),
            "start is 9; expected at most 8, or no tick ever reaches the reserve",
        ),
        ({"start": 9, "tick": 1e-5}, VASE, "tick is 1e-05; expected at most 100,000 ticks from 9 to 0"),
    ],
)
def test_a_clock_that_would_not_get_anywhere_is_refused(settings: Any, item: Any, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        Dutch(**settings).opener(HOUSE, (item,), NAMES)


def test_the_ladder_ends_exactly_at_the_reserve_and_whole_numbers_stay_whole() -> None:
    ladder = Ladder(10, 3, 2)
    assert [ladder.price(k) for k in range(1, ladder.calls + 1)] == [10, 8, 6, 4, 3]
    assert Ladder(0.3, 0.0, 0.1).calls == 4
    assert Ladder(5, 5, 1).calls == 1


def test_what_is_heard_after_the_clock_has_stopped_is_late_even_if_the_auctioneer_stood_still() -> None:
    script = auctioneer()  # six prices, a second each
    for _ in range(5):
        script.timer("tick")
    bid = Bid("vase", 2, round=5)
    script.port.now = 6.0
    assert script.hear("ada", bid) == []
    script.port.now = 6.01
    assert script.hear("bob", bid) == [Ignore(bid, "late"), Send("bob", Rejected("vase", "late", 5))]
    assert MakeAward(Award("vase", "ada", 2)) in script.timer("tick")
    again = script.hear("ada", bid)
    assert again == [
        Ignore(bid, "a double, or overtaken"),
        Send("ada", Closed("vase", (Award("vase", "ada", 2),))),
    ]
