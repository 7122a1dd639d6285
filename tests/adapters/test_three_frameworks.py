"""Minds of three frameworks in one auction: the same file of user code runs it in simulation and live."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from auctions.messages import Bid
from tests.adapters.house import LOT, live, simulated
from tests.adapters.minds_of_frameworks import FRAMEWORKS, close_clients, need, tidied
from walras.live.guard import Guard, GuardRules
from walras.live.recording import Recording, Replayed, read_entries
from walras.results import Result
from walras.testing.loopback import Loopback

pytestmark = pytest.mark.filterwarnings("default")

BIDS = {"ada": 7.0, "bob": 9.0, "eve": 8.0, "mallory": 99.0}
TRIOS = [
    ("pydantic-ai", "ag2", "openai"),
    ("langgraph", "openai-agents", "agent-framework"),
    ("smolagents", "autogen", "adk"),
    ("crewai", "litellm", "llamaindex"),
    ("semantic-kernel", "openai", "openai"),
]


def bidding(prompt: str, schema: Any) -> Any:
    found = re.search(r"as the agent (\w+)\.", prompt)
    bid = {"type": "Bid", "item": LOT.id, "price": BIDS[found[1]] if found else 0.0}
    return {"answer": {**bid, "units": None, "round": None, "quality": None}}


def made(kind: str, model: str, url: str, key: str = "any") -> Any:
    return FRAMEWORKS[kind].make(model, url, key, most_output_tokens=500)


@pytest.fixture(params=TRIOS, ids="-".join)
def trio(request: pytest.FixtureRequest) -> tuple[str, ...]:
    kinds: tuple[str, ...] = request.param
    need(*kinds)
    return kinds


def played(trio: tuple[str, ...], path: Path, **more: Any) -> Result:
    """The auction among three frameworks, live and recorded; `more` are minds by the names of others."""

    async def market() -> Result:
        with Loopback(mind=bidding, key="any") as server:
            names = zip(("ada", "bob", "eve"), trio, strict=True)
            minds = {name: made(kind, name, server.url) for name, kind in names}
            minds |= {name: mind(server.url) for name, mind in more.items()}
            try:
                return await live(minds, Guard(GuardRules(retries=0), recording=Recording(path)))
            finally:
                await close_clients()
                for mind in minds.values():
                    await mind.close()

    with tidied():
        return asyncio.run(market())


def test_the_same_auction_live_and_in_simulation(trio: tuple[str, ...], tmp_path: Path) -> None:
    lived = played(trio, tmp_path / "round.jsonl")
    award = lived.allocation[LOT.id]
    assert (award.winner, award.price) == ("bob", 8.0)
    assert {entry.status for entry in read_entries(tmp_path / "round.jsonl")} == {"ok"}
    replayed = simulated(dict.fromkeys(("ada", "bob", "eve"), Replayed(tmp_path / "round.jsonl")))
    assert replayed.allocation == lived.allocation
    rules = simulated(
        {name: lambda question, agent: Bid(LOT.id, BIDS[agent.id]) for name in ("ada", "bob", "eve")}
    )
    assert rules.allocation == lived.allocation


def test_a_wrong_key_is_its_owners_trouble_and_the_market_goes_on(
    trio: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "round.jsonl"
    lived = played(trio, path, mallory=lambda url: made(trio[0], "mallory", url, key="wrong"))
    assert lived.allocation[LOT.id].winner == "bob"
    statuses = {entry.agent: entry.status for entry in read_entries(path)}
    assert statuses == {"ada": "ok", "bob": "ok", "eve": "ok", "mallory": "error"}
