"""The manager alone: the standard flow and its deadlines, effect by effect (facts R1 to R11; row B)."""

from math import inf
from typing import Any

import pytest

from contractnet import (
    AcceptProposal,
    CallForProposals,
    ContractNet,
    Inform,
    NotUnderstood,
    Propose,
    Refuse,
    RejectProposal,
    cheapest,
)
from tests.contractnet.stage import DONE, TASK, Stage, manager, messages, statuses
from walras.allocation import Award, Outcome
from walras.effects import (
    Broadcast,
    CancelTimer,
    Finish,
    Ignore,
    MakeAward,
    Send,
    SetTimer,
    Settle,
)

# ------------------------------------------------------------------------------------------------ the standard flow


def test_the_faultless_conversation_has_these_effects_in_this_order() -> None:
    """R1 to R7: call, proposals, one award, everybody else rejected in one broadcast, the result paid as proposed."""
    role = ContractNet(reply_within_s=2.0, result_within_s=60.0).opener("m", (TASK,), ("a", "b", "c"))
    stage = Stage(role, "m", finish_by=100.0)

    assert stage.start() == [
        SetTimer("reply", 2.0),
        Broadcast(("a", "b", "c"), CallForProposals(TASK, 2.0)),
    ]
    assert stage.at(0.1).hear("c", Propose(3.0)) == []
    assert stage.hear("a", Propose(2.0)) == []
    assert stage.hear("b", Propose(4.0)) == [
        CancelTimer("reply"),
        MakeAward(Award("t", "a", 2.0)),
        SetTimer(("result", "a"), 60.1),
        Send("a", AcceptProposal(60.1)),
        Broadcast(("c", "b"), RejectProposal("lost")),
    ]
    assert stage.at(5.0).hear("a", Inform("done", DONE)) == [
        CancelTimer(("result", "a")),
        CancelTimer(("cancel", "a")),
        Settle("t", 2.0, "a"),
        Finish(Outcome("done", (Award("t", "a", 2.0),), (DONE,))),
    ]


def test_refusals_and_not_understood_end_the_bidding_like_proposals() -> None:
    """R2, R10: whoever has answered is not waited for."""
    stage = manager("a", "b", "c")
    stage.hear("a", Refuse("ineligible"))
    stage.hear("b", NotUnderstood())

    effects = stage.hear("c", Propose(1.0))

    assert messages(effects) == [("c", AcceptProposal(98.75))]
    assert stage.role.standing == {"a": "refused", "b": "not-understood", "c": "accepted"}


def test_the_state_is_data_and_its_repr_tells_all() -> None:
    """One screenful that shows where every participant stands."""
    stage = manager("a", "b")
    stage.hear("a", Propose(2.0))

    shown = repr(stage.role)

    assert "state='bidding'" in shown
    assert "standing={'a': 'proposed', 'b': 'invited'}" in shown
    assert "proposals={'a': Propose(price=2.0)}" in shown


# ------------------------------------------------------------------------------------------------ B: deadlines


def test_a_proposal_at_the_deadline_counts_since_timers_come_last() -> None:
    """B: just before and exactly at reply_by are in time."""
    stage = manager("a", "b", "c", reply_within_s=2.0)
    stage.at(1.9).hear("a", Propose(3.0))
    stage.at(2.0).hear("b", Propose(2.0))

    effects = stage.timer("reply")

    assert (("b", AcceptProposal(98.75))) in messages(effects)
    assert stage.role.standing["c"] == "silent"


@pytest.mark.parametrize("stage_of_life", ["working", "pausing", "announced again", "over"])
def test_a_late_proposal_is_rejected_as_late_at_once_in_every_later_state(stage_of_life: str) -> None:
    """R3: automatically rejected, with lateness as the reason; also when everything is over."""
    proposes = stage_of_life in ("working", "over")
    stage = manager("a", "late", announcements=1 if proposes else 2)
    if proposes:
        stage.at(0.5).hear("a", Propose(1.0))
    stage.at(2.0).timer("reply")
    if stage_of_life == "announced again":
        stage.at(3.0).timer("again")
    if stage_of_life == "over":
        stage.hear("a", Inform("done", DONE))
    assert stage_of_life in (stage.role.state, "over" if stage.outcome else "")

    assert stage.at(4.0).hear("late", Propose(0.5)) == [Send("late", RejectProposal("late"))]
    assert isinstance(stage.hear("late", Propose(0.5))[0], Ignore)
    assert isinstance(stage.hear("late", Refuse())[0], Ignore)


def test_a_manager_that_stood_still_over_its_deadline_takes_no_proposal_that_it_hears_after_it() -> None:
    """R3: late is who is heard after reply_by, whenever the timer comes."""
    stage = manager("a", "late", "later", reply_within_s=2.0)
    stage.at(0.5).hear("a", Propose(3.0))

    effects = stage.at(2.01).hear("late", Propose(0.5))

    assert messages(effects) == [("a", AcceptProposal(98.75)), ("late", RejectProposal("late"))]
    assert stage.role.standing == {"a": "accepted", "late": "late", "later": "silent"}


def test_a_proposal_after_an_early_close_is_rejected_as_closed() -> None:
    """`enough` proposals close the bidding; who comes later, but before reply_by, was not late."""
    stage = manager("a", "b", "c", enough=2, award_rule=cheapest)
    stage.hear("a", Propose(3.0))

    assert messages(stage.hear("b", Propose(2.0))) == [
        ("b", AcceptProposal(98.75)),
        (("a",), RejectProposal("lost")),
    ]
    assert stage.at(2.0).hear("c", Propose(1.0)) == [Send("c", RejectProposal("closed"))]


def test_a_proposal_that_would_expire_before_its_acceptance_arrives_is_not_accepted() -> None:
    """B: bids that expire before the award are dropped, and told so."""
    stage = manager("a", "b", margin_s=0.25)
    stage.hear("a", Propose(1.0, valid_until=2.2))

    stage.at(1.0).hear("b", Refuse())
    assert stage.role.contracts, "it still binds long enough"

    stage = manager("a", "b", margin_s=0.25, announcements=1)
    stage.hear("a", Propose(1.0, valid_until=2.2))
    assert messages(stage.at(2.0).timer("reply")) == [(("a",), RejectProposal("expired"))]
    assert statuses(stage) == ("unassigned", "1 rejected, 1 silent")


def test_a_manager_that_wakes_up_too_late_to_award_rejects_everybody() -> None:
    """After a crash timers are late: without time for a result there is no award, and still an answer for all."""
    stage = manager("a", "b", finish_by=9.0)
    stage.hear("a", Propose(1.0))
    assert messages(stage.at(7.6).timer("reply")) == [(("a",), RejectProposal("lost"))]
    assert statuses(stage) == ("unassigned", "1 rejected, 1 silent")


@pytest.mark.parametrize(
    ("finish_by", "reply_by"),
    [(inf, 2.0), (100.0, 2.0), (5.25, 2.0), (3.25, 1.0), (1.76, 0.255), (1.75, None), (0.1, None)],
)
def test_half_of_the_time_is_for_proposals_at_most(finish_by: float, reply_by: float | None) -> None:
    """Durations are cut to the end: margin and cancel come off, half of the rest is for bidding, or none at all."""
    rules = ContractNet(reply_within_s=2.0, cancel_within_s=1.0, margin_s=0.25)
    assert rules.reply_by(0.0, finish_by) == (reply_by if reply_by is None else pytest.approx(reply_by))

    stage = manager("a", finish_by=finish_by)
    assert (stage.outcome is None) == (reply_by is not None)
    if stage.outcome is not None:
        assert statuses(stage) == ("unassigned", "1 invited; no time was left")


@pytest.mark.parametrize("no", [Refuse(), NotUnderstood()])
def test_if_nobody_proposes_the_task_is_unassigned_before_the_deadline(no: Any) -> None:
    """E: all refuse, all unparsable; nobody is waited for that has answered."""
    stage = manager("a", "b", announcements=1)
    stage.hear("a", no)
    assert stage.hear("b", no)[0] == CancelTimer("reply")
    assert statuses(stage)[0] == "unassigned"


def test_without_participants_the_task_is_unassigned_at_once() -> None:
    """E: nobody to ask is an end, not a wait."""
    assert statuses(manager()) == ("unassigned", "there was nobody to ask")
