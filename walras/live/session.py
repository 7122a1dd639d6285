"""One line between two processes of a market, from the moment when it stands: greetings, messages, acknowledgements."""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

import msgspec

from walras.errors import RemoteProtocolError, ScenarioError
from walras.live.door import MISTAKEN, UNLIKE
from walras.live.vocabulary import plain
from walras.messages import Envelope, Message

if TYPE_CHECKING:
    from websockets.asyncio.connection import Connection

    from walras.live.wire import Process, Wire

VERSION = 1


class Hello(msgspec.Struct, frozen=True, tag=True):
    """The first thing that either side says."""

    version: int
    token: str
    life: str
    """Names the memory in which the speaker numbers its messages: that of its journal, or of this run."""
    seed: int
    now: float
    most_bytes: int


class Carried(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """A message under its sender's number."""

    number: int
    conversation: str
    protocol: str
    sender: str
    to: str
    sent: float
    message: Any
    finish_by: float | None = None


class Acks(msgspec.Struct, frozen=True, tag=True):
    """These messages are durable here."""

    life: str
    numbers: tuple[int, ...]


class Refused(msgspec.Struct, frozen=True, tag=True):
    """This message is not taken, and need not come again."""

    number: int
    why: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Hello | Carried | Acks | Refused).decode


class UnlikeError(Exception):
    """Two processes do not belong together."""


class Session:
    """Reads and writes one line. What it has not carried when the line breaks stays in the outbox for the next one."""

    def __init__(self, wire: Wire, process: Process, connection: Connection) -> None:
        self.wire, self.process, self.connection = wire, process, connection
        self.peers = wire.market.runtime.peers
        self.last = 0
        """The highest number that went into this line."""
        self.known: frozenset[int] = frozenset()
        """What the other side has said in its greeting to have."""
        self.origin = ""
        self.most_bytes = wire.rules.most_bytes
        self._hears = False
        self._frames: deque[bytes] = deque()
        self._acks: list[int] = []
        self._wake = asyncio.Event()

    # ------------------------------------------------------------------ from greeting to end
    async def greet(self) -> None:
        """Say hello and what was heard on lines before; hear the same.

        Raises:
            UnlikeError: if the two do not belong together; the other side is told why.
        """
        await self.connection.send(_encode(self.wire.hello()), text=True)
        theirs = await self._first()
        why = self._mismatch(theirs) if isinstance(theirs, Hello) else "no greeting"
        if isinstance(theirs, Hello) and not why:
            self.origin = f"{self.process.name}:{theirs.life}"
            self.most_bytes = min(self.most_bytes, theirs.most_bytes)
            await self.connection.send(_encode(Acks(self.origin, self.process.heard(self.origin))), text=True)
            heard = await self._first()
            why = "" if isinstance(heard, Acks) else "no greeting"
        if why:
            await self.connection.close(UNLIKE, why)
            raise UnlikeError(why)
        self._take(heard)
        self.known = frozenset(heard.numbers) if heard.life == self.wire.origin else frozenset()

    async def _first(self) -> Any:
        try:
            async with asyncio.timeout(self.wire.rules.patience_s):
                return _decode(await self.connection.recv())
        except (msgspec.DecodeError, RecursionError, TimeoutError):
            return None

    def _mismatch(self, theirs: Hello) -> str:
        ours, wire = self.wire.hello(), self.wire
        if theirs.version != ours.version:
            return f"version {theirs.version} where {ours.version} is spoken"
        if wire.tokens.bearer("process", theirs.token) != self.process.name:
            return f"not {self.process.name}"[:100]
        if theirs.seed != ours.seed:
            return f"another seed: {theirs.seed} and {ours.seed}"[:100]
        if not abs(theirs.now - ours.now) <= wire.rules.most_skew_s:
            return f"clocks {theirs.now - ours.now:.3g} s apart: the same epoch?"
        return ""

    async def run(self) -> None:
        """Carry messages until the line ends."""
        writer = asyncio.create_task(self._write())
        try:
            async for raw in self.connection:
                try:
                    self._take(_decode(raw))
                except (msgspec.DecodeError, RecursionError, RemoteProtocolError) as error:
                    self.peers.misspoke(self.process.name, "", _shown(raw), f"no frame: {error}"[:300])
                    await self.connection.close(MISTAKEN, "no frame")
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            closed = self.connection.protocol.close_sent
            if closed is not None and closed.code == 1009:
                why = f"more than {self.wire.rules.most_bytes:,} bytes"
                self.peers.misspoke(self.process.name, "", "", why)

    # ------------------------------------------------------------------ out
    def post(self, number: int, envelope: Envelope) -> None:
        """Put a message on the line, unless it has gone this way already."""
        if number <= self.last or number in self.known:
            return
        self.last = number
        try:
            frame = _encode(_carried(number, envelope))
        except (TypeError, OverflowError) as error:
            self.peers.refused(number, f"it cannot be written as JSON: {error}")
            return
        if len(frame) > self.most_bytes:
            self.peers.refused(number, f"{len(frame):,} bytes; {self.most_bytes:,} are the most")
            return
        self._frames.append(frame)
        self._wake.set()

    def acknowledge(self, number: int) -> None:
        """Say that a message is durable here."""
        self._acks.append(number)
        self.process.acked.append(number)
        self._wake.set()

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._frames or self._acks:
                if self._acks:
                    frame = _encode(Acks(self.origin, tuple(self._acks)))
                    self._acks.clear()
                else:
                    frame = self._frames.popleft()
                await self.connection.send(frame, text=True)

    # ------------------------------------------------------------------ in
    def _take(self, frame: Hello | Carried | Acks | Refused) -> None:
        if isinstance(frame, Carried):
            self._take_message(frame)
        elif isinstance(frame, Acks):
            for number in frame.numbers if frame.life == self.wire.origin else ():
                if self._is_theirs(number):
                    self.peers.acknowledged(number)
        elif isinstance(frame, Refused):
            if self._is_theirs(frame.number):
                self.peers.refused(frame.number, f"{self.process.name} says: {frame.why}"[:300])
        else:
            raise RemoteProtocolError("a second greeting")

    def _is_theirs(self, number: int) -> bool:
        """Whether we sent them this message: nobody can do away with what went to somebody else."""
        return self.peers.addressee(number) in self.process.agents

    def _take_message(self, frame: Carried) -> None:
        try:
            envelope = self._envelope(frame)
            if not self._hears:  # who speaks has heard our greeting
                self._hears = True
                self.process.acked.clear()
            self.process.hears = self
            self.peers.arrived(self.origin, frame.number, envelope)
        except (RemoteProtocolError, ScenarioError) as error:  # what does not pickle cannot be journaled
            why, shown = f"{error}"[:300], _shown(_encode(frame.message))
            self.peers.misspoke(self.process.name, frame.conversation[:200], shown, why)
            self._frames.append(_encode(Refused(frame.number, why)))
            self._wake.set()

    def _envelope(self, frame: Carried) -> Envelope:
        """What the line says that was sent.

        Raises:
            RemoteProtocolError: if the sender does not live there, or nobody here can read it.
        """
        if frame.sender not in self.process.agents:
            raise RemoteProtocolError(f"{frame.sender[:60]!r} does not live in {self.process.name}")
        if not self.wire.lives_here(frame.to):
            raise RemoteProtocolError(f"{frame.to[:60]!r} does not live in {self.wire.name}")
        finish_by = inf if frame.finish_by is None else frame.finish_by
        if not (isfinite(frame.sent) and finish_by == finish_by):
            raise RemoteProtocolError("its times are no numbers")
        spoken = self.wire.vocabulary(frame.conversation, frame.protocol, frame.to)
        message = spoken.read(frame.message, Message)
        return Envelope(
            frame.conversation, frame.protocol, frame.sender, frame.to, message, frame.sent, finish_by
        )


def _carried(number: int, envelope: Envelope) -> Carried:
    e = envelope
    finish_by = e.finish_by if e.finish_by != inf else None
    return Carried(number, e.conversation, e.protocol, e.sender, e.to, e.sent, plain(e.message), finish_by)


def _shown(raw: Any) -> str:
    text = raw if isinstance(raw, str) else bytes(raw[:200]).decode(errors="replace")
    return text[:100]
