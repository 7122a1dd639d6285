"""The contractor alone: its effects, in order (facts R2, R6, R7, R10; rows B and C; section 7 for cancels)."""

from math import inf
from typing import Any

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
from tests.contractnet.stage import TASK, Stage, contractor
from walras.allocation import Outcome, Report
from walras.effects import CancelChild, Decide, Finish, Ignore, Open, Perform, Send, Stop, Withdraw
from walras.items import Task
from walras.messages import Message

CALL = CallForProposals(TASK, reply_by=2.0)
DONE = Report("done", cost=1.0, quality=0.9, seconds=3.0)
TEXT = Report("done", cost=1.0, result="42")


def proposed(valid_until: float = inf, **settings: Any) -> Stage:
    """A contractor that has proposed at 0.5; by the rules its proposal binds until 12 (2 + 10)."""
    stage = contractor(**settings)
    stage.at(0.5).hear("m", CALL)
    stage.decided(Propose(3.0, valid_until=valid_until))
    return stage


def working(**settings: Any) -> Stage:
    stage = proposed(**settings)
    stage.at(2.5).hear("m", AcceptProposal(50.0))
    return stage


# ------------------------------------------------------------------------------------------------ proposing


def test_the_faultless_contractor_has_these_effects_in_this_order() -> None:
    """R2, R6, R7: it asks its mind, proposes, works only once accepted, and reports."""
    stage = contractor(margin_s=0.25)

    assert stage.at(0.5).hear("m", CALL) == [
        Decide(
            "bid",
            ProposalWanted(task=TASK, manager="m", reply_by=2.0, valid_until=12.0, decide_by=1.75),
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


# ------------------------------------------------------------------------------------------------ D: cancel, every cell


def test_cancel_while_deciding_or_proposed_releases() -> None:
    """EVALUATING, PROPOSED: release, inform-done, no later propose."""
    deciding = contractor()
    deciding.hear("m", CALL)
    for stage in (deciding, proposed()):
        assert stage.hear("m", Cancel()) == [Send("m", Inform("cancelled")), Finish(Outcome("cancelled"))]
        assert stage.hear("m", Cancel()) == [Send("m", Inform("cancelled"))], "a repeated cancel"


def test_cancel_while_working_stops_the_work_and_reports_what_it_has_cost() -> None:
    """EXECUTING, interruptible: stop, inform-done with the cost so far; COMMITTED but queued is the same to us."""
    stage = working()
    assert stage.hear("m", Cancel()) == [Stop("t")]
    assert [type(e) for e in stage.hear("m", Cancel())] == [Ignore], "a repeated cancel while stopping"
    stopped = Report("stopped", cost=0.4)
    assert stage.performed(stopped) == [
        Send("m", Inform("cancelled", stopped)),
        Finish(Outcome("cancelled", results=(stopped,), why="t: stopped")),
    ]
    assert stage.hear("m", Cancel()) == [Send("m", Inform("cancelled", stopped))]


def test_cancel_that_comes_too_late_for_the_work_gets_the_result_and_a_failure() -> None:
    """The stop was too late: the normal inform follows, and the cancel has its answer."""
    stage = working()
    stage.hear("m", Cancel())
    assert stage.performed(DONE) == [
        Send("m", Inform("done", DONE)),
        Send("m", Failure("already-finished", DONE)),
        Finish(Outcome("done", results=(DONE,))),
    ]


def test_cancel_of_work_that_cannot_be_interrupted_fails_and_the_result_follows() -> None:
    """EXECUTING, not interruptible: failure(cannot-cancel); the normal inform still comes."""
    stage = working(interruptible=False)
    assert stage.hear("m", Cancel()) == [Send("m", Failure("cannot-cancel"))]
    assert stage.performed(DONE)[0] == Send("m", Inform("done", DONE))


def test_cancel_after_the_end_of_the_work_refers_to_the_result() -> None:
    """DONE, FAILED: failure(already-finished)."""
    done, failed = working(), working()
    done.performed(DONE)
    assert done.hear("m", Cancel()) == [Send("m", Failure("already-finished", DONE))]
    broken = Report("failed")
    failed.performed(broken)
    assert failed.hear("m", Cancel()) == [Send("m", Failure("already-finished", broken))]


def test_cancel_after_refusing_or_being_released_is_answered_as_done() -> None:
    """REFUSED, RELEASED: inform-done again."""
    refused, released = contractor(), proposed()
    refused.hear("m", CALL)
    refused.decided(Refuse())
    released.hear("m", RejectProposal())
    for stage in (refused, released):
        assert stage.hear("m", Cancel()) == [Send("m", Inform("cancelled"))]


def test_cancel_that_overtakes_the_acceptance_wins() -> None:
    """Race: the accept in flight finds nobody bound, and nobody works."""
    stage = proposed()
    stage.hear("m", Cancel())
    assert stage.hear("m", AcceptProposal(50.0)) == [Send("m", Failure("expired"))]


# ------------------------------------------------------------------------------------------------ parts


WHOLE = Task("t", parts=(Task("p1"), Task("p2")))


def subcontracting() -> tuple[Stage, str, str]:
    stage = contractor(partners=("x", "y", "c", "m"), margin_s=0.25)
    stage.hear("m", CallForProposals(WHOLE, 2.0))
    stage.decided(Propose(1.0))
    perform, first, second = stage.hear("m", AcceptProposal(50.0))
    assert perform == Perform("t", WHOLE)
    assert isinstance(first, Open)
    assert isinstance(second, Open)
    assert (first.items, second.items) == ((Task("p1"),), (Task("p2"),))
    assert first.participants == ("x", "y")
    assert first.finish_by == 49.75, "a child's deadline lies before its parent's"
    return stage, first.conversation, second.conversation


def test_a_contractor_passes_parts_on_and_answers_when_all_are_done() -> None:
    """A4, nested: own work and children are awaited together, in any order."""
    stage, first, second = subcontracting()
    assert stage.child_ended(second, Outcome("done")) == []
    assert stage.performed(DONE) == []
    assert stage.child_ended(first, Outcome("done"))[0] == Send("m", Inform("done", DONE))


def test_the_first_part_that_goes_wrong_stops_the_others_and_the_answer_comes_last() -> None:
    stage, first, second = subcontracting()
    assert stage.child_ended(first, Outcome("unassigned")) == [Stop("t"), CancelChild(second)]
    assert stage.performed(Report("stopped")) == []
    sent = stage.child_ended(second, Outcome("cancelled"))[0]
    assert sent == Send("m", Failure("failed", Report("stopped"), f"{first}: unassigned"))


def test_cancel_cascades_to_the_parts_and_the_parent_answers_last() -> None:
    """D, cascade."""
    stage, first, second = subcontracting()
    assert stage.hear("m", Cancel()) == [Stop("t"), CancelChild(first), CancelChild(second)]
    assert stage.performed(Report("stopped")) == []
    assert stage.child_ended(first, Outcome("cancelled")) == []
    assert stage.child_ended(second, Outcome("done"))[0] == Send("m", Inform("cancelled", Report("stopped")))


def test_without_partners_the_contractor_does_it_all_itself() -> None:
    stage = contractor()
    stage.hear("m", CallForProposals(WHOLE, 2.0))
    stage.decided(Propose(1.0))
    assert stage.hear("m", AcceptProposal(50.0)) == [Perform("t", WHOLE)]
