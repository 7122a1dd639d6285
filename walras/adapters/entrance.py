"""What all edges of a market over HTTP share: an entrance that asks for a pass.

Nothing that arrives is executed: a body is JSON of bounded size, read into structs, or refused.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any, Protocol

import msgspec

from walras.adapters.lines import READ_WITHIN_S
from walras.live.feed import DeskRules
from walras.live.passes import RefusedError
from walras.messages import AgentId

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
"""An ASGI application."""

VISITOR = "walras.visitor"
"""Where in a request's scope the entrance leaves who has come."""

SUBPROTOCOL = "walras"
"""What a WebSocket of a browser asks for, with its token as the second: ``new WebSocket(url, ["walras", token])``."""


class Known(Protocol):
    """Who has shown a pass."""

    @property
    def agent(self) -> AgentId: ...


class Entrance:
    """Lets requests through to an app whose caller shows a pass, and is neither too large nor too often.

    Args:
        app: an ASGI application; it finds who has come in its scope, under `VISITOR`.
        enter: says who shows a token, or raises `RefusedError`.
        rules: the largest request, and how many of one agent may be under way at once.
        public: paths that everybody may read.
    """

    def __init__(
        self, app: App, enter: Callable[[str], Known], rules: DeskRules, public: tuple[str, ...] = ()
    ) -> None:
        self.app, self.enter, self.rules, self.public = app, enter, rules, public
        self._under_way: Counter[AgentId] = Counter()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        with contextlib.ExitStack() as line:
            try:
                if scope["path"] not in self.public:
                    visitor = scope[VISITOR] = self.enter(_token(scope))
                    line.enter_context(self._one_more(visitor.agent))
                if scope["type"] == "http":
                    receive = await _read(receive, self.rules.most_bytes)
            except RefusedError as refused:
                await refuse(scope, receive, send, refused)
            except ConnectionError:  # the caller has hung up: there is nobody to answer
                pass
            else:
                await self.app(scope, receive, send)

    @contextlib.contextmanager
    def _one_more(self, agent: AgentId) -> Iterator[None]:
        """A request of an agent that is under way."""
        if self._under_way[agent] >= self.rules.most_at_once:
            why = f"{self.rules.most_at_once} requests of {agent} are under way"
            raise RefusedError("too many", why, 1.0)
        self._under_way[agent] += 1
        try:
            yield
        finally:
            self._under_way[agent] -= 1


def _token(scope: MutableMapping[str, Any]) -> str:
    """What the caller shows: in the header; browsers cannot set it for a WebSocket, and show it as a subprotocol."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            kind, _, token = value.decode("latin-1").partition(" ")
            return token.strip() if kind.lower() == "bearer" else ""
    asked_for = scope.get("subprotocols", [])
    return asked_for[1] if len(asked_for) == 2 and asked_for[0] == SUBPROTOCOL else ""


async def _read(receive: Receive, most_bytes: int) -> Receive:
    """Read a request's whole body, text within bounds, and hand it on."""
    body, more = b"", True
    try:
        async with asyncio.timeout(READ_WITHIN_S):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ConnectionError
                body += message.get("body", b"")
                if len(body) > most_bytes:
                    raise RefusedError("too large", f"more than {most_bytes:,} bytes")
                more = message.get("more_body", False)
        body.decode()
    except UnicodeDecodeError:
        raise RefusedError("malformed", "the body is not UTF-8") from None
    except TimeoutError:
        raise RefusedError("malformed", f"the request took more than {READ_WITHIN_S:g} s to come") from None
    whole = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return whole.pop() if whole else await receive()

    return again


def fault(refused: RefusedError) -> dict[str, Any]:
    """What a refused caller is told."""
    return {"error": refused.fault, "why": f"{refused}"[:500]}


def headers_of(refused: RefusedError) -> list[tuple[bytes, bytes]]:
    """The HTTP headers of a refusal."""
    headers = [(b"content-type", b"application/json")]
    if refused.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if refused.after_s:
        headers.append((b"retry-after", f"{max(1, round(refused.after_s))}".encode()))
    return headers


async def refuse(
    scope: MutableMapping[str, Any], receive: Receive, send: Send, refused: RefusedError
) -> None:
    """Answer a request, or the handshake of a WebSocket, by a refusal."""
    body = msgspec.json.encode(fault(refused))
    kind = "http.response"
    if scope["type"] == "websocket":
        await receive()  # the handshake
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008, "reason": refused.fault})
            return
        kind = "websocket.http.response"
    await send({"type": f"{kind}.start", "status": refused.status, "headers": headers_of(refused)})
    await send({"type": f"{kind}.body", "body": body})
