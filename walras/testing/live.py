"""The live runtime behind the harness of `check_runtime`, on virtual time.

A machine that crashes is the whole market here: all that is in memory is thrown away, and after its down time a new
market is brought up on the same journal by the same program.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterable, Mapping
from math import inf
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from walras.accounts import Ledger
from walras.agents import Agent, Strategy
from walras.items import Item
from walras.mechanism import Mechanism
from walras.messages import AgentId, ConversationId, Message
from walras.protocol import Protocol
from walras.testing.kills import Point
from walras.testing.runtime import Conditions
from walras.testing.virtual_time import run_virtually

if TYPE_CHECKING:
    from walras.live.live import Live
    from walras.live.port import Port


class KilledHere(BaseException):
    """The machine stopped between two effects; not an `Exception`, so that no role can catch it."""


class Observer:
    """Counts inputs and effects, and kills the machine at one point."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.kill: tuple[ConversationId, AgentId, int, int] | None = None
        self.down_s = 0.0

    def _live_or_die(self, port: Port, effect: int) -> None:
        if self.kill == (port.conversation, port.me, port.input, effect):
            self.kill = None
            raise KilledHere

    def before_effect(self, port: Port) -> None:
        if not port.runtime.agenda.replaying:
            self._live_or_die(port, port.effect)

    def after_input(self, port: Port) -> None:
        if not port.runtime.agenda.replaying:
            self._live_or_die(port, port.effect + 1)
            self.points.append(Point(port.conversation, port.me, port.input, port.effect))


class LiveRuntime:
    """One live market, and its successors where it crashes.

    Three abilities are missing, since agents of one process have one disk, one loop and one clock. *Slow disk*: a turn of
    the market is durable as a whole before anything of it leaves the process, which is what the kills examine; a disk that
    is slow holds all of the market up. *Pause*: nobody stands still while others go on; after a standstill of the process
    what came in time is heard as in time. *Skew*: processes whose clocks are too far apart are refused when they greet;
    less is a matter of patience, since a message's age is told by the sender's clock.

    Args:
        conditions: the world of the scene.
        journaled: keep a journal even where nothing crashes.
        committed: the input in which the machine is killed is durable; else, as in truth, the whole turn is as if it had
            never been. Then an award of that input takes place, also where its conversation is overdue by then.
    """

    unit_s = 1.0
    can = frozenset({"crash", "kill", "lose", "double", "delay", "exact time", "digest"})

    def __init__(self, conditions: Conditions, *, journaled: bool = False, committed: bool = False) -> None:
        self.conditions = conditions
        self.journaled, self.committed = journaled, committed
        self.observer = Observer()
        self.market: Live | None = None
        self._steps: list[tuple[float, Callable[[Live], None]]] = []
        self._crashes: list[tuple[float, float]] = []
        self._dice = Random(conditions.seed)

    # ------------------------------------------------------------------ before the run
    def mind(self, strategy: Strategy, takes_s: float) -> Mapping[str, Any]:
        if not takes_s:
            return {"strategy": strategy}

        async def ponder(question: Any, agent: Agent) -> Any:
            await asyncio.sleep(min(takes_s, 1e9))
            return strategy(question, agent)

        return {"strategy": ponder}

    def add(self, agent: Agent) -> None:
        self._steps.append((0.0, lambda market: market.add(agent)))

    def seat(self, agent: AgentId, role: Protocol, conversation: ConversationId, finish_by: float) -> None:
        self._steps.append((0.0, lambda market: market.seat(agent, role, conversation, finish_by)))

    def open(
        self, mechanism: Mechanism, items: Iterable[Item], opener: AgentId, participants: Iterable[AgentId],
        at: float, finish_by: float,
    ) -> None:  # fmt: skip
        def begin(market: Live) -> None:
            left = finish_by - market.now if finish_by != inf else inf
            market.open(mechanism, items, max(left, 1e-9), opener=opener, participants=participants)

        self._steps.append((at, begin))

    def crash(self, agent: AgentId, at: float, down_s: float) -> None:
        self._crashes.append((at, down_s))

    def pause(self, agent: AgentId, at: float, for_s: float) -> None:
        raise ValueError("pausing one agent is not among the abilities of this harness, see `can`")

    def kill(
        self, conversation: ConversationId, agent: AgentId, input: int, effect: int, down_s: float
    ) -> None:
        self.observer.kill, self.observer.down_s = (conversation, agent, input, effect), down_s

    # ------------------------------------------------------------------ the run
    def run(self, until: float) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self._folder = Path(folder)
            run_virtually(self._live(until))

    async def _live(self, until: float) -> None:
        loop = asyncio.get_running_loop()
        crashes = [*sorted(self._crashes), (until, inf)]
        self.journaled = self.journaled or bool(self._crashes) or self.observer.kill is not None
        while True:
            market = self.market = self._make()
            await market.__aenter__()
            self._disturb(market)
            market.runtime.watch = self.observer
            for at, step in self._steps:
                if at <= loop.time():
                    step(market)
                else:
                    loop.call_at(at, step, market)
            stop_at, down_s = crashes[0]
            try:
                await self._until(market, stop_at)
                crashes.pop(0)
            except KilledHere:
                down_s = self.observer.down_s
            if loop.time() >= until:
                await market.close()
                return
            await self._throw_away(market)
            await asyncio.sleep(down_s)

    def _make(self) -> Live:
        from walras.live.live import Live
        from walras.live.settings import Rules

        return Live(
            seed=self.conditions.seed,
            journal=self._folder / "market.db" if self.journaled else None,
            rules=Rules(lifetime_s=self.conditions.lifetime * self.unit_s),
            wall=asyncio.get_running_loop().time,
        )

    async def _until(self, market: Live, at: float) -> None:
        loop = asyncio.get_running_loop()
        stop = loop.create_future()
        loop.call_at(at, _end, stop)

        def failed(error: BaseException) -> None:
            market.runtime.agenda.fail(error)
            if not stop.done():
                stop.set_exception(error if isinstance(error, Exception) else _Wrapped(error))

        market.runtime.agenda.on_failure = failed
        try:
            await stop
        except _Wrapped as wrapped:
            raise wrapped.error from None

    async def _throw_away(self, market: Live) -> None:
        """Nothing of the market's memory is used any more; its file is as the kill has left it."""
        runtime = market.runtime
        journal = runtime.agenda.journal
        assert journal is not None
        if self.committed:
            journal.commit()
        runtime.agenda.failed = runtime.agenda.failed or KilledHere()
        await market.close()

    # ------------------------------------------------------------------ weather
    def _disturb(self, market: Live) -> None:
        asked = self.conditions
        runtime, dice, unit_s = market.runtime, self._dice, self.unit_s

        def transmit(port: Port, to: AgentId, message: Message) -> tuple[float, ...]:
            from walras.live.agenda import DELIVERY

            now = runtime.now
            copies = 1
            if to != port.me:
                copies = 0 if dice.random() < asked.loss else 1 + (dice.random() < asked.duplication)
            delay = asked.latency * unit_s if to != port.me else 0.0
            for _ in range(copies):
                runtime.agenda.post(
                    now + delay, DELIVERY, runtime.deliver, port.conversation, port.me, to, message, now
                )
            return (now + delay,) * copies

        runtime.transmit = transmit  # type: ignore[method-assign]

    # ------------------------------------------------------------------ after the run
    @property
    def _runtime(self) -> Any:
        assert self.market is not None, "it has not been run yet"
        return self.market.runtime

    def role(self, conversation: ConversationId, agent: AgentId) -> Protocol | None:
        talk = self._runtime.book.get(conversation)
        return talk.seats[agent].role if talk is not None and agent in talk.seats else None

    def points(self) -> list[Point]:
        return self.observer.points

    @property
    def ledger(self) -> Ledger:
        found: Ledger = self._runtime.ledger
        return found

    @property
    def outcomes(self) -> Mapping[ConversationId, str]:
        return {id_: run.outcome.status for id_, run in self._runtime.runs.items() if run.outcome is not None}

    @property
    def awards(self) -> list[tuple[ConversationId, str]]:
        return [
            (conversation, line.item)
            for run in self._runtime.runs.values()
            for conversation, line in run.awards
        ]

    def remembered(self) -> list[ConversationId]:
        return list(self._runtime.book)

    def unfinished(self) -> list[tuple[ConversationId, AgentId]]:
        return [
            (talk.id, id_)
            for talk in self._runtime.book.values()
            for id_, port in talk.seats.items()
            if not port.ended
        ]

    @property
    def digest(self) -> str:
        found: str = self._runtime.trace.digest
        return found


def _end(stop: asyncio.Future[None]) -> None:
    if not stop.done():
        stop.set_result(None)


class _Wrapped(Exception):  # noqa: N818  # a kill on its way through a future, which takes ordinary exceptions only
    def __init__(self, error: BaseException) -> None:
        self.error = error
