"""A server for the edges of a market, on this machine (extra ``http``)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from walras.adapters.entrance import App, Message, Receive, Send, refuse
from walras.adapters.lines import READ_WITHIN_S, lines
from walras.errors import ScenarioError
from walras.live.door import is_loopback
from walras.live.extras import needed
from walras.live.passes import RefusedError

GOING_AWAY = 1001
"""Why a WebSocket ends when we stop serving."""


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
        if not callable(app):
            raise ScenarioError("app", app, "an application, such as http_app(desk)")
        self.listen = listen
        self._place = _checked(listen, certificate is not None, plain_beyond_loopback)
        uvicorn: Any = needed("uvicorn", "http")
        if certificate is not None:
            _check_certificate(certificate)
        files = [str(file) for file in certificate] if certificate is not None else [None, None]
        self._app = app
        self._under_way: dict[asyncio.Task[Any] | None, None] = {}
        settings = uvicorn.Config(
            self._serve, interface="asgi3", log_config=None, access_log=False, server_header=False, proxy_headers=False,
            http=lines(most_lines), ws="websockets-sansio", ws_max_size=most_bytes, ws_per_message_deflate=False, lifespan="auto",
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
        for request in self._under_way:
            assert request is not None
            request.cancel()
        if self._task is not None:
            await self._task

    async def _serve(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """The app; whoever waits for something when we stop is told so."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        said: list[Message] = []

        async def noting(message: Message) -> None:
            said[:] = [message]
            await send(message)

        task = asyncio.current_task()
        self._under_way[task] = None
        try:
            await self._app(scope, receive, noting)
        except asyncio.CancelledError:
            if not self._server.should_exit:
                raise
            if not said:
                await refuse(scope, receive, send, RefusedError("closing", "this edge stops serving"))
            elif scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": GOING_AWAY})
            elif said[0]["type"] == "http.response.start" or said[0].get("more_body"):
                await send({"type": "http.response.body", "body": b""})  # the end of a stream
        finally:
            del self._under_way[task]

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()


@contextlib.contextmanager
def _no_signals() -> Iterator[None]:
    """Signals are the program's, not ours."""
    yield


def _check_certificate(files: Any) -> None:
    if not isinstance(files, tuple | list) or len(files) != 2:
        raise ScenarioError("certificate", files, 'two files, such as ("cert.pem", "key.pem")')
    for file in files:
        if not Path(file).is_file():
            raise ScenarioError("certificate", f"{file}", "a PEM file")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*files)
    except OSError as error:  # of TLS, too
        raise ScenarioError(
            "certificate", files, f"PEM files of a certificate and of its key ({error})"
        ) from None


def _checked(listen: str, secure: bool, plain_beyond_loopback: bool) -> tuple[str, str, int]:
    try:
        place = urlsplit(listen)
        scheme, host, port = place.scheme, place.hostname, place.port or 0
    except (ValueError, AttributeError, TypeError):  # a port that is none, or no text at all
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
