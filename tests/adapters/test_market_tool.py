"""The other direction: a framework's agent holds an auction among ours, by calling the market as its tool."""

import asyncio
import gc
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from auctions import SealedBid, second_price
from contractnet import ContractNet
from tests.adapters.minds_of_frameworks import chat_openai, client, close_clients
from walras.adapters import market_tool
from walras.adapters.frameworks import framework
from walras.agents import Agent
from walras.allocation import Report
from walras.errors import ScenarioError
from walras.live import Live
from walras.live.extras import MissingExtraError
from walras.mechanism import Mechanism
from walras.testing.loopback import Loopback

pytestmark = pytest.mark.filterwarnings("default")

TASK = {"task": "mend the brake", "most": 9.0}
DONE = {"status": "done", "winner": "bob", "price": 2.0, "result": ["mended"]}


async def mend(task: Any, key: str) -> Report:
    return Report("done", cost=1.0, quality=1.0, result="mended")


async def with_tool(use: Callable[[market_tool.Tool], Awaitable[Any]], **settings: Any) -> Any:
    """Use the tool of a market of two mechanics."""
    async with Live(seed=7) as market:
        market.add(Agent("ada", costs={"repair": 3.0}), mend)
        market.add(Agent("bob", costs={"repair": 2.0}), mend)
        rules: Mechanism = settings.pop("mechanism", ContractNet())
        return await use(market_tool.auction_tool(market, rules, kind="repair", **settings))


def used(use: Callable[[market_tool.Tool], Awaitable[Any]], **settings: Any) -> Any:
    return asyncio.run(with_tool(use, **settings))


# ------------------------------------------------------------------------------------------------ the tool itself


def test_the_tool_says_who_did_it_and_for_how_much() -> None:
    assert used(lambda tool: tool("mend the brake", 9.0)) == DONE


def test_any_mechanism_for_tasks_will_do() -> None:
    found = used(lambda tool: tool("mend the brake", 9.0), mechanism=SealedBid(second_price))
    assert (found["winner"], found["price"]) == ("bob", 3.0)


def test_nobody_takes_it_for_too_little() -> None:
    found = used(lambda tool: tool("mend the brake", 1.0))
    assert (found["winner"], found["price"], found["result"]) == (None, None, [])


def test_several_auctions_are_held_at_once() -> None:
    async def use(tool: market_tool.Tool) -> list[dict[str, Any]]:
        return await asyncio.gather(*(tool(f"task {k}", None) for k in range(5)))

    assert [found["status"] for found in used(use, within_s=30.0)] == ["done"] * 5


def test_a_model_that_does_not_stop_is_refused() -> None:
    async def use(tool: market_tool.Tool) -> list[dict[str, Any]]:
        return [await tool("again", None) for _ in range(3)]

    found = used(use, most_calls=2)
    assert [one["status"] for one in found] == ["done", "done", "refused"]
    assert "all 2 auctions" in found[2]["why"]


@pytest.mark.parametrize("most", [-1.0, float("nan"), float("inf")])
def test_a_price_that_is_none_is_refused_and_the_market_goes_on(most: float) -> None:
    async def use(tool: market_tool.Tool) -> list[dict[str, Any]]:
        return [await tool("mend the brake", most), await tool("mend the brake", None)]

    found = used(use, most_calls=1)
    assert [one["status"] for one in found] == ["refused", "done"]


def test_somebody_unknown_cannot_be_invited() -> None:
    found = used(lambda tool: tool("mend the brake", None), participants=["carol"])
    assert found["status"] == "refused"
    assert "carol" in found["why"]


@pytest.mark.parametrize(
    ("field", "wrong"), [("mechanism", "contract net"), ("within_s", 0.0), ("most_calls", 0)]
)
def test_a_tool_that_makes_no_sense_is_not_made(field: str, wrong: Any) -> None:
    with pytest.raises(ScenarioError, match=field):
        used(lambda tool: tool("x", None), **{field: wrong})


# ------------------------------------------------------------------------------------------------ in agents' hands


async def pydantic_ai(tool: market_tool.Tool, url: str) -> str:
    from pydantic_ai import Agent as Mind
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    model = OpenAIChatModel("boss", provider=OpenAIProvider(openai_client=client(url, "any")))
    result = await Mind(model, tools=[market_tool.for_pydantic_ai(tool)]).run("My brake is broken.")
    return str(result.output)


async def langgraph(tool: market_tool.Tool, url: str) -> str:
    from langchain.agents import create_agent

    agent = create_agent(chat_openai("boss", url, "any"), tools=[market_tool.for_langchain(tool)])
    state = await agent.ainvoke({"messages": [{"role": "user", "content": "My brake is broken."}]})
    return str(state["messages"][-1].text)


async def openai_agents(tool: market_tool.Tool, url: str) -> str:
    from agents import Agent as Mind
    from agents import OpenAIChatCompletionsModel, RunConfig, Runner

    model = OpenAIChatCompletionsModel(model="boss", openai_client=client(url, "any"))
    mind = Mind(name="boss", model=model, tools=[market_tool.for_openai_agents(tool)])
    result = await Runner.run(mind, "My brake is broken.", run_config=RunConfig(tracing_disabled=True))
    return str(result.final_output)


async def agent_framework(tool: market_tool.Tool, url: str) -> str:
    from agent_framework import Agent as Mind
    from agent_framework.openai import OpenAIChatCompletionClient

    chat = OpenAIChatCompletionClient(model="boss", async_client=client(url, "any"))
    result = await Mind(chat, tools=[market_tool.for_agent_framework(tool)]).run("My brake is broken.")
    return str(result.text)


async def ag2(tool: market_tool.Tool, url: str) -> str:
    from ag2 import Agent as Mind
    from ag2.config import OpenAIConfig

    config = OpenAIConfig(model="boss", base_url=url, api_key="any")
    mind = Mind("boss", config=config, tools=[market_tool.for_ag2(tool)])
    return str((await mind.ask("My brake is broken.")).body)


BOSSES = {
    "pydantic-ai": pydantic_ai,
    "langgraph": langgraph,
    "openai-agents": openai_agents,
    "agent-framework": agent_framework,
    "ag2": ag2,
}


@pytest.mark.parametrize("name", BOSSES)
def test_an_agent_of_a_framework_holds_an_auction(name: str) -> None:
    """Its model calls the tool that it finds, and repeats what it hears: the true result of a true auction."""
    try:
        framework(name, "walras")
    except MissingExtraError as missing:
        pytest.skip(str(missing))

    def boss(prompt: str, schema: Any) -> Any:
        return TASK if schema is not None else f"I heard: {prompt}"

    async def use(tool: market_tool.Tool) -> str:
        with Loopback(mind=boss) as server:
            try:
                said = await BOSSES[name](tool, server.url)
            finally:
                await close_clients()
        offered, after = server.calls
        assert offered.tools == ("hold_auction",)
        assert "bob" in after.prompt
        return said

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the framework's, not of the market's making
        said = used(use)
        gc.collect()
    assert "mended" in said
