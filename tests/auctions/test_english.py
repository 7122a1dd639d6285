"""Open outcry: what stands is told, what betters it counts, and it ends when nobody does or at the close."""

from math import inf, nan
from typing import Any

import pytest

from auctions import (
    Bid,
    BidSchedule,
    Closed,
    English,
    Jumping,
    NextBid,
    Pass,
    Proxy,
    Rejected,
    Sniping,
    StandingBid,
    truthful,
)
from auctions.increments import Increment, read_increment
from scenarios import llm_router
from tests.auctions.worlds import HOUSE, play, sent
from walras import Agent, Award, Lot, Network, Outcome, ScenarioError, Simulation, Task
from walras.effects import Broadcast, CancelTimer, Decide, Finish, Ignore, MakeAward, Send, SetTimer
from walras.simulation import Uniform
from walras.testing import Script, check_mechanism

VALUES = {"ada": {"vase": 12}, "bob": {"vase": 9}, "cyd": {"vase": 5}}
COSTS = {"ada": {"job": 3}, "bob": {"job": 5}, "cyd": {"job": 8}}
VASE = Lot("vase")
NAMES = ("ada", "bob", "cyd")


# -------------------------------------------------------------------------------------------------------------- outcomes
@pytest.mark.parametrize("seed", range(8))
def test_the_highest_value_wins_at_the_second_up_to_an_increment(seed: int) -> None:
    result = play(English(increment=1), [VASE], VALUES, seed=seed)
    (line,) = result.allocation.lines
    assert line.winner == "ada"
    assert line.price in (9, 10)
    assert result.balances == {HOUSE: 1000 + line.price, "ada": 100 - line.price, "bob": 100, "cyd": 100}


@pytest.mark.parametrize("seed", range(8))
def test_procured_it_descends_to_the_second_cost(seed: int) -> None:
    result = play(English(increment="5%"), [Task("job", reserve=20)], costs=COSTS, seed=seed)
    (record,) = result.records
    assert (record.status, record.winner) == ("done", "ada")
    assert 5 * 0.95 <= record.paid <= 5 / 0.95


def test_a_wanted_good_is_bought_at_about_the_second_lowest_value() -> None:
    result = play(English(increment=1), [Lot("vase", wanted=True, reserve=20)], VALUES)
    (line,) = result.allocation.lines
    assert (line.winner, line.price in (8, 9)) == ("cyd", True)


def test_of_several_units_each_bidder_can_have_one() -> None:
    result = play(English(increment=1), [Lot("vase", quantity=2)], VALUES)
    assert sorted(str(line.winner) for line in result.allocation.lines) == ["ada", "bob"]
    assert all(5 <= line.price <= 6 for line in result.allocation.lines)
    result = play(English(increment=1), [Task("job", copies=2, reserve=20)], costs=COSTS)
    assert sorted(str(line.winner) for line in result.allocation.lines) == ["ada", "bob"]
    assert result.records[0].status == "done"


@pytest.mark.parametrize(("reserve", "price"), [(10, 10), (12, 12), (13, None)])
def test_bidding_begins_at_a_public_reserve(reserve: float, price: float | None) -> None:
    result = play(English(increment=1), [Lot("vase", reserve=reserve)], VALUES)
    assert [line.price for line in result.allocation.lines] == ([] if price is None else [price])


@pytest.mark.parametrize(("reserve", "sold"), [(9, True), (11, False)])
def test_a_hidden_reserve_is_not_told_and_has_to_be_met(reserve: float, sold: bool) -> None:
    result = play(English(increment=1, hidden_reserve=True), [Lot("vase", reserve=reserve)], VALUES)
    calls = sent(result, StandingBid)
    assert all("reserve" not in call["item"] for _, _, call in calls)
    assert "ask" not in calls[0][2] or calls[0][2]["ask"] == 0
    assert bool(result.allocation) == sold


def test_nobody_bids_and_it_is_unassigned() -> None:
    result = play(English(), [VASE], {"ada": {"vase": 0}, "bob": {}})
    assert result.outcomes[f"{HOUSE}/1"] == Outcome("unassigned", why="1 of 1 without an acceptable bid")


def test_a_relative_increment_starts_from_nothing_by_a_fixed_step() -> None:
    result = play(English(increment="10%", from_zero=0.5), [VASE], VALUES)
    asks = [call["ask"] for _, _, call in sent(result, StandingBid)]
    assert asks[:3] == [0, 0.5, pytest.approx(0.55)]
    assert 9 / 1.1 <= result.allocation["vase"].price <= 9 * 1.1


def test_jump_bids_save_rounds_and_are_taken_at_their_word() -> None:
    plain = play(English(increment=1), [VASE], VALUES)
    jumped = play(English(increment=1), [VASE], VALUES, strategies={"ada": Jumping(0.75)})
    assert len(sent(jumped, StandingBid)) < len(sent(plain, StandingBid)) / 2
    assert jumped.allocation["vase"] == Award("vase", "ada", 9)  # three quarters of its value, at once


def test_where_jumps_are_not_allowed_nobody_jumps() -> None:
    result = play(English(increment=1, jump_bids=False), [VASE], VALUES, strategies={"ada": Jumping(0.75)})
    bids = [message.get("price", 0) for _, _, message in sent(result, Bid)]
    assert max(bids) <= 10
    script = auctioneer(jump_bids=False)
    jump = Bid("vase", 5, round=1)
    assert script.hear("ada", jump) == [Ignore(jump, "jump"), Send("ada", Rejected("vase", "jump", 1))]


# ---------------------------------------------------------------------------------------------------- the auctioneer, scripted
def auctioneer(item: Any = VASE, finish_by: float = 60.0, seed: int = 0, **settings: Any) -> Script:
    rules = English(**({"increment": 1, "lasts_s": 10.0, "idle_s": None} | settings))
    script = Script(rules.opener(HOUSE, (item,), NAMES), me=HOUSE, finish_by=finish_by, seed=seed)
    script.start()
    return script


def said(script: Script) -> StandingBid:
    """The latest call."""
    calls = [
        e.message for e in script.effects if isinstance(e, Broadcast) and isinstance(e.message, StandingBid)
    ]
    return calls[-1]


def test_a_dialogue() -> None:
    """Start, two bids within the gathering time, the better one leads, everybody else goes home."""
    rules = English(increment=1, lasts_s=10.0, idle_s=3.0, gather_s=0.5)
    script = Script(rules.opener(HOUSE, (VASE,), NAMES), me=HOUSE, finish_by=60.0)
    call = StandingBid(VASE, 1, 0, 10.0, 10.0, 10.0, 10.0, bidders=3)
    assert script.start() == [SetTimer("close", 59.75), SetTimer("hammer", 10.0), Broadcast(NAMES, call)]
    assert script.hear("ada", Bid("vase", 0, round=1)) == [SetTimer("gavel", 0.5)]
    assert script.hear("bob", Bid("vase", 2, round=1)) == []
    assert script.timer("gavel") == [
        CancelTimer("gavel"),
        SetTimer("hammer", 3.5),
        Broadcast(NAMES, StandingBid(VASE, 2, 3, 3.5, 10.0, 10.0, 10.0, ("bob",), 2, 3)),
    ]
    assert script.hear("cyd", Pass("vase", round=2)) == []
    award = Award("vase", "bob", 2)
    assert script.hear("ada", Pass("vase", round=2)) == [
        CancelTimer("hammer"),
        CancelTimer("close"),
        MakeAward(award),
        Broadcast(NAMES, Closed("vase", (award,))),
        Finish(Outcome("done", (award,))),
    ]


def test_a_bid_is_not_lowered_by_a_later_one_of_the_same_bidder() -> None:
    script = auctioneer(gather_s=1.0)
    script.hear("ada", Bid("vase", 9, round=1))
    assert script.hear("ada", Bid("vase", 4, round=1)) == [
        Ignore(Bid("vase", 4, round=1), "overtaken, or a double")
    ]
    script.timer("gavel")
    assert (said(script).leaders, said(script).price) == (("ada",), 9)


def test_a_bid_binds_as_long_as_a_soft_close_may_be_prolonged() -> None:
    bidder = Script(English(close="soft").bidder(HOUSE), me="ada")
    call = StandingBid(VASE, 1, 0, 2.0, 10.0, 10.0, 59.75, bidders=3)
    effects = bidder.hear(HOUSE, call)
    (asked,) = [effect.question for effect in effects if isinstance(effect, Decide)]
    assert isinstance(asked, NextBid)
    assert (asked.binds_until, asked.closes_at) == (60.0, 10.0)


def test_going_going_gone_when_nobody_outbids_within_the_stated_time() -> None:
    script = auctioneer(idle_s=2.0)
    script.hear("ada", Bid("vase", 4, round=1))
    script.timer("gavel")
    effects = script.timer("hammer")
    assert script.now == pytest.approx(2.1)
    assert MakeAward(Award("vase", "ada", 4)) in effects
    late = Bid("vase", 9, round=2)
    script.port.now = 2.2
    assert script.hear("bob", late) == [Ignore(late, "late"), Send("bob", Rejected("vase", "late", 2))]


def test_before_the_first_bid_only_the_close_ends_it_and_a_slow_first_bid_gives_the_others_time() -> None:
    script = auctioneer(idle_s=1.0)
    assert said(script).idle_by == said(script).closes_at == 10.0
    script.port.now = 3.0
    script.hear("ada", Bid("vase", 4, round=1))
    script.timer("gavel")
    assert said(script).idle_by == pytest.approx(3.1 + 2 * 3.0)


@pytest.mark.parametrize("mechanism", [English(increment=1), Proxy(increment=1)])
@pytest.mark.parametrize("seed", range(3))
def test_over_a_slow_network_it_is_sold_to_who_values_it_most(mechanism: English, seed: int) -> None:
    slow = Network(latency=Uniform(0.5, 1.5))
    result = play(mechanism, [VASE], VALUES, network=slow, seed=seed)
    assert result.allocation["vase"].winner == "ada"


def test_a_bid_at_the_hard_close_counts_and_a_later_one_is_rejected_as_late() -> None:
    script = auctioneer()
    script.hear("ada", Bid("vase", 4, round=1))
    script.timer("gavel")
    script.port.now = 10.0
    assert script.hear("bob", Bid("vase", 7, round=2)) == [SetTimer("gavel", 10.0)]
    assert MakeAward(Award("vase", "bob", 7)) in script.timer("hammer")
    script.port.now = 10.01
    late = Bid("vase", 90, round=2)
    assert script.hear("cyd", late) == [Ignore(late, "late"), Send("cyd", Rejected("vase", "late", 2))]


def test_what_is_heard_after_the_close_is_late_even_if_the_auctioneer_was_not_there_to_close() -> None:
    """A machine that stood still hears what came meanwhile before its timers fire."""
    script = auctioneer()
    script.port.now = 10.5
    late = Bid("vase", 9, round=1)
    assert script.hear("ada", late) == [Ignore(late, "late"), Send("ada", Rejected("vase", "late", 1))]
    script.timer("hammer")
    assert script.finished is not None
    assert script.finished.status == "unassigned"


def test_a_bid_after_an_early_end_is_not_late_but_it_is_closed() -> None:
    script = auctioneer()
    for name in NAMES:
        script.hear(name, Pass("vase", round=1))
    assert script.finished == Outcome("unassigned", why="1 of 1 without an acceptable bid")
    bid = Bid("vase", 3, round=1)
    assert script.hear("ada", bid) == [Ignore(bid, "closed"), Send("ada", Rejected("vase", "closed", 1))]


def test_a_late_bid_prolongs_a_soft_close_and_an_early_one_does_not() -> None:
    script = auctioneer(close="soft", extend_s=3.0, gather_s=0.0)
    script.hear("ada", Bid("vase", 4, round=1))
    script.timer("gavel")
    assert said(script).closes_at == 10.0
    script.port.now = 9.5
    script.hear("bob", Bid("vase", 6, round=2))
    script.timer("gavel")
    assert (said(script).closes_at, said(script).ends_by) == (12.5, 59.75)
    script.port.now = 12.5
    script.hear("ada", Bid("vase", 8, round=3))
    script.timer("hammer")  # both at the same instant: the bid is in time
    assert said(script).closes_at == 15.5
    assert MakeAward(Award("vase", "ada", 8)) in script.timer("hammer")


@pytest.mark.parametrize(("at", "closes_at"), [(6.9, 10.0), (7.1, 10.1), (8.6, 11.6), (9.9, 12.9)])
def test_a_soft_close_moves_to_so_long_after_a_bid_that_comes_within_that_time(
    at: float, closes_at: float
) -> None:
    script = auctioneer(close="soft", extend_s=3.0, gather_s=0.0)
    script.port.now = at
    script.hear("ada", Bid("vase", 4, round=1))
    script.timer("gavel")
    assert said(script).closes_at == pytest.approx(closes_at)


def test_a_soft_close_moves_no_further_than_there_is_time() -> None:
    script = auctioneer(close="soft", extend_s=5.0, finish_by=12.0)
    script.port.now = 9.0
    script.hear("ada", Bid("vase", 4, round=1))
    script.timer("gavel")
    assert said(script).closes_at == 11.75


def test_a_candle_goes_out_at_a_time_that_is_drawn_and_not_told() -> None:
    ends = set()
    for seed in range(20):
        script = auctioneer(close="candle", candle_from=0.5, seed=seed)
        call = said(script)
        assert (call.may_close_from, call.closes_at, call.idle_by) == (5.0, 10.0, 10.0)
        script.timer("hammer")
        ends.add(script.now)
        late = Bid("vase", 9, round=1)
        script.port.now += 0.001
        assert Send("ada", Rejected("vase", "late", 1)) in script.hear("ada", late)
    assert len(ends) == 20
    assert 5.0 <= min(ends) < 6.0 < 9.0 < max(ends) <= 10.0


def test_who_has_not_bid_for_too_long_is_out_but_who_leads_is_active() -> None:
    script = auctioneer(active_within_s=4.0, gather_s=0.0)
    script.hear("ada", Bid("vase", 1, round=1))
    script.timer("gavel")
    script.port.now = 3.0
    script.hear("bob", Bid("vase", 2, round=2))
    script.timer("gavel")
    script.port.now = 6.5  # ada has led until 3
    assert script.hear("ada", Bid("vase", 3, round=3)) == [SetTimer("gavel", 6.5)]
    script.timer("gavel")
    bid = Bid("vase", 9, round=4)
    assert script.hear("cyd", bid) == [Ignore(bid, "inactive"), Send("cyd", Rejected("vase", "inactive", 4))]
    assert script.hear("cyd", bid) == [Ignore(bid, "closed"), Send("cyd", Rejected("vase", "closed", 4))]


@pytest.mark.parametrize(
    ("bid", "reason"),
    [
        (Bid("urn", 7, round=1), "unknown-item"),
        (Bid("vase", -1, round=1), "unparsable"),
        (Bid("vase", nan, round=1), "unparsable"),
        (Bid("vase", inf, round=1), "unparsable"),
        (Bid("vase", 7, units=2, round=1), "unparsable"),
        (BidSchedule("vase", ((7, 1),), round=1), "unparsable"),
        (Bid("vase", 2, round=1), "too-low"),
    ],
)
def test_a_bid_that_cannot_count_is_rejected_with_its_reason(bid: Any, reason: Any) -> None:
    script = auctioneer(Lot("vase", reserve=3))
    assert script.hear("ada", bid) == [Ignore(bid, reason), Send("ada", Rejected("vase", reason, 1))]


def test_doubles_what_was_overtaken_strangers_and_the_leader_itself_change_nothing() -> None:
    script = auctioneer()
    bid = Bid("vase", 4, round=1)
    script.hear("ada", bid)
    script.timer("gavel")
    for sender, message in (("ada", bid), ("ada", Bid("vase", 9, round=2)), ("bob", Bid("vase", 3, round=1))):
        before = script.state()
        (ignored,) = script.hear(sender, message)
        assert isinstance(ignored, Ignore)
        assert script.state() == before
    assert script.hear("eve", Bid("vase", 9, round=2)) == [Ignore(Bid("vase", 9, round=2), "ineligible")]
    script.hear("bob", Pass("vase", round=2))
    assert script.hear("bob", Pass("vase", round=2)) == [
        Ignore(Pass("vase", round=2), "too late, a double, or from a stranger")
    ]


def test_equal_bids_are_decided_by_dice_or_by_arrival_as_stated() -> None:
    def leader(seed: int, first: str, second: str, **settings: Any) -> str:
        script = auctioneer(seed=seed, **settings)
        script.hear(first, Bid("vase", 4, round=1))
        script.hear(second, Bid("vase", 4, round=1))
        script.timer("gavel")
        return said(script).leaders[0]

    drawn = [leader(seed, "ada", "bob") for seed in range(12)]
    assert set(drawn) == {"ada", "bob"}
    assert drawn == [leader(seed, "bob", "ada") for seed in range(12)]  # whoever came first
    assert {leader(seed, "bob", "ada", ties="arrival") for seed in range(12)} == {"bob"}


def test_cancelled_nothing_is_sold() -> None:
    script = auctioneer()
    script.hear("ada", Bid("vase", 4, round=1))
    script.cancel()
    assert script.finished is not None
    assert (script.finished.status, script.finished.awards) == ("cancelled", ())


# --------------------------------------------------------------------------------------------------------- worlds, faults
def snipers(close: Any, seed: int) -> tuple[int, int]:
    """How many bids there are, and how many of them in the last 5 % of the time until the auction ends."""
    names = [f"bidder-{k}" for k in range(6)]
    values = {name: {"vase": 20.0 + 9 * k + seed} for k, name in enumerate(names)}
    strategies = {name: Sniping(lead_s=1.5) for name in names[2:]}
    mechanism = English(increment=2, close=close, lasts_s=60.0, idle_s=None, extend_s=10.0, candle_from=0.5)
    result = play(mechanism, [VASE], values, strategies=strategies, seed=seed, finish_by=300.0)
    ends = max(at for at, _, _ in sent(result, Closed))
    bids = [at for at, _, _ in sent(result, Bid)]
    return len(bids), sum(at >= 0.95 * ends for at in bids)


def test_a_soft_close_at_least_halves_the_share_of_bids_in_the_last_moments() -> None:
    def share(close: str) -> float:
        counts = [snipers(close, seed) for seed in range(8)]
        return sum(late for _, late in counts) / sum(bids for bids, _ in counts)

    hard, soft = share("hard"), share("soft")
    assert hard > 0.5
    assert soft <= hard / 2


def test_a_bidder_without_the_money_says_nothing_and_another_wins() -> None:
    def boast(question: Any, agent: Agent) -> Any:
        return Bid(question.item.id, 500, round=question.round)

    result = play(English(increment=1), [VASE], VALUES, strategies={"ada": boast})
    assert result.allocation["vase"].winner == "bob"
    assert result.overcommitments == 0


def test_two_auctions_share_a_purse_and_what_is_outbid_is_free_for_the_other() -> None:
    values = {"ada": {"vase": 30, "urn": 30}, "bob": {"vase": 8}, "cyd": {"urn": 8}}
    result = play(English(increment=1), [Lot("vase"), Lot("urn")], values, money=20)
    assert [line.winner for line in result.allocation.lines] == ["ada", "ada"]
    assert result.overcommitments == 0
    assert result.balances["ada"] >= 0


@pytest.mark.parametrize("item", [VASE, Task("job", reserve=20)])
@pytest.mark.parametrize("seed", range(6))
def test_over_a_bad_network_it_ends_and_the_winner_pays_the_best_bid_that_counted(
    item: Any, seed: int
) -> None:
    network = Network(latency=Uniform(0.0, 1.0), loss=0.15, duplication=0.2)
    result = play(English(increment=1, attempts=1), [item], VALUES, COSTS, seed=seed, network=network)
    assert result.outcomes[f"{HOUSE}/1"].status in ("done", "failed", "unassigned")
    awarded = [row.details["line"] for row in result.trace if row.kind == "award"]
    calls = [call for _, _, call in sent(result, StandingBid)]
    assert len(awarded) == bool(calls[-1].get("leaders"))
    for line in awarded:
        assert [line["winner"]] == calls[-1]["leaders"]
        assert line.get("price", 0) == calls[-1]["price"]
        bids = [m.get("price", 0) for _, by, m in sent(result, Bid) if by == line["winner"]]
        assert line.get("price", 0) in bids


@pytest.mark.parametrize(
    ("mechanism", "item"),
    [
        (English(increment=1), VASE),
        (English(close="soft", idle_s=None, lasts_s=10.0), Lot("vase", quantity=2)),
        (English(close="candle", lasts_s=20.0, active_within_s=5.0), Task("job", reserve=20)),
        (English(hidden_reserve=True, opening=20), Task("job", copies=2, reserve=10)),
    ],
)
def test_it_keeps_what_every_mechanism_promises(mechanism: English, item: Any) -> None:
    people = [Agent(HOUSE, capacity=0, money=100.0)]
    people += [Agent(name, values=VALUES[name], costs=COSTS[name], money=20.0) for name in VALUES]
    report = check_mechanism(mechanism, people, [item], kills=8)
    assert report.endings["calm"] == report.endings["doubling"] == {"done": 3}
    assert report.endings["silent minds"] == report.endings["everything lost"] == {"unassigned": 3}


def test_the_router_runs_under_it() -> None:
    result = Simulation(llm_router(tasks=4), English(increment="5%"), seed=7, check=True).run()
    assert [record.status for record in result.records] == ["done"] * 4
    assert result.metrics["misawards"] == result.metrics["overcommitments"] == 0


# -------------------------------------------------------------------------------------------------------------- settings
@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"increment": 0}, "increment"),
        ({"increment": -1}, "increment"),
        ({"increment": nan}, "increment"),
        ({"increment": "0%"}, "increment"),
        ({"increment": "100%"}, "increment"),
        ({"increment": "five"}, "increment"),
        ({"increment": True}, "increment"),
        ({"opening": -1}, "opening"),
        ({"lasts_s": 0}, "lasts_s"),
        ({"lasts_s": 0.2}, "lasts_s"),
        ({"idle_s": 0.3}, "idle_s"),
        ({"idle_s": -1}, "idle_s"),
        ({"close": "firm"}, "close"),
        ({"extend_s": 0}, "extend_s"),
        ({"candle_from": 1}, "candle_from"),
        ({"active_within_s": 0}, "active_within_s"),
        ({"gather_s": -1}, "gather_s"),
        ({"ties": "random"}, "ties"),
        ({"from_zero": 0}, "from_zero"),
    ],
)
def test_a_setting_out_of_range_is_named(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(ScenarioError, match=f"^{field} is .*; expected "):
        English(**settings)


@pytest.mark.parametrize("mechanism", [English(), English(hidden_reserve=True)])
def test_a_procurement_has_to_begin_somewhere(mechanism: English) -> None:
    item = Task("job", reserve=20 if mechanism.hidden_reserve else None)
    with pytest.raises(
        ScenarioError,
        match="opening is None; expected a price to begin with, or a public, finite reserve of job",
    ):
        mechanism.opener(HOUSE, (item,), NAMES)


def test_increments_are_exact_where_prices_are_whole() -> None:
    step = read_increment("increment", 2)
    assert (step.after(3), type(step.after(3))) == (5, int)
    assert Increment(0.5, relative=True).after(8, down=True) == 4
    assert Increment(9).after(8, down=True) == 0


def test_truthful_is_straightforward_here() -> None:
    question = NextBid(item=VASE, auctioneer=HOUSE, price=9, decide_by=1.0, asked_at=0.0)
    assert truthful(question, Agent("ada", values={"vase": 9})) == Bid("vase", 9)
    assert truthful(question, Agent("ada", values={"vase": 8})) == Pass("vase", "no-interest")
    assert not question.accepts(Bid("vase", 8))
    assert question.accepts(Bid("vase", 10))
    assert not question.accepts(Bid("vase", 10, units=2))
