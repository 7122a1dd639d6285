"""A mind in another process, which calls our door (extra ``websocket``); its side is `walras.live.remote.serve`."""

import asyncio
import logging
import secrets
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec

from walras.errors import RemoteProtocolError
from walras.live.answers import ONE_CALL, Usage
from walras.live.door import MIND, MISTAKEN, REPLACED, UNLIKE, Door
from walras.live.participant import Ask, Participant, Reply, Retryable
from walras.live.remote import VERSION, Asking, Failed, Here, Over, Said, answer_types, encode, write_from
from walras.live.session import UnlikeError
from walras.live.vocabulary import Vocabulary, plain
from walras.messages import AgentId
from walras.questions import Question

if TYPE_CHECKING:
    from websockets.asyncio.connection import Connection

log = logging.getLogger("walras.live")
_decode = msgspec.json.Decoder(Said | Failed | Here).decode


class WebSocketParticipant(Participant):
    """``Agent("ada", WebSocketParticipant(door))``: whoever calls the door with ada's token answers for her.

    A line that breaks loses nothing: on the next one its process says what it has been asked, and what it answers.

    Args:
        door: of the market, open; ``door.token("ada")`` is what ada's process shows.
        patience_s: how long a question waits for somebody to call, at most.
    """

    def __init__(self, door: Door, *, patience_s: float = 5.0) -> None:
        if MIND not in door.callers:
            door.callers[MIND] = Reception()
        self.reception: Any = door.callers[MIND]
        self.patience_s = patience_s

    def estimate(self, ask: Ask) -> Usage:
        return ONE_CALL

    async def answer(self, ask: Ask) -> Any:
        seat: Seat = self.reception.seat(ask.agent)
        said: Said | Failed = await seat.put(ask, min(self.patience_s, 0.9 * ask.seconds))
        if isinstance(said, Said):
            return Reply(_value(said.value, type(ask.question)), said.usage)
        if said.again:
            raise Retryable(said.why, said.after_s)
        raise RuntimeError(said.why)

    async def health(self, agent: AgentId) -> str:
        return "" if self.reception.seat(agent).here.is_set() else f"no process answers for {agent}"


def _value(value: Any, question: type[Question]) -> Any:
    """What was said as an answer of the question's; what is none is left as it came, for the guard to judge."""
    if isinstance(value, dict) and "type" in value:
        try:
            return _vocabulary(question).read(value)
        except RemoteProtocolError:
            return value
    return value


@cache
def _vocabulary(question: type[Question]) -> Vocabulary:
    return Vocabulary(answer_types([question]), question.__name__)


class Reception:
    """Who answers for whom."""

    def __init__(self) -> None:
        self.seats: dict[AgentId, Seat] = {}

    def seat(self, agent: AgentId) -> "Seat":
        """An agent's seat."""
        return self.seats.setdefault(agent, Seat(agent))

    async def __call__(self, agent: str, line: "Connection") -> None:
        """Somebody has called, and proved that it may answer for an agent."""
        await self.seat(agent).take(line)


class Seat:
    """One agent's open questions, and the line by which they are answered, if there is one."""

    def __init__(self, agent: AgentId) -> None:
        self.agent = agent
        self.here = asyncio.Event()
        self.line: Connection | None = None
        self.frames: asyncio.Queue[bytes] = asyncio.Queue()
        self.open: dict[str, tuple[Ask, float, asyncio.Future[Said | Failed]]] = {}
        self._life, self._numbers = secrets.token_hex(4), count(1)

    async def put(self, ask: Ask, patience_s: float) -> Said | Failed:
        """Ask, and wait for what is said.

        Raises:
            Retryable: if nobody is there to be asked.
        """
        loop = asyncio.get_running_loop()
        id_ = f"{self._life}-{next(self._numbers)}"
        answer: asyncio.Future[Said | Failed] = loop.create_future()
        self.open[id_] = ask, loop.time() + ask.seconds, answer
        if self.here.is_set():
            self._send(id_)
        try:
            async with asyncio.timeout(patience_s):
                await self.here.wait()
            return await answer
        except TimeoutError:
            raise Retryable(f"no process answers for {self.agent}") from None
        finally:
            del self.open[id_]
            if self.here.is_set():
                self.frames.put_nowait(encode(Over(id_)))

    def _send(self, id_: str) -> None:
        ask, by, _ = self.open[id_]
        left = by - asyncio.get_running_loop().time()
        self.frames.put_nowait(
            encode(
                Asking(
                    id_, ask.agent, ask.conversation, plain(ask.question), ask.prompt.system, ask.prompt.user,
                    ask.schema, left, ask.key, ask.note, ask.tools,
                )
            )
        )  # fmt: skip

    async def take(self, line: "Connection") -> None:
        """Somebody has called: it is asked what is open; who called before is told that another has come."""
        before, self.line = self.line, line
        frames = self.frames = asyncio.Queue()
        self.here.clear()
        writer = asyncio.create_task(write_from(frames, line))
        try:
            if before is not None:
                await before.close(REPLACED, f"another process answers for {self.agent}"[:100])
            async for raw in line:
                self._hear(_decode(raw), line)
        except UnlikeError as error:
            await line.close(UNLIKE, f"{error}")
        except (msgspec.DecodeError, RecursionError) as error:
            log.warning("%s answers in no frame of ours: %s", self.agent, error)
            await line.close(MISTAKEN, "no frame")
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            if self.line is line:
                self.line = None
                self.here.clear()

    def _hear(self, said: Said | Failed | Here, line: "Connection") -> None:
        if isinstance(said, Here):
            if said.version != VERSION:
                raise UnlikeError(f"version {said.version} where {VERSION} is spoken")
            if self.line is line and not self.here.is_set():
                for id_ in [id_ for id_ in self.open if id_ not in said.ids]:
                    self._send(id_)
                self.here.set()
            return
        found = self.open.get(said.id)
        if found is not None and not found[2].done():  # else nobody waits for it any more
            found[2].set_result(said)
