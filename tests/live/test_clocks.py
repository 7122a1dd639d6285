"""A process whose clock is wrong keeps its own deadlines, counted from the epoch that it shares with the others."""

import asyncio
from typing import Any
from unittest.mock import Mock

import pytest
from msgspec import field

from tests.live.minds import Offer, how_much
from walras.agents import Agent
from walras.allocation import Outcome
from walras.live import Live, Rules
from walras.live.agenda import ANSWER, TIMER, Agenda
from walras.mechanism import Mechanism
from walras.protocol import Protocol
from walras.testing.virtual_time import run_virtually


class Child(Protocol):
    """Never ends by itself."""


class ChildRules(Mechanism, frozen=True):
    protocol = "x-child"

    def opener(self, me: Any, items: Any, participants: Any) -> Protocol:
        return Child()


class Watchful(Protocol):
    """Sets a timer, asks a question and opens a child, with a second each, and notes what comes when."""

    seen: list[tuple[str, float]] = field(default_factory=list)

    def on_start(self) -> None:
        self.seen.append(("start", self.now))
        self.set_timer("t", self.now + 1.0)
        self.decide("q", how_much(decide_by=self.now + 1.0))
        self.open(ChildRules(), [], [], finish_by=self.now + 1.0)

    def on_timer(self, name: Any) -> None:
        self.seen.append(("timer", self.now))

    def on_decision(self, name: Any, answer: Any) -> None:
        self.seen.append((f"{answer}", self.now))

    def on_outcome(self, child: str, outcome: Outcome) -> None:
        self.seen.append((outcome.status, self.now))


class Hasty(Protocol):
    """Asks when the time for an answer is over."""

    heard: list[Any] = field(default_factory=list)

    def on_start(self) -> None:
        self.decide("q", how_much(decide_by=self.now - 1.0))

    def on_decision(self, name: Any, answer: Any) -> None:
        self.heard.append(answer)


def test_a_question_whose_time_is_over_is_put_to_nobody() -> None:
    def mind(question: Any, agent: Agent) -> Any:
        asked.append(question)
        return Offer(2.0)

    async def main() -> None:
        async with Live(wall=asyncio.get_running_loop().time) as market:
            market.add(Agent("ada", mind))
            market.seat("ada", role)
            await asyncio.sleep(2.0)

    role, asked = Hasty(), list[Any]()
    run_virtually(main())
    assert (role.heard, asked) == ([how_much().otherwise], [])


def test_what_came_in_time_is_heard_as_of_then_however_long_the_loop_was_held_up() -> None:
    """What decides that time is over takes place when it truly does."""
    times, seen = [0.0], list[tuple[str, float]]()
    loop = Mock(spec=asyncio.AbstractEventLoop, time=lambda: times[-1])

    def heard(what: str) -> None:
        seen.append((what, agenda.now))

    def failed(error: BaseException) -> None:
        raise error

    agenda = Agenda(None, failed)
    agenda.start(loop, 0.0)
    agenda.post(2.0, TIMER, heard, "timer")
    agenda.submit(ANSWER, heard, "answer", at=1.0)
    times.append(5.0)
    agenda._turn()
    assert seen == [("answer", 1.0), ("timer", 5.0)]


@pytest.mark.parametrize("ahead", [5.0, 0.0, -5.0])
@pytest.mark.parametrize("journaled", [False, True])
def test_deadlines_are_on_the_clock_of_who_set_them(tmp_path: Any, ahead: float, journaled: bool) -> None:
    """Timers, questions and children; also of a process whose clock says that the market has not begun yet."""

    async def main() -> Any:
        clock, role = asyncio.get_running_loop().time, Watchful()
        journal = tmp_path / "market.db" if journaled else None
        async with Live(wall=lambda: clock() + ahead, rules=Rules(epoch=0.0), journal=journal) as market:
            market.add(Agent("ada", lambda question, agent: Offer(2.0)))
            market.seat("ada", role)
            await asyncio.sleep(3.0)
            return role.seen, market.now

    seen, now = run_virtually(main())
    assert seen == [
        ("start", ahead),
        ("Offer(price=2.0)", ahead),
        ("timer", ahead + 1.0),
        ("overdue", ahead + 1.0),
    ]
    assert now == ahead + 3.0
