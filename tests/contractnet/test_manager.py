"""The manager alone: its effects, in order (facts R1 to R11; rows B, C and E of the conformance matrix)."""

from math import inf, nan
from typing import Any

import pytest

from contractnet import (
    AcceptProposal,
    BestValue,
    CallForProposals,
    Cancel,
    ContractNet,
    Failure,
    Inform,
    Manager,
    NotUnderstood,
    Propose,
    Refuse,
    RejectProposal,
    TieDecided,
    cheapest,
)
from tests.contractnet.stage import TASK, Stage, manager
from walras.allocation import Award, Outcome, Report
from walras.effects import (
    Broadcast,
    CancelTimer,
    Effect,
    Finish,
    Ignore,
    MakeAward,
    Open,
    Publish,
    Send,
    SetTimer,
    Settle,
)
from walras.errors import LocalProtocolError
from walras.items import Task

DONE = Report("done", cost=1.0, quality=1.0, seconds=1.0)


def messages(effects: list[Effect]) -> list[Any]:
    """What was sent, as (recipients, message)."""
    return [(e.to, e.message) for e in effects if isinstance(e, Send | Broadcast)]


def statuses(stage: Stage) -> tuple[str, str]:
    assert stage.outcome is not None
    return stage.outcome.status, stage.outcome.why


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


def test_a_proposal_after_an_early_close_is_rejected_as_closed() -> None:
    """`enough` proposals close the bidding; who comes later, but before reply_by, was not late."""
    stage = manager("a", "b", "c", enough=2, award_rule=cheapest)
    stage.hear("a", Propose(3.0))

    assert messages(stage.hear("b", Propose(2.0))) == [
        ("b", AcceptProposal(98.75)),
        (("a",), RejectProposal("lost")),
    ]
    assert stage.at(1.0).hear("c", Propose(1.0)) == [Send("c", RejectProposal("closed"))]


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


def test_without_participants_the_task_is_unassigned_at_once() -> None:
    """E: nobody to ask is an end, not a wait."""
    assert statuses(manager()) == ("unassigned", "there was nobody to ask")


# ------------------------------------------------------------------------------------------------ C: doubles, strangers


def test_doubles_and_second_answers_change_nothing() -> None:
    """I15, C: each proposer counts once; a different second proposal is out of sequence."""
    stage = manager("a", "b")
    stage.hear("a", Propose(2.0))
    before = repr(stage.role)

    for second in (Propose(2.0), Propose(1.0), Refuse()):
        effects = stage.hear("a", second)
        assert [type(e) for e in effects] == [Ignore]

    assert repr(stage.role) == before


def test_strangers_are_ignored_at_every_stage() -> None:
    """I3: no award to whoever was not invited, whatever it says."""
    stage = manager("a", "b")
    for message in (Propose(0.0), Refuse(), Inform("done", DONE), Failure(), NotUnderstood()):
        assert [type(e) for e in stage.hear("eve", message)] == [Ignore]
    stage.hear("a", Propose(2.0))
    stage.hear("b", Refuse())
    for message in (Propose(0.0), Inform("done", DONE), Inform("cancelled"), Failure(), NotUnderstood()):
        assert [type(e) for e in stage.hear("eve", message)] == [Ignore]
        assert [type(e) for e in stage.hear("b", message)] == [Ignore]
    assert list(stage.role.contracts) == ["a"]


def test_a_result_before_the_award_is_out_of_sequence() -> None:
    """Section 16: inform before accept is not a result."""
    stage = manager("a", "b")
    stage.hear("a", Propose(2.0))
    assert [type(e) for e in stage.hear("a", Inform("done", DONE))] == [Ignore]


def test_a_message_of_another_protocol_is_ignored() -> None:
    """What the table does not know is out of turn."""
    assert [type(e) for e in manager("a").hear("a", Cancel())] == [Ignore]


@pytest.mark.parametrize(
    "nonsense",
    [
        Propose(-1.0),
        Propose(nan),
        Propose(inf),
        Propose(1.0, eta_s=nan),
        Propose(1.0, eta_s=-1.0),
        Propose(1.0, quality=1.1),
        Propose(1.0, quality=nan),
        Propose(1.0, valid_until=nan),
        Propose("cheap"),  # type: ignore[arg-type]
        Propose(1.0, eta_s=None),  # type: ignore[arg-type]
    ],
)
def test_nonsense_is_rejected_ignored_and_counted_as_an_answer(nonsense: Propose) -> None:
    """Section 16, Byzantine bids: validate, reject, count; never crash."""
    stage = manager("a", "b")

    first, second = stage.hear("a", nonsense)
    assert isinstance(first, Ignore)
    assert second == Send("a", RejectProposal("unparsable"))

    assert messages(stage.hear("b", Propose(5.0))) == [("b", AcceptProposal(98.75))]


# ------------------------------------------------------------------------------------------------ E: awards


def test_copies_go_to_that_many_winners_and_each_is_paid_its_own_price() -> None:
    """E: k winners; the task is done when all copies are."""
    stage = manager("a", "b", "c", task=Task("t", copies=2))
    stage.hear("a", Propose(3.0))
    stage.hear("b", Propose(1.0))
    assert messages(stage.hear("c", Propose(2.0))) == [
        ("b", AcceptProposal(98.75)),
        ("c", AcceptProposal(98.75)),
        (("a",), RejectProposal("lost")),
    ]
    assert Settle("t", 2.0, "c") in stage.hear("c", Inform("done", DONE))
    assert stage.outcome is None
    assert Settle("t", 1.0, "b") in stage.hear("b", Inform("done", DONE))
    assert statuses(stage) == ("done", "")


def test_some_copies_make_a_partial_outcome() -> None:
    """E: fewer proposers than copies, and nobody else when asked again."""
    stage = manager("a", "b", task=Task("t", copies=2), announcements=1)
    stage.hear("a", Propose(3.0))
    stage.hear("b", Refuse())
    stage.hear("a", Inform("done", DONE))
    assert statuses(stage) == ("partial", "1 done, 1 refused")


def test_the_reserve_is_the_most_that_is_paid() -> None:
    """NO_AWARD: a proposal above the reserve is rejected as over-budget, one at the reserve is not."""
    stage = manager("a", "b", "c", task=Task("t", reserve=2.0))
    stage.hear("a", Propose(2.1, quality=1.0))
    stage.hear("b", Propose(2.0, quality=0.5))
    assert messages(stage.hear("c", Propose(2.0, quality=0.4))) == [
        ("b", AcceptProposal(98.75)),
        (("a",), RejectProposal("over-budget")),
        (("c",), RejectProposal("lost")),
    ]


def test_if_no_proposal_is_acceptable_everybody_is_told_and_the_task_is_unassigned() -> None:
    """R4, R5: none may win, all get an answer."""
    stage = manager("a", "b", task=Task("t", reserve=1.0), announcements=1)
    stage.hear("a", Propose(2.0))
    assert messages(stage.hear("b", Propose(3.0))) == [(("a", "b"), RejectProposal("over-budget"))]
    assert statuses(stage) == ("unassigned", "2 rejected")


def test_ties_are_decided_by_the_seed_and_never_by_the_order_of_arrival() -> None:
    """E, all tied: the order of the answers is irrelevant, the seed decides, and every bidder wins sometimes."""

    def winner(order: str, seed: int) -> str:
        stage = manager(*"abcd", seed=seed)
        for bidder in order[:-1]:
            stage.hear(bidder, Propose(1.0))
        effects = stage.hear(order[-1], Propose(1.0))
        assert Publish(TieDecided("t", ("a", "b", "c", "d"), 1)) in effects
        (won,) = stage.role.contracts
        return str(won)

    winners = [winner("abcd", seed) for seed in range(40)]
    assert winners == [winner("dbca", seed) for seed in range(40)]
    assert set(winners) == set("abcd")


def test_a_rule_that_scores_strangers_is_our_own_fault() -> None:
    """I12: the manager cannot invent a bid; a rule that does is a local error with a name."""
    stage = manager("a", award_rule=lambda task, proposals: {"eve": 1.0})
    with pytest.raises(LocalProtocolError, match="eve"):
        stage.hear("a", Propose(1.0))


def test_a_rule_may_find_nobody_good_enough() -> None:
    """R4: none; minus infinity and NaN never win."""
    stage = manager("a", "b", award_rule=lambda task, proposals: {"a": -inf, "b": nan}, announcements=1)
    stage.hear("a", Propose(1.0))
    assert messages(stage.hear("b", Propose(1.0))) == [(("a", "b"), RejectProposal("lost"))]
    assert statuses(stage) == ("unassigned", "2 rejected")


# ------------------------------------------------------------------------------------------------ failure and silence


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
