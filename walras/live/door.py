"""WebSockets into a market and out of it: addresses, tokens, and how long to wait before the next attempt.

A token names who calls, and proves it by a code under the secret that the market's processes share. So who somebody
is follows from the token, and from nothing that they say.
"""

from __future__ import annotations

import contextlib
import hmac
import ipaddress
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from random import Random
from ssl import SSLContext
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

import msgspec

from walras.errors import ScenarioError
from walras.live.extras import needed
from walras.live.settings import check_above_0

if TYPE_CHECKING:
    from websockets.asyncio.connection import Connection

log = logging.getLogger("walras.live")

LEAST_SECRET = 16
PROCESS, MIND = "process", "mind"
"""Who may call: a process of the market, with agents of its own; the mind of one agent whose role is in the market."""

MISTAKEN, REPLACED, UNLIKE = 4400, 4409, 4412
"""Why we end a line: what came over it was no message of ours; the same caller has come again; two processes do not
belong together."""

Caller = Callable[[str, "Connection"], Awaitable[None]]
"""What to do with somebody who has called and proved its name, until it hangs up."""


class LineRules(msgspec.Struct, frozen=True):
    """Limits and patience of lines between processes.

    Raises:
        ScenarioError: for a number that is not above 0.
    """

    most_bytes: int = 1_048_576
    """The largest message."""
    backoff_s: float = 0.05
    """The pause before the second attempt to connect, times 0.5 to 1; it doubles with each further one ..."""
    most_backoff_s: float = 2.0
    """... up to this."""
    ping_s: float = 5.0
    """How often to look whether a line is alive; twice that without an answer ends it."""
    patience_s: float = 10.0
    """How long to wait for a line to be made."""
    most_skew_s: float = 5.0
    """How far the clocks of two processes may be apart."""
    plain_beyond_loopback: bool = False
    """Whether to let ``ws://`` leave this machine, where everybody on the way can read tokens; else it takes ``wss://``."""

    def __post_init__(self) -> None:
        check_above_0(
            self, "most_bytes", "backoff_s", "most_backoff_s", "ping_s", "patience_s", "most_skew_s"
        )


class Backoff:
    """Pauses between attempts, longer and longer, and spread, so that many do not come back in the same moment."""

    def __init__(self, rules: LineRules, rng: Random | None = None) -> None:
        self.rules, self.rng = rules, rng if rng is not None else Random()
        self.failures = 0

    def pause_s(self, lasted_s: float = 0.0) -> float:
        """How long to wait after a line that lasted so long, or was not made; after a good one the pauses begin anew."""
        rules = self.rules
        if lasted_s > rules.most_backoff_s:
            self.failures = 0
        longest = min(rules.most_backoff_s, rules.backoff_s * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return longest * (0.5 + 0.5 * self.rng.random())


class Tokens:
    """Makes and checks the tokens of one market.

    Raises:
        ScenarioError: for a secret that is no bytes, or less than 16 of them.
    """

    def __init__(self, secret: bytes) -> None:
        given: Any = secret  # perhaps a text
        if not isinstance(given, bytes) or len(given) < LEAST_SECRET:
            shown = f"{len(given)} bytes" if isinstance(given, bytes) else type(given).__name__
            raise ScenarioError("secret", shown, f"{LEAST_SECRET} bytes or more: secrets.token_bytes(32)")
        self._secret = secret

    def token(self, kind: str, name: str) -> str:
        """What somebody called `name` shows."""
        code = hmac.digest(self._secret, f"{kind}/{name}".encode(errors="replace"), "sha256").hex()
        return f"{quote(name, safe='', errors='replace')}.{code}"  # it travels in a header, which is ASCII

    def bearer(self, kind: str, token: str) -> str | None:
        """Whose token this is; None: it is false."""
        name = unquote(token.rpartition(".")[0])
        true = hmac.compare_digest(self.token(kind, name).encode(), token.encode(errors="replace"))
        return name if name and true else None


class Door:
    """A WebSocket server that lets in who has a token: ``async with Door("ws://127.0.0.1:0", secret) as door``.

    Args:
        listen: where; port 0: any that is free, see `url`.
        secret: what tokens are made from, 16 bytes or more.
        rules: limits and patience.
        ssl: for ``wss://``.

    Raises:
        ScenarioError: for an address that is not of this machine without TLS, a secret that is too short, an address in use.
        MissingExtraError: if websockets is not installed.
    """

    def __init__(
        self,
        listen: str = "ws://127.0.0.1:0",
        secret: bytes = b"",
        *,
        rules: LineRules = LineRules(),  # noqa: B008  # it is frozen
        ssl: SSLContext | None = None,
    ) -> None:
        self.listen, self.rules, self.ssl = listen, rules, ssl
        check_address("listen", listen, rules)
        if listen.startswith("wss:") and ssl is None:
            raise ScenarioError("ssl", None, f"the SSLContext of {listen}")
        self.tokens = Tokens(secret)
        self.callers: dict[str, Caller] = {}
        """What to do with callers of each kind."""
        self._server: Any = None
        self._sdk = needed("websockets.asyncio.server", "websocket")

    def token(self, agent: str) -> str:
        """What the mind of this agent shows, to be let in; hand it to nobody else."""
        return self.tokens.token(MIND, agent)

    @property
    def url(self) -> str:
        """Where it listens."""
        scheme, host = self.listen.split(":")[0], urlsplit(self.listen).hostname
        port = self._server.sockets[0].getsockname()[1] if self._server else urlsplit(self.listen).port
        return f"{scheme}://[{host}]:{port}" if host and ":" in host else f"{scheme}://{host}:{port}"

    async def __aenter__(self) -> Door:
        place, rules = urlsplit(self.listen), self.rules
        try:
            self._server = await self._sdk.serve(
                self._answer, place.hostname, place.port or 0, ssl=self.ssl, process_request=self._admit,
                compression=None, max_size=rules.most_bytes, open_timeout=rules.patience_s,
                ping_interval=rules.ping_s, ping_timeout=2 * rules.ping_s, close_timeout=1.0,
            )  # fmt: skip
        except OSError as error:
            raise ScenarioError("listen", self.listen, f"an address that is free ({error})") from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    def _admit(self, connection: Any, request: Any) -> Any:
        """Before anything else: an answer that turns the caller away, or nothing."""
        kind = request.path.strip("/")
        if kind not in self.callers:
            return connection.respond(HTTPStatus.NOT_FOUND, f"nobody here for {kind[:40]!r}\n")
        shown = request.headers.get("Authorization", "")
        name = self.tokens.bearer(kind, shown.removeprefix("Bearer "))
        if name is None:
            log.warning("a caller with a wrong token was turned away from %s", self.url)
            return connection.respond(HTTPStatus.UNAUTHORIZED, "wrong token\n")
        connection.caller = kind, name
        return None

    async def _answer(self, connection: Any) -> None:
        kind, name = connection.caller
        try:
            await self.callers[kind](name, connection)
        except Exception as error:  # mostly of the network: whoever has called will call again
            log.info("%s %s at %s: %s", kind, name, self.url, unreachable(error))


def check_address(field: str, url: str, rules: LineRules) -> None:
    """Refuse what is no address of a WebSocket, and plain text that would leave this machine."""
    try:
        place = urlsplit(url)
        right = place.scheme in ("ws", "wss") and place.hostname and (place.port or 0) >= 0
    except ValueError:
        right = False
    if not right:
        raise ScenarioError(field, url, "an address such as ws://127.0.0.1:7001")
    if place.scheme == "ws" and not is_loopback(url) and not rules.plain_beyond_loopback:
        raise ScenarioError(
            field,
            url,
            "an address of this machine, or wss://; LineRules(plain_beyond_loopback=True) lets it pass",
        )


def is_loopback(url: str) -> bool:
    """Whether an address is this machine's own."""
    host = urlsplit(url).hostname or ""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def dial(url: str, kind: str, token: str, rules: LineRules, ssl: SSLContext | None = None) -> Any:
    """A line to somebody's door, to be used with ``async with``."""
    sdk = needed("websockets.asyncio.client", "websocket")
    return sdk.connect(
        f"{url.rstrip('/')}/{kind}", additional_headers={"Authorization": f"Bearer {token}"},
        ssl=(ssl or True) if url.startswith("wss:") else None,
        proxy=None if is_loopback(url) else True, compression=None, max_size=rules.most_bytes,
        open_timeout=rules.patience_s, ping_interval=rules.ping_s, ping_timeout=2 * rules.ping_s, close_timeout=1.0,
    )  # fmt: skip


def unreachable(error: BaseException) -> str:
    """Why a line could not be made, in words."""
    response = getattr(error, "response", None)
    if response is not None and response.status_code == HTTPStatus.UNAUTHORIZED:
        return "wrong token (401)"
    return f"{type(error).__name__}: {error}"[:200]
