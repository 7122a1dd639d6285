"""The other direction: a framework's agent holds an auction among ours, by calling the market as its tool."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from auctions import SealedBid, second_price
from contractnet import ContractNet
from tests.adapters.minds_of_frameworks import need, tidied
from tests.adapters.page import BOSSES, run_lines
from walras.adapters import market_tool
from walras.agents import Agent
from walras.allocation import Report
from walras.errors import ScenarioError
from walras.live import Live
from walras.mechanism import Mechanism
from walras.testing.loopback import Loopback

pytestmark = pytest.mark.filterwarnings("default")

TASK = {"task": "mend the brake", "most": 9.0}
DONE = {"status": "done", "why": "", "winner": "bob", "price": 2.0, "result": ["mended"]}


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
    assert "refused" in found["why"]


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


@pytest.mark.parametrize("most", [-1.0, float("nan"), float("inf"), "nine", True])
def test_a_price_that_is_none_is_refused_and_the_market_goes_on(most: Any) -> None:
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
    with pytest.raises(ScenarioError, match="market"):
        market_tool.auction_tool("spot", ContractNet())  # type: ignore[arg-type]
    with pytest.raises(ScenarioError, match=field):
        used(lambda tool: tool("x", None), **{field: wrong})


# ------------------------------------------------------------------------------------------------ in agents' hands


def test_the_how_to_shows_each_framework_whose_agents_have_tools() -> None:
    assert set(BOSSES) == {"pydantic-ai", "langgraph", "openai-agents", "agent-framework", "ag2"}


@pytest.mark.parametrize("name", BOSSES)
def test_an_agent_of_a_framework_holds_an_auction(name: str) -> None:
    """As the how-to shows it. Its model calls the tool that it finds, and repeats what it hears: a true result."""
    need(name)

    def boss(prompt: str, schema: Any) -> Any:
        return TASK if schema is not None else f"I heard: {prompt}"

    async def use(tool: market_tool.Tool) -> str:
        with Loopback(mind=boss) as server:
            names = {"URL": server.url, "KEY": "any", "hold_auction": tool, **vars(market_tool)}
            said = str((await run_lines(BOSSES[name], names))["answer"])
        offered, after = server.calls
        assert offered.tools == ("hold_auction",)
        assert "bob" in after.prompt
        return said

    with tidied():
        said = used(use, within_s=120.0)
    assert "mended" in said
