"""A live market as a tool of a framework's agent: it describes a task, and hears who did it and for how much.

    async with Live() as market:
        ...                                                     # agents, of any kind
        hold_auction = auction_tool(market, ContractNet(), kind="repair")
        boss = pydantic_ai.Agent("openai:gpt-4o", tools=[for_pydantic_ai(hold_auction)])

The tool is a plain coroutine with type hints and a docstring, which most frameworks take as it is; the wrappers are for
those that want an object of their own.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from walras.adapters.frameworks import framework
from walras.amounts import is_above_0, is_amount, is_whole
from walras.errors import LocalProtocolError, ScenarioError
from walras.items import Task
from walras.live.extras import needed
from walras.live.live import Live
from walras.mechanism import Mechanism
from walras.messages import AgentId
from walras.results import Result

Tool = Callable[[str, float | None], Awaitable[dict[str, Any]]]
"""From a task in words and the most that may be paid to what came of it, as plain data."""


def auction_tool(
    market: Live,
    mechanism: Mechanism,
    *,
    kind: str = "",
    within_s: float = 60.0,
    most_calls: int = 20,
    participants: Iterable[AgentId] | None = None,
) -> Tool:
    """Make the tool `hold_auction` of a market that is open.

    It never raises: what went wrong is in what it returns. What agents write (`result`) is theirs, and to be judged by
    who calls the tool; winner and price are the mechanism's.

    Args:
        market: in which the auctions are held.
        mechanism: by which rules, such as ``contractnet.ContractNet()``.
        kind: of the tasks, as agents' `costs` name it.
        within_s: how long one may take.
        most_calls: how many may be held with this tool: who calls it is a model, and may not know when to stop.
        participants: who is invited; None: everybody who is there.

    Raises:
        ScenarioError: for a market, a mechanism, a time or a number of calls that makes no sense.
    """
    _check(market, mechanism, within_s, most_calls)
    invited = None if participants is None else tuple(participants)
    held = 0

    async def hold_auction(task: str, most: float | None = None) -> dict[str, Any]:
        """Hold an auction among agents for a task; the winner does it.

        Args:
            task: What is to be done, in words.
            most: The most that may be paid for it; leave it out for any price.
        """
        nonlocal held
        if held >= most_calls:
            return {"status": "refused", "why": f"all {most_calls} auctions have been held"}
        if most is not None and not is_amount(most):
            return {"status": "refused", "why": "most has to be a number of 0 or more"}
        held += 1
        item = Task(f"auction-{held}", kind=kind, description=task, reserve=most)
        try:
            found = await market.run(mechanism, [item], within_s, participants=invited)
        except (ScenarioError, LocalProtocolError) as error:
            return {"status": "refused", "why": str(error)}
        return _told(found, item)

    return hold_auction


def _check(market: Any, mechanism: Any, within_s: object, most_calls: object) -> None:
    if not isinstance(market, Live):
        raise ScenarioError("market", market, "a market that is open, as in: async with Live() as market")
    if not isinstance(mechanism, Mechanism):
        raise ScenarioError("mechanism", mechanism, "a Mechanism, such as contractnet.ContractNet()")
    if not is_above_0(within_s):
        raise ScenarioError("within_s", within_s, "a number of seconds above 0")
    if not is_whole(most_calls, 1):
        raise ScenarioError("most_calls", most_calls, "a whole number of 1 or more")


def _told(found: Result, item: Task) -> dict[str, Any]:
    """What came of an auction, as plain data."""
    outcome = next(iter(found.outcomes.values()))
    award = found.allocation.get(item.id)
    return {
        "status": outcome.status,
        "why": outcome.why,
        "winner": award.winner if award else None,
        "price": award.price if award else None,
        "result": [report.result for report in outcome.results],
    }


def for_pydantic_ai(tool: Tool) -> Any:
    """A ``pydantic_ai.Tool``."""
    return framework("pydantic-ai", "pydantic_ai").Tool(tool, takes_ctx=False)


def for_langchain(tool: Tool) -> Any:
    """A ``StructuredTool`` of LangChain, for LangGraph's agents and nodes too."""
    framework("langchain", "langchain_core")
    return needed("langchain_core.tools", "langchain").StructuredTool.from_function(coroutine=tool)


def for_openai_agents(tool: Tool) -> Any:
    """A ``FunctionTool`` of the OpenAI Agents SDK."""
    return framework("openai-agents", "agents").function_tool(tool)


def for_agent_framework(tool: Tool) -> Any:
    """A ``FunctionTool`` of Microsoft Agent Framework."""
    return framework("agent-framework", "agent_framework").tool(tool)


def for_ag2(tool: Tool) -> Any:
    """A tool of AG2."""
    return framework("ag2", "ag2").tool(tool)
