"""A market that ends closes its participants, whatever they do then."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.live.minds import Scripted
from tests.live.worlds import in_market
from walras.agents import Agent
from walras.live import Live


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
