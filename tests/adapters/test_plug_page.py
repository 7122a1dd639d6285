"""The how-to shows a few lines for each framework: they run as they stand, in an auction that their agent wins."""

import asyncio
from typing import Any

import pytest

from auctions import SealedBid, second_price
from tests.adapters.minds_of_frameworks import FRAMEWORKS, client, close_clients, need, tidied
from tests.adapters.page import PARTICIPANTS, run_lines
from walras.agents import Agent
from walras.items import Lot
from walras.live import Live
from walras.testing.loopback import Loopback

pytestmark = pytest.mark.filterwarnings("default")

PATIENT = SealedBid(second_price, reply_within_s=120.0)
"""Some frameworks go on importing when they are first asked, which takes its time on a busy machine."""


def bid(prompt: str, schema: Any) -> Any:
    return {
        "answer": {
            "type": "Bid",
            "item": "job-1",
            "price": 14.0,
            "units": None,
            "round": None,
            "quality": None,
        }
    }


def names(url: str) -> dict[str, Any]:
    """What the lines may use."""
    found: dict[str, Any] = {"URL": url, "KEY": "any", "Agent": Agent}
    try:
        from tests.adapters.adk_model import LoopbackLlm
    except ImportError:
        return found
    chat = client(url, "any").with_options(max_retries=0)
    return found | {"MODEL": LoopbackLlm(model="m", chat=chat)}


def test_every_framework_has_its_section() -> None:
    assert set(PARTICIPANTS) == set(FRAMEWORKS)


@pytest.mark.parametrize("extra", FRAMEWORKS)
def test_the_lines_of_a_section_run(extra: str) -> None:
    need(extra)

    async def market_of_one() -> Any:
        with Loopback(mind=bid) as server:
            try:
                async with Live() as market:
                    await run_lines(PARTICIPANTS[extra], {**names(server.url), "market": market})
                    result = await market.run(PATIENT, [Lot("job-1")], within_s=180.0)
                return result.allocation["job-1"].winner
            finally:
                await close_clients()

    with tidied():
        winner = asyncio.run(market_of_one())
    assert winner == "ada"
