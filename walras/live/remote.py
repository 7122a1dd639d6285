"""A mind in another process: the market hosts its role, and its questions come here over a WebSocket.

`serve` calls the market's door, answers, and calls again when the line breaks. The market asks again what it has no
answer to, under the same id: nothing is pondered twice. The market's side is `walras.adapters.websocket`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from ssl import SSLContext
from typing import TYPE_CHECKING, Any

import msgspec

from walras.agents import Agent
from walras.errors import LocalProtocolError, RemoteProtocolError, ScenarioError, WalrasError
from walras.live.answers import ONE_CALL, Usage, in_words
from walras.live.door import (
    MIND,
    MISTAKEN,
    REPLACED,
    UNLIKE,
    Backoff,
    LineRules,
    check_address,
    dial,
    unreachable,
)
from walras.live.participant import Ask, Participant, Prompt, Reply, Retryable
from walras.live.threads import is_async
from walras.live.vocabulary import Vocabulary, plain
from walras.questions import Question

if TYPE_CHECKING:
    from websockets.asyncio.connection import Connection

log = logging.getLogger("walras.live")

VERSION = 1
"""Of what is said on such a line."""

MOST_KEPT = 1000
"""How many answers are kept for a market that may not have heard them."""


class Asking(msgspec.Struct, frozen=True, tag=True):
    """From the market: an `Ask`. The same id again is the same ask again, with less time."""

    id: str
    agent: str
    conversation: str
    question: Any
    system: str
    user: str
    schema: Mapping[str, Any]
    seconds: float
    key: str
    note: str = ""
    tools: tuple[str, ...] = ()


class Over(msgspec.Struct, frozen=True, tag=True):
    """From the market: the answer was heard, or nobody waits for it any more."""

    id: str


class Here(msgspec.Struct, frozen=True, tag=True):
    """To the market, first on every line: these asks have come before, and need not come again."""

    ids: tuple[str, ...] = ()
    version: int = VERSION


class Said(msgspec.Struct, frozen=True, tag=True):
    """To the market: the answer; null declines."""

    id: str
    value: Any
    usage: Usage


class Failed(msgspec.Struct, frozen=True, tag=True):
    """To the market: no answer, and why; `again`: a fault that may pass, after `after_s` seconds at the earliest."""

    id: str
    why: str
    again: bool = False
    after_s: float = 0.0


class Untyped(Question, frozen=True, kw_only=True):
    """A question of a class that is not known here, as JSON text; prompt and schema say all that models need."""

    text: str


encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Asking | Over).decode


def answer_types(questions: Iterable[type[Question]]) -> list[Any]:
    """The struct classes among the legal answers to questions."""
    answers: list[Any] = [answer for question in questions for answer in question.answers]
    return [answer for answer in answers if isinstance(answer, type) and issubclass(answer, msgspec.Struct)]


async def write_from(frames: asyncio.Queue[bytes], connection: Connection) -> None:
    """Put frames on a line, one after the other."""
    while True:
        await connection.send(await frames.get(), text=True)


async def serve(
    mind: Agent | Participant,
    url: str,
    token: str,
    *,
    questions: Iterable[type[Question]] = (),
    rules: LineRules = LineRules(),  # noqa: B008  # it is frozen
    ssl: SSLContext | None = None,
) -> None:
    """Answer a market's questions to one agent, until this coroutine is cancelled.

    Args:
        mind: a participant, or an agent with a strategy; its private type (values, costs ...) stays here. A plain function
            runs in a thread of its own, one question at a time.
        url: the address of the market's door.
        token: what that door gives for the agent (`Door.token`); it says whose questions these are.
        questions: the classes of questions that plain strategies are asked; participants do without.
        rules: limits and patience.
        ssl: how to check the certificate of a ``wss://`` address; None: as the system does.

    Raises:
        ScenarioError: for a wrong token, an address that makes no sense, an agent without a strategy.
        RemoteProtocolError: if another process answers for this agent now, or the market does not understand us.
        MissingExtraError: if websockets is not installed.
    """
    check_address("url", url, rules)
    pool = ThreadPoolExecutor(max_workers=1)
    server = _Server(mind, tuple(questions), rules, pool)
    backoff, clock = Backoff(rules), asyncio.get_running_loop().time
    try:
        while True:
            began = clock()
            try:
                async with dial(url, MIND, token, rules, ssl) as line:
                    await server.answer_on(line)
            except WalrasError:
                raise
            # Of the network, of the market's machine: there will be another attempt.
            except Exception as error:
                why = unreachable(error)
                log.info("%s: %s", url, why)
                if why.startswith("wrong token"):
                    raise ScenarioError(
                        "token", "...", "what the market's door gives for the agent"
                    ) from None
            await asyncio.sleep(backoff.pause_s(clock() - began))
    finally:
        server.stop()
        pool.shutdown(wait=False, cancel_futures=True)


class _Server:
    """What is being pondered, and what was said, whichever line it came by."""

    def __init__(
        self,
        mind: Agent | Participant,
        questions: tuple[type[Question], ...],
        rules: LineRules,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.mind = mind.strategy if isinstance(mind, Agent) else mind
        if self.mind is None or not (isinstance(mind, Agent) or isinstance(self.mind, Participant)):
            raise ScenarioError("mind", mind, "a Participant, or an Agent that has a strategy")
        self.agent = mind if isinstance(mind, Agent) else None
        self.vocabulary = Vocabulary((*questions, *answer_types(questions)), "this process (questions=...)")
        self.rules, self.pool = rules, pool
        self.pondering: dict[str, asyncio.Task[None]] = {}
        self.said: dict[str, bytes] = {}
        self.frames: asyncio.Queue[bytes] = asyncio.Queue()

    async def answer_on(self, line: Connection) -> None:
        """Until the line ends."""
        self.frames = asyncio.Queue()
        self.frames.put_nowait(encode(Here((*self.said, *self.pondering))))
        for frame in self.said.values():
            self.frames.put_nowait(frame)
        writer = asyncio.create_task(write_from(self.frames, line))
        try:
            async for raw in line:
                try:
                    frame = _decode(raw)
                except (msgspec.DecodeError, RecursionError) as error:
                    await line.close(MISTAKEN, "no question")
                    raise RemoteProtocolError(
                        f"what calls itself a market asks no questions: {error}"
                    ) from None
                self._take(frame)
        except WalrasError:
            raise
        except Exception:
            if line.close_code in (REPLACED, MISTAKEN, UNLIKE):
                raise RemoteProtocolError(f"the market has ended this: {line.close_reason}") from None
            raise
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    def _take(self, frame: Asking | Over) -> None:
        if isinstance(frame, Over):
            self.said.pop(frame.id, None)
            if frame.id in self.pondering:
                self.pondering[frame.id].cancel()
        elif frame.id not in self.said and frame.id not in self.pondering:
            self.pondering[frame.id] = asyncio.create_task(self._ponder(frame))

    async def _ponder(self, asking: Asking) -> None:
        try:
            frame = encode(await self._reply(asking))
            if len(frame) > self.rules.most_bytes:
                why = f"an answer of {len(frame):,} bytes; {self.rules.most_bytes:,} are the most"
                frame = encode(Failed(asking.id, why))
            self.said[asking.id] = frame
            if len(self.said) > MOST_KEPT:
                del self.said[next(iter(self.said))]
            self.frames.put_nowait(frame)
        finally:
            del self.pondering[asking.id]

    async def _reply(self, asking: Asking) -> Said | Failed:
        try:
            said = await self._said(self._ask(asking))
            reply = said if isinstance(said, Reply) else Reply(said, ONE_CALL)
            value = reply.value.decode() if isinstance(reply.value, bytes) else reply.value
            return Said(asking.id, plain(value), reply.usage)
        except Retryable as fault:
            return Failed(asking.id, f"{fault}"[:300], again=True, after_s=fault.after_s)
        except Exception as error:  # a mind is not ours; the market gives it a status
            return Failed(asking.id, in_words(error))

    def _ask(self, asking: Asking) -> Ask:
        a = asking
        try:
            question = self.vocabulary.read(a.question, Question)
        except RemoteProtocolError as error:
            if not isinstance(self.mind, Participant):
                raise LocalProtocolError(f"{error}") from None
            decide_by = a.question.get("decide_by") if isinstance(a.question, dict) else None
            at = float(decide_by) if isinstance(decide_by, int | float) else 0.0
            question = Untyped(decide_by=at, text=encode(a.question).decode())
        prompt = Prompt(a.system, a.user)
        return Ask(question, a.agent, a.conversation, prompt, a.schema, a.seconds, a.key, a.note, a.tools)

    async def _said(self, ask: Ask) -> Any:
        mind: Any = self.mind
        if isinstance(mind, Participant):
            return await mind.answer(ask)
        if is_async(mind):
            return await mind(ask.question, self.agent)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.pool, mind, ask.question, self.agent)

    def stop(self) -> None:
        """Nobody asks any more."""
        for task in self.pondering.values():
            task.cancel()
