"""Strategies for open auctions: when they bid, how far they jump, and where they stop."""

from math import inf, nan
from typing import Any

import msgspec
import pytest

from auctions import (
    Bid,
    BidSchedule,
    BidWanted,
    Demand,
    DemandAt,
    Jumping,
    Later,
    Limited,
    MarginalValues,
    MaximumWanted,
    NextBid,
    Pass,
    PriceOffered,
    Sniping,
    StillIn,
    straightforward,
    truthful,
)
from tests.auctions.worlds import HOUSE
from walras import Agent, Lot, ScenarioError, Task
from walras.questions import Question

VASE, JOB = Lot("vase"), Task("job")
ADA = Agent("ada", values={"vase": 12}, costs={"job": 3})


def next_bid(price: float, item: Any = VASE, **more: Any) -> NextBid:
    times = {
        "closes_at": 60.0,
        "may_close_from": 60.0,
        "idle_by": 60.0,
        "decide_by": 59.75,
        "asked_at": 1.0,
    } | more
    return NextBid(item=item, auctioneer=HOUSE, price=price, round=3, **times)


def demand_at(price: float, quantity: int = 5, item: Any = None) -> DemandAt:
    return DemandAt(
        item=item or Lot("vase", quantity=5),
        auctioneer=HOUSE,
        price=price,
        quantity=quantity,
        round=3,
        decide_by=1.0,
    )


@pytest.mark.parametrize("strategy", [straightforward, truthful])
def test_the_straightforward_bid_what_is_asked_for_up_to_their_value(strategy: Any) -> None:
    assert strategy(next_bid(12), ADA) == Bid("vase", 12, round=3)
    assert strategy(next_bid(12.5), ADA) == Pass("vase", "no-interest", 3)
    assert strategy(next_bid(3, JOB), ADA) == Bid("job", 3, round=3)
    assert strategy(next_bid(2, JOB), ADA) == Pass("job", "no-interest", 3)
    assert strategy(next_bid(8), Agent("bob", values={"vase": 12}, money=7)) == Pass("vase", "no-interest", 3)
    question = MaximumWanted(item=VASE, auctioneer=HOUSE, ask=1, decide_by=1.0)
    assert strategy(question, ADA) == Bid("vase", 12)


@pytest.mark.parametrize(("price", "units", "indifferent"), [(11, 1, 0), (12, 0, 1), (13, 0, 0)])
def test_they_demand_one_unit_as_long_as_it_is_worth_more(price: float, units: int, indifferent: int) -> None:
    assert straightforward(demand_at(price), ADA) == Demand("vase", units, 3, indifferent)


def test_snipers_wait_until_the_close_is_near() -> None:
    sniping = Sniping(lead_s=2.0)
    assert sniping(next_bid(5), ADA) == Later("vase", 58.0, 3)
    assert sniping(next_bid(5, asked_at=58.0), ADA) == Bid("vase", 5, round=3)
    assert sniping(next_bid(5, may_close_from=30.0), ADA) == Later("vase", 28.0, 3)
    assert sniping(next_bid(5, active_by=20.0), ADA) == Later("vase", 18.0, 3)
    assert sniping(next_bid(5, idle_by=4.0, decide_by=3.75), ADA) == Later("vase", 2.0, 3)  # or it is gone
    assert Sniping(0.1)(next_bid(5), ADA) == Later("vase", 59.75, 3)  # the last moment that there is
    assert Sniping(0.1)(next_bid(5, asked_at=59.75), ADA) == Bid("vase", 5, round=3)
    assert sniping(next_bid(13), ADA) == Pass("vase", "no-interest", 3)
    assert sniping(BidWanted(item=VASE, auctioneer=HOUSE, decide_by=1.0), ADA) == Bid("vase", 12)
    assert next_bid(5).accepts(sniping(next_bid(5), ADA))


def test_jumps_go_a_share_of_the_way_to_the_value_and_never_beyond() -> None:
    assert Jumping(0.5)(next_bid(4), ADA) == Bid("vase", 8, round=3)
    assert Jumping(1.0)(next_bid(4), ADA) == Bid("vase", 12, round=3)
    assert Jumping(0.5)(next_bid(9, JOB), ADA) == Bid("job", 6, round=3)
    assert Jumping(0.5)(next_bid(4), Agent("bob", values={"vase": 12}, money=6)) == Bid("vase", 5, round=3)
    assert Jumping(0.5)(next_bid(4, jumps=False), ADA) == Bid("vase", 4, round=3)
    assert Jumping(0)(next_bid(4), ADA) == Bid("vase", 4, round=3)
    assert Jumping(0.5)(next_bid(13), ADA) == Pass("vase", "no-interest", 3)


def test_a_budget_ends_it_or_caps_the_bid() -> None:
    assert Limited(6)(next_bid(6), ADA) == Bid("vase", 6, round=3)
    assert Limited(6)(next_bid(7), ADA) == Pass("vase", "no-interest", 3)
    assert Limited(6, Jumping(1.0))(next_bid(4), ADA) == Bid("vase", 6, round=3)
    assert Limited(5)(next_bid(4, JOB), ADA) == Pass("job", "no-interest", 3)
    assert Limited(5)(next_bid(5, JOB), ADA) == Bid("job", 5, round=3)
    assert Limited(6)(BidWanted(item=VASE, auctioneer=HOUSE, decide_by=1.0), ADA) == Bid("vase", 6)
    still_in = StillIn(item=VASE, auctioneer=HOUSE, price=7, decide_by=1.0)
    assert Limited(6)(still_in, ADA) == Pass("vase", "no-interest")
    assert Limited(6)(demand_at(7), ADA) == Demand("vase", 0, 3)
    assert Limited(6)(demand_at(5), ADA) == Demand("vase", 1, 3)


def test_marginal_values_are_bid_demanded_and_taken() -> None:
    strategy, wine = MarginalValues((4, 9, 6)), Lot("vase", quantity=5)
    question: Question = BidWanted(item=wine, auctioneer=HOUSE, decide_by=1.0)
    assert strategy(question, ADA) == BidSchedule("vase", ((9, 1), (6, 1), (4, 1)))
    assert question.accepts(strategy(question, ADA))
    assert strategy(demand_at(6), ADA) == Demand("vase", 1, 3, 1)
    assert strategy(demand_at(3, quantity=2), ADA) == Demand("vase", 2, 3, 0)
    wanted = Lot("vase", quantity=2, wanted=True)
    question = BidWanted(item=wanted, auctioneer=HOUSE, decide_by=1.0)
    assert strategy(question, ADA) == BidSchedule("vase", ((4, 1), (6, 1)))
    assert strategy(demand_at(6, 2, wanted), ADA) == Demand("vase", 1, 3, 1)
    offered = PriceOffered(item=wine, auctioneer=HOUSE, price=6, quantity=5, decide_by=1.0)
    assert strategy(offered, ADA) == Bid("vase", 6, 2)
    assert strategy(PriceOffered(item=wine, auctioneer=HOUSE, price=10, decide_by=1.0), ADA) == Pass("vase")
    assert strategy(next_bid(6, wine), ADA) == Bid("vase", 6, 1, 3)


@pytest.mark.parametrize("answer", [Bid("vase", 5), Pass("vase"), Later("vase", 9.0)])
def test_an_answer_is_legal_in_its_own_round_and_about_its_own_item_only(answer: Any) -> None:
    question = next_bid(5)
    assert question.accepts(msgspec.structs.replace(answer, round=3))
    assert not question.accepts(msgspec.structs.replace(answer, round=2))
    assert not question.accepts(msgspec.structs.replace(answer, round=3, item="urn"))


def test_a_demand_binds_what_is_clinched_and_what_is_wanted_or_may_be_got_at_this_price() -> None:
    question = msgspec.structs.replace(demand_at(6), clinched=2, spent=7)
    for demand, money in (
        (Demand("vase", 3, 3), 13),
        (Demand("vase", 3, 3, 2), 25),
        (Demand("vase", 1, 3), 7),
    ):
        commitment = question.commits(demand)
        assert commitment is not None and commitment.money == money
    assert (
        msgspec.structs.replace(question, item=Lot("vase", wanted=True)).commits(Demand("vase", 3, 3)) is None
    )


class Other(Question, frozen=True):
    """A question that no auction asks."""


@pytest.mark.parametrize(
    "strategy", [straightforward, Sniping(), Jumping(), Limited(3.0), MarginalValues((1.0,))]
)
def test_what_they_do_not_know_they_leave_unanswered(strategy: Any) -> None:
    assert strategy(Other(decide_by=1.0), ADA) is None


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Sniping(-1), "lead_s"),
        (lambda: Sniping(inf), "lead_s"),
        (lambda: Sniping("soon"), "lead_s"),  # type: ignore[arg-type]
        (lambda: Jumping(1.5), "share"),
        (lambda: Jumping("far"), "share"),  # type: ignore[arg-type]
        (lambda: Limited(-1), "limit"),
        (lambda: MarginalValues(()), "values"),
        (lambda: Limited("little"), "limit"),  # type: ignore[arg-type]
        (lambda: MarginalValues((1, -1)), "values"),
        (lambda: MarginalValues(3), "values"),  # type: ignore[arg-type]
        (lambda: MarginalValues((3, nan)), "values"),
    ],
)
def test_a_setting_out_of_range_is_named(make: Any, field: str) -> None:
    with pytest.raises(ScenarioError, match=f"^{field} is "):
        make()
