"""The contractor alone: every cell of row D, and parts that it passes on (facts section 7, row A4)."""

from contractnet import (
    AcceptProposal,
    CallForProposals,
    Cancel,
    Failure,
    Inform,
    Propose,
    Refuse,
    RejectProposal,
)
from tests.contractnet.stage import CALL, DONE, Stage, contractor, proposed, working
from walras.allocation import Outcome, Report
from walras.effects import CancelChild, Finish, Ignore, Open, Perform, Send, Stop
from walras.items import Task

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
