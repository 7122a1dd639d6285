"""What a graph may do is the graph's affair, and how often it may ask is ours."""

import asyncio
import gc
import warnings
from typing import Any

import pytest

from tests.adapters.contract import PRICE, offering, question_about
from tests.adapters.minds_of_frameworks import bell, chat_openai, close_clients
from walras.adapters.frameworks import framework
from walras.agents import Agent
from walras.live.answers import Answered
from walras.live.extras import MissingExtraError
from walras.live.guard import Guard, GuardRules
from walras.testing.loopback import Call, Loopback

pytestmark = pytest.mark.filterwarnings("default")

try:
    framework("langgraph", "langgraph.graph")
except MissingExtraError as missing:
    pytest.skip(str(missing), allow_module_level=True)


def asked(model: str, **settings: Any) -> tuple[Answered, list[Call]]:
    """One question to an agent of LangChain that has a tool."""
    from langchain.agents import create_agent

    from walras.adapters.langgraph import LangGraphParticipant

    async def market() -> tuple[Answered, list[Call]]:
        with Loopback(mind=offering) as server:
            graph = create_agent(chat_openai(model, server.url, "any", max_retries=0), tools=[bell])
            mind = LangGraphParticipant(graph, price=PRICE, **settings)
            try:
                guard = Guard(GuardRules(repairs=0))
                found = await guard.answer(
                    Agent("ada", mind), question_about(1), conversation="m/1", seconds=30.0
                )
            finally:
                await close_clients()
        return found, server.of(model)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the frameworks' making
        try:
            return asyncio.run(market())
        finally:
            gc.collect()


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
