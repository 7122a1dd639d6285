"""Lines between processes that break, and callers who are not what they say: for tests of the wire."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from msgspec import field
from websockets.asyncio.client import connect

from walras.live import Live, Rules
from walras.live.door import PROCESS, LineRules, Tokens
from walras.messages import Message
from walras.protocol import Protocol, on

SECRET = b"a secret of this test, and no other"
SHARED = Rules(secret=SECRET, epoch=0.0)
QUICK = LineRules(backoff_s=0.005, most_backoff_s=0.05)

ROOM = "room"
PATIENCE_S = 60.0


class Note(Message, frozen=True):
    number: int
    text: str = ""


class Teller(Protocol):
    """Says 1, 2, 3 ... to somebody."""

    to: str
    count: int
    every_s: float = 0.002
    said: int = 0

    def on_start(self) -> None:
        self.set_timer("next", self.now)

    def on_timer(self, name: str) -> None:
        self.said += 1
        self.send(self.to, Note(self.said))
        if self.said < self.count:
            self.set_timer("next", self.now + self.every_s)


class Listener(Protocol):
    """Keeps what it hears, and says so."""

    heard: list[int] = field(default_factory=list)

    @on(Note)
    def hear(self, sender: str, message: Note) -> None:
        self.heard.append(message.number)


async def until(true: Callable[[], Any], what: str = "") -> None:
    """Wait for a condition, with patience."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.005)


def ignored(market: Live) -> list[str]:
    """Why messages were ignored, or lost, in a market."""
    return [str(row.details["why"]) for row in market.trace if row.kind in ("ignored", "lost")]


class Cutter:
    """A line to a door that breaks again and again, after some bytes in either direction."""

    def __init__(self, url: str, dice: Random, most_bytes: int = 6000) -> None:
        self.port, self.dice, self.most_bytes = urlsplit(url).port, dice, most_bytes
        self.cuts = 0
        self.tame = False
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", self.port)
        left = [self.dice.randrange(1200, self.most_bytes)]

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(512):
                left[0] -= len(data)
                if left[0] < 0 and not self.tame:
                    self.cuts += 1
                    return
                sink.write(data)
                await sink.drain()

        ways = [asyncio.ensure_future(pump(reader, outer)), asyncio.ensure_future(pump(inner, writer))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for end in (writer, outer):
            end.transport.abort()


class Impostor:
    """A caller who has a token and says what it likes."""

    def __init__(self, line: Any, name: str) -> None:
        self.line, self.name = line, name

    async def say(self, frame: Any) -> None:
        """A frame, or any text."""
        await self.line.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    async def hear(self, kind: str) -> dict[str, Any]:
        """The next frame of a kind."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                frame: dict[str, Any] = json.loads(await self.line.recv())
                if frame["type"] == kind:
                    return frame

    async def note(self, number: int, **changed: Any) -> None:
        """What an honest process would say, but for what is changed."""
        said = {
            "type": "Carried", "number": number, "conversation": ROOM, "protocol": "", "sender": self.name, "to": "lis",
            "sent": changed.pop("now"), "message": {"type": "Note", "number": number},
        }  # fmt: skip
        await self.say({**said, **changed})


@asynccontextmanager
async def impostor(market: Live, url: str, name: str = "tel", **hello: Any) -> AsyncIterator[Impostor]:
    """Somebody with a process's token, who has said hello."""
    token = Tokens(SECRET).token(PROCESS, name)
    async with connect(
        f"{url}/process", additional_headers={"Authorization": f"Bearer {token}"}, proxy=None
    ) as line:
        caller = Impostor(line, name)
        greeting = {
            "type": "Hello", "version": 1, "token": token, "life": "1", "seed": 0, "now": market.now, "most_bytes": 10**6,
        }  # fmt: skip
        await caller.say({**greeting, **hello})
        with contextlib.suppress(Exception):
            await caller.hear("Hello")
            await caller.say({"type": "Acks", "life": "tel:1", "numbers": []})
            await caller.hear("Acks")
        yield caller
