"""Sealed bids as messages: blind, whatever the order of arrival, in time, within everybody's means."""

from math import inf, nan
from typing import Any

import pytest

from auctions import (
    AllPay,
    Auctioneer,
    Bid,
    BidSchedule,
    BidWanted,
    CallForBids,
    Cleared,
    Closed,
    FirstPrice,
    Pass,
    Rejected,
    SealedBid,
    TieDecided,
    Vickrey,
    first_price,
    second_price,
    third_price,
    truthful,
)
from auctions.clearing import KthPrice
from auctions.messages import is_sound
from auctions.sealed import SealedBidder
from scenarios import llm_router
from tests.auctions.worlds import HOUSE, play, sent
from walras import Agent, Award, Lot, Network, Outcome, ScenarioError, Simulation, Task
from walras.effects import Broadcast, CancelTimer, Finish, Ignore, MakeAward, Publish, Send
from walras.errors import LocalProtocolError
from walras.simulation import Uniform
from walras.testing import Script, check_mechanism

VALUES = {"ada": {"vase": 12}, "bob": {"vase": 9}, "cyd": {"vase": 5}}
COSTS = {"ada": {"job": 3}, "bob": {"job": 5}, "cyd": {"job": 8}}
VASE = Lot("vase")


@pytest.mark.parametrize(
    ("mechanism", "reserve", "price"),
    [
        (FirstPrice(), None, 12),
        (Vickrey(), None, 9),
        (Vickrey(), 10, 10),
        (SealedBid(third_price), None, 5),
        (SealedBid(), None, 9),
    ],
)
def test_the_highest_value_gets_the_lot_and_pays_by_the_rule(
    mechanism: SealedBid, reserve: float | None, price: float
) -> None:
    result = play(mechanism, [Lot("vase", reserve=reserve)], VALUES)
    assert result.allocation["vase"] == Award("vase", "ada", price)
    assert result.balances == {HOUSE: 1000 + price, "ada": 100 - price, "bob": 100, "cyd": 100}
    assert result.outcomes[f"{HOUSE}/1"].status == "done"


@pytest.mark.parametrize(
    ("mechanism", "reserve", "price"),
    [
        (FirstPrice(), None, 3),
        (Vickrey(), None, 5),
        (Vickrey(), 4, 4),
        (Vickrey(), 10, 5),
        (SealedBid(third_price), 10, 8),
    ],
)
def test_the_lowest_cost_does_the_task_and_is_paid_by_the_rule(
    mechanism: SealedBid, reserve: float | None, price: float
) -> None:
    result = play(mechanism, [Task("job", reserve=reserve)], costs=COSTS)
    (record,) = result.records
    assert (record.status, record.winner, record.price, record.paid) == ("done", "ada", price, price)
    assert result.balances[HOUSE] == 1000 - price
    assert result.balances["ada"] == 100 + price


def test_a_good_that_is_wanted_is_bought_at_once_from_who_values_it_least() -> None:
    result = play(Vickrey(), [Lot("vase", wanted=True, reserve=20)], VALUES)
    assert result.allocation["vase"] == Award("vase", "cyd", 9)
    assert result.balances == {HOUSE: 991, "ada": 100, "bob": 100, "cyd": 109}


def test_an_all_pay_auction_charges_everybody_and_only_the_best_has_won() -> None:
    result = play(AllPay(), [VASE], VALUES)
    assert result.balances == {HOUSE: 1026, "ada": 88, "bob": 91, "cyd": 95}
    assert dict(result.allocation) == {"vase": Award("vase", "ada", 12)}
    (record,) = result.records
    assert (record.winner, record.price, record.paid, record.awards) == ("ada", 12, 26, 1)
    assert result.metrics["misawards"] == 0


def test_procured_by_all_pay_everybody_is_paid_what_they_ask_and_one_does_the_work() -> None:
    result = play(AllPay(), [Task("job")], costs=COSTS)
    assert result.balances == {HOUSE: 984, "ada": 103, "bob": 105, "cyd": 108}
    assert [record.cost for record in result.records] == [3]


@pytest.mark.parametrize("reserve", [None, 2])
def test_nobody_who_values_it_leaves_it_unassigned(reserve: float | None) -> None:
    result = play(
        SealedBid(),
        [Lot("vase", reserve=reserve)],
        {"ada": {"vase": 0}, "bob": {"vase": 1 if reserve else 0}},
    )
    assert result.outcomes[f"{HOUSE}/1"] == Outcome("unassigned", why="1 of 1 without an acceptable bid")
    assert len(sent(result, CallForBids)) == 1  # a good is put up once


def test_several_units_go_to_schedules_of_marginal_values() -> None:
    def schedule(*steps: tuple[float, int]) -> Any:
        return lambda question, agent: BidSchedule(question.item.id, steps)

    strategies = {"ada": schedule((9, 1), (6, 2)), "bob": schedule((8, 1), (3, 1))}
    lots = {"ada": {"wine": 9}, "bob": {"wine": 8}, "cyd": {"wine": 5}}
    result = play(SealedBid(first_price), [Lot("wine", quantity=4)], lots, strategies=strategies)
    assert result.allocation.lines == (Award("wine", "ada", 21, 3), Award("wine", "bob", 8, 1))
    result = play(SealedBid(second_price), [Lot("wine", quantity=4)], lots, strategies=strategies)
    assert result.allocation.lines == (Award("wine", "ada", 15, 3), Award("wine", "bob", 5, 1))


def test_each_copy_of_a_task_goes_to_another_worker() -> None:
    result = play(Vickrey(), [Task("job", copies=2)], costs=COSTS)
    assert [(line.winner, line.price) for line in result.allocation.lines] == [("ada", 8), ("bob", 8)]
    assert result.outcomes[f"{HOUSE}/1"].status == "done"


# ------------------------------------------------------------------------------------------------ blind, and in time
def test_the_result_does_not_depend_on_the_order_of_arrival() -> None:
    orders, results = set(), set()
    for seed in range(12):
        result = play(Vickrey(), [VASE], VALUES, seed=seed, network=Network(latency=Uniform(0.0, 0.8)))
        orders.add(tuple(by for _, by, _ in sent(result, Bid)))
        results.add(result.allocation["vase"])
    assert len(orders) > 2
    assert results == {Award("vase", "ada", 9)}


def test_equal_bids_are_decided_by_the_auctioneers_dice_and_published() -> None:
    winners = set()
    for seed in range(8):
        result = play(
            Vickrey(), [VASE], {"ada": {"vase": 9}, "bob": {"vase": 9}, "cyd": {"vase": 5}}, seed=seed
        )
        (fact,) = [row.details["fact"] for row in result.trace if row.kind == "fact"]
        winner = result.allocation["vase"].winner
        assert (fact["type"], fact["tied"], fact["chosen"]) == (TieDecided.__name__, ["ada", "bob"], [winner])
        winners.add(winner)
    assert winners == {"ada", "bob"}
    assert not [row for row in play(Vickrey(), [VASE], VALUES).trace if row.kind == "fact"]


def auctioneer(*bidders: str, item: Any = VASE, **settings: Any) -> Script:
    """One that has called for bids until 2."""
    script = Script(SealedBid(**settings).opener(HOUSE, (item,), bidders), me=HOUSE, finish_by=60.0)
    script.start()
    return script


def test_bidding_closes_as_soon_as_all_have_answered_and_everybody_is_told() -> None:
    script = auctioneer("ada", "bob", "cyd")
    assert script.hear("ada", Bid("vase", 7)) == script.hear("bob", Bid("vase", 9)) == []
    award = Award("vase", "bob", 7)
    assert script.hear("cyd", Pass("vase")) == [
        CancelTimer("reply"),
        CancelTimer("close"),
        MakeAward(award),
        Broadcast(("ada", "bob", "cyd"), Closed("vase", (award,))),
        Finish(Outcome("done", (award,))),
    ]


def test_a_bid_exactly_at_the_deadline_counts_and_a_later_one_is_rejected_as_late() -> None:
    script = auctioneer("ada", "bob", "cyd")
    script.hear("ada", Bid("vase", 7))
    script.port.now = 2.0
    assert script.hear("bob", Bid("vase", 6)) == []
    effects = script.timer("reply")
    assert MakeAward(Award("vase", "ada", 6)) in effects
    script.port.now = 2.5
    assert script.hear("cyd", Bid("vase", 99)) == [
        Ignore(Bid("vase", 99), "late"),
        Send("cyd", Rejected("vase", "late")),
    ]
    assert script.hear("bob", Bid("vase", 6)) == [Ignore(Bid("vase", 6), "a second answer")]
    assert script.hear("eve", Bid("vase", 7)) == [Ignore(Bid("vase", 7), "from a stranger")]


def test_a_bid_between_an_early_close_and_the_deadline_is_not_called_late() -> None:
    script = auctioneer("ada", "bob")
    script.hear("ada", Bid("vase", 7))
    script.cancel()
    script.port.now = 2.0
    assert script.hear("bob", Bid("vase", 6)) == [
        Ignore(Bid("vase", 6), "closed"),
        Send("bob", Rejected("vase", "closed")),
    ]


def test_an_auctioneer_that_stood_still_over_the_deadline_takes_nothing_that_it_hears_after_it() -> None:
    script = auctioneer("ada", "bob", "cyd")
    script.hear("ada", Bid("vase", 7))
    script.port.now = 2.01  # its timer is due, and will come later
    assert script.hear("bob", Bid("vase", 99)) == [
        Ignore(Bid("vase", 99), "late"),
        Send("bob", Rejected("vase", "late")),
    ]
    assert script.hear("cyd", Pass("vase")) == [Ignore(Pass("vase"), "too late")]
    assert MakeAward(Award("vase", "ada", 7)) not in script.effects
    assert MakeAward(Award("vase", "ada", 0)) in script.timer("reply")


@pytest.mark.parametrize("disclose", ["all", "own"])
def test_a_winner_that_bids_again_hears_once_more_that_it_has_won(disclose: Any) -> None:
    script = Script(
        Vickrey(disclose=disclose).opener(HOUSE, (VASE,), ("ada", "bob")), me=HOUSE, finish_by=60.0
    )
    script.start()
    script.hear("ada", Bid("vase", 7))
    script.hear("bob", Bid("vase", 6))
    script.port.now = 30.0
    assert script.hear("ada", Bid("vase", 7)) == [
        Ignore(Bid("vase", 7), "a second answer"),
        Send("ada", Closed("vase", (Award("vase", "ada", 6),))),
    ]
    assert script.hear("bob", Bid("vase", 6)) == [Ignore(Bid("vase", 6), "a second answer")]


def test_the_first_answer_counts_and_strangers_do_not() -> None:
    script = auctioneer("ada", "bob")
    script.hear("ada", Bid("vase", 7))
    assert script.hear("ada", Bid("vase", 70)) == [Ignore(Bid("vase", 70), "a second answer")]
    assert script.hear("ada", Pass("vase")) == [Ignore(Pass("vase"), "a second answer")]
    assert script.hear("eve", Bid("vase", 80)) == [Ignore(Bid("vase", 80), "from a stranger")]
    assert MakeAward(Award("vase", "ada", 0)) in script.hear("bob", Pass("vase"))


@pytest.mark.parametrize(
    ("bid", "reason"),
    [
        (Bid("urn", 7), "unknown-item"),
        (Bid("vase", -1), "unparsable"),
        (Bid("vase", nan), "unparsable"),
        (Bid("vase", inf), "unparsable"),
        (Bid("vase", True), "unparsable"),
        (Bid("vase", "7"), "unparsable"),  # type: ignore[arg-type]
        (Bid("vase", 7, units=2), "unparsable"),
        (Bid("vase", 7, units=0), "unparsable"),
        (Bid("vase", 7, quality=1.1), "unparsable"),
        (Bid("vase", 7, quality=nan), "unparsable"),
        (BidSchedule("vase", ()), "unparsable"),
        (BidSchedule("vase", ((7, 1), (6, 1))), "unparsable"),
        (BidSchedule("vase", ((7,),)), "unparsable"),  # type: ignore[arg-type]
    ],
)
def test_a_bid_that_makes_no_sense_is_rejected_and_another_may_follow(bid: Any, reason: Any) -> None:
    script = auctioneer("ada")
    ignore, send = script.hear("ada", bid)
    assert isinstance(ignore, Ignore)
    assert ignore.why == reason
    assert send == Send("ada", Rejected(bid.item, reason)) or send == Send("ada", Rejected("vase", reason))
    assert MakeAward(Award("vase", "ada", 0)) in script.hear("ada", Bid("vase", 7))


def test_schedules_have_the_best_price_first_on_either_side() -> None:
    falling, rising = BidSchedule("x", ((7, 1), (6, 2))), BidSchedule("x", ((6, 1), (7, 2)))
    sold, bought = Lot("x", quantity=3), Lot("x", quantity=3, wanted=True)
    assert (is_sound(falling, sold), is_sound(rising, sold)) == (True, False)
    assert (is_sound(falling, bought), is_sound(rising, bought)) == (False, True)
    assert not is_sound(falling, Lot("x", quantity=2))
    assert not is_sound(Bid("x", 1, units=2), Task("x", copies=2))  # copies are for several workers


def test_a_hidden_reserve_is_not_told_but_holds() -> None:
    result = play(SealedBid(hidden_reserve=True), [Lot("vase", reserve=20)], VALUES)
    ((_, _, call),) = sent(result, CallForBids)
    assert "reserve" not in call["item"]
    assert len(sent(result, Bid)) == 3  # a public one would have kept them from bidding
    assert result.outcomes[f"{HOUSE}/1"].status == "unassigned"
    assert sent(play(SealedBid(), [Lot("vase", reserve=20)], VALUES), Bid) == []


def test_each_may_be_told_only_its_own_award() -> None:
    result = play(AllPay(disclose="own"), [VASE], {"ada": {"vase": 12}, "bob": {"vase": 9}, "cyd": {}})
    told = [(row["awards"][0]["winner"] if "awards" in row else None) for _, _, row in sent(result, Closed)]
    assert told == ["ada", "bob", None]
    assert result.balances[HOUSE] == 1021


# ------------------------------------------------------------------------------------------------- money, minds, faults
def test_a_bid_above_ones_money_is_not_made_whatever_the_strategy_says() -> None:
    def boast(question: Any, agent: Agent) -> Any:
        return Bid(question.item.id, 500)

    result = play(Vickrey(), [VASE], VALUES, strategies={"ada": boast})
    assert result.allocation["vase"] == Award("vase", "bob", 5)
    ((_, by, message),) = sent(result, Pass)
    assert (by, message["reason"]) == ("ada", "no-answer")


def test_the_truthful_bid_what_they_have_if_it_is_worth_more() -> None:
    result = play(FirstPrice(), [VASE], VALUES, money=7)
    assert result.allocation["vase"].price == 7
    assert result.overcommitments == 0


def test_bids_for_several_lots_share_one_purse() -> None:
    values = {"ada": {"vase": 30, "urn": 30}, "bob": {"vase": 5, "urn": 5}}
    result = play(FirstPrice(), [Lot("vase"), Lot("urn")], values, money=40)
    assert sorted((line.winner, line.price) for line in result.allocation.lines) == [("ada", 10), ("ada", 30)]
    assert result.balances["ada"] == 0


@pytest.mark.parametrize(
    "answer",
    [
        Bid("vase", nan),
        Bid("vase", -3),
        Bid("urn", 3),
        Bid("vase", 3, round=2),
        Bid("vase", 3, units=7),
        "3",
        None,
        7.5,
    ],
)
def test_what_is_no_legal_answer_is_a_pass(answer: Any) -> None:
    result = play(Vickrey(), [VASE], VALUES, strategies={"ada": lambda question, agent: answer})
    assert result.allocation["vase"] == Award("vase", "bob", 5)


def test_the_question_says_all_that_a_bidder_may_know() -> None:
    seen: list[Any] = []

    def look(question: Any, agent: Agent) -> Any:
        seen.append(question)
        return truthful(question, agent)

    play(SealedBid(third_price), [Lot("vase", reserve=2)], VALUES, strategies={"ada": look})
    (question,) = seen
    assert isinstance(question, BidWanted)
    assert (question.item, question.auctioneer) == (Lot("vase", reserve=2), HOUSE)
    assert (question.rule, question.bidders) == ("third_price", 3)
    assert question.decide_by == pytest.approx(1.75)
    assert question.binds_until == pytest.approx(2.25)
    commitment = question.commits(BidSchedule("vase", ((5, 2), (3, 1))))
    assert commitment is not None
    assert commitment.money == 13


def test_a_second_call_is_ignored_and_a_result_out_of_nowhere_makes_no_bidder() -> None:
    script = Script(SealedBidder(SealedBid(), HOUSE), me="ada")
    call = CallForBids(VASE, 2.0)
    script.hear(HOUSE, call)
    assert script.hear(HOUSE, call) == [Ignore(call, "a second call")]
    assert script.hear("eve", Closed("vase")) == [Ignore(Closed("vase"), "not our auctioneer's")]
    assert script.hear(HOUSE, Closed("urn")) == [Ignore(Closed("urn"), "not our auctioneer's")]
    rogue = Closed("vase", (Award("vase", "ada", 3),))
    assert script.hear(HOUSE, rogue) == [Ignore(rogue, "we have not bid for it"), Finish(Outcome("released"))]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("item", [VASE, Task("job", reserve=20)])
def test_over_a_bad_network_late_bids_are_rejected_and_the_winner_pays_by_those_in_time(
    item: Any, seed: int
) -> None:
    """Every auction ends; the price is the rule's, for the bids that arrived before the deadline."""
    network = Network(latency=Uniform(0.0, 1.6), loss=0.15, duplication=0.2)
    result = play(Vickrey(attempts=1), [item], VALUES, COSTS, seed=seed, network=network)
    outcome = result.outcomes[f"{HOUSE}/1"]
    closed_at = min(at for at, _, _ in sent(result, Closed))
    bids: dict[str, float] = {}
    for row in result.trace:
        if row.kind == "message" and row.details["message"]["type"] == "Bid":
            arrival, price = row.details["arrival"], row.details["message"]["price"]
            lost = any(
                r.kind == "lost" and r.agent == row.agent and r.details["message"]["type"] == "Bid"
                for r in result.trace
            )
            if arrival is not None and arrival <= closed_at and not lost:
                bids[row.agent] = price
    ranked = sorted(bids.items(), key=lambda bid: bid[1], reverse=not item.procured)
    awarded = [row.details["line"] for row in result.trace if row.kind == "award"]
    if not ranked:
        assert (awarded, outcome.status) == ([], "unassigned")
    else:
        floor = item.reserve if item.procured else 0
        assert [line["winner"] for line in awarded] == [ranked[0][0]]
        assert awarded[0].get("price", 0) == (ranked[1][1] if len(ranked) > 1 else floor)
    assert outcome.status in ("done", "unassigned", "failed")


@pytest.mark.parametrize(
    ("mechanism", "item"),
    [
        (SealedBid(second_price), VASE),
        (SealedBid(first_price), Task("job", reserve=20)),
        (AllPay(), Lot("vase", quantity=2)),
        (AllPay(), Task("job", copies=2)),
        (SealedBid(disclose="own", hidden_reserve=True), Task("job", reserve=6)),
    ],
)
def test_it_keeps_what_every_mechanism_promises(mechanism: SealedBid, item: Any) -> None:
    people = [Agent(HOUSE, capacity=0, money=100.0)]
    people += [Agent(name, values=VALUES[name], costs=COSTS[name], money=20.0) for name in VALUES]
    report = check_mechanism(mechanism, people, [item], kills=12)
    assert report.endings["calm"] == report.endings["doubling"] == {"done": 3}
    assert report.endings["silent minds"] == report.endings["everything lost"] == {"unassigned": 3}


@pytest.mark.parametrize("mechanism", [Vickrey(), FirstPrice(), AllPay()])
def test_the_router_runs_under_it_and_every_task_is_done_and_paid(mechanism: SealedBid) -> None:
    result = Simulation(llm_router(tasks=50), mechanism, seed=7, check=True).run()
    assert [record.status for record in result.records] == ["done"] * 50
    assert all(0 < record.price <= record.paid for record in result.records)
    assert result.metrics["misawards"] == result.metrics["overcommitments"] == 0
    # true costs differ from bids
    assert result.metrics["ir_violations"] == 0 or isinstance(mechanism, FirstPrice)


def test_by_vickreys_rule_no_model_of_the_router_expects_a_loss_on_any_task() -> None:
    result = Simulation(llm_router(tasks=50), Vickrey(), seed=7).run()
    bids = {
        (row.conversation, row.agent): row.details["message"]["price"] for row in result.trace if bid_of(row)
    }
    assert all(bids[record.conversation, str(record.winner)] <= record.price for record in result.records)


def bid_of(row: Any) -> bool:
    return bool(row.kind == "message" and row.details["message"]["type"] == "Bid")


# ------------------------------------------------------------------------------------------------------------ settings
@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"rule": 3}, "rule"),
        ({"reply_within_s": 0}, "reply_within_s"),
        ({"reply_within_s": nan}, "reply_within_s"),
        ({"reply_within_s": 0.2}, "margin_s"),
        ({"margin_s": -1}, "margin_s"),
        ({"margin_s": "1"}, "margin_s"),
        ({"attempts": 0}, "attempts"),
        ({"attempts": 1.5}, "attempts"),
        ({"pause_s": inf}, "pause_s"),
        ({"result_within_s": 0}, "result_within_s"),
        ({"cancel_within_s": True}, "cancel_within_s"),
        ({"disclose": "some"}, "disclose"),
        ({"order": "random"}, "order"),
    ],
)
def test_a_setting_out_of_range_is_named(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(ScenarioError, match=f"^{field} is .*; expected "):
        SealedBid(**settings)


@pytest.mark.parametrize("rule", [truthful, KthPrice, list, lambda bids, *, reserve, units: []])
def test_what_cannot_be_called_as_a_rule_is_none(rule: Any) -> None:
    """Said when the settings are made, not when the first auction is cleared."""
    with pytest.raises(
        ScenarioError, match=r"^rule is '.*'; expected a function of bids, reserve, units, such as"
    ):
        SealedBid(rule)
    assert SealedBid(lambda *given: []).reply_within_s == 2.0


def test_roles_can_be_told_apart_and_read() -> None:
    role = SealedBid().opener(HOUSE, (VASE,), ("ada", HOUSE, "ada"))
    assert isinstance(role, Auctioneer)
    assert role.bidders == ("ada",)  # nobody bids in an auction of its own, or twice
    assert "item=Lot(id='vase')" in repr(role)


def test_ties_make_a_fact_only_where_they_decide() -> None:
    script = auctioneer("ada", "bob", "cyd")
    script.hear("ada", Bid("vase", 9))
    script.hear("bob", Bid("vase", 5))
    assert not [effect for effect in script.hear("cyd", Bid("vase", 5)) if isinstance(effect, Publish)]


def test_a_rule_that_returns_nonsense_or_raises_stops_the_simulation_and_is_named() -> None:
    def greedy(bids: Any, reserve: float, units: int) -> list[Cleared]:
        return [Cleared(bids[0].bidder, 1, 2 * bids[0].price)]

    def broken(bids: Any, reserve: float, units: int) -> list[Cleared]:
        return [bids[units + 99]]

    with pytest.raises(LocalProtocolError, match="the clearing rule greedy charges ada 24"):
        play(SealedBid(greedy), [VASE], VALUES)
    with pytest.raises(IndexError):
        play(SealedBid(broken), [VASE], VALUES)
