"""The first page of the design runs as it is written there."""

from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import pandas
import pytest

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
