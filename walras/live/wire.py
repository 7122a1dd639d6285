"""A live market in several processes: messages between their agents as JSON over WebSockets.

Each message waits in its market's outbox until the process of its recipient says that it is durable there
(`walras.live.peers`). A line that breaks is made again, with longer and longer pauses, and what was not acknowledged
goes out again, in order, under the same number; what comes twice is heard once.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Iterable, Mapping
from ssl import SSLContext
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from walras.errors import RemoteProtocolError, ScenarioError
from walras.live.door import (
    PROCESS,
    REPLACED,
    UNLIKE,
    Backoff,
    Door,
    LineRules,
    Tokens,
    check_address,
    dial,
    unreachable,
)
from walras.live.live import Live
from walras.live.session import VERSION, Hello, Session, UnlikeError
from walras.live.vocabulary import Vocabulary
from walras.messages import AgentId, ConversationId, Envelope

if TYPE_CHECKING:
    from websockets.asyncio.connection import Connection

log = logging.getLogger("walras.live")

MOST_REPEATED = 1000
"""How many acknowledgements are said again on a new line."""

LOOK_S = 1.0
"""How often the outbox is rid of what is too old."""


class Peer(msgspec.Struct, frozen=True):
    """Another process of the market: where it listens, and whose roles live there."""

    url: str = ""
    """Empty: it calls us."""
    agents: tuple[AgentId, ...] = ()
    """Empty: one agent, called as its process."""


class Process:
    """What we know of another process."""

    def __init__(self, name: str, peer: Peer) -> None:
        self.name, self.url = name, peer.url
        self.agents = frozenset(peer.agents or (name,))
        self.speaks: Session | None = None
        """What carries our messages there."""
        self.hears: Session | None = None
        """Where its last message came from: there go our acknowledgements."""
        self.acked: deque[int] = deque(maxlen=MOST_REPEATED)
        """What we have acknowledged on the last line, and it may not have heard."""
        self.origin = ""
        self.status = "not yet"

    def heard(self, origin: str) -> tuple[int, ...]:
        """The numbers of its messages that it may not know to be durable here, if it still numbers by this memory."""
        if origin != self.origin:
            self.origin = origin
            self.acked.clear()
        return tuple(self.acked)


class Wire:
    """Joins a market with other processes, for as long as the ``async with`` lasts.

    Seat roles and `Live.serve` mechanisms before: what comes in is for them. The processes of a market share
    ``Rules(secret=..., epoch=...)`` and the seed.

    Args:
        market: ours, open.
        name: of this process, as the others know it.
        peers: the other processes by name; a bare address is that of a process with one agent, called as the process.
        listen: the address of our door, a door, or None if only we call others.
        types: further message classes, and classes in their fields, beyond those of the mechanisms and seated roles.
        rules: limits and patience.
        ssl: how to check the certificates of ``wss://`` addresses; None: as the system does.

    Raises:
        ScenarioError: for an agent that lives in two processes, addresses that make no sense, no secret or epoch, a second wire.
        MissingExtraError: if websockets is not installed.
    """

    def __init__(
        self,
        market: Live,
        name: str,
        peers: Mapping[str, Peer | str],
        *,
        listen: str | Door | None = None,
        types: Iterable[type] = (),
        rules: LineRules = LineRules(),  # noqa: B008  # it is frozen
        ssl: SSLContext | None = None,
    ) -> None:
        self.market, self.name, self.rules, self.ssl = market, name, rules, ssl
        self.types = tuple(types)
        runtime = market.runtime
        if runtime.rules.epoch is None:
            raise ScenarioError("epoch", None, "one that all processes share: Rules(epoch=...)")
        if runtime.peers.link is not None:
            raise ScenarioError("market", name, "one that has no wire yet")
        self.tokens = Tokens(runtime.rules.secret)
        self.door = Door(listen, runtime.rules.secret, rules=rules) if isinstance(listen, str) else listen
        self._own_door = isinstance(listen, str)
        self.processes = {
            each: Process(each, peer if isinstance(peer, Peer) else Peer(peer))
            for each, peer in peers.items()
        }
        self.homes = self._homes()
        journal = runtime.agenda.journal
        life = secrets.token_hex(8)
        self.origin = f"{name}:{journal.settle('life', life) if journal is not None else life}"
        self._tasks: list[asyncio.Task[None]] = []
        self._spoken: dict[tuple[Any, ...], Vocabulary] = {}

    def _homes(self) -> dict[AgentId, Process]:
        homes: dict[AgentId, Process] = {}
        hosts = self.market.runtime.hosts
        for process in self.processes.values():
            if process.url:
                check_address(f"address of {process.name}", process.url, self.rules)
            for agent in sorted(process.agents):
                if agent in homes or (agent in hosts and not hosts[agent].away):
                    raise ScenarioError(
                        f"agents of {process.name}", agent, "one that lives in no other process"
                    )
                homes[agent] = process
        return homes

    # ------------------------------------------------------------------ opening and closing
    async def __aenter__(self) -> Wire:
        for agent in self.homes:
            self.market.add_absentee(agent)
        if self.door is not None:
            self.door.callers[PROCESS] = self._called
            if self._own_door:
                await self.door.__aenter__()
        self.market.runtime.peers.link = self
        self._tasks = [asyncio.create_task(self._clear_up())]
        self._tasks += [asyncio.create_task(self._call(p)) for p in self.processes.values() if p.url]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.market.runtime.peers.link = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for process in self.processes.values():
            for session in (process.speaks, process.hears):
                if session is not None:
                    await session.connection.close()
        if self.door is not None:
            self.door.callers.pop(PROCESS, None)
            if self._own_door:
                await self.door.__aexit__(None, None, None)

    @property
    def url(self) -> str:
        """Where others reach us."""
        return self.door.url if self.door is not None else ""

    @property
    def status(self) -> dict[str, str]:
        """Of every other process, whether our messages reach it: ``connected``, or why not."""
        return {process.name: process.status for process in self.processes.values()}

    # ------------------------------------------------------------------ lines
    async def _call(self, process: Process) -> None:
        """Keep a line to a process that has an address."""
        backoff, clock = Backoff(self.rules), asyncio.get_running_loop().time
        token = self.tokens.token(PROCESS, self.name)
        while True:
            began = clock()
            try:
                async with dial(process.url, PROCESS, token, self.rules, self.ssl) as line:
                    session = Session(self, process, line)
                    await session.greet()
                    await self._speak(session)
            except UnlikeError as error:
                self._note(process, str(error))
            except Exception as error:  # of the network, mostly: there will be another attempt
                self._note(process, unreachable(error))
            await asyncio.sleep(backoff.pause_s(clock() - began))

    async def _called(self, name: str, line: Connection) -> None:
        """A process has called, and proved its name."""
        process = self.processes.get(name)
        if process is None:
            await line.close(UNLIKE, f"{name} is unknown here"[:100])
            return
        session = Session(self, process, line)
        try:
            await session.greet()
            if process.url:  # it hears us on the line that we make
                await session.run()
            else:
                if process.speaks is not None:
                    await process.speaks.connection.close(REPLACED, "called again")
                await self._speak(session)
        except UnlikeError as error:
            self._note(process, str(error))

    async def _speak(self, session: Session) -> None:
        """Let a line carry our messages, those first that were not acknowledged."""
        process = session.process
        process.speaks = process.hears = session
        self._note(process, "connected")
        for number, envelope in self.market.runtime.peers.outbox():
            if self.homes.get(envelope.to) is process:
                session.post(number, envelope)
        try:
            await session.run()
        finally:
            if process.speaks is session:
                process.speaks = None
                self._note(process, "ended")

    def _note(self, process: Process, status: str) -> None:
        if status != process.status:
            log.info("%s: %s is %s", self.name, process.name, status)
        process.status = status

    async def _clear_up(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self.market.runtime.peers.outbox()

    # ------------------------------------------------------------------ what the market asks of its link
    def send(self, number: int, envelope: Envelope) -> None:
        """Carry a message; where no line is, it waits in the outbox."""
        process = self.homes.get(envelope.to)
        if process is not None and process.speaks is not None:
            process.speaks.post(number, envelope)

    def acknowledge(self, origin: str, number: int) -> None:
        """Tell a process that its message is durable here; where no line is, it will come again."""
        process = self.processes.get(origin.rpartition(":")[0])
        if process is not None and process.hears is not None and process.hears.origin == origin:
            process.hears.acknowledge(number)

    # ------------------------------------------------------------------ what lines ask
    def hello(self) -> Hello:
        """Our greeting."""
        life = self.origin.rpartition(":")[2]
        market = self.market
        token = self.tokens.token(PROCESS, self.name)
        return Hello(VERSION, token, life, market.runtime.seed, market.now, self.rules.most_bytes)

    def lives_here(self, agent: AgentId) -> bool:
        """Whether an agent's roles are in this process."""
        host = self.market.runtime.hosts.get(agent)
        return host is not None and not host.away

    def vocabulary(self, conversation: ConversationId, protocol: str, agent: AgentId) -> Vocabulary:
        """What can be said to an agent in a conversation: its mechanism's messages, or what its seated role hears.

        Raises:
            RemoteProtocolError: if nothing can.
        """
        runtime = self.market.runtime
        talk = runtime.book.get(conversation)
        mechanism = talk.mechanism if talk is not None else runtime.peers.protocols.get(protocol)
        if mechanism is not None:
            return self._vocabulary(mechanism.protocol, mechanism.messages)
        port = talk.seats.get(agent) if talk is not None else None
        if port is not None:
            table = port.role.message_handlers.entered
            heard = tuple(type_ for type_, handler in table.items() if handler is not table.fallback)
            return self._vocabulary(type(port.role).__name__, heard)
        if self.types and talk is not None:
            return self._vocabulary(conversation, ())
        raise RemoteProtocolError(f"nobody here speaks {protocol or 'in ' + conversation}"[:200])

    def _vocabulary(self, of: str, types: tuple[type, ...]) -> Vocabulary:
        key = (of, *types)
        if key not in self._spoken:
            self._spoken[key] = Vocabulary((*types, *self.types), of)
        return self._spoken[key]
