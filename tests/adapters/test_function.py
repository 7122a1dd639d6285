"""Strategies that block, in threads: the market goes on, and those that were given up are counted."""

import asyncio
import threading
from typing import Any

import pytest

from tests.live.minds import Offer, how_much
from walras.adapters.function import InThread
from walras.agents import Agent
from walras.errors import ScenarioError
from walras.live.answers import Answered
from walras.live.guard import Guard, GuardRules


async def answers(mind: InThread, tasks: str, seconds: float = 10.0, **rules: Any) -> list[Answered]:
    guard = Guard(GuardRules(**rules))
    return await asyncio.gather(
        *(
            guard.answer(Agent("ada", mind), how_much(task), conversation="m/1", seconds=seconds)
            for task in tasks
        )
    )


def test_two_that_wait_for_each_other_both_answer() -> None:
    """On the loop, or in one thread, they would wait for ever."""
    meeting = threading.Barrier(2, timeout=10.0)

    def blocking(question: Any, agent: Agent) -> Offer:
        meeting.wait()
        return Offer(float(agent.capacity))

    found = asyncio.run(answers(InThread(blocking), "ab"))
    assert [answered.value for answered in found] == [Offer(1.0)] * 2


def test_a_thread_that_is_given_up_runs_on_and_takes_its_place_until_it_ends() -> None:
    """It cannot be stopped; so that it does not pile up, there is a bound."""
    leave, mind = (
        threading.Event(),
        InThread(lambda question, agent: Offer(1.0) if leave.wait(20.0) else None, threads=2),
    )

    async def market() -> list[list[str]]:
        seen = [await answers(mind, "ab", seconds=0.05), await answers(mind, "c", retries=0)]
        leave.set()
        while mind.running:
            await asyncio.sleep(0.01)
        return [[a.status for a in found] for found in [*seen, await answers(mind, "d")]]

    assert asyncio.run(market()) == [["timeout", "timeout"], ["error"], ["ok"]]


@pytest.mark.parametrize("error", [KeyError("x"), SystemExit(1), KeyboardInterrupt(), StopIteration(1)])
def test_what_a_thread_raises_is_its_askers(error: BaseException) -> None:
    def failing(question: Any, agent: Agent) -> Any:
        raise error

    (found,) = asyncio.run(answers(InThread(failing), "a"))
    assert found.status == "error"
    assert type(error).__name__ in found.detail


def test_a_thread_that_ends_after_its_market_harms_nobody() -> None:
    leave = threading.Event()
    mind = InThread(lambda question, agent: leave.wait(20.0))
    (found,) = asyncio.run(answers(mind, "a", seconds=0.05))
    assert found.status == "timeout"
    leave.set()


def test_no_threads_at_all_is_refused() -> None:
    with pytest.raises(ScenarioError):
        InThread(lambda question, agent: None, threads=0)
    with pytest.raises(ScenarioError, match="strategy"):
        InThread(5)  # type: ignore[arg-type]
