"""Row D, the manager's side: a cancel of everything, its answers, its races and its deadline (facts R11, section 7)."""

from typing import Any

import pytest

from contractnet import (
    AcceptProposal,
    Cancel,
    Failure,
    Inform,
    NotUnderstood,
    Propose,
    Refuse,
    RejectProposal,
)
from tests.contractnet.stage import Stage, manager
from walras.allocation import Award, Outcome, Report
from walras.effects import Broadcast, CancelChild, CancelTimer, Finish, Ignore, Open, Send, SetTimer, Settle
from walras.items import Task
from walras.messages import Message

DONE = Report("done", cost=1.0)


def bidding() -> Stage:
    """``a`` has proposed, ``b`` has refused, ``c`` is silent; then everything is cancelled, at 1."""
    stage = manager("a", "b", "c", cancel_within_s=1.0)
    stage.hear("a", Propose(1.0))
    stage.hear("b", Refuse())
    assert stage.at(1.0).cancel() == [
        CancelTimer("reply"),
        SetTimer("cancel", 2.0),
        Broadcast(("a", "c"), Cancel()),
    ]
    return stage


def working(**settings: Any) -> Stage:
    """``a`` works until 98.75 at the latest, ``b`` was rejected; then everything is cancelled, at 10."""
    stage = manager("a", "b", cancel_within_s=1.0, **settings)
    stage.hear("a", Propose(1.0))
    stage.hear("b", Propose(2.0))
    assert stage.at(10.0).cancel() == [
        CancelTimer("reply"),
        SetTimer("cancel", 11.0),
        Broadcast(("a",), Cancel()),
    ]
    return stage


def test_cancel_while_bidding_reaches_all_that_may_still_act_and_waits_for_their_answers() -> None:
    stage = bidding()
    assert stage.hear("a", Inform("cancelled")) == []
    assert stage.hear("c", Inform("cancelled")) == [
        Finish(Outcome("cancelled", why="2 cancelled, 1 refused")),
    ]


def test_who_never_got_the_call_answers_a_cancel_too() -> None:
    """Not understood, since the conversation is unknown there: that is an answer."""
    stage = bidding()
    stage.hear("a", Inform("cancelled"))
    stage.hear("c", NotUnderstood("unknown-conversation"))
    assert stage.outcome is not None
    assert stage.outcome.status == "cancelled"


def test_a_proposal_that_crosses_the_cancel_is_rejected_as_cancelled() -> None:
    """Race: the cancel's own answer is still awaited."""
    stage = bidding()
    assert stage.hear("c", Propose(0.5)) == [Send("c", RejectProposal("cancelled"))]
    assert [type(e) for e in stage.hear("c", Propose(0.5))] == [Ignore], "a double"
    assert [type(e) for e in stage.hear("a", Propose(1.0))] == [Ignore], "the cancel was its answer"
    stage.hear("a", Inform("cancelled"))
    assert stage.outcome is None
    stage.hear("c", Inform("cancelled"))
    assert stage.outcome is not None


def test_cancel_has_a_deadline() -> None:
    """T_cancel: CANCEL_TIMEOUT; who proposes after it is still told."""
    stage = bidding()
    stage.hear("a", Inform("cancelled"))
    assert stage.at(2.0).timer("cancel") == [
        Finish(Outcome("cancelled", why="1 cancelled, 1 refused, 1 unanswered"))
    ]
    assert stage.hear("c", Propose(0.5)) == [Send("c", RejectProposal("cancelled"))]


def test_a_cancelled_contract_is_not_paid() -> None:
    stage = working()
    effects = stage.hear("a", Inform("cancelled", Report("stopped", cost=0.3)))
    assert effects[-2:] == [
        Settle("t", 0.0, "a"),
        Finish(Outcome("cancelled", why="1 cancelled, 1 rejected")),
    ]


def test_a_result_that_crosses_the_cancel_is_delivered_and_paid() -> None:
    """Race: completed after cancel; the answer to the cancel then finds nothing left."""
    stage = working()
    effects = stage.hear("a", Inform("done", DONE))
    assert Settle("t", 1.0, "a") in effects
    assert stage.outcome == Outcome("cancelled", (Award("t", "a", 1.0),), (DONE,), "1 done, 1 rejected")
    assert [type(e) for e in stage.hear("a", Failure("already-finished", DONE))] == [Ignore]


def test_already_finished_stands_in_for_a_lost_result() -> None:
    """The answer to the cancel refers to the result: done is done."""
    stage = working()
    assert Settle("t", 1.0, "a") in stage.hear("a", Failure("already-finished", DONE))

    stage = working()
    assert Settle("t", 0.0, "a") in stage.hear("a", Failure("already-finished", Report("failed")))


def test_what_cannot_be_cancelled_is_awaited_and_paid() -> None:
    """CANCEL_FAILED: the contractor has a right to its price, if it delivers in time."""
    stage = working()
    assert stage.hear("a", Failure("cannot-cancel")) == []
    assert [type(e) for e in stage.hear("a", Failure("cannot-cancel"))] == [Ignore], "a double"
    assert stage.at(11.0).timer("cancel") == []
    assert Settle("t", 1.0, "a") in stage.at(30.0).hear("a", Inform("done", DONE))
    assert stage.outcome is not None
    assert stage.outcome.status == "cancelled"


def test_what_cannot_be_cancelled_is_awaited_also_when_all_others_have_answered() -> None:
    stage = manager("a", "b", task=Task("t", copies=2))
    stage.hear("a", Propose(1.0))
    stage.hear("b", Propose(2.0))
    stage.cancel()
    stage.hear("a", Failure("cannot-cancel"))
    stage.hear("b", Inform("cancelled"))
    assert stage.outcome is None
    stage.hear("a", Inform("done", DONE))
    assert stage.outcome == Outcome("cancelled", (Award("t", "a", 1.0),), (DONE,), "1 done, 1 cancelled")


def test_what_cannot_be_cancelled_is_not_awaited_for_ever() -> None:
    """Its own result deadline still holds."""
    stage = working()
    stage.hear("a", Failure("cannot-cancel"))
    stage.at(98.75).timer(("result", "a"))
    assert stage.outcome == Outcome("cancelled", why="1 unanswered, 1 rejected")


def test_cannot_cancel_from_somebody_without_a_contract_ends_its_part() -> None:
    """A liar cannot make us wait for a result that nobody owes."""
    stage = bidding()
    stage.hear("a", Inform("cancelled"))
    stage.hear("c", Failure("cannot-cancel"))
    assert stage.outcome == Outcome("cancelled", why="1 cancelled, 1 refused, 1 failed")


def test_already_finished_from_somebody_without_a_contract_is_no_result() -> None:
    """Nor can it smuggle in a result that nobody ordered."""
    stage = bidding()
    stage.hear("a", Failure("already-finished", DONE))
    stage.hear("c", Inform("cancelled"))
    assert stage.outcome == Outcome("cancelled", why="1 failed, 1 refused, 1 cancelled")


def test_cancel_while_losers_are_held_reaches_them_too() -> None:
    stage = manager("a", "b", hold_losers=True)
    stage.hear("a", Propose(1.0))
    stage.hear("b", Propose(2.0))
    assert stage.cancel()[-1] == Broadcast(("a", "b"), Cancel())


def test_cancel_while_a_silent_winner_is_being_cancelled_repeats_it() -> None:
    """One-of-N, then all: the same participant is asked again and its answer counts once."""
    stage = manager("a", "b", result_within_s=10.0)
    stage.hear("a", Propose(1.0))
    stage.hear("b", Propose(2.0))
    stage.at(10.0).timer(("result", "a"))
    assert stage.at(10.5).cancel()[-1] == Broadcast(("a",), Cancel())
    stage.hear("a", Inform("cancelled"))
    assert stage.outcome is not None


def test_cancel_between_two_announcements_ends_at_once() -> None:
    stage = manager("a")
    stage.at(2.0).timer("reply")
    assert stage.cancel() == [Finish(Outcome("cancelled", why="1 silent"))]


def test_cancel_cascades_to_the_second_announcement_and_waits_for_it() -> None:
    """D, cascade: the parent ends last."""
    stage = manager("a")
    stage.at(2.0).timer("reply")
    (opened,) = stage.at(3.0).timer("again")
    assert isinstance(opened, Open)
    assert stage.cancel() == [CancelChild(opened.conversation)]
    stage.child_ended(opened.conversation, Outcome("cancelled", why="x"))
    assert stage.outcome == Outcome("cancelled", why="1 silent; asked again: x")


def test_a_second_cancel_changes_nothing() -> None:
    stage = working()
    assert stage.cancel() == []


@pytest.mark.parametrize(
    "message", [Inform("cancelled"), Failure("cannot-cancel"), Failure("already-finished", DONE)]
)
def test_an_answer_to_a_cancel_that_was_not_sent_is_ignored(message: Message) -> None:
    """No contractor can talk itself out of a contract, or into money, by answering what was not asked."""
    stage = manager("a", "b")
    stage.hear("a", Propose(1.0))
    assert stage.hear("b", Propose(2.0))[-2] == Send("a", AcceptProposal(98.75))
    assert [type(e) for e in stage.hear("a", message)] == [Ignore]
    assert list(stage.role.contracts) == ["a"]
