"""The answers that notebooks/02_live_agents.ipynb replays: recorded from its own minds, on a server of this machine.

WALRAS_REGENERATE=1 records them anew.
"""

import asyncio
import json
import os
import re
import warnings
from pathlib import Path
from typing import Any

import msgspec
import pytest

from walras.live.guard import Guard
from walras.live.recording import Entry, Recording, read_entries
from walras.testing.loopback import Loopback

pytestmark = pytest.mark.filterwarnings("default")

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
KEPT = FOLDER / "02_live_agents.jsonl"
BIDS = {
    "ada": {"brake": 38.0, "wheel": 44.0, "chain": 29.0},
    "bob": {"brake": 31.5, "wheel": 47.0, "chain": 33.0},
    "eve": {"brake": 52.0, "wheel": 41.0, "chain": 35.0},
}


def bidding(prompt: str, schema: Any) -> Any:
    agent, item = re.search(r"as the agent (\w+)\.", prompt), re.search(r'"id":"(\w+)"', prompt)
    assert agent is not None and item is not None
    bid = {"type": "Bid", "item": item[1], "price": BIDS[agent[1]][item[1]]}
    return {"answer": {**bid, "units": None, "round": None, "quality": None}}


def record(path: Path) -> None:
    """Run the notebook's first cells, and its market with a recording in place of a replay."""
    pytest.importorskip("pydantic_ai")
    pytest.importorskip("ag2")
    cells = json.loads((FOLDER / "02_live_agents.ipynb").read_text("utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    names: dict[str, Any] = {"__name__": "notebook"}
    with warnings.catch_warnings(), Loopback(mind=bidding) as server:
        warnings.simplefilter("ignore")  # of the frameworks' making
        for cell in code[:3]:
            exec(cell.removeprefix("%matplotlib inline\n"), names)
        minds = names["minds"](server.url)

        async def lived() -> None:
            await names["repairs"](minds).lived(guard=Guard(recording=Recording(path)))
            await minds["ada"].model.client.close()  # which Pydantic AI has made, and closes never

        asyncio.run(lived())


def lasting(entry: Entry) -> Entry:
    """What is the same in every recording of the same: prompts have marks of their own, so tokens may differ a little."""
    tokens = None if entry.usage.tokens is None else entry.usage.tokens > 0
    return msgspec.structs.replace(entry, latency_s=0.0, usage=(entry.usage.calls, tokens))


def test_the_recording_is_what_the_notebooks_minds_say(tmp_path: Path) -> None:
    record(tmp_path / "now.jsonl")
    if os.environ.get("WALRAS_REGENERATE"):
        KEPT.write_bytes((tmp_path / "now.jsonl").read_bytes())
    now, kept = (sorted(map(lasting, read_entries(path)), key=str) for path in (tmp_path / "now.jsonl", KEPT))
    assert now == kept
    assert {entry.status for entry in kept} == {"ok"}
