"""What all edges of a market over HTTP share: a gate that asks for a pass, and a server for this machine (extra ``http``).

Nothing that arrives is executed: a body is JSON of bounded size, read into structs, or refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec

from walras.adapters.lines import READ_WITHIN_S, lines
from walras.errors import ScenarioError
from walras.live.door import is_loopback
from walras.live.extras import needed
from walras.live.feed import DeskRules
from walras.live.passes import RefusedError
from walras.messages import AgentId

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
"""An ASGI application."""

VISITOR = "walras.visitor"
"""Where in a request's scope the gate leaves who has come."""

SUBPROTOCOL = "walras"
"""What a WebSocket of a browser asks for, with its token as the second: ``new WebSocket(url, ["walras", token])``."""


class Known(Protocol):
    """Who has shown a pass."""

    @property
    def agent(self) -> AgentId: ...


class Gate:
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
                await _refuse(scope, receive, send, refused)
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
    """Read a request's whole body, within bounds, and hand it on."""
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


async def _refuse(
    scope: MutableMapping[str, Any], receive: Receive, send: Send, refused: RefusedError
) -> None:
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


class Listening:
    """Serves an app for as long as the ``async with`` lasts: ``async with Listening(http_app(desk)) as at: at.url``.

    Args:
        app: an ASGI application.
        listen: where; port 0: any that is free. Beyond this machine it takes a certificate, since tokens could be read on
            the way.
        certificate: files of a TLS certificate and of its key, both PEM, for ``https://``.
        plain_beyond_loopback: let ``http://`` leave this machine, as behind a proxy that speaks TLS.
        most_bytes: the largest message over a WebSocket.
        most_lines: how many connections may be open at once.

    Raises:
        ScenarioError: for an address that makes no sense, is in use, or leaves this machine without TLS.
        MissingExtraError: if uvicorn is not installed.
    """

    def __init__(
        self,
        app: App,
        listen: str = "http://127.0.0.1:0",
        *,
        certificate: tuple[str | Path, str | Path] | None = None,
        plain_beyond_loopback: bool = False,
        most_bytes: int = 65_536,
        most_lines: int = 500,
    ) -> None:
        self.listen = listen
        self._place = _checked(listen, certificate is not None, plain_beyond_loopback)
        uvicorn: Any = needed("uvicorn", "http")
        files = [str(file) for file in certificate] if certificate is not None else [None, None]
        for file in files:
            if file is not None and not Path(file).is_file():
                raise ScenarioError("certificate", file, "a PEM file")
        settings = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, proxy_headers=False, http=lines(most_lines),
            ws="websockets-sansio", ws_max_size=most_bytes, ws_per_message_deflate=False, lifespan="auto",
            timeout_keep_alive=READ_WITHIN_S, timeout_graceful_shutdown=1, limit_concurrency=most_lines,
            ssl_certfile=files[0], ssl_keyfile=files[1],
        )  # fmt: skip
        self._server = uvicorn.Server(settings)
        self._server.capture_signals = _no_signals
        self._task: asyncio.Task[None] | None = None
        self._socket: socket.socket | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        scheme, host, port = self._place
        if self._socket is not None:
            port = self._socket.getsockname()[1]
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    async def __aenter__(self) -> Listening:
        _, host, port = self._place
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            # Named TCP, so that asyncio switches off the algorithm that would hold back every answer for 40 ms.
            self._socket = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((host, port))
            self._socket.listen(256)
        except OSError as error:
            self._close()
            raise ScenarioError("listen", self.listen, f"an address that is free ({error})") from None
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0.005)
        if self._task.done():  # its app could not start
            self._close()
            await self._task
            raise ScenarioError("app", "one that does not start", "an app; see the log")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        if self._task is not None:
            await self._task

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()


@contextlib.contextmanager
def _no_signals() -> Iterator[None]:
    """Signals are the program's, not ours."""
    yield


def _checked(listen: str, secure: bool, plain_beyond_loopback: bool) -> tuple[str, str, int]:
    try:
        place = urlsplit(listen)
        scheme, host, port = place.scheme, place.hostname, place.port or 0
    except ValueError:
        scheme, host, port = "", None, 0
    if scheme not in ("http", "https") or not host:
        raise ScenarioError("listen", listen, "an address such as http://127.0.0.1:8080")
    if (scheme == "https") != secure:
        raise ScenarioError(
            "certificate",
            "given" if secure else None,
            "the files of certificate and key, for https:// and only there",
        )
    if scheme == "http" and not is_loopback(listen) and not plain_beyond_loopback:
        raise ScenarioError(
            "listen",
            listen,
            "an address of this machine, or https:// with a certificate, or plain_beyond_loopback=True",
        )
    return scheme, host, port
