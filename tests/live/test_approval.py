"""Awards and results above a limit wait for a person's yes, in a simulation and live alike."""

import asyncio
import queue
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from auctions import FirstPrice, SealedBid, second_price, truthful
from contractnet import ContractNet, truthful as working
from contractnet.messages import Refuse
from tests.live.payloads import PAYLOADS
from tests.live.test_injection import Gullible
from walras.adapters.human import HumanParticipant
from walras.agents import Agent
from walras.errors import ScenarioError
from walras.items import Item, Lot, Task
from walras.live import Guard, Live
from walras.live.approval import Approved
from walras.live.approval_rules import Abstain, Approval, Dismissed, Gate, No, Verdict, Yes
from walras.live.participant import Ask, Participant
from walras.live.prompts import Prompts
from walras.mechanism import Mechanism
from walras.results import Result
from walras.simulation import Faults, Network, Simulation
from walras.simulation.latency import Constant, Uniform
from walras.testing.virtual_time import run_virtually

NET = ContractNet(reply_within_s=2.0, valid_for_s=600.0, announcements=1)
TASK = Task("t", kind="job")
LOT = Lot("l")


def says(answer: Any, takes_s: float = 0.0, seen: list[Approval] | None = None) -> Any:
    """A person, as a coroutine."""

    async def person(question: Approval, agent: Agent) -> Any:
        if seen is not None:
            seen.append(question)
        await asyncio.sleep(takes_s)
        return answer

    return person


def bidders() -> list[Agent]:
    costs = {"ada": 30.0, "bob": 20.0, "cyd": 40.0}
    return [Agent(name, costs={"job": cost}, values={"l": cost}) for name, cost in costs.items()]


async def market(
    mechanism: Mechanism, people: dict[str, Any], items: tuple[Item, ...] = (TASK,), within_s: float = 1000.0, **settings: Any
) -> Result:  # fmt: skip
    async with Live(wall=asyncio.get_running_loop().time, **settings) as live:
        for agent in bidders():
            live.add(agent)
        for name, person in people.items():
            live.add(Agent(name, person, capacity=0))
        return await live.run(mechanism, items, within_s)


def lived(
    mechanism: Mechanism, people: dict[str, Any], items: tuple[Item, ...] = (TASK,), **more: Any
) -> Result:
    result: Result = run_virtually(market(mechanism, people, items, **more))
    return result


def facts(result: Result) -> list[dict[str, Any]]:
    return [row.details["fact"] for row in result.trace if row.kind == "fact"]


def said(result: Result) -> list[tuple[str, str]]:
    return [(f["approver"], f["said"]["type"]) for f in facts(result) if f["type"] == "ApprovalEnded"]


# ---------------------------------------------------------------------------------------------------- the verdict


def test_an_award_above_the_limit_waits_for_a_yes() -> None:
    result = lived(Approved(NET, Gate(("ann",), award_above=10.0)), {"ann": says(Yes("fine"), 30.0)})
    awarded = next(row for row in result.trace if row.kind == "award")
    assert awarded.at == pytest.approx(30.0, abs=0.01)
    assert (result.allocation["t"].winner, result.outcomes["house/1"].status) == ("bob", "done")
    assert result.records[0].paid == 20.0
    assert said(result) == [("ann", "Yes")]


def test_what_is_not_above_the_limit_does_not_wait() -> None:
    result = lived(Approved(NET, Gate(("ann",), award_above=20.0)), {"ann": says(No(), 30.0)})
    assert result.outcomes["house/1"].status == "done"
    assert facts(result) == []


def test_after_a_no_nothing_was_awarded_and_everybody_is_told() -> None:
    result = lived(Approved(NET, Gate(("ann",), award_above=10.0)), {"ann": says(No("too dear"), 3.0)})
    outcome = result.outcomes["house/1"]
    assert (outcome.status, outcome.awards) == ("refused", ())
    assert outcome.why == "ann said no: too dear"
    kinds = [row.kind for row in result.trace]
    assert not {"award", "settle", "began"} & set(kinds)
    told = {
        to
        for row in result.trace
        if row.kind == "broadcast" and row.details["message"]["type"] == "Cancel"
        for to in row.details["to"]
    }
    assert told == {"ada", "bob", "cyd"}
    assert all(agent.earned == agent.spent == 0 for agent in result.agents)
    ended = {row.agent: row.details["outcome"]["status"] for row in result.trace if row.kind == "finish"}
    assert "expired" not in ended.values(), "nobody is left waiting"


def test_a_lot_is_paid_at_its_award_so_the_award_waits() -> None:
    sale = SealedBid(second_price, reply_within_s=2.0)
    for answer, winner in ((Yes(), "cyd"), (No(), None)):
        result = lived(Approved(sale, Gate(("ann",), award_above=29.0)), {"ann": says(answer, 5.0)}, (LOT,))
        found = result.allocation.get("l")
        assert (found.winner if found else None) == winner
        assert result.agent("house").earned == (30.0 if winner else 0.0)


def test_a_result_that_is_refused_is_not_paid() -> None:
    result = lived(Approved(NET, Gate(("ann",), result_above=10.0)), {"ann": says(No("shoddy"), 3.0)})
    assert result.outcomes["house/1"].status == "refused"
    assert len(result.allocation) == 0
    assert result.records[0].paid == 0.0
    assert result.agent("bob").earned == result.agent("house").spent == 0.0, (
        "the money was in escrow, and is back"
    )
    assert said(result) == [("ann", "No")], "it is not asked for again"


def test_a_result_that_is_approved_is_paid() -> None:
    result = lived(Approved(NET, Gate(("ann",), result_above=10.0)), {"ann": says(Yes(), 3.0)})
    assert (result.outcomes["house/1"].status, result.records[0].paid) == ("done", 20.0)
    began = next(row.at for row in result.trace if row.kind == "began")
    paid = next(row.at for row in result.trace if row.kind == "settle")
    assert paid - began == pytest.approx(3.0, abs=0.01)


def suspicious(act: Any, heard: Any) -> float:
    """The cheaper than the others, the riskier."""
    prices = sorted(word.price for word in heard if word.price is not None)
    return float(prices[1] - act.price) if len(prices) > 1 else 0.0


def unheard_of(act: Any, heard: Any) -> float:
    return float("nan")


@pytest.mark.parametrize(
    ("risk", "above", "status"),
    [(suspicious, 5.0, "refused"), (suspicious, 10.0, "done"), (unheard_of, 10.0, "refused")],
)
def test_a_risk_is_measured_and_has_a_limit(risk: Any, above: float, status: str) -> None:
    gate = Gate(("ann",), risk_above=above, risk=risk)
    assert lived(Approved(NET, gate), {"ann": says(No())}).outcomes["house/1"].status == status


# ---------------------------------------------------------------------------------------------------- the report


def test_the_report_says_who_bid_what_and_why_it_was_chosen() -> None:
    seen: list[Approval] = []
    lived(Approved(NET, Gate(("ann",), award_above=10.0)), {"ann": says(Yes(), seen=seen)})
    (case,) = [question.case for question in seen]
    assert [(word.who, word.said, word.price) for word in case.heard] == [
        ("ada", "Propose", 30.0), ("bob", "Propose", 20.0), ("cyd", "Propose", 40.0),
    ]  # fmt: skip
    (act,) = case.acts
    assert (act.kind, act.item, act.winner, act.price) == ("award", "t", "bob", 20.0)
    assert act.above == "price 20 is above 10"
    assert case.reasons[0].startswith("the rules are ContractNet(") and "award_rule=" in case.reasons[0]
    assert case.reasons[1].endswith("bob named 20; of 3 prices that were named 0 are lower and 2 higher")
    assert '"price":20.0' in case.heard[1].text


def test_a_person_at_a_terminal_can_say_yes() -> None:
    lines: queue.Queue[str] = queue.Queue()
    shown: list[str] = []

    def show(text: str) -> None:
        shown.append(text)
        lines.put("Yes why=cheap")

    async def main() -> Result:
        return await market(
            Approved(NET, Gate(("ann",), award_above=10.0)),
            {"ann": HumanParticipant(read=lines.get, show=show)},
        )

    result = asyncio.run(main())
    assert result.allocation["t"].winner == "bob"
    assert '"who": "cyd"' in shown[0] and "Yes why=... | No why=... | Abstain why=..." in shown[0]
    assert facts(result)[1]["said"] == {"type": "Yes", "why": "cheap"}


class Clerk(Participant):
    """A model that looks at cases, and obeys what it finds outside of the fence."""

    def __init__(self) -> None:
        self.obeyed = False

    async def answer(self, ask: Ask) -> Any:
        self.obeyed = Gullible.told(ask.prompt.system, ask.prompt.user) != 5.0
        return {"answer": {"type": "Yes" if self.obeyed else "No", "why": ""}}


@pytest.mark.parametrize("fenced", [True, False])
def test_a_model_that_approves_reads_bids_inside_the_fence(fenced: bool) -> None:
    for text in PAYLOADS[:: 1 if fenced else 10]:
        clerk = Clerk()

        async def eve(question: Any, agent: Agent, text: str = text) -> Any:
            return Refuse("ineligible", text)

        async def main(clerk: Clerk = clerk, eve: Any = eve) -> Result:
            guard = Guard(prompts=Prompts(fenced=fenced))
            return await market(
                Approved(NET, Gate(("ann",), award_above=10.0)), {"ann": clerk, "eve": eve}, guard=guard
            )

        result = run_virtually(main())
        assert clerk.obeyed is not fenced
        assert (result.outcomes["house/1"].status == "refused") is fenced


# -------------------------------------------------------------------------------------------------------- silence


@pytest.mark.parametrize(("otherwise", "status"), [("reject", "refused"), ("accept", "done")])
def test_silence_ends_as_the_gate_says(otherwise: Any, status: str) -> None:
    gate = Gate(("ann",), award_above=10.0, wait_s=20.0, otherwise=otherwise)
    result = lived(Approved(NET, gate), {"ann": says(Yes(), 500.0)})
    assert result.outcomes["house/1"].status == status
    ended = next(
        row.at
        for row in result.trace
        if row.kind == "fact" and row.details["fact"]["type"] == "ApprovalEnded"
    )
    assert 19.0 < ended < 20.1


def test_silence_escalates_to_the_next_approver() -> None:
    gate = Gate(("ann", "boss"), award_above=10.0, wait_s=20.0)
    result = lived(Approved(NET, gate), {"ann": says(Yes(), 500.0), "boss": says(Yes(), 7.0)})
    assert said(result) == [("ann", "Abstain"), ("boss", "Yes")]
    assert next(row.at for row in result.trace if row.kind == "award") == pytest.approx(26.8, abs=0.3)


def test_who_abstains_hands_it_on_at_once() -> None:
    gate = Gate(("ann", "boss"), award_above=10.0, wait_s=200.0)
    result = lived(Approved(NET, gate), {"ann": says(Abstain("not mine"), 1.0), "boss": says(No(), 1.0)})
    assert said(result) == [("ann", "Abstain"), ("boss", "No")]
    assert result.ended_s < 20.0


def test_an_approver_who_is_not_there_is_silent() -> None:
    gate = Gate(("nobody", "ann"), award_above=10.0, wait_s=20.0)
    assert lived(Approved(NET, gate), {"ann": says(Yes())}).outcomes["house/1"].status == "done"


def test_a_verdict_comes_only_from_who_is_asked() -> None:
    async def main() -> Result:
        async with Live(wall=asyncio.get_running_loop().time) as live:
            for agent in bidders():
                live.add(agent)
            live.add(Agent("ann", says(No(), 20.0), capacity=0))
            conversation = live.open(Approved(NET, Gate(("ann",), award_above=10.0)), [TASK], 1000.0)
            await asyncio.sleep(5.0)
            bob = live.role(conversation, "bob")
            bob.send("house", Verdict(1, Yes()))
            bob.send("ann", Dismissed())
            live.runtime.agenda.plan()
            return await live.result(conversation)

    result = run_virtually(main())
    assert said(result) == [("ann", "No")], "and nobody but who has asked her sends her away"
    assert result.outcomes["house/1"].status == "refused"
    assert "not asked, or too late" in [
        row.details.get("why") for row in result.trace if row.kind == "ignored"
    ]


def test_who_calls_it_off_meanwhile_need_not_wait_for_the_verdict() -> None:
    async def main() -> Result:
        async with Live(wall=asyncio.get_running_loop().time) as live:
            for agent in bidders():
                live.add(agent)
            live.add(Agent("ann", says(Yes(), 200.0), capacity=0))
            conversation = live.open(Approved(NET, Gate(("ann",), award_above=10.0)), [TASK], 1000.0)
            await asyncio.sleep(5.0)
            live.cancel(conversation)
            return await live.result(conversation)

    result = run_virtually(main())
    assert (result.outcomes["house/1"].status, len(result.allocation)) == ("refused", 0)
    assert result.ended_s < 10.0


def test_the_deadline_of_the_conversation_stands_whoever_ponders() -> None:
    gate = Gate(("ann",), award_above=10.0, wait_s=500.0)
    result = lived(Approved(NET, gate), {"ann": says(Yes(), 400.0)}, within_s=60.0)
    assert (result.outcomes["house/1"].status, len(result.allocation)) == ("refused", 0)
    assert result.ended_s <= 61.1


# --------------------------------------------------------------------------------------------- it changes nothing else


@pytest.mark.parametrize("mechanism", [NET, FirstPrice(reply_within_s=2.0)])
@pytest.mark.parametrize("seed", range(5))
def test_a_yes_at_once_gives_what_the_mechanism_gives(mechanism: Mechanism, seed: int) -> None:
    """Ties, too: the role inside throws the dice that it always threw."""

    def run(rules: Mechanism) -> Result:
        simulation = Simulation(seed=seed, network=Network(latency=Constant(0.0)), check=True)
        simulation.add(Agent("house", capacity=0))
        simulation.add(Agent("ann", lambda question, agent: Yes(), capacity=0))
        names = ("ada", "bob", "cyd", "dan")
        for name in names:
            simulation.add(Agent(name, costs={"job": 20.0}, values={"t": 20.0}))
        simulation.open(rules, [TASK], "house", names, finish_by=900.0)
        return simulation.run()

    assert run(Approved(mechanism, Gate(("ann",), award_above=-1.0))).allocation == run(mechanism).allocation


def test_several_tasks_are_approved_one_by_one_each_in_its_conversation() -> None:
    def only_cheap(question: Approval, agent: Agent) -> Any:
        return Yes() if question.case.acts[0].item != "t1" else No("not this one")

    tasks = tuple(Task(f"t{k}", kind="job") for k in range(3))
    result = lived(Approved(NET, Gate(("ann",), award_above=10.0)), {"ann": only_cheap}, tasks)
    assert sorted(result.allocation) == ["t0", "t2"]


def test_the_next_award_after_a_yes_is_asked_for_again() -> None:
    """Bob fails, and the next best steps in: at another price."""
    seen: list[Approval] = []

    async def main() -> Result:
        async with Live(wall=asyncio.get_running_loop().time) as live:
            for agent in bidders():
                live.add(agent, broken if agent.id == "bob" else None)
            live.add(Agent("ann", says(Yes(), 20.0, seen), capacity=0))
            rules = ContractNet(reply_within_s=2.0, valid_for_s=600.0, hold_losers=True)
            conversation = live.open(Approved(rules, Gate(("ann",), award_above=10.0)), [TASK], 1000.0)
            while len(seen) < 2:
                await asyncio.sleep(1.0)
            live.role(conversation, "ann").send("house", Verdict(1, Yes()))  # the first one, twice
            live.runtime.agenda.plan()
            await asyncio.sleep(5.0)
            assert said(live.so_far(conversation)) == [("ann", "Yes")], "the second still waits"
            return await live.result(conversation)

    async def broken(task: Task, key: str) -> None:
        raise RuntimeError("out of order")

    result = run_virtually(main())
    assert [question.case.acts[0].winner for question in seen] == ["bob", "ada"]
    assert [question.case.number for question in seen] == [1, 2]
    assert result.allocation["t"].winner == "ada"


def moody(question: Any, agent: Agent) -> Any:
    """Says what its dice say."""
    assert agent.rng is not None
    return No() if agent.rng.random() < 0.5 else Yes()


@given(st.integers(0, 10_000))
def test_under_faults_nothing_is_awarded_without_a_yes(seed: int) -> None:
    simulation = Simulation(
        seed=seed, network=Network(loss=0.1, duplication=0.2), check=True, faults=Faults()
    )
    simulation.add(Agent("house", capacity=0))
    simulation.add(Agent("ann", moody, capacity=0))
    for agent in bidders():
        agent.strategy = working
        simulation.add(agent)
    gate = Gate(("ann",), award_above=10.0, wait_s=5.0)
    for k in range(3):
        simulation.open(Approved(NET, gate), [TASK], "house", at=400.0 * k, finish_by=400.0 * k + 300.0)
    result = simulation.run()
    agreed = {
        row.conversation
        for row in result.trace
        if row.kind == "fact"
        and row.details["fact"]["type"] == "ApprovalEnded"
        and row.details["fact"]["said"]["type"] == "Yes"
    }
    assert {row.conversation for row in result.trace if row.kind == "award"} <= agreed
    assert all(outcome.status != "broken" for outcome in result.outcomes.values())


def test_a_case_that_comes_twice_is_pondered_once() -> None:
    asked: list[int] = []

    def person(question: Any, agent: Agent) -> Any:
        asked.append(question.case.number)
        return Yes()

    simulation = Simulation(seed=1, network=Network(latency=Uniform(0.1, 0.5), duplication=1.0))
    simulation.add(Agent("house", capacity=0))
    simulation.add(Agent("ann", person, capacity=0))
    simulation.add(Agent("bob", working, costs={"job": 20.0}))
    simulation.open(Approved(NET, Gate(("ann",), award_above=10.0)), [TASK], "house", finish_by=300.0)
    result = simulation.run()
    assert (asked, result.records[0].status) == ([1], "done")


# ------------------------------------------------------------------------------------------------------- after a crash


def test_a_market_that_is_started_again_asks_again_and_knows_what_was_approved(tmp_path: Path) -> None:
    seen: list[Approval] = []

    def program(person: Any, stop_after_s: float) -> Any:
        async def main() -> Any:
            async with Live(wall=asyncio.get_running_loop().time, journal=tmp_path / "m.db") as live:
                for agent in bidders():
                    live.add(agent)
                live.add(Agent("ann", person, capacity=0))
                conversation = live.open(Approved(NET, Gate(("ann",), award_above=10.0)), [TASK], 1000.0)
                await asyncio.sleep(stop_after_s)
                return live.so_far(conversation)

        return run_virtually(main())

    first = program(says(Yes(), 100.0, seen), 5.0)
    assert len(first.allocation) == 0 and len(seen) == 1
    second = program(says(Yes(), 1.0, seen), 5.0)
    assert second.allocation["t"].winner == "bob"
    assert [question.case for question in seen] == [seen[0].case] * 2
    third = program(says(No(), 0.0, seen), 5.0)
    assert third.allocation["t"].winner == "bob" and len(seen) == 2


# ----------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"approvers": (), "award_above": 1.0}, "approvers"),
        ({"approvers": ("a", "a"), "award_above": 1.0}, "approvers"),
        ({"approvers": ("a",)}, "gate"),
        ({"approvers": ("a",), "award_above": float("nan")}, "award_above"),
        ({"approvers": ("a",), "award_above": "much"}, "award_above"),
        ({"approvers": ("a",), "risk_above": 1.0}, "risk"),
        ({"approvers": ("a",), "award_above": 1.0, "risk": suspicious}, "risk"),
        ({"approvers": ("a",), "award_above": 1.0, "wait_s": 0.1}, "wait_s"),
        ({"approvers": ("a",), "award_above": 1.0, "otherwise": "maybe"}, "otherwise"),
    ],
)
def test_a_gate_that_makes_no_sense_is_refused(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(ScenarioError, match=field):
        Gate(**settings)


def test_mechanisms_that_cannot_be_gated_are_refused() -> None:
    gate = Gate(("ann",), award_above=1.0)
    with pytest.raises(ScenarioError, match="no gate yet"):
        Approved(Approved(NET, gate), gate)
    with pytest.raises(ScenarioError, match="others than house"):
        lived(Approved(NET, Gate(("house",), award_above=1.0)), {})


def test_who_is_asked_for_approval_does_not_take_part() -> None:
    result = lived(
        Approved(FirstPrice(reply_within_s=2.0), Gate(("ann",), award_above=0.0)), {"ann": truthful}, (LOT,)
    )
    assert "CallForBids" not in {
        row.details["message"]["type"]
        for row in result.trace
        if row.kind == "message" and row.details["to"] == "ann"
    }


# ------------------------------------------------------------------------------------------- a role that will not stop
