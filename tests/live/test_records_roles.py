"""Roles that recover from records: what they persisted they know, and what they forgot holds nothing."""

import asyncio
from pathlib import Path
from typing import Any, ClassVar

from msgspec import field

from tests.live.minds import Offer
from tests.live.test_journal import lives, never
from walras.agents import Agent
from walras.items import Task
from walras.live.live import Live
from walras.live.settings import Rules
from walras.messages import Message
from walras.protocol import Protocol, on
from walras.questions import Commitment, Question


class Add(Message, frozen=True):
    number: int


class Adder(Protocol):
    """Persists every second number that it hears."""

    recovery: ClassVar[str] = "records"
    heard: list[int] = field(default_factory=list)
    lives: int = 0

    @on(Add)
    def add(self, sender: str, message: Add) -> None:
        self.heard.append(message.number)
        if message.number % 2:
            self.persist(message.number)

    def on_recover(self, records: tuple[Any, ...]) -> None:
        self.heard, self.lives = list(records), self.incarnation


class Counter(Protocol):
    """Sends a number every second."""

    number: int = 0

    def on_start(self) -> None:
        self.set_timer("next", self.now + 1.0)

    def on_timer(self, name: Any) -> None:
        self.number += 1
        self.send("adder", Add(self.number))
        self.set_timer("next", self.now + 1.0)


def test_a_records_role_knows_what_it_persisted_and_a_replayed_one_knows_all(tmp_path: Path) -> None:
    async def main(market: Live) -> Any:
        for name, role in (("adder", Adder()), ("counter", Counter())):
            market.add(Agent(name))
            market.seat(name, role, "count/1")
        await asyncio.sleep(6.5)
        found = [market.role("count/1", name) for name in ("adder", "counter")]
        assert found[0] is not role
        return found

    path = tmp_path / "market.db"
    adder, counter = lives(path, main, never())
    assert (adder.heard, counter.number) == ([1, 2, 3, 4, 5, 6], 6)
    adder, counter = lives(path, main, never(), rules=Rules(compact_every=3))
    assert (adder.heard, adder.lives, counter.number) == ([1, 3, 5, 7, 8, 9, 10, 11, 12], 1, 12)
    adder, counter = lives(path, main, never())
    assert (adder.heard[:6], adder.lives, counter.number) == ([1, 3, 5, 7, 9, 11], 2, 18)


class Promise(Question, frozen=True, kw_only=True):
    """How much do you promise?"""

    answers: ClassVar[tuple[type, ...]] = (Offer,)

    def commits(self, answer: Offer) -> Commitment:
        return Commitment(answer.price)


class Builder(Protocol):
    """Promises money and builds something, in its first life; in all others it only builds."""

    recovery: ClassVar[str] = "records"

    def on_start(self) -> None:
        self.decide("promise", Promise(decide_by=self.now + 1.0))
        self.perform("first", Task("house"))

    def on_recover(self, records: tuple[Any, ...]) -> None:
        self.perform("again", Task("house"))


def test_what_a_records_role_has_forgotten_holds_no_slot_and_no_money(tmp_path: Path) -> None:
    async def build(task: Task, key: str) -> str:
        begun.append(key.partition("#")[2])
        await asyncio.sleep(60.0)
        return "built"

    async def main(market: Live) -> float:
        market.add(Agent("ada", lambda question, agent: Offer(30.0), money=100.0), build)
        market.seat("ada", Builder(), "site/1")
        await asyncio.sleep(5.0)
        return market.runtime.hosts["ada"].account.free

    begun: list[str] = []
    free = [lives(tmp_path / "market.db", main, never()) for _ in range(2)]
    assert free == [70.0, 100.0]
    assert begun == ["first", "again"]
