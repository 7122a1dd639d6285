"""The how-to shows a few lines for each framework: they run as they stand, in an auction that their agent wins."""

import asyncio
import gc
import re
import warnings
from typing import Any

import pytest

from auctions import SealedBid, second_price
from tests.adapters.minds_of_frameworks import FRAMEWORKS, client, close_clients
from tests.adapters.table import PAGE
from walras.adapters.frameworks import framework
from walras.agents import Agent
from walras.items import Lot
from walras.live import Live
from walras.live.extras import MissingExtraError
from walras.testing.loopback import Loopback

pytestmark = pytest.mark.filterwarnings("default")

SECTION = re.compile(
    r'### (?P<title>[^\n]+)\n\n`pip install "walras\[(?P<extra>[\w-]+)\]"`\n\n```py\n(?P<code>.*?)```\n',
    re.DOTALL,
)
SECTIONS = {found["extra"]: found["code"] for found in SECTION.finditer(PAGE.read_text("utf-8"))}


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
    found: dict[str, Any] = {"URL": url, "KEY": "any", "Agent": Agent, "__name__": "__main__"}
    try:
        from tests.adapters.adk_model import LoopbackLlm
    except ImportError:
        return found
    chat = client(url, "any").with_options(max_retries=0)
    return found | {"MODEL": LoopbackLlm(model="m", chat=chat)}


def test_every_framework_has_its_section() -> None:
    assert set(SECTIONS) == set(FRAMEWORKS)


@pytest.mark.parametrize("extra", FRAMEWORKS)
def test_the_lines_of_a_section_run(extra: str) -> None:
    try:
        framework(extra, "walras")
    except MissingExtraError as missing:
        pytest.skip(str(missing))

    async def market_of_one() -> Any:
        with Loopback(mind=bid) as server:
            try:
                async with Live() as market:
                    exec(SECTIONS[extra], {**names(server.url), "market": market})
                    result = await market.run(SealedBid(second_price), [Lot("job-1")], within_s=30.0)
                return result.allocation["job-1"].winner
            finally:
                await close_clients()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the frameworks' making
        winner = asyncio.run(market_of_one())
        gc.collect()
    assert winner == "ada"
