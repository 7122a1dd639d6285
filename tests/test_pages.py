"""The three pages of the design run as they are written there; the second one smaller, so that it takes no minutes."""

import ast
import asyncio
import sys
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from types import ModuleType
from typing import Any

import pandas
import pytest

from auctions import truthful
from walras.live import Participant, Reply, Usage

PAGE_1 = """
from contractnet import ContractNet
from scenarios import llm_router
from walras import Simulation

result = Simulation(llm_router(tasks=500), ContractNet(reply_within_s=2.0), seed=7).run()
print(result)                                  # a table: completion, efficiency, cost, latency, messages, fairness
result.allocation["task-17"]                   # Award(item='task-17', winner='gpt-4o-mini', price=0.0004)
result.trace.conversation("router/17")         # the transcript, line by line
result.trace.to_pandas()                       # one row per message, tidy
"""

PAGE_2 = """
from auctions import English, SealedBid, second_price
from contractnet import ContractNet
from scenarios import llm_router
from walras import RandomAssignment
from walras.study import compare

study = compare(
    [llm_router(tasks=500), llm_router(tasks=500, load=3.0)],
    {"contract net": ContractNet(), "english": English(increment="5%"), "vickrey": SealedBid(second_price),
     "random": RandomAssignment()},
    seeds=range(30), workers=2)                # or executor=any concurrent.futures.Executor, e.g. Dask's for a cluster
study.table                                    # tidy DataFrame: scenario, mechanism, seed, metric columns
study.summary()                                # means with 95 % intervals over paired seeds, and which differences are real
study.plot("efficiency")
"""

PAGE_3 = """
from auctions import SealedBid, second_price, truthful
from walras import Agent, Lot
from walras.adapters.pydantic_ai import PydanticAIParticipant     # or langgraph, crewai, openai, a2a ...
from walras.live import Live

async with Live(budget_usd=2.0) as market:
    market.add(Agent("ada", PydanticAIParticipant(my_agent)))
    market.add(Agent("bob", truthful, values={"job-1": 12}))
    result = await market.run(SealedBid(second_price), items=[Lot("job-1")], within_s=60)
"""


@pytest.fixture(scope="module")
def page() -> tuple[dict[str, Any], str]:
    """The names that the page leaves behind, and what it prints."""
    names: dict[str, Any] = {}
    printed = StringIO()
    with redirect_stdout(printed):
        exec(PAGE_1, names)
    return names, printed.getvalue()


def test_the_result_prints_as_a_table_with_completion_before_cost(page: tuple[dict[str, Any], str]) -> None:
    names, printed = page
    heading, *lines = printed.splitlines()
    assert heading == "llm-router, fipa-contract-net, seed 7"
    said = [line.split()[0] for line in lines]
    assert said == [
        "completion",
        "efficiency",
        "cost",
        "quality",
        "latency",
        "messages",
        "fairness",
        "ended",
    ]
    assert "500 of 500 tasks" in lines[0]
    assert "of an upper bound on the optimum" in lines[1]
    assert names["result"].digest[:12] in lines[-1]


def test_an_award_is_found_by_its_item_and_is_a_model_at_its_price(page: tuple[dict[str, Any], str]) -> None:
    result = page[0]["result"]
    award = result.allocation["task-17"]
    assert (award.item, award.quantity) == ("task-17", 1)
    assert award.winner in {agent.id for agent in result.agents}
    assert 0 < award.price < 0.02
    assert repr(award).startswith("Award(item='task-17', winner='")


def test_the_transcript_tells_a_conversation_line_by_line(page: tuple[dict[str, Any], str]) -> None:
    """A call, proposals, one acceptance, rejections, the work and its payment, in the order of time."""
    result = page[0]["result"]
    shown = str(result.trace.conversation("router/17"))
    lines = shown.splitlines()
    assert lines[0] == "conversation router/17"
    times = [float(line.split(" s ")[0]) for line in lines[1:]]
    assert times == sorted(times)
    winner = result.allocation["task-17"].winner
    order = [
        "CallForProposals(",
        "Propose(",
        "awards task-17",
        "AcceptProposal(",
        "performed task-17",
        "settles",
    ]
    places = [next(k for k, line in enumerate(lines) if what in line) for what in order]
    assert places == sorted(places)
    assert f"awards task-17 to {winner}" in shown


def test_the_trace_is_a_tidy_table_of_messages(page: tuple[dict[str, Any], str]) -> None:
    result = page[0]["result"]
    frame = result.trace.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert len(frame) == result.metrics["messages"] == 500 * 57
    assert list(frame.columns) == [
        "sent_s",
        "arrival_s",
        "conversation",
        "sender",
        "to",
        "type",
        "message",
    ]
    assert (frame["arrival_s"] > frame["sent_s"]).all()
    assert frame.groupby("type").size()["AcceptProposal"] == 500


def test_mechanisms_are_compared_in_a_notebook() -> None:
    names: dict[str, Any] = {}
    exec(PAGE_2.replace("tasks=500", "tasks=8").replace("range(30)", "range(3)"), names)
    study = names["study"]
    assert len(study.table) == 2 * 4 * 3
    assert not study.errors
    means = study.table.groupby("mechanism")["efficiency"].mean()
    assert set(means.index) == {"contract net", "english", "vickrey", "random"}
    assert means["random"] == means.min()
    assert {"mean", "real"} <= set(study.summary().columns)


class OfAFramework(Participant):
    """Stands in for the adapter of a framework: asks somebody else's agent, and says what that took."""

    def __init__(self, agent: Any) -> None:
        self.agent = agent

    async def answer(self, ask: Any) -> Any:
        return Reply(await self.agent(ask.prompt.user), Usage(1, 200, 20, cost_usd=0.01))


def page_3(my_agent: Any) -> dict[str, Any]:
    """The names that the page leaves behind, when ada's mind is this one."""
    names: dict[str, Any] = {"my_agent": my_agent}
    code = compile(PAGE_3, "page 3", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    asyncio.run(eval(code, names))
    award = names["result"].allocation["job-1"]
    assert (award.winner, award.price) == ("ada", 12.0)
    assert names["truthful"] is truthful
    return names


def test_a_frameworks_agent_is_plugged_into_a_chosen_protocol() -> None:
    """The page as it is written, with an agent of Pydantic AI; a function stands in for its model, and nothing else does."""
    framework = pytest.importorskip("pydantic_ai")
    function, messages = (import_module(f"pydantic_ai.{name}") for name in ("models.function", "messages"))
    heard: list[str] = []

    def model(asked: list[Any], info: Any) -> Any:
        heard.extend(str(part.content) for part in asked[-1].parts)
        return messages.ModelResponse(
            [messages.TextPart('{"answer": {"type": "Bid", "item": "job-1", "price": 15}}')]
        )

    market = page_3(framework.Agent(function.FunctionModel(model)))["market"]
    assert len([text for text in heard if '"id":"job-1"' in text]) == 1, "one request, which shows the lot"
    run = market.guard.budgets.run
    assert (run.calls, run.usd, run.assumed_usd) == (1, 0.0, 0.05), "its price is unknown, and not zero"
    assert run.tokens > 0


def test_the_page_runs_without_the_framework(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its adapter is replaced, and nothing else of the page."""
    adapter = ModuleType("walras.adapters.pydantic_ai")
    adapter.__dict__["PydanticAIParticipant"] = OfAFramework
    monkeypatch.setitem(sys.modules, adapter.__name__, adapter)

    async def my_agent(prompt: str) -> Any:
        assert '"id":"job-1"' in prompt
        return {"answer": {"type": "Bid", "item": "job-1", "price": 15}}

    assert page_3(my_agent)["market"].guard.budgets.run.usd == 0.01
