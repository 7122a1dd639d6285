"""The mechanism's settings, its roles, and how its names are found."""

import json
import pickle
import subprocess
import sys
from math import inf, nan
from typing import Any

import msgspec
import pytest

import contractnet
from contractnet import (
    AcceptProposal,
    Announcer,
    CallForProposals,
    Cancel,
    ContractNet,
    Contractor,
    Inform,
    Manager,
    NotUnderstood,
    ProposalWanted,
    Propose,
    Refuse,
    RejectProposal,
    cheapest,
)
from walras.errors import ScenarioError
from walras.items import Lot, Task
from walras.messages import Envelope, Message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            (field, bad)
            for field in ("reply_within_s", "result_within_s", "cancel_within_s")
            for bad in (0.0, -1.0)
        ),
        *(
            (field, bad)
            for field in ("reply_within_s", "valid_for_s", "margin_s", "pause_s")
            for bad in (inf, nan)
        ),
        ("reply_within_s", "2 s"),
        ("reply_within_s", True),
        ("margin_s", 2.0),
        ("valid_for_s", 0.1),
        ("announcements", 0),
        ("announcements", 1.5),
        ("enough", 0),
        ("enough", True),
        ("award_rule", "cheapest"),
        ("reserve", "sometimes"),
        ("partners", "bob"),
    ],
)
def test_bad_settings_are_named_before_time_0(field: str, value: Any) -> None:
    """The error says which field, what it was, and what was expected."""
    with pytest.raises(ScenarioError) as caught:
        ContractNet(**{field: value})
    assert (caught.value.field, str(caught.value.value)) == (field, str(value))
    assert caught.value.expected


def test_a_mechanism_is_a_value() -> None:
    """Studies pickle it, results print it, and equal settings are equal."""
    rules = ContractNet(reply_within_s=3.0, award_rule=cheapest, partners=("x",))
    assert pickle.loads(pickle.dumps(rules)) == rules
    assert " at 0x" not in repr(rules)
    assert rules != ContractNet()


def test_it_bears_the_standard_name_and_lists_its_vocabulary() -> None:
    assert ContractNet.protocol == "fipa-contract-net"
    assert len(ContractNet.messages) == 9
    assert all(issubclass(message, Message) for message in ContractNet.messages)


def test_one_task_makes_a_manager_and_several_an_announcer() -> None:
    assert isinstance(ContractNet().opener("m", (Task("t"),), ("a",)), Manager)
    assert isinstance(ContractNet().opener("m", (Task("t"), Task("u")), ("a",)), Announcer)


@pytest.mark.parametrize("items", [(), (Lot("l"),), (Task("t"), Lot("l"))])
def test_only_tasks_are_announced(items: Any) -> None:
    with pytest.raises(ScenarioError, match="items"):
        ContractNet().opener("m", items, ("a",))


@pytest.mark.parametrize(
    ("message", "joins"),
    [
        (CallForProposals(Task("t"), 2.0), True),
        (AcceptProposal(9.0), True),
        (RejectProposal(), True),
        (Cancel(), True),
        (NotUnderstood(), False),
        (Propose(1.0), False),
        (Inform("done"), False),
    ],
)
def test_a_newcomer_joins_for_what_managers_say(message: Message, joins: bool) -> None:
    """What a manager says may be about a call that was lost; anything else is no business of a contractor's."""
    invitation = Envelope("m/1", "fipa-contract-net", "m", "a", message, 0.0)
    role = ContractNet().join("a", invitation)
    assert isinstance(role, Contractor) == joins
    if role is not None:
        assert role.manager == "m"
    assert ContractNet().join("a", None) is None, "nobody contracts by its own wish"


@pytest.mark.parametrize("finish_by", [inf, 1000.0, 20.0, 6.0, 3.0, 2.0, 0.5])
def test_every_deadline_lies_before_the_next_and_all_before_the_end(finish_by: float) -> None:
    """Whatever the time that is left: reply, result, cancel, end, with a margin between."""
    rules = ContractNet()
    reply_by = rules.reply_by(0.0, finish_by)
    if reply_by is None:
        assert finish_by < 2 * rules.margin_s + rules.margin_s + rules.cancel_within_s + 1e-9
        return
    result_by = rules.result_by(reply_by, finish_by)
    assert result_by is not None, "who has time to ask has time to award"
    cancel_by = rules.cancel_by(result_by, finish_by)
    assert rules.margin_s < reply_by
    assert reply_by + rules.margin_s < result_by < cancel_by
    assert cancel_by <= finish_by - rules.margin_s


@pytest.mark.parametrize(
    ("now", "result_by", "cancel_by"),
    [(0.0, 5.0, 1.0), (13.0, 18.0, 14.0), (15.0, 18.75, 16.0), (18.6, None, 19.6), (19.5, None, 19.75)],
)
def test_deadlines_are_cut_to_the_end(now: float, result_by: float | None, cancel_by: float) -> None:
    """A conversation until 20: the last result by 18.75, the last answer to a cancel by 19.75."""
    rules = ContractNet(result_within_s=5.0, cancel_within_s=1.0, margin_s=0.25)
    assert rules.result_by(now, 20.0) == result_by
    assert rules.cancel_by(now, 20.0) == cancel_by


def test_the_question_is_data_that_explains_itself() -> None:
    """A live mind gets it as JSON, with a docstring for instruction; its answers have a schema."""
    question = ProposalWanted(
        task=Task("t", description="translate"), manager="m", valid_until=12.0, decide_by=1.75
    )
    assert json.loads(msgspec.json.encode(question))["task"]["description"] == "translate"
    assert "binds you" in str(ProposalWanted.__doc__)
    assert msgspec.json.decode(msgspec.json.encode(question), type=ProposalWanted) == question
    msgspec.json.schema(Propose)


@pytest.mark.parametrize(
    ("answer", "legal"),
    [
        (Propose(1.0), True),
        (Refuse(), True),
        (NotUnderstood(), True),
        (None, False),
        (1.0, False),
        (Propose, False),
        (Inform("done"), False),
    ],
)
def test_only_sound_proposals_and_refusals_are_legal_answers(answer: Any, legal: bool) -> None:
    question = ProposalWanted(task=Task("t"), manager="m", valid_until=12.0, decide_by=1.75)
    assert question.accepts(answer) == legal
    assert question.accepts(question.otherwise)


def test_every_message_has_a_json_form_that_comes_back_equal() -> None:
    """The wire is made of the same classes."""
    samples: list[Message] = [
        CallForProposals(Task("t"), 2.0),
        Propose(1.0, 2.0, 0.5, 9.0),
        Refuse("no-capacity"),
        NotUnderstood(),
        AcceptProposal(9.0),
        RejectProposal("late"),
        Inform("done"),
        Cancel(),
    ]
    for message in samples:
        encoded = msgspec.json.encode(message)
        assert json.loads(encoded)["type"] == type(message).__name__
        assert msgspec.json.decode(encoded, type=type(message)) == message


def test_names_are_found_lazily_and_wrong_ones_say_so() -> None:
    """Importing the package loads none of its modules; every public name is there."""
    script = "import sys, contractnet; print([m for m in sys.modules if m.startswith('contractnet.')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    for name in contractnet.__all__:
        assert getattr(contractnet, name) is not None
    assert dir(contractnet) == sorted(contractnet.__all__)
    with pytest.raises(AttributeError, match="ContractNet"):
        contractnet.ContractNets  # noqa: B018
