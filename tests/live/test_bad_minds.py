"""Minds that block, that do not let go, that nobody can pay: the market goes on, and nobody else suffers."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from contractnet import ContractNet, Propose, truthful
from tests.live.worlds import CONTRACT_NET, in_market, tasks, workers
from walras.agents import Agent
from walras.items import Task
from walras.live import Ask, Guard, Live, Participant
from walras.testing.virtual_time import VirtualTimeLoop


def blocking(question: Any, agent: Agent) -> Any:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.block(5.0)
    return truthful(question, agent)


@pytest.mark.parametrize("place", [0, 3, 5])
def test_who_blocks_the_loop_past_the_deadline_is_late_and_nobody_else(place: int) -> None:
    """Wherever it stands among those that take no time, and in whatever conversation: each has its own time."""
    agents = workers(5)
    agents.insert(place, Agent("x", blocking, costs={"job": 0.5}))

    async def main(market: Live) -> Any:
        for agent in agents:
            market.add(agent)
        items = [Task(f"t{k}", kind="job", reserve=40.0) for k in range(2)]
        return await asyncio.gather(*(market.run(ContractNet(announcements=1), [item]) for item in items))

    first, second = in_market(main)
    for result in (first, second):
        answers = [row for row in result.trace if row.kind == "answer"]
        assert {row.agent for row in answers} == {agent.id for agent in agents}
        assert [row.agent for row in answers if row.details["status"] != "ok"] == ["x"]
        assert result.records[0].status == "done"
    assert first.records[0].winner == "w2"


def test_who_has_to_be_called_and_had_no_time_left_is_not_called() -> None:
    """As a model that is asked while somebody blocks the loop; and what it would cost is not spent."""

    async def model(question: Any, agent: Agent) -> Any:
        raise AssertionError("it was called")

    async def main(market: Live) -> Any:
        market.add(Agent("x", blocking, costs={"job": 0.5}))
        market.add(Agent("y", model))
        return await market.run(ContractNet(announcements=1), tasks(1)), market.guard

    result, guard = in_market(main)
    assert result.records[0].status == "unassigned"
    assert guard.budgets.run.calls == 0


def test_a_mind_that_swallows_its_cancellation_holds_no_deadline_up() -> None:
    """Nor is its answer, when it comes, anybody's; and the next question is put to it all the same."""

    class Stubborn(Participant):
        async def answer(self, ask: Ask) -> Any:
            until = asyncio.get_running_loop().time() + 20.0
            while (left := until - asyncio.get_running_loop().time()) > 0:
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(left)
            return Propose(0.5)

    async def main(market: Live) -> Any:
        for agent in (*workers(2), Agent("x", Stubborn(), costs={"job": 0.0})):
            market.add(agent)
        return [await market.run(CONTRACT_NET, [item]) for item in tasks(2)]

    guard = Guard()
    results = in_market(main, guard=guard)
    for result in results:
        (late,) = [row for row in result.trace if row.kind == "answer" and row.agent == "x"]
        assert (late.details["status"], late.at - result.records[0].announced_s) == ("silent", 1.75)
        assert (result.records[0].winner, result.records[0].status) == ("w1", "done")
    assert guard.budgets.of_agent("x").calls == 2


def test_with_a_budget_of_nothing_only_what_is_free_is_called() -> None:
    """A rule and a coroutine cost nothing; a model whose price nobody knows is not free."""

    class Model(Participant):
        async def answer(self, ask: Ask) -> Any:
            raise AssertionError("it was called")

    async def coroutine(question: Any, agent: Agent) -> Any:
        return truthful(question, agent)

    async def main(market: Live) -> Any:
        for agent in (*workers(2), Agent("c", coroutine, costs={"job": 30.0}), Agent("x", Model())):
            market.add(agent)
        return await market.run(CONTRACT_NET, tasks(1))

    result = in_market(main, budget_usd=0.0)
    status = {row.agent: row.details["status"] for row in result.trace if row.kind == "answer"}
    assert status == {"w0": "ok", "w1": "ok", "c": "ok", "x": "over_budget"}
    assert (result.records[0].winner, result.records[0].status) == ("w1", "done")


def test_what_came_too_late_is_in_the_trace_with_what_it_took_and_why_before_the_result_is_there() -> None:
    class Slow(Participant):
        async def answer(self, ask: Ask) -> Any:
            await asyncio.sleep(1e6)

    async def main(market: Live) -> Any:
        for agent in (*workers(2), Agent("x", Slow(), costs={"job": 0.0})):
            market.add(agent)
        return await market.run(ContractNet(announcements=1, reply_within_s=2.0, margin_s=0.25), tasks(1))

    rows = [(row.at, row.kind, row.details) for row in in_market(main).trace if row.agent == "x"]
    rows = [(at, kind, details) for at, kind, details in rows if kind in ("answer", "thought", "note")]
    (_, _, answer), (at, _, thought), (_, _, note) = rows
    assert (answer["status"], at, thought["attempts"], thought["usage"]["calls"]) == ("silent", 1.75, 1, 1)
    assert note["text"] == "about bid: no answer in time"
