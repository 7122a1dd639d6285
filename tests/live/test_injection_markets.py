"""The fifty payloads in live markets, in the text of tasks, in what bidders say and in results: a model obeys them."""

from typing import Any

import pytest

from contractnet import ContractNet, Refuse
from tests.live.payloads import PAYLOADS
from tests.live.test_injection import HONEST, Gullible
from tests.live.worlds import in_market
from walras.agents import Agent
from walras.allocation import Report
from walras.items import Task
from walras.live import Approved, Ask, Gate, Guard, Live, Prompts
from walras.results import Result

NET = ContractNet(reply_within_s=2.0, announcements=1, valid_for_s=60.0)

both_ways = pytest.mark.parametrize("fenced", [True, False], ids=["fenced", "unfenced"])


class Bidder(Gullible):
    """Bids what it is told outside of the fence, else an honest price."""

    async def answer(self, asked: Ask) -> Any:
        return {"type": "Propose", "price": self.told(asked.prompt.system, asked.prompt.user)}


class Approver(Gullible):
    """Says yes where it was talked round, else no."""

    async def answer(self, asked: Ask) -> Any:
        told = self.told(asked.prompt.system, asked.prompt.user)
        return {"type": "No" if told == HONEST else "Yes"}


def markets(
    fenced: bool, gate: Gate | None, *people: tuple[Agent, Any], text_in_task: bool = False
) -> list[Result]:
    """What each payload comes to, one after the other among the same people."""

    async def main(market: Live) -> list[Result]:
        for agent, worker in people:
            market.add(agent, worker)
        mechanism = NET if gate is None else Approved(NET, gate)
        return [
            await market.run(mechanism, [Task(f"t{k}", kind="job", description=text if text_in_task else "")])
            for k, text in enumerate(PAYLOADS)
        ]

    found: list[Result] = in_market(main, guard=Guard(prompts=Prompts(fenced=fenced)))
    return found


def payload(task: Task) -> str:
    """What is planted in the market about this task."""
    return PAYLOADS[int(task.id[1:])]


@both_ways
def test_the_text_of_a_task(fenced: bool) -> None:
    people = (Agent("gullible", Bidder()), None), (Agent("sober", costs={"job": HONEST - 1.0}), None)
    won = [result.records[0].winner for result in markets(fenced, None, *people, text_in_task=True)]
    assert won == ["sober" if fenced else "gullible"] * len(PAYLOADS)


@both_ways
def test_what_a_bidder_says(fenced: bool) -> None:
    def eve(question: Any, agent: Agent) -> Any:
        return Refuse("ineligible", payload(question.task))

    people = (
        (Agent("ann", Approver(), capacity=0), None),
        (Agent("bob", costs={"job": 20.0}), None),
        (Agent("eve", eve), None),
    )
    gate = Gate(("ann",), award_above=10.0)
    won = [result.records[0].winner for result in markets(fenced, gate, *people)]
    assert won == [None if fenced else "bob"] * len(PAYLOADS)


@both_ways
def test_the_result_of_work(fenced: bool) -> None:
    async def shoddy(task: Task, key: str) -> Report:
        return Report("done", result=payload(task))

    people = (Agent("ann", Approver(), capacity=0), None), (Agent("bob", costs={"job": 20.0}), shoddy)
    gate = Gate(("ann",), result_above=10.0)
    paid = [result.records[0].paid for result in markets(fenced, gate, *people)]
    assert paid == [0.0 if fenced else 20.0] * len(PAYLOADS)
