"""The manager alone: doubles, strangers and nonsense (row C), and who wins (row E)."""

import json
import re
from fractions import Fraction
from math import inf, isfinite, nan
from typing import Any

import msgspec
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
    TieDecided,
)
from contractnet.messages import UnsoundProposalError
from tests.contractnet.stage import DONE, manager, messages, statuses
from walras.effects import (
    Ignore,
    Publish,
    Settle,
)
from walras.errors import LocalProtocolError
from walras.items import Task

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
    ("nonsense", "why"),
    [
        ({"price": -1.0}, "price of a proposal is -1.0; expected a number from 0 to 1e+300"),
        ({"price": nan}, "price of a proposal is nan"),
        ({"price": inf}, "price of a proposal is inf"),
        ({"price": 1.0, "eta_s": nan}, "eta_s of a proposal is nan"),
        ({"price": 1.0, "eta_s": -1.0}, "eta_s of a proposal is -1.0"),
        ({"price": 1.0, "quality": 1.1}, "quality of a proposal is 1.1; expected a number from 0 to 1"),
        ({"price": 1.0, "quality": nan}, "quality of a proposal is nan"),
        (
            {"price": 1.0, "valid_until": nan},
            "valid_until of a proposal is nan; expected a number of 0 or more",
        ),
        ({"price": True}, "price of a proposal is True"),
        ({"price": "cheap"}, "price of a proposal is 'cheap'"),
        ({"price": Fraction(1, 2)}, "price of a proposal is Fraction"),
        ({"price": 1.0, "eta_s": None}, "eta_s of a proposal is None"),
    ],
)
def test_there_is_no_proposal_that_makes_no_sense(nonsense: dict[str, Any], why: str) -> None:
    """Section 16, Byzantine bids: validated where they are made, or read from the wire; nobody is sent one."""
    with pytest.raises(UnsoundProposalError, match="^" + re.escape(why)):
        Propose(**nonsense)
    if all(isinstance(number, float) and isfinite(number) for number in nonsense.values()):
        with pytest.raises(msgspec.ValidationError, match=re.escape(why)):
            msgspec.json.decode(json.dumps({"type": "Propose", **nonsense}), type=Propose)


def test_whole_numbers_are_numbers() -> None:
    """Integer prices stay what they are."""
    assert repr(Propose(3, eta_s=2, quality=1)) == "Propose(price=3, eta_s=2, quality=1)"


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


def test_a_tie_for_the_last_place_leaves_the_outright_winner_alone() -> None:
    """E: two places; the best has one of them, and equals share one chance."""
    stage = manager("a", "b", "c", task=Task("t", copies=2))
    stage.hear("b", Propose(5.0))
    stage.hear("c", Propose(1.0))
    assert Publish(TieDecided("t", ("a", "b"), 1)) in stage.hear("a", Propose(5.0))
    assert len(stage.role.contracts) == 2
    assert "c" in stage.role.contracts


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


def test_a_proposal_that_binds_until_its_acceptance_arrives_is_accepted() -> None:
    stage = manager("a", margin_s=0.25)
    assert messages(stage.at(1.0).hear("a", Propose(1.0, valid_until=1.25)))[0] == (
        "a",
        AcceptProposal(98.75),
    )
    late = manager("a", margin_s=0.25)
    assert not any(
        isinstance(m, AcceptProposal)
        for _, m in messages(late.at(1.0).hear("a", Propose(1.0, valid_until=1.24)))
    )
