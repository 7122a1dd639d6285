"""A remote A2A agent as a participant (extra ``a2a``): bids are Messages, work is a Task in the same context.

The words of the market are declared as an extension. A data part says one of

* ``{"ask": {kind, question, schema, seconds, key, note}}``, answered by a Message ``{"answer": ...}`` (null declines) or
  ``{"failed": why}``;
* ``{"do": {task, key}}``, answered by a Task, whose artifact is ``{"report": ...}``;
* ``{"allocate": {items, within_s, key}}``, to an auctioneer (`walras.adapters.a2a_server`), answered by a Task, whose artifact is
  ``{"status": ..., "awards": [...]}``.

A text part beside an ask holds the same in words, so that an agent which never heard of markets can answer, too.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from math import inf
from typing import Any
from urllib.parse import urlsplit

import msgspec

from walras.allocation import Report
from walras.amounts import is_above_0, is_whole
from walras.errors import RemoteProtocolError, ScenarioError
from walras.items import Task
from walras.live.answers import ONE_CALL, Usage
from walras.live.door import is_loopback
from walras.live.extras import needed
from walras.live.feed import Work
from walras.live.participant import Ask, Participant, Retryable
from walras.live.vocabulary import plain
from walras.messages import AgentId

EXTENSION = "urn:walras:a2a:market:1"
"""Names the vocabulary above, on cards and in the header ``A2A-Extensions``."""

_MAY_PASS = (408, 409, 429)
_PORTS = {"http": 80, "https": 443}
_CANCEL_WITHIN_S = 5.0


class A2AParticipant(Participant):
    """``Agent("ada", A2AParticipant("https://agents.example.org/ada", token="..."))``: it is asked, and does what it wins.

    Args:
        url: where its card is, ``/.well-known/agent-card.json`` beneath.
        token: its bearer token; it is sent to this origin and to no other, whatever the card says.
        strict: take only agents whose card declares our `EXTENSION`; False asks others, too, in words.
        streaming: hear how a task goes on; else ask for it, every `poll_s`.
        most_bytes: the longest response that is read.

    Raises:
        ScenarioError: for an address that is none, a token that would leave this machine without TLS or that cannot be
            sent, numbers that are not above 0.
        MissingExtraError: if a2a-sdk is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        strict: bool = True,
        streaming: bool = True,
        poll_s: float = 0.2,
        most_bytes: int = 1_048_576,
    ) -> None:
        if not _origin(url):
            raise ScenarioError("url", url, "an address such as https://agents.example.org/ada")
        if token and url.startswith("http:") and not is_loopback(url):
            raise ScenarioError("url", url, "https://, since a token goes there")
        if not (token.isascii() and token.isprintable()):
            raise ScenarioError("token", "(not shown)", "a token of printable ASCII")
        if not is_above_0(poll_s):
            raise ScenarioError("poll_s", poll_s, "a number of seconds above 0")
        if not is_whole(most_bytes, 1):
            raise ScenarioError("most_bytes", most_bytes, "1 or more")
        self._sdk, self._types = needed("a2a.client", "a2a"), needed("a2a.types", "a2a")
        self._helpers, self._http = needed("a2a.helpers", "a2a"), needed("httpx", "a2a")
        self.url, self.strict, self.streaming, self.poll_s = url.rstrip("/"), strict, streaming, poll_s
        self.most_bytes = most_bytes
        self.provider = self.url
        self._token = token
        self._client: Any = None
        self._lines: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._farewells: set[asyncio.Task[None]] = set()

    def estimate(self, ask: Ask) -> Usage:
        return ONE_CALL

    async def answer(self, ask: Ask) -> Any:
        asked = {
            "kind": type(ask.question).__name__, "question": plain(ask.question), "schema": ask.schema,
            "seconds": ask.seconds, "key": ask.key, "note": ask.note,
        }  # fmt: skip
        words = f"{ask.prompt.system}\n\n{ask.prompt.user}"
        heard = await self._converse({"ask": asked}, words, ask.conversation, ask.key)
        if heard.state in ("REJECTED", "CANCELED"):
            return None
        if heard.state not in ("", "COMPLETED"):
            raise RuntimeError(f"its task has ended as {heard.state}: {heard.text}")
        if isinstance(heard.data, dict) and "failed" in heard.data:
            raise RuntimeError(f"{heard.data['failed']}"[:300])
        if isinstance(heard.data, dict) and "answer" in heard.data:
            return heard.data["answer"]
        return heard.data if heard.data is not None else heard.text

    async def work(self, task: Task, key: str) -> Report:
        """Have it do what it has won; to stop it cancels its task."""
        words = f"You have won this task. Do it.\n{msgspec.json.encode(task).decode()}"
        context = key.partition("#")[0].rpartition("/")[0]
        heard = await self._converse({"do": {"task": plain(task), "key": key}}, words, context, key)
        if heard.state == "CANCELED":
            return Report("stopped")
        if isinstance(heard.data, dict) and isinstance(heard.data.get("report"), dict):
            return _report(heard.data["report"], task)
        if heard.state not in ("", "COMPLETED"):
            return Report("failed", result=heard.text or heard.state)
        return Report("done", quality=1.0, result=heard.text)

    async def health(self, agent: AgentId) -> str:
        try:
            await self._connected()
        except (Retryable, RuntimeError) as error:
            return f"{error}"
        return ""

    async def close(self) -> None:
        lines, self._client, self._lines = self._lines, None, None
        if lines is not None and self._loop is asyncio.get_running_loop():
            await lines.aclose()

    # ------------------------------------------------------------------ the line
    async def _converse(self, body: dict[str, Any], words: str, context: str, key: str) -> Heard:
        """Send a message, and wait for the message or the end of the task that answers it."""
        client = await self._connected()
        parts = [
            self._helpers.new_data_part(msgspec.to_builtins(body)),
            self._helpers.new_text_part(words),
        ]
        message = self._helpers.new_message(parts, context_id=context, role=self._types.Role.ROLE_USER)
        message.message_id = f"{context}/{key}"
        message.extensions.append(EXTENSION)
        heard = Heard(self._types)
        try:
            async for event in client.send_message(self._types.SendMessageRequest(message=message)):
                heard.take(event)
            # it, or a person there, is at it
            while heard.state in ("SUBMITTED", "WORKING", "INPUT_REQUIRED"):
                await asyncio.sleep(self.poll_s)
                heard.take_task(await client.get_task(self._types.GetTaskRequest(id=heard.task)))
        except asyncio.CancelledError:
            if heard.task:
                farewell = asyncio.create_task(self._cancel(client, heard.task))
                self._farewells.add(farewell)
                farewell.add_done_callback(self._farewells.discard)
            raise
        except Exception as error:
            raise self._fault(error) from None
        return heard

    async def _cancel(self, client: Any, task: str) -> None:
        with suppress(Exception):  # it has ended meanwhile, or will find out by itself
            async with asyncio.timeout(_CANCEL_WITHIN_S):
                await client.cancel_task(self._types.CancelTaskRequest(id=task))

    async def _connected(self) -> Any:
        """The client of this event loop, made from a card that we trust no further than we must."""
        loop = asyncio.get_running_loop()
        if self._client is not None and self._loop is loop:
            return self._client
        headers = {"A2A-Extensions": EXTENSION}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        lines = self._http.AsyncClient(
            headers=headers, timeout=self._http.Timeout(None, connect=10.0), follow_redirects=False,
            trust_env=not is_loopback(self.url), event_hooks={"response": [self._bounded]},
        )  # fmt: skip
        try:
            card = await self._sdk.A2ACardResolver(lines, self.url).get_agent_card()
            self._check(card)
            bindings = [i.protocol_binding for i in card.supported_interfaces]
            config = self._sdk.ClientConfig(
                httpx_client=lines, streaming=self.streaming,
                supported_protocol_bindings=[b for b in ("JSONRPC", "HTTP+JSON") if b in bindings],
                use_client_preference=True,
            )  # fmt: skip
            client = self._sdk.ClientFactory(config).create(card)
        except Exception as error:
            await lines.aclose()
            raise self._fault(error) from None
        self._client, self._lines, self._loop = client, lines, loop
        return client

    def _check(self, card: Any) -> None:
        """A card is a stranger's word: nothing is sent where it points to, unless that is where it came from."""
        declared = [extension.uri for extension in card.capabilities.extensions]
        if self.strict and EXTENSION not in declared:
            raise RuntimeError(
                f"the card of {self.url} does not declare {EXTENSION}; strict=False asks it in words"
            )
        for interface in card.supported_interfaces:
            if _origin(interface.url) != _origin(self.url):
                raise RuntimeError(f"the card of {self.url} points elsewhere: {interface.url}"[:300])
        if not card.supported_interfaces:
            raise RuntimeError(f"the card of {self.url} names no address")

    async def _bounded(self, response: Any) -> None:
        """Let a response be read up to a size."""
        most, inner = self.most_bytes, response.stream

        async def chunks(stream: Any) -> Any:
            size = 0
            async for chunk in inner:
                size += len(chunk)
                if size > most:
                    raise RuntimeError(f"a response of more than {most:,} bytes")
                yield chunk

        async def aclose(stream: Any) -> None:
            await inner.aclose()

        methods = {"__aiter__": chunks, "aclose": aclose}
        response.stream = type("Bounded", (self._http.AsyncByteStream,), methods)()

    def _fault(self, error: Exception) -> Exception:
        """What the guard may try again, and what it may not."""
        if isinstance(error, RuntimeError | Retryable):
            return error
        cause = error.__cause__ or error.__context__
        status = getattr(getattr(cause, "response", None), "status_code", None) or getattr(
            error, "status_code", None
        )
        why = f"{self.url}: {type(error).__name__}: {error}".partition("\n")[0][:300]
        if status is None:
            return Retryable(why) if isinstance(cause, self._http.TransportError) else RuntimeError(why)
        return Retryable(why) if status in _MAY_PASS or status >= 500 else RuntimeError(why)


def _report(said: dict[str, Any], task: Task) -> Report:
    """What a remote agent says of its work.

    Raises:
        RemoteProtocolError: for what is no report.
    """
    try:
        report = msgspec.convert(said, Report)
    except msgspec.ValidationError as error:
        raise RemoteProtocolError(f"a report that is none: {error}"[:300]) from None
    if not Work(task=task, decide_by=inf).accepts(report):
        raise RemoteProtocolError(f"a report that is none: {report}"[:300])
    return report


class Heard:
    """What a remote agent has said: a message, or a task with its state (`TASK_STATE_` left out) and artifact."""

    def __init__(self, types: Any) -> None:
        self._types = types
        self.task = self.state = self.text = ""
        self.data: Any = None

    def take(self, event: Any) -> None:
        """One event of a stream."""
        kind = event.WhichOneof("payload")
        if kind == "message":
            self._read(event.message.parts)
        elif kind == "task":
            self.take_task(event.task)
        elif kind == "status_update":
            self.task = event.status_update.task_id
            self._status(event.status_update.status)
        elif kind == "artifact_update":
            self._read(event.artifact_update.artifact.parts)

    def take_task(self, task: Any) -> None:
        """A task as it is now."""
        self.task = task.id
        for artifact in task.artifacts:
            self._read(artifact.parts)
        self._status(task.status)

    def _status(self, status: Any) -> None:
        self.state = self._types.TaskState.Name(status.state).removeprefix("TASK_STATE_")
        if status.HasField("message"):
            self._read(status.message.parts)

    def _read(self, parts: Any) -> None:
        for part in parts:
            if part.WhichOneof("content") == "data":
                self.data = from_part(part)
            elif part.WhichOneof("content") == "text":
                self.text = part.text


def from_part(part: Any) -> Any:
    """The JSON data of a part. Its numbers have travelled as doubles: whole ones are whole again.

    Raises:
        RemoteProtocolError: for numbers that JSON has not.
    """
    json_format = needed("google.protobuf.json_format", "a2a")
    try:
        return _whole(json_format.MessageToDict(part.data))
    except (json_format.Error, ValueError) as error:
        raise RemoteProtocolError(f"{error}") from None


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2.0**53:
        return int(value)
    if isinstance(value, dict):
        return {name: _whole(part) for name, part in value.items()}
    return [_whole(part) for part in value] if isinstance(value, list) else value


def _origin(url: str) -> tuple[str, str, int] | None:
    try:
        place = urlsplit(url)
        if place.scheme in _PORTS and place.hostname:
            return place.scheme, place.hostname, place.port or _PORTS[place.scheme]
    except (ValueError, AttributeError, TypeError):  # a port that is none, or no text at all
        pass
    return None
