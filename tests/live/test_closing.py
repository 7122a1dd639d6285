"""A market that ends closes its participants, whatever they do then."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from contractnet import ContractNet, Refuse
from tests.live.minds import Scripted
from tests.live.worlds import in_market, tasks
from walras.agents import Agent
from walras.live import Guard, Live, Recording
from walras.live.recording import read_entries
from walras.testing.virtual_time import run_virtually


class Holder(Scripted):
    """Counts how often it was closed; what it does then is up to the test."""

    def __init__(self, closing: Callable[[], Awaitable[object]] | None = None) -> None:
        super().__init__(None)
        self.closing, self.closed = closing, 0

    async def close(self) -> None:
        self.closed += 1
        if self.closing is not None:
            await self.closing()


def test_participants_are_closed_with_the_market_also_those_that_have_left() -> None:
    both, gone = Holder(), Holder()

    async def main(market: Live) -> tuple[int, int]:
        for name, mind in (("ada", both), ("bob", both), ("cyd", gone)):
            market.add(Agent(name, mind))
        market.leave("cyd")
        return both.closed, gone.closed

    assert in_market(main) == (0, 0)
    assert in_market(main) == (1, 1), "they may be used again"
    assert (both.closed, gone.closed) == (2, 2)


def test_a_participant_that_cannot_be_closed_holds_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    async def breaks() -> None:
        raise RuntimeError("no")

    broken, stuck, well = Holder(breaks), Holder(lambda: asyncio.sleep(3600)), Holder()

    async def main(market: Live) -> None:
        for name, mind in (("ada", broken), ("bob", stuck), ("cyd", well)):
            market.add(Agent(name, mind))

    in_market(main)
    assert [mind.closed for mind in (broken, stuck, well)] == [1, 1, 1]
    said = [record.getMessage() for record in caplog.records]
    assert said == ["Holder could not be closed: RuntimeError('no')", "Holder was not closed within 5 s"]


def test_nobody_is_asked_after_the_end_and_the_recording_stays_as_it_was(tmp_path: Path) -> None:
    path, asked = tmp_path / "market.jsonl", list[bool]()

    async def slow(question: Any, agent: Agent) -> Any:
        asked.append(market.runtime.hosts["ada"].agent is not None)
        await asyncio.sleep(1.0)
        return Refuse()

    async def main() -> int:
        async with market:
            market.add(Agent("ada", slow, attention=1))
            market.open(ContractNet(reply_within_s=50.0), tasks(5), 100.0)
            await asyncio.sleep(2.5)
        recorded = len(read_entries(path))
        await asyncio.sleep(10.0)
        return recorded

    market = Live(guard=Guard(recording=Recording(path)))
    assert run_virtually(main()) == len(read_entries(path)) == 2
    assert asked == [True] * 3, "two wait for her attention"
