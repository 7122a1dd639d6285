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
from walras.allocation import Outcome
from walras.live import Guard, Live, Memory, Recording
from walras.live.journal import Journal
from walras.live.recording import read_entries
from walras.protocol import Protocol
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


def test_what_was_only_kept_for_a_conversation_goes_with_it() -> None:
    async def main(market: Live) -> Any:
        market.add(Agent("ada", Scripted(Refuse())))
        await market.run(ContractNet(reply_within_s=2.0), tasks(1), 10.0)
        held = bool(guard.budgets.conversations), bool(guard.repeats), bool(memory.recall("ada", "house/1"))
        await asyncio.sleep(60.0)
        left = (
            guard.budgets.conversations,
            guard.repeats,
            memory.recall("ada", "house/1"),
            market.runtime.book,
        )
        return held, left, guard.budgets.run.calls

    memory = Memory()
    guard = Guard(memory=memory)
    held, left, calls = in_market(main, guard=guard)
    assert held == (True, True, True) and left == ({}, {}, {}, {})
    assert calls > 0


class Guest(Protocol):
    """Stays for some time."""

    stays_s: float

    def on_start(self) -> None:
        self.set_timer("go", self.now + self.stays_s)

    def on_timer(self, name: Any) -> None:
        self.finish(Outcome("done"))


def test_a_conversation_that_somebody_has_joined_meanwhile_is_not_dropped() -> None:
    async def main(market: Live) -> Any:
        for name, stays_s in (("ada", 1.0), ("bob", 60.0)):
            market.add(Agent(name))
            market.seat(name, Guest(stays_s), "bar/1", finish_by=5.0)
            await asyncio.sleep(10.0)
        await asyncio.sleep(30.0)
        there = "bar/1" in market.runtime.book
        await asyncio.sleep(100.0)
        return there, "bar/1" in market.runtime.book

    assert in_market(main) == (True, False)


def test_participants_are_closed_also_where_the_books_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(journal: Journal) -> None:
        raise OSError("no space left")

    async def main(market: Live) -> None:
        market.add(Agent("ada", mind))
        monkeypatch.setattr(Journal, "commit", full)

    mind = Holder()
    with pytest.raises(OSError, match="no space"):
        in_market(main, journal=tmp_path / "market.db")
    assert mind.closed == 1
    Journal(tmp_path / "market.db").close()


def test_what_goes_wrong_at_the_end_of_a_turn_stops_the_market_loudly() -> None:
    """It used to stand still."""

    class Forgetful(Guard):
        def forget(self, conversation: str) -> None:
            raise KeyError("it is not here")

    async def main(market: Live) -> None:
        market.add(Agent("ada", Scripted(Refuse())))
        market.add(Agent("bob", Scripted(Refuse(), takes_s=50.0)))
        await market.run(ContractNet(reply_within_s=2.0), tasks(1), 10.0, participants=["ada"])
        await market.run(ContractNet(reply_within_s=100.0), tasks(1), 200.0, participants=["bob"])

    with pytest.raises(KeyError, match="not here"):
        in_market(main, guard=Forgetful())


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
