"""Rows A1 to A5 of the conformance matrix (JADE's own list), played in a simulated world; A6 belongs to an extension."""

from collections import Counter
from typing import Any

import pytest

from contractnet import (
    AcceptProposal,
    CallForProposals,
    Contractor,
    Failure,
    Inform,
    NotUnderstood,
    Propose,
    Refuse,
    cheapest,
)
from tests.contractnet.checks import violations
from tests.contractnet.worlds import Cast, simulate
from walras import Agent, Estimate, Result, Simulation, Task
from walras.allocation import Outcome, Report
from walras.messages import AgentId, ConversationId, Message
from walras.protocol import Protocol, on

DONE = Report("done")


class Request(Message, frozen=True):
    """An act of another protocol."""


class Scripted(Protocol):
    """Answers a call and an acceptance with what its script says, or not at all."""

    manager: AgentId
    to_call: Message | None = None
    to_accept: Message | None = None

    @on(CallForProposals)
    def hear_call(self, sender: AgentId, message: Any) -> None:
        if self.to_call is not None:
            self.send(self.manager, self.to_call)

    @on(AcceptProposal)
    def hear_accept(self, sender: AgentId, message: Any) -> None:
        if self.to_accept is not None:
            self.send(self.manager, self.to_accept)


def script(to_call: Message | None = None, to_accept: Message | None = None) -> Any:
    return lambda rules, manager: Scripted(manager, to_call, to_accept)


JADE = (
    ("not-understood", script(NotUnderstood())),
    ("refuse", script(Refuse())),
    ("inform-out-of-turn", script(Inform("done", DONE))),
    ("request", script(Request())),
    ("silent", script()),
    ("propose-inform", script(Propose(1.0), Inform("done", DONE))),
    ("propose-failure", script(Propose(1.0), Failure())),
    ("propose-request", script(Propose(1.0), Request())),
    ("propose-silent", script(Propose(1.0))),
    ("dead", script()),
)


def counts(result: Result, conversation: str) -> Counter[str]:
    """Acts that the manager was sent, and how many of them were out of sequence for it."""
    found: Counter[str] = Counter()
    for row in result.trace.conversation(conversation, everything=True):
        if row.kind == "message" and row.details["to"] == "m":
            found[row.details["message"]["type"]] += 1
        elif row.kind == "ignored" and row.agent == "m":
            found["out of sequence"] += 1
    return found


def test_a1_one_normal_responder() -> None:
    """A1: done, in 3m + l messages for m = 1 and l = 1."""
    result = simulate(Cast(), {"a": 2.0})
    assert result.outcomes["m/1"].status == "done"
    assert result.trace.messages == 4
    assert violations(result) == {}


def test_a2_ten_responders_of_every_kind() -> None:
    """A2: 4 propose, 1 refuse, 1 not-understood, 1 inform, 1 failure, 3 out of sequence; the rest is silence.

    JADE's platform reports a second failure, for the agent that does not exist; here it is silent until the deadline.
    """
    rules = Cast(contractors=JADE, announcements=1, result_within_s=10.0)
    result = simulate(rules, dict.fromkeys(dict(JADE), 1.0), tasks=(Task("t", copies=9),))

    assert counts(result, "m/1") == {
        "Propose": 4,
        "Refuse": 1,
        "NotUnderstood": 1,
        "Inform": 2,  # one of them out of turn
        "Failure": 1,
        "Request": 2,  # both out of turn
        "out of sequence": 3,
    }
    assert (
        result.outcomes["m/1"].why == "1 not-understood, 1 refused, 4 silent, 1 done, 1 failed, 2 unanswered"
    )


def test_a3_the_same_again_gives_the_same_counts() -> None:
    """A3: a manager can run the same net twice with the same responders."""
    rules = Cast(contractors=JADE, announcements=1, result_within_s=10.0)
    simulation = Simulation(check=True)
    for agent in ("m", *dict(JADE)):
        simulation.add(Agent(agent))
    for at in (0.0, 30.0):
        simulation.open(rules, [Task("t", copies=9)], "m", at=at, finish_by=at + 25.0)
    result = simulation.run()
    assert counts(result, "m/1") == counts(result, "m/2")
    assert result.outcomes["m/1"].why == result.outcomes["m/2"].why


class Broker(Contractor):
    """Before it proposes, it asks others what they would take, in a net of its own; it adds 1 for itself."""

    def on_decision(self, name: str, answer: Any) -> None:
        assert self.call is not None
        child = Cast(
            announcements=1, reply_within_s=0.5, result_within_s=0.6, cancel_within_s=0.1, margin_s=0.1
        )
        self.open(child, [Task("part")], ("x", "y"), self.call.reply_by - 0.2)

    def on_outcome(self, conversation: ConversationId, outcome: Outcome) -> None:
        if self.state == "deciding":
            super().on_decision("bid", Propose(outcome.awards[0].price + 1.0) if outcome.awards else Refuse())


def test_a4_an_initiator_nested_in_a_responder() -> None:
    """A4: the responder runs a net of its own, then proposes; both are done."""
    rules = Cast(contractors=(("b", Broker),), reply_within_s=4.0)
    simulation = Simulation(check=True)
    for agent, cost in {"m": None, "b": 1.0, "x": 5.0, "y": 4.0}.items():
        knows = None if cost is None else {"part": cost, "t": cost}
        simulation.add(Agent(agent, costs=knows))
    simulation.open(rules, [Task("t")], "m", ["b"], finish_by=60.0)
    result = simulation.run()
    assert result.outcomes["m/1"].status == "done"
    assert [(a.item, a.winner, a.price) for a in result.allocation.lines] == [
        ("part", "y", 4.0),
        ("t", "b", 5.0),
    ]
    assert "m/1/b/1" in result.trace.conversations()
    assert violations(result) == {}


def test_a4_a_contractor_passes_parts_on() -> None:
    """A4, after the award: parts are done by partners, paid by the contractor, and the parent answers last."""
    task = Task("t", parts=(Task("p1"), Task("p2")))
    result = simulate(Cast(partners=("a", "b", "c")), {"a": 1.0, "b": 2.0, "c": 3.0}, tasks=(task,))
    assert result.outcomes["m/1"].status == "done"
    finishes = [
        (row.conversation, row.at) for row in result.trace if row.kind == "finish" and row.agent == "a"
    ]
    assert [c for c, _ in sorted(finishes, key=lambda f: f[1])][-1] == "m/1"
    assert [(a.item, a.winner) for a in result.allocation.lines] == [("t", "a"), ("p1", "b"), ("p2", "b")]
    assert violations(result) == {}


def test_a5_staged_award() -> None:
    """A5: accept the best; on failure the next; on inform reject the rest. 1 failure, 1 inform, all answered."""
    cast = (
        ("a", script(Propose(1.0, valid_until=50.0), Failure())),
        ("b", script(Propose(2.0, valid_until=50.0), Inform("done", DONE))),
        ("c", script(Propose(3.0, valid_until=50.0), Inform("done", DONE))),
    )
    result = simulate(Cast(contractors=cast, hold_losers=True, valid_for_s=50.0), dict.fromkeys("abc", 1.0))
    sent = result.trace.message_counts()
    assert (sent["Failure"], sent["Inform"], sent["AcceptProposal"], sent["RejectProposal"]) == (1, 1, 2, 1)
    assert result.outcomes["m/1"].awards[0].winner == "b"
    assert violations(result) == {}


@pytest.mark.parametrize(("m", "places"), [(10, 1), (10, 3), (4, 4), (1, 1), (40, 1)])
def test_the_number_of_messages_is_3m_plus_l(m: int, places: int) -> None:
    """I16: faultless, all propose, l winners."""
    costs = {f"c{i:02}": 1.0 + i for i in range(m)}
    result = simulate(Cast(), costs, tasks=(Task("t", copies=places),))
    assert result.trace.messages == 3 * m + places
    assert violations(result, copies=places) == {}


def test_two_calls_to_the_same_agents_at_once_do_not_mix() -> None:
    """C: concurrent conversations are told apart by their ids, and share the contractors' capacity."""
    rules = Cast(reserve="eager")
    simulation = Simulation(check=True)
    simulation.add(Agent("m"))
    for agent in "abc":
        simulation.add(Agent(agent, costs=lambda task: Estimate(1.0, seconds=2.0)))
    for number in range(3):
        simulation.open(rules, [Task(f"t{number}")], "m", ["a", "b", "c"], finish_by=60.0)
    result = simulation.run()
    assert {record.status for record in result.records} == {"done"}
    assert violations(result, capacity=1) == {}


def test_several_tasks_announced_together_get_a_conversation_each() -> None:
    """One conversation is about one task; their outcomes come back as one."""
    tasks = (Task("t1"), Task("t2"), Task("t3", requires=("magic",)))
    result = simulate(Cast(announcements=1, award_rule=cheapest), {"a": 1.0, "b": 2.0}, tasks=tasks)
    outcome = result.outcomes["m/1"]
    assert (outcome.status, outcome.why) == ("partial", "t3: 2 refused")
    assert [line.item for line in outcome.awards] == ["t1", "t2"]
    assert result.trace.conversations() == ["m/1", "m/1/m/1", "m/1/m/2", "m/1/m/3"]


def test_of_several_tasks_each_has_its_own_status() -> None:
    """Tasks that are announced together end one by one: what was delivered counts, whatever became of the others."""
    tasks = (Task("easy"), Task("hard", requires=("magic",)))
    result = simulate(Cast(), {"a": 1.0, "b": 2.0}, tasks=tasks)
    assert {record.item: record.status for record in result.records} == {"easy": "done", "hard": "unassigned"}
    assert result.metrics["completion_rate"] == 0.5
