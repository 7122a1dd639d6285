"""The manager alone: failure, silence, the next best, and announcing again (row E, section 16)."""

import pytest

from contractnet import (
    AcceptProposal,
    BestValue,
    Cancel,
    ContractNet,
    Failure,
    Inform,
    Manager,
    NotUnderstood,
    Propose,
    Refuse,
    RejectProposal,
)
from tests.contractnet.stage import DONE, TASK, manager, messages, statuses
from walras.allocation import Award, Outcome, Report
from walras.effects import (
    Broadcast,
    Ignore,
    MakeAward,
    Open,
    SetTimer,
    Settle,
)
from walras.items import Task


def test_a_failure_is_not_paid_and_the_task_is_announced_again_in_a_new_conversation() -> None:
    """Section 16: failure, then re-announce; the losers were rejected, so all are asked anew, with one try less."""
    stage = manager("a", "b", announcements=2, pause_s=1.0, finish_by=50.0)
    stage.hear("a", Propose(1.0))
    stage.hear("b", Propose(2.0))

    effects = stage.at(10.0).hear("a", Failure("failed", Report("failed")))
    assert effects[2:] == [Settle("t", 0.0, "a"), SetTimer("again", 11.0)]

    (opened,) = stage.at(11.0).timer("again")
    assert isinstance(opened, Open)
    assert (opened.items, opened.participants, opened.finish_by) == ((TASK,), ("a", "b"), 49.75)
    assert opened.mechanism == ContractNet(announcements=1, pause_s=1.0)

    line = Award("t", "b", 2.0)
    stage.at(20.0).child_ended(opened.conversation, Outcome("done", (line,), (DONE,)))
    assert stage.outcome == Outcome("done", (line,), (DONE,))


def test_only_missing_copies_are_announced_again_and_not_to_who_has_done_one() -> None:
    """E: two copies, one delivered, one failed."""
    stage = manager("a", "b", "c", task=Task("t", copies=2))
    stage.hear("a", Propose(1.0))
    stage.hear("b", Propose(2.0))
    stage.hear("c", Refuse())
    stage.hear("a", Failure())
    stage.hear("b", Inform("done", DONE))

    (opened,) = stage.at(2.0).timer("again")

    assert isinstance(opened, Open)
    assert (opened.items, opened.participants) == ((Task("t", copies=1),), ("a", "c"))


@pytest.mark.parametrize(
    ("first", "again", "ends"),
    [
        (None, Outcome("unassigned", why="x"), ("unassigned", "1 silent; asked again: x")),
        (None, Outcome("overdue"), ("failed", "1 silent; asked again: ")),
        (Failure(), Outcome("unassigned", why="x"), ("failed", "1 failed; asked again: x")),
        (Failure(), Outcome("cancelled", why="x"), ("cancelled", "1 failed; asked again: x")),
    ],
)
def test_the_second_announcement_decides_how_the_task_ends(
    first: Failure | None, again: Outcome, ends: tuple[str, str]
) -> None:
    """Liveness: done, partial, failed, unassigned or cancelled, with a reason for people."""
    stage = manager("a")
    if first is None:
        stage.at(2.0).timer("reply")
    else:
        stage.at(1.0).hear("a", Propose(1.0))
        stage.hear("a", first)
    (opened,) = stage.at(3.0).timer("again")
    assert isinstance(opened, Open)
    stage.at(9.0).child_ended(opened.conversation, again)
    assert statuses(stage) == ends


def test_the_number_of_announcements_has_a_ceiling() -> None:
    """Liveness: the last announcement is not repeated, and none is made without time for it."""
    stage = manager("a", announcements=1)
    stage.at(2.0).timer("reply")
    assert statuses(stage) == ("unassigned", "1 silent")

    stage = manager("a", announcements=9, finish_by=6.0)
    stage.at(2.0).timer("reply")
    assert stage.role.state == "pausing"

    stage = manager("a", announcements=9, finish_by=4.5, pause_s=1.0)
    stage.at(1.625).timer("reply")
    assert stage.role.state == "pausing"

    stage = manager("a", announcements=9, finish_by=4.5, pause_s=2.0)
    stage.at(1.625).timer("reply")
    assert stage.outcome is not None


def test_a_silent_winner_is_cancelled_at_its_deadline_and_not_paid() -> None:
    """T_result: SILENT_AFTER_AWARD, cancel it, and go on when it answers or T_cancel has come."""
    stage = manager("a", "b", result_within_s=10.0, cancel_within_s=1.0, announcements=1)
    stage.hear("a", Propose(1.0))
    stage.hear("b", Propose(2.0))

    assert stage.at(10.0).timer(("result", "a")) == [
        SetTimer(("cancel", "a"), 11.0),
        Broadcast(("a",), Cancel()),
    ]
    effects = stage.at(11.0).timer(("cancel", "a"))
    assert Settle("t", 0.0, "a") in effects
    assert statuses(stage) == ("failed", "1 unanswered, 1 rejected")
    assert [type(e) for e in stage.hear("a", Inform("done", DONE))] == [Ignore], "too late to be paid"


def test_a_double_of_an_accepted_proposal_is_not_a_new_one() -> None:
    """I2, I15: also while its sender is being cancelled, and after that: it had its answer, and gets no other."""
    stage = manager("a", result_within_s=10.0, announcements=1, hold_losers=True)
    stage.hear("a", Propose(1.0))
    stage.at(10.0).timer(("result", "a"))
    assert [type(e) for e in stage.hear("a", Propose(1.0))] == [Ignore]
    stage.at(11.0).timer(("cancel", "a"))
    assert [type(e) for e in stage.hear("a", Propose(1.0))] == [Ignore]


def test_losers_that_are_held_step_in_while_they_bind_and_are_rejected_at_the_end() -> None:
    """A5 and E, staged mode: accept the best; on failure the next best; on success reject the rest."""
    stage = manager("a", "b", "c", "d", hold_losers=True)
    stage.hear("a", Propose(1.0, valid_until=60.0))
    stage.hear("b", Propose(2.0, valid_until=5.0))
    stage.hear("c", Propose(3.0, valid_until=60.0))
    assert messages(stage.hear("d", Propose(4.0, valid_until=60.0))) == [("a", AcceptProposal(98.75))]

    effects = stage.at(20.0).hear("a", Failure())
    assert [e for e in effects if isinstance(e, Settle | MakeAward)] == [
        Settle("t", 0.0, "a"),
        MakeAward(Award("t", "c", 3.0)),
    ], "b is cheaper, but binds no longer"

    assert messages(stage.at(30.0).hear("c", Inform("done", DONE))) == [
        (("b",), RejectProposal("expired")),
        (("d",), RejectProposal("lost")),
    ]
    assert stage.outcome == Outcome("done", (Award("t", "c", 3.0),), (DONE,))


def test_the_next_best_takes_the_place_that_came_free_and_no_other() -> None:
    """I1: two copies, one fails while the other is still at work: one proposal steps in, not two."""
    stage = manager("a", "b", "c", "d", task=Task("t", copies=2), hold_losers=True)
    for agent, price in {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}.items():
        stage.hear(agent, Propose(price))
    assert messages(stage.at(1.0).hear("a", Failure())) == [("c", AcceptProposal(98.75))]
    assert list(stage.role.contracts) == ["b", "c"]


def test_a_late_winner_that_cannot_be_stopped_forfeits_its_place() -> None:
    """After its deadline nothing is owed to it, so the next best need not wait for it."""
    stage = manager("a", "b", result_within_s=5.0, hold_losers=True, valid_for_s=50.0)
    stage.hear("a", Propose(1.0))
    stage.hear("b", Propose(2.0))
    stage.at(5.0).timer(("result", "a"))
    effects = stage.at(5.1).hear("a", Failure("cannot-cancel"))
    assert Settle("t", 0.0, "a") in effects
    assert messages(effects) == [("b", AcceptProposal(10.1))]


def test_not_understood_withdraws_a_proposal_and_breaks_a_contract() -> None:
    """R10: any time; it may end the protocol and void commitments, for this branch only."""
    stage = manager("a", "b", hold_losers=True)
    stage.hear("a", Propose(1.0))
    stage.hear("a", NotUnderstood())
    stage.hear("b", Propose(2.0))
    assert list(stage.role.contracts) == ["b"]
    assert Settle("t", 0.0, "b") in stage.hear("b", NotUnderstood())


def test_award_rules_are_settings() -> None:
    """The best value need not be the cheapest."""
    stage = manager("a", "b", award_rule=BestValue(value_of_quality=10.0))
    stage.hear("a", Propose(1.0, quality=0.1))
    stage.hear("b", Propose(2.0, quality=0.9))
    assert list(stage.role.contracts) == ["b"]


def test_the_opener_is_not_its_own_contractor_and_nobody_is_asked_twice() -> None:
    """One role per agent and conversation."""
    role = ContractNet().opener("m", (TASK,), ("a", "m", "b", "a"))
    assert isinstance(role, Manager)
    assert list(role.standing) == ["a", "b"]
