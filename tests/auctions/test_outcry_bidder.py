"""The bidder in an open outcry, scripted: when it asks its mind, when it is bound, when it waits and when it goes home."""

from math import nan
from typing import Any

from auctions import Bid, English, Later, NextBid, Pass, StandingBid
from auctions.outcry import OutcryBidder
from tests.auctions.worlds import HOUSE
from walras import Lot
from walras.effects import CancelTimer, Decide, Ignore, Send, SetTimer, Withdraw
from walras.testing import Script

VASE = Lot("vase")


def standing(round_: int, ask: float, leader: str = "", **changes: Any) -> StandingBid:
    leaders, price = ((leader,), ask - 1) if leader else ((), None)
    fields: dict[str, Any] = {
        "idle_by": 10.0,
        "closes_at": 10.0,
        "may_close_from": 10.0,
        "ends_by": 10.0,
    } | changes
    return StandingBid(VASE, round_, ask, leaders=leaders, price=price, bidders=3, **fields)


def bidder(**settings: Any) -> Script:
    script = Script(OutcryBidder(English(increment=1, **settings), HOUSE), me="ada")
    script.hear(HOUSE, standing(1, 0))
    return script


def test_the_question_says_what_stands_and_how_much_time_is_left() -> None:
    (question,) = bidder(active_within_s=6.0).questions.values()
    assert isinstance(question, NextBid)
    assert (question.price, question.standing, question.bidders, question.round) == (0, None, 3, 1)
    assert (question.opened_at, question.asked_at, question.closes_at, question.active_by) == (0, 0, 10, 6)
    assert (question.decide_by, question.binds_until) == (9.75, 10.25)
    commitment = question.commits(Bid("vase", 4, round=1))
    assert commitment is not None
    assert commitment.money == 4


def test_who_is_outbid_is_free_again_and_is_asked_again_and_who_leads_is_not() -> None:
    script = bidder()
    script.decided("bid", Bid("vase", 0, round=1))
    assert script.hear(HOUSE, standing(2, 1, "ada")) == []
    assert script.hear(HOUSE, standing(2, 1, "ada")) == [
        Ignore(standing(2, 1, "ada"), "a double, or overtaken")
    ]
    withdraw, decide = script.hear(HOUSE, standing(3, 2, "bob"))
    assert withdraw == Withdraw("bid")
    assert isinstance(decide, Decide)


def test_a_bid_that_may_still_come_to_lead_stays_bound() -> None:
    script = bidder()
    script.decided("bid", Bid("vase", 8, round=1))
    assert script.hear(HOUSE, standing(2, 5, "bob")) == []  # it is on its way
    assert script.hear(HOUSE, standing(3, 9, "bob"))[0] == Withdraw("bid")


def test_a_slow_mind_is_not_asked_twice_and_its_answer_is_used_if_it_is_still_good() -> None:
    script = bidder()
    assert script.hear(HOUSE, standing(2, 3, "bob")) == []
    fork = script.fork()
    assert script.decided("bid", Bid("vase", 5, round=1)) == [Send(HOUSE, Bid("vase", 5, round=1))]
    (decide,) = fork.decided("bid", Bid("vase", 2, round=1))  # no longer enough
    assert isinstance(decide, Decide)
    assert isinstance(decide.question, NextBid)
    assert decide.question.round == 2


def test_who_waits_is_asked_again_in_time_or_when_something_changes() -> None:
    script = bidder()
    assert script.decided("bid", Later("vase", 7.0, round=1)) == [SetTimer("wake", 7.0)]
    cancel, decide = script.hear(HOUSE, standing(2, 1, "bob"))
    assert cancel == CancelTimer("wake")
    assert isinstance(decide, Decide)
    assert script.decided("bid", Later("vase", 99.0, round=2)) == [SetTimer("wake", 9.75)]
    (decide,) = script.timer("wake")
    assert isinstance(decide, Decide)
    assert not decide.question.accepts(Later("vase", 9.0, round=2))  # that is past
    assert not decide.question.accepts(Later("vase", nan, round=2))
    assert script.decided("bid", Later("vase", 9.76, round=2)) == []  # too late to be asked again


def test_an_impatient_mind_is_not_asked_all_the_time() -> None:
    assert bidder().decided("bid", Later("vase", 1e-9, round=1)) == [SetTimer("wake", 0.01)]


def test_who_passes_has_gone_home_and_who_says_nothing_has_not() -> None:
    script = bidder()
    silent = script.fork()
    assert script.decided("bid", Pass("vase", round=1)) == [Send(HOUSE, Pass("vase", round=1))]
    assert isinstance(script.hear(HOUSE, standing(2, 1, "bob"))[0], Ignore)
    assert silent.decided("bid", Pass("vase", "no-answer", 1)) == []
    assert isinstance(silent.hear(HOUSE, standing(2, 1, "bob"))[0], Decide)
