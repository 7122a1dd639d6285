"""What a graph may do is the graph's affair, and how often it may ask is ours."""

import asyncio
from typing import Any

import pytest

from tests.adapters.contract import PRICE, offering, question_about
from tests.adapters.minds_of_frameworks import bell, chat_openai, close_clients, need, tidied
from walras.agents import Agent
from walras.live.answers import Answered
from walras.live.budget import Budgets, Limits
from walras.live.guard import Guard, GuardRules
from walras.testing.loopback import Call, Loopback

pytestmark = pytest.mark.filterwarnings("default")


def asked(model: str, budget: float = 1.0, **settings: Any) -> tuple[Answered, list[Call]]:
    """One question to an agent of LangChain that has a tool."""
    need("langgraph")
    from langchain.agents import create_agent

    from walras.adapters.langgraph import LangGraphParticipant

    async def market() -> tuple[Answered, list[Call]]:
        with Loopback(mind=offering) as server:
            graph = create_agent(chat_openai(model, server.url, "any", max_retries=0), tools=[bell])
            mind = LangGraphParticipant(graph, price=PRICE, **settings)
            try:
                guard = Guard(GuardRules(repairs=0), budgets=Budgets(Limits(usd=budget)))
                found = await guard.answer(
                    Agent("ada", mind), question_about(1), conversation="m/1", seconds=120.0
                )
            finally:
                await close_clients()
        return found, server.of(model)

    with tidied():
        return asyncio.run(market())


def test_an_agent_with_tools_has_one_request_for_a_bid() -> None:
    found, calls = asked("m")
    assert (found.status, len(calls), found.usage.calls) == ("invalid", 1, 1)


def test_with_more_requests_it_may_use_its_tools_and_all_of_them_are_counted() -> None:
    found, calls = asked("m", requests=2)
    assert (found.status, len(calls), found.usage.calls) == ("ok", 2, 2), found
    assert found.usage.input_tokens == sum(len(call.prompt) // 4 for call in calls)


def test_an_agent_that_runs_away_is_stopped_at_its_cap() -> None:
    found, calls = asked("m+ringing", requests=4)
    assert (found.status, len(calls), found.usage.calls) == ("invalid", 4, 4), found


def test_an_agent_that_runs_away_is_stopped_at_its_last_step() -> None:
    found, calls = asked("m+ringing", requests=100, steps=5)
    assert found.status == "invalid", found
    assert len(calls) <= 5


def test_what_is_reserved_covers_all_the_requests_that_it_may_make() -> None:
    found, calls = asked("m", requests=4, budget=0.006)
    assert (found.status, calls) == ("over_budget", []), (
        "one request would have been within the budget, four are not"
    )
    assert asked("m", requests=1, budget=0.006)[0].status == "invalid"
