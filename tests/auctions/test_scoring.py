"""Procurement by price and quality: the best score wins, and what it is paid is Che's rule."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given, strategies as st

from auctions import (
    Bid,
    BidSchedule,
    CallForBids,
    Cleared,
    ClearingRule,
    Offer,
    ScoringAuction,
    clear,
    first_price,
    price_at_full_quality,
    score,
    second_price,
)
from scenarios import llm_router
from tests.auctions.worlds import HOUSE, play, sent
from walras import Agent, Estimate, Lot, ScenarioError, Simulation, Task
from walras.testing import check_mechanism

JOB = Task("job")
V = 16


def outcome(rule: ClearingRule, bids: dict[str, Bid], reserve: float | None = None) -> list[Cleared]:
    """What a scoring auction makes of these bids, without messages."""
    rules, item = ScoringAuction(rule, value_of_quality=V), Task("job", reserve=reserve)
    offers = [Offer(name, rules.compared(item, bid, bid.price)) for name, bid in bids.items()]
    lines = clear(rule, offers, reserve=reserve, reverse=True)
    return [rules.payable(item, bids[line.bidder], line) for line in lines]


def bid(price: float, quality: float) -> Bid:
    return Bid("job", price, quality=quality)


def test_the_best_score_wins_and_is_paid_its_price_or_that_of_the_second_score() -> None:
    bids = {"ada": bid(7, 0.75), "bob": bid(3, 0.25), "cyd": bid(9, 0.5)}
    assert [score(b.price, b.quality, V) for b in bids.values()] == [5, 1, -1]
    assert outcome(first_price, bids) == [Cleared("ada", 1, 7)]
    assert outcome(second_price, bids) == [Cleared("ada", 1, 11)]
    assert score(11, 0.75, V) == 1  # its score is then the best rejected one


prices = st.integers(0, 20)
qualities = st.integers(0, 8).map(lambda eighths: eighths / 8)


@given(st.lists(st.tuples(prices, qualities), min_size=1, max_size=5), st.none() | st.integers(0, 40))
def test_the_rule_is_that_of_the_paper(given_bids: list[tuple[int, float]], reserve: int | None) -> None:
    """Che (1993): the winner's score is the highest; its payment leaves the buyer the second score (or the least)."""
    bids = {name: bid(price, quality) for name, (price, quality) in zip("abcde", given_bids, strict=False)}
    scores = {name: score(b.price, b.quality, V) for name, b in bids.items()}
    # the reserve is the most that is paid at full quality
    least = float("-inf") if reserve is None else V - reserve
    ranked = sorted((s for s in scores.values() if s >= least), reverse=True)
    for rule in (first_price, second_price):
        lines = outcome(rule, bids, reserve)
        if not ranked:
            assert lines == []
            continue
        (line,) = lines
        winner = bids[line.bidder]
        assert scores[line.bidder] == ranked[0]
        rejected = ranked[1:2] or ([least] if reserve is not None else ranked)
        left = ranked[0] if rule is first_price else rejected[0]
        assert score(line.price, winner.quality, V) == left
        assert line.price >= winner.price


def test_to_bid_ones_cost_is_dominant_under_the_second_score_and_the_best_quality_maximises_v_q_minus_its_cost() -> (
    None
):
    """Costs are theta q^2 / 2 with theta = 32, so the best quality is v / theta = 1/2 at a cost of 4, whatever is rejected."""
    theta, eighths = 32, [k / 8 for k in range(9)]

    def profit(price: float, quality: float, rival: Bid) -> float:
        return sum(
            line.price - theta * quality**2 / 2
            for line in outcome(second_price, {"me": bid(price, quality), "rival": rival})
            if line.bidder == "me"
        )

    for rival in (bid(1, 0.5), bid(2, 0.25), bid(9, 1.0), bid(15, 0.5)):
        best = profit(4, 0.5, rival)
        assert all(profit(p, q, rival) <= best for p, q in product(range(20), eighths))


def test_the_quality_is_worth_the_reserve_unless_the_rules_say_so() -> None:
    assert ScoringAuction().quality_value(Task("job", reserve=5)) == 5
    assert ScoringAuction().quality_value(Task("job")) == 0
    assert ScoringAuction(value_of_quality=3).quality_value(Task("job", reserve=5)) == 3
    assert price_at_full_quality(2, 0.5, 3) == 3.5


def test_what_was_bid_is_paid_to_the_last_bit_under_the_first_score() -> None:
    bids = {"ada": bid(0.1, 0.7), "bob": bid(0.3, 0.2)}
    assert outcome(first_price, bids) == [Cleared("ada", 1, 0.1)]


def test_schedules_have_full_quality_and_quality_counts_per_unit() -> None:
    rules, lot = ScoringAuction(first_price, value_of_quality=8), Lot("x", quantity=3, wanted=True)
    schedule, poor = BidSchedule("x", ((4, 1), (5, 1))), Bid("x", 2, units=3, quality=0.5)
    assert rules.compared(lot, schedule, 4) == 4
    assert rules.payable(lot, schedule, Cleared("ada", 2, 9)) == Cleared("ada", 2, 9)
    assert rules.compared(lot, poor, 2) == 6
    assert rules.payable(lot, poor, Cleared("bob", 2, 14)) == Cleared("bob", 2, 6)
    assert rules.payable(lot, poor, Cleared("bob", 0, 18)) == Cleared("bob", 0, 6)


def test_bidders_are_told_what_quality_is_worth_and_the_truthful_promise_theirs() -> None:
    costs = {"ada": {"job": Estimate(3, quality=0.9)}, "bob": {"job": Estimate(2, quality=0.5)}}
    result = play(ScoringAuction(value_of_quality=10), [JOB], costs=costs)
    ((_, _, call),) = sent(result, CallForBids)
    assert call["value_of_quality"] == 10
    assert {by: m["quality"] for _, by, m in sent(result, Bid)} == {"ada": 0.9, "bob": 0.5}
    (record,) = result.records
    assert record.winner == "ada"
    assert record.paid == pytest.approx(6)  # 9 - 6 leaves the 5 - 2 of the second score
    assert result.balances[HOUSE] == pytest.approx(994)


def test_the_router_gets_better_work_than_from_the_cheapest() -> None:
    scored = Simulation(llm_router(tasks=30), ScoringAuction(), seed=7, check=True).run()
    cheapest = Simulation(llm_router(tasks=30), ScoringAuction(value_of_quality=0), seed=7, check=True).run()
    assert scored.metrics["completed"] == cheapest.metrics["completed"] == 30
    assert scored.metrics["welfare"] > cheapest.metrics["welfare"]  # type: ignore[operator]


def test_it_keeps_what_every_mechanism_promises() -> None:
    people = [Agent(HOUSE, capacity=0, money=100.0)]
    for name, (cost, quality) in {"ada": (3, 0.9), "bob": (2, 0.5), "cyd": (5, 1.0)}.items():
        people.append(Agent(name, costs={"job": Estimate(cost, quality)}, money=20.0))
    report = check_mechanism(ScoringAuction(), people, [Task("job", reserve=10)], kills=8)
    assert report.endings["calm"] == {"done": 3}


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "3", True])
def test_the_value_of_quality_is_a_plain_number(value: Any) -> None:
    with pytest.raises(ScenarioError, match=r"^value_of_quality is "):
        ScoringAuction(value_of_quality=value)


def test_goods_on_sale_have_no_score() -> None:
    with pytest.raises(ScenarioError, match="expected what is procured"):
        ScoringAuction().opener(HOUSE, (Lot("vase"),), ("ada",))
