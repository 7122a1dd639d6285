"""What every auction format shares: the work after the award, another try, cancelling, and the end."""

import pickle
from typing import Any

import pytest

from auctions import (
    Auction,
    Bid,
    Bidder,
    BidWanted,
    CallForBids,
    Cleared,
    Closed,
    Pass,
    SealedBid,
    Vickrey,
    WorkEnded,
    worth,
)
from auctions.house import Auctioneer
from auctions.sealed import SealedBidder
from auctions.strategies import truthful
from tests.auctions.worlds import HOUSE, play, sent
from walras import Agent, Award, Bundle, Lot, Outcome, Report, ScenarioError, Simulation, Task
from walras.effects import (
    Broadcast,
    CancelTimer,
    Finish,
    Ignore,
    MakeAward,
    Open,
    Perform,
    Send,
    SetTimer,
    Settle,
    Stop,
)
from walras.items import Item
from walras.testing import Script

JOB = Task("job", reserve=20)
DONE, FAILED = Report("done", cost=1.0, quality=1.0), Report("failed")
COSTS = {"ada": {"job": 3}, "bob": {"job": 5}, "cyd": {"job": 8}}


def procured(*bids: tuple[str, float], item: Any = JOB, finish_by: float = 60.0, **settings: Any) -> Script:
    """An auctioneer whose bidders have all bid."""
    bidders = tuple(name for name, _ in bids)
    script = Script(SealedBid(**settings).opener(HOUSE, (item,), bidders), me=HOUSE, finish_by=finish_by)
    script.start()
    for name, price in bids:
        script.hear(name, Bid("job", price))
    return script


def ended(script: Script) -> Outcome:
    """How it has finished."""
    assert script.finished is not None
    return script.finished


def test_the_winner_works_and_is_paid_what_the_rule_says_when_it_is_done() -> None:
    script = Script(SealedBid().opener(HOUSE, (JOB,), ("ada", "bob")), me=HOUSE, finish_by=60.0)
    script.start()
    script.hear("ada", Bid("job", 3))
    award = Award("job", "ada", 5)
    assert script.hear("bob", Bid("job", 5)) == [
        CancelTimer("reply"),
        CancelTimer("close"),
        MakeAward(award),
        SetTimer(("result", "ada"), 58.75),
        Broadcast(("ada", "bob"), Closed("job", (award,), result_by=58.75)),
    ]
    assert script.hear("bob", WorkEnded("job", DONE))[0] == Ignore(
        WorkEnded("job", DONE), "the sender has no such work"
    )
    effects = script.hear("ada", WorkEnded("job", DONE))
    assert Settle("job", 5, "ada") in effects
    assert (ended(script).status, ended(script).awards, ended(script).results) == (
        "done",
        (award,),
        (DONE,),
    )


def test_work_that_failed_is_not_paid_and_the_task_is_put_up_again_without_who_failed() -> None:
    script = procured(("ada", 3), ("bob", 5), ("cyd", 8), pause_s=2.0)
    effects = script.hear("ada", WorkEnded("job", FAILED))
    assert Settle("job", 0.0, "ada") in effects
    assert SetTimer("again", 2.0) in effects
    (opened,) = script.timer("again")
    assert isinstance(opened, Open)
    assert opened.participants == ("bob", "cyd")
    assert opened.mechanism == SealedBid(attempts=1, pause_s=2.0)
    assert opened.items == (JOB,)
    line = Award("job", "bob", 8)
    script.outcome(opened.conversation, script_outcome("done", line))
    assert (ended(script).status, ended(script).awards) == ("done", (line,))


def script_outcome(status: str, *lines: Award) -> Outcome:
    return Outcome(status, lines, why="" if status == "done" else "nobody came")


def test_put_up_again_it_is_for_those_who_have_neither_failed_nor_done_a_copy() -> None:
    script = procured(("ada", 3), ("bob", 5), ("cyd", 8), item=Task("job", reserve=20, copies=2))
    script.hear("ada", WorkEnded("job", DONE))
    script.hear("bob", WorkEnded("job", FAILED))
    (opened,) = [effect for effect in script.timer("again") if isinstance(effect, Open)]
    assert opened.participants == ("cyd",)
    assert [item.copies for item in opened.items if isinstance(item, Task)] == [1]


def test_a_worker_that_bids_again_is_told_again_only_as_long_as_its_award_stands() -> None:
    script = procured(("ada", 3), ("bob", 5))
    award = Award("job", "ada", 5)
    assert script.hear("ada", Bid("job", 3))[-1] == Send("ada", Closed("job", (award,), result_by=58.75))
    script.port.now = 58.75
    script.timer(("result", "ada"))
    script.port.now = 58.76  # it has been called off
    assert [type(effect) for effect in script.hear("ada", Bid("job", 3))] == [Ignore]


def test_it_is_put_up_as_often_as_the_rules_say_and_then_failed() -> None:
    script = procured(("ada", 3), ("bob", 5), attempts=1)
    script.hear("ada", WorkEnded("job", FAILED))
    assert (ended(script).status, ended(script).awards) == ("failed", ())
    assert ended(script).why == "not delivered by ada"
    script = procured(("ada", 3), ("bob", 5), attempts=2)
    script.hear("ada", WorkEnded("job", FAILED))
    (opened,) = script.timer("again")
    assert isinstance(opened, Open)
    script.outcome(opened.conversation, script_outcome("unassigned"))
    assert (ended(script).status, ended(script).awards) == ("failed", ())


def test_who_is_silent_is_called_off_and_paid_if_it_was_done_all_the_same() -> None:
    script = procured(("ada", 3), ("bob", 5), result_within_s=10.0)
    assert script.timer(("result", "ada")) == [
        CancelTimer(("result", "ada")),
        SetTimer(("stop", "ada"), 11.0),
        Send("ada", Closed("job", reason="cancelled")),
    ]
    assert Settle("job", 5, "ada") in script.hear("ada", WorkEnded("job", DONE))
    assert ended(script).status == "done"


def test_who_stays_silent_is_not_paid_and_another_may_do_it() -> None:
    script = procured(("ada", 3), ("bob", 5), result_within_s=10.0)
    script.timer(("result", "ada"))
    assert Settle("job", 0.0, "ada") in script.timer(("stop", "ada"))
    late = WorkEnded("job", DONE)
    assert script.hear("ada", late) == [Ignore(late, "the sender has no such work")]
    (opened,) = script.timer("again")
    assert isinstance(opened, Open)
    assert opened.participants == ("bob",)


def test_a_task_without_time_for_the_work_is_nobodys() -> None:
    script = procured(("ada", 3), finish_by=2.0, reply_within_s=0.5, cancel_within_s=0.5)
    assert script.finished is None  # bidding may take half of the time
    script = Script(SealedBid().opener(HOUSE, (JOB,), ("ada",)), me=HOUSE, finish_by=1.5)
    script.start()
    assert (ended(script).status, ended(script).why) == ("unassigned", "no time was left")
    script = Script(SealedBid().opener(HOUSE, (JOB,), (HOUSE,)), me=HOUSE)
    script.start()
    assert ended(script).why == "there was nobody to ask"


def test_bidding_is_over_when_half_of_the_time_is_for_a_good_when_all_of_it_is() -> None:
    rules = SealedBid(margin_s=0.25, cancel_within_s=1.0)
    assert rules.close_by(JOB, 0.0, 21.25) == 10.0
    assert rules.close_by(Lot("vase"), 0.0, 21.25) == 21.0
    assert rules.close_by(Lot("vase", wanted=True), 0.0, 21.25) == 21.0
    assert rules.result_by(20.0, 21.25) is None


# ---------------------------------------------------------------------------------------------------------- cancelling
def test_cancelled_while_bidding_nothing_is_awarded() -> None:
    script = Script(SealedBid().opener(HOUSE, (JOB,), ("ada", "bob")), me=HOUSE, finish_by=60.0)
    script.start()
    script.hear("ada", Bid("job", 3))
    assert script.cancel()[0] == Broadcast(("ada", "bob"), Closed("job", reason="cancelled"))
    assert (ended(script).status, ended(script).awards) == ("cancelled", ())


@pytest.mark.parametrize(("report", "paid"), [(DONE, 5), (Report("stopped"), 0.0)])
def test_cancelled_at_work_it_is_paid_only_if_it_is_done(report: Report, paid: float) -> None:
    script = procured(("ada", 3), ("bob", 5))
    assert Send("ada", Closed("job", reason="cancelled")) in script.cancel()
    assert script.cancel() == []
    assert Settle("job", paid, "ada") in script.hear("ada", WorkEnded("job", report))
    assert ended(script).status == "cancelled"
    assert bool(ended(script).awards) == (report is DONE)


def test_cancelled_while_it_waits_or_is_put_up_again() -> None:
    script = procured(("ada", 3), ("bob", 5))
    script.hear("ada", WorkEnded("job", FAILED))
    script.cancel()
    assert ended(script).status == "cancelled"
    script = procured(("ada", 3), ("bob", 5))
    script.hear("ada", WorkEnded("job", FAILED))
    (opened,) = script.timer("again")
    assert isinstance(opened, Open)
    script.cancel()
    script.outcome(opened.conversation, script_outcome("cancelled"))
    assert ended(script).status == "cancelled"


class Piecewise(Auctioneer):
    """Gives the first copy away before the bidding is over."""

    def open_bidding(self) -> None:
        self.give(Cleared("ada", 1, 4))

    def close_bidding(self) -> None:
        self.sell([Cleared("bob", 1, 6)])


def test_what_is_given_before_the_end_is_taken_back_if_all_is_cancelled() -> None:
    script = Script(Piecewise(Auction(), Task("job", copies=2), ("ada", "bob")), me=HOUSE, finish_by=60.0)
    assert MakeAward(Award("job", "ada", 4)) in script.start()
    assert Settle("job", 0.0, "ada") in script.cancel()
    assert (ended(script).status, ended(script).awards) == ("cancelled", ())


def test_a_format_that_does_not_end_the_bidding_itself_is_ended_in_time() -> None:
    script = Script(Piecewise(Auction(), Lot("job", quantity=3), ("ada", "bob")), me=HOUSE, finish_by=60.0)
    script.start()
    script.timer("close")
    assert ended(script).status == "partial"
    assert ended(script).awards == (Award("job", "ada", 4), Award("job", "bob", 6))
    assert ended(script).why == "1 of 3 without an acceptable bid"
    late = Bid("job", 9)
    assert Ignore(late, "closed") in script.hear("ada", late)  # a format without a handler of its own


@pytest.mark.parametrize(
    ("item", "served", "not_served"), [(Lot("x", reserve=5), 5, 4), (Task("x", reserve=5), 5, 6)]
)
def test_what_serves_and_what_is_better_depends_on_the_side(
    item: Item, served: float, not_served: float
) -> None:
    role = Auctioneer(Auction(), item, ("ada",))
    assert role.serves(served)
    assert not role.serves(not_served)
    assert role.better(served, not_served)
    assert not role.better(served, served)
    assert Auctioneer(Auction(), Lot("x"), ("ada",)).serves(0)


# -------------------------------------------------------------------------------------------------------------- bidders
def bidding(item: Item = JOB) -> Script:
    """A bidder that has bid 3."""
    script = Script(SealedBidder(SealedBid(), HOUSE), me="ada")
    script.hear(HOUSE, CallForBids(item, 2.0))
    script.decided("bid", Bid(item.id, 3))
    return script


WON = Closed("job", (Award("job", "ada", 5),))


def test_a_winner_works_once_says_how_it_ended_and_repeats_it_when_called_off() -> None:
    script = bidding()
    assert script.hear(HOUSE, WON) == [Perform("job", JOB)]
    assert script.hear(HOUSE, WON) == [Ignore(WON, "a double")]
    last_word = WorkEnded("job", DONE)
    assert script.performed("job", DONE)[0] == Send(HOUSE, last_word)
    off = Closed("job", reason="cancelled")
    assert script.hear(HOUSE, off) == [Send(HOUSE, last_word)]
    assert script.hear("eve", off) == [Ignore(off, "after the end")]


def test_a_winner_that_is_called_off_stops() -> None:
    script = bidding()
    script.hear(HOUSE, WON)
    assert script.hear(HOUSE, Closed("job", reason="cancelled")) == [Stop("job")]


def test_a_loser_and_the_winner_of_a_good_are_done() -> None:
    script = bidding()
    (finish,) = script.hear(
        HOUSE, Closed("job", (Award("job", "bob", 5), Award("job", "ada", 1, quantity=0)))
    )
    assert isinstance(finish, Finish)
    assert finish.outcome.status == "released"
    script = bidding(Lot("job"))
    (finish,) = script.hear(HOUSE, WON)
    assert isinstance(finish, Finish)
    assert finish.outcome.status == "won"


# --------------------------------------------------------------------------------------------------------------- worlds
def test_a_winner_without_capacity_fails_and_the_next_does_it() -> None:
    def boast(question: Any, agent: Agent) -> Any:
        return Bid("job", 1)

    simulation = Simulation(seed=0, check=True)
    simulation.add(Agent(HOUSE, capacity=0, money=1000.0))
    simulation.add(Agent("ada", boast, costs={"job": 3}, capacity=0, money=0.0))
    simulation.add(Agent("bob", costs={"job": 5}, money=0.0))
    simulation.open(Vickrey(), [JOB], opener=HOUSE, finish_by=60.0)
    result = simulation.run()
    (record,) = result.records
    assert (record.status, record.winner, record.awards) == ("done", "bob", 2)
    assert result.balances == {HOUSE: 980, "ada": 0, "bob": 20}


def test_a_task_that_nobody_can_do_is_put_up_twice_and_unassigned() -> None:
    result = play(Vickrey(), [Task("job", kind="other", reserve=1)], costs=COSTS)
    assert result.records[0].status == "unassigned"
    assert {message["reason"] for _, _, message in sent(result, Pass)} == {"over-reserve"}
    assert len(sent(result, CallForBids)) == 2


def test_worth_counts_more_as_better_on_both_sides() -> None:
    agent = Agent("ada", values={"vase": 12}, costs={"job": 3}, claims=lambda task: 4.0)
    assert worth(agent, Lot("vase")) == 12
    assert worth(agent, Lot("vase", wanted=True)) == -12
    assert worth(agent, Task("job")) == -4
    assert worth(Agent("bob"), Task("job")) is None


def test_the_truthful_pass_what_they_cannot_serve_and_say_why() -> None:
    able = Agent("ada", values={"vase": 12}, costs={"job": 3})
    answers = [
        (able, Lot("vase", reserve=13), Pass("vase", "over-reserve")),
        (able, Lot("urn"), Pass("urn", "no-interest")),
        (able, Task("job", reserve=2), Pass("job", "over-reserve")),
        (able, Task("job", requires=("sql",)), Pass("job", "ineligible")),
        (Agent("bob", costs={"job": 3}, capacity=0), Task("job"), Pass("job", "no-capacity")),
        (able, Task("job"), Bid("job", 3.0)),
    ]
    for agent, item, answer in answers:
        assert truthful(BidWanted(item=item, auctioneer=HOUSE, decide_by=1.0), agent) == answer


# ----------------------------------------------------------------------------------------------------- mechanism's edge
@pytest.mark.parametrize("items", [(), (Bundle("b", lots=("a",)),), (Item("thing"),), (Lot("a"), Lot("a"))])
def test_what_cannot_be_auctioned_is_said_at_the_edge(items: tuple[Item, ...]) -> None:
    with pytest.raises(ScenarioError, match=r"^items is .*; expected"):
        SealedBid().opener(HOUSE, items, ("ada",))


def test_nobody_joins_without_a_call() -> None:
    assert SealedBid().join("ada", None) is None
    assert isinstance(SealedBid().bidder(HOUSE), Bidder)


def test_a_format_has_to_make_its_roles() -> None:
    with pytest.raises(TypeError, match="Auction does not say who auctions"):
        Auction().auctioneer(Lot("x"), ("ada",))
    with pytest.raises(TypeError, match="Auction does not say who bids"):
        Auction().bidder(HOUSE)
    with pytest.raises(TypeError, match="Auctioneer does not say how bidding begins"):
        Script(Auctioneer(Auction(), Lot("x"), ("ada",)), me=HOUSE, finish_by=60.0).start()
    with pytest.raises(TypeError, match="Auctioneer does not say how bidding ends"):
        Auctioneer(Auction(), Lot("x"), ("ada",)).time_is_up("reply")


def test_roles_and_rules_pickle() -> None:
    script = procured(("ada", 3), ("bob", 5))
    assert pickle.loads(pickle.dumps(script.role)) == script.role
    assert pickle.loads(pickle.dumps(Vickrey(hidden_reserve=True))) == Vickrey(hidden_reserve=True)
