"""The contractor alone: its effects, in order (facts R2, R6, R7, R10; rows B and C)."""

from math import inf

import pytest

from contractnet import (
    AcceptProposal,
    CallForProposals,
    Cancel,
    Failure,
    Inform,
    NotUnderstood,
    ProposalWanted,
    Propose,
    Refuse,
    RejectProposal,
)
from tests.contractnet.stage import CALL, DONE, TASK, contractor, proposed, working
from walras.allocation import Outcome, Report
from walras.effects import Decide, Finish, Ignore, Perform, Send, Withdraw
from walras.messages import Message

TEXT = Report("done", cost=1.0, result="42")


# ------------------------------------------------------------------------------------------------ proposing


def test_the_faultless_contractor_has_these_effects_in_this_order() -> None:
    """R2, R6, R7: it asks its mind, proposes, works only once accepted, and reports."""
    stage = contractor(margin_s=0.25)

    assert stage.at(0.5).hear("m", CALL) == [
        Decide(
            "bid",
            ProposalWanted(task=TASK, manager="m", valid_until=12.0, decide_by=1.75),
        )
    ]
    assert stage.decided(Propose(3.0, 4.0, 0.9, 8.0)) == [Send("m", Propose(3.0, 4.0, 0.9, 8.0))]
    assert stage.at(2.5).hear("m", AcceptProposal(50.0)) == [Perform("t", TASK)]
    assert stage.at(5.5).performed(DONE) == [
        Send("m", Inform("done", DONE)),
        Finish(Outcome("done", results=(DONE,))),
    ]


def test_a_result_that_can_be_handed_over_is_an_inform_result() -> None:
    """R7: inform-done and inform-result are kept apart."""
    assert working().performed(TEXT)[0] == Send("m", Inform("result", TEXT))


@pytest.mark.parametrize("no", [Refuse("no-capacity"), NotUnderstood("unparsable", "which task?")])
def test_a_refusal_or_not_understood_is_sent_and_ends_the_part(no: Message) -> None:
    """R2, R10."""
    stage = contractor()
    stage.hear("m", CALL)
    assert stage.decided(no) == [Send("m", no), Finish(Outcome("refused"))]


@pytest.mark.parametrize(("asked", "binds"), [(inf, 12.0), (20.0, 12.0), (12.0, 12.0), (3.0, 3.0)])
def test_a_proposal_binds_no_longer_than_the_rules_ask_for(asked: float, binds: float) -> None:
    """The strategy may shorten the time that its proposal binds; left out, it is what the rules say."""
    stage = contractor(valid_for_s=10.0)
    stage.hear("m", CALL)
    assert stage.decided(Propose(1.0, valid_until=asked)) == [Send("m", Propose(1.0, valid_until=binds))]


def test_a_call_whose_deadline_has_passed_is_still_answered() -> None:
    """B, a reply-by in the past: the question's own deadline has passed too, so its `otherwise` is the answer."""
    stage = contractor()
    (asked,) = stage.at(9.0).hear("m", CALL)
    assert isinstance(asked, Decide)
    assert asked.question.decide_by < 9.0
    assert asked.question.otherwise == Refuse("no-answer")


def test_a_call_without_a_deadline_gets_that_of_the_rules() -> None:
    """B, no reply-by: a configured default instead of waiting for ever."""
    stage = contractor(reply_within_s=2.0, margin_s=0.25)
    (asked,) = stage.at(9.0).hear("m", CallForProposals(TASK, inf))
    assert isinstance(asked, Decide)
    assert asked.question.decide_by == 10.75


def test_an_eager_proposal_holds_a_slot_until_it_ceases_to_bind_and_work_takes_its_place() -> None:
    """I11: what is offered is reserved, and never counted twice."""
    stage = contractor(reserve="eager")
    (asked,) = stage.hear("m", CALL)
    assert isinstance(asked, Decide)
    held = asked.question.commits(Propose(1.0))
    assert held is not None
    assert (held.slots, held.until) == (1, 12.0)
    shorter = asked.question.commits(Propose(1.0, valid_until=5.0))
    assert shorter is not None
    assert shorter.until == 5.0
    assert asked.question.commits(Refuse()) is None

    stage.decided(Propose(1.0))
    assert stage.hear("m", AcceptProposal(50.0)) == [Withdraw("bid"), Perform("t", TASK)]


def test_a_lazy_proposal_holds_nothing() -> None:
    stage = contractor(reserve="lazy")
    (asked,) = stage.hear("m", CALL)
    assert isinstance(asked, Decide)
    assert asked.question.commits(Propose(1.0)) is None


# ------------------------------------------------------------------------------------------------ released, expired


def test_a_rejected_contractor_is_free() -> None:
    assert proposed().hear("m", RejectProposal()) == [Finish(Outcome("released"))]


def test_not_understood_after_a_proposal_releases() -> None:
    """Section 6: it may void commitments."""
    assert proposed().hear("m", NotUnderstood()) == [Finish(Outcome("released"))]


def test_an_acceptance_counts_until_valid_until_and_not_after() -> None:
    """B: expiry is asked for when the acceptance arrives; at the very instant it still binds."""
    assert proposed(valid_until=3.0).at(3.0).hear("m", AcceptProposal(50.0)) == [Perform("t", TASK)]
    assert proposed(valid_until=3.0).at(3.1).hear("m", AcceptProposal(50.0)) == [
        Send("m", Failure("expired")),
        Finish(Outcome("expired")),
    ]


@pytest.mark.parametrize("end", ["refused", "released", "expired", "cancelled"])
def test_an_acceptance_after_the_end_is_answered_by_failure_and_never_worked_on(end: str) -> None:
    """I4: no work after release or expiry."""
    if end == "refused":
        stage = contractor()
        stage.hear("m", CALL)
        stage.decided(Refuse())
    else:
        stage = proposed(valid_until=3.0)
        message = {"released": RejectProposal(), "expired": AcceptProposal(9.0), "cancelled": Cancel()}[end]
        stage.at(4.0).hear("m", message)
    assert stage.outcome == Outcome(end)
    assert stage.hear("m", AcceptProposal(50.0)) == [Send("m", Failure("expired"))]


# ------------------------------------------------------------------------------------------------ failure


@pytest.mark.parametrize("status", ["failed", "unknown", "stopped"])
def test_work_that_was_not_done_is_a_failure(status: str) -> None:
    """R7; `unknown`: a crash hid the end."""
    report = Report(status)
    assert working().performed(report) == [
        Send("m", Failure("failed", report, f"t: {status}")),
        Finish(Outcome("failed", results=(report,), why=f"t: {status}")),
    ]


# ------------------------------------------------------------------------------------------------ C: doubles, strangers


def test_doubles_change_nothing() -> None:
    """I15: a second call, a second acceptance; and after the end the last word is repeated, not the work."""
    stage = proposed()
    assert [type(e) for e in stage.hear("m", CALL)] == [Ignore]
    stage.hear("m", AcceptProposal(50.0))
    assert [type(e) for e in stage.hear("m", AcceptProposal(50.0))] == [Ignore]
    assert [type(e) for e in stage.hear("m", RejectProposal())] == [Ignore]
    stage.performed(DONE)
    assert stage.hear("m", AcceptProposal(50.0)) == [Send("m", Inform("done", DONE))]
    for late in (CALL, RejectProposal(), NotUnderstood()):
        assert [type(e) for e in stage.hear("m", late)] == [Ignore]


@pytest.mark.parametrize("message", [AcceptProposal(50.0), RejectProposal(), Cancel(), NotUnderstood(), CALL])
def test_only_the_manager_is_obeyed(message: Message) -> None:
    """C: the sender's name is part of what identifies a message."""
    for stage in (proposed(), working()):
        before = repr(stage.role)
        assert [type(e) for e in stage.hear("eve", message)] == [Ignore]
        assert repr(stage.role) == before


def test_after_the_end_strangers_get_no_answer() -> None:
    """The last word is for the manager."""
    stage = working()
    stage.performed(DONE)
    for message in (AcceptProposal(50.0), Cancel()):
        assert [type(e) for e in stage.hear("eve", message)] == [Ignore]


def test_an_acceptance_before_the_proposal_is_out_of_sequence() -> None:
    stage = contractor()
    stage.hear("m", CALL)
    assert [type(e) for e in stage.hear("m", AcceptProposal(50.0))] == [Ignore]


@pytest.mark.parametrize("message", [AcceptProposal(9.0), RejectProposal(), Cancel()])
def test_who_has_missed_the_call_says_so_once(message: Message) -> None:
    """Section 6: unknown conversation, not a cfp; a call that was overtaken by its cancel stays unanswered."""
    stage = contractor()
    ignored, sent, finished = stage.hear("m", message)
    assert isinstance(ignored, Ignore)
    assert sent == Send("m", NotUnderstood("unknown-conversation"))
    assert finished == Finish(Outcome("not-understood"))
    assert [type(e) for e in stage.hear("m", CALL)] == [Ignore]


def test_not_understood_is_never_answered_in_kind() -> None:
    """I8: no ping-pong."""
    assert [type(e) for e in contractor().hear("m", NotUnderstood())] == [Ignore]
