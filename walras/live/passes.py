"""Passes of people, programs and models that take part in a market from outside: who they are, what they may, until when.

A pass travels as a bearer token that nobody can make or change without the market's secret. Who somebody is follows
from it, and from nothing that they say.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from walras.amounts import is_amount
from walras.errors import ScenarioError, WalrasError
from walras.live.door import Tokens
from walras.messages import AgentId

Action = Literal["look", "answer", "join", "open", "ask"]
"""See conversations and events; answer questions; join conversations; open conversations; ask agents, and have them work."""

BIDDER: tuple[Action, ...] = ("look", "answer")
"""What an agent may that takes part where it is invited."""

KIND = "pass"

Fault = Literal[
    "no credential", "wrong credential", "expired", "revoked", "another market", "not allowed", "unknown", "too late",
    "conflict", "malformed", "illegal", "too large", "too many", "closing",
]  # fmt: skip

STATUS: dict[Fault, int] = {
    "no credential": 401, "wrong credential": 401, "expired": 401, "revoked": 401, "another market": 403, "not allowed": 403,
    "unknown": 404, "too late": 410, "conflict": 409, "malformed": 400, "illegal": 422, "too large": 413, "too many": 429,
    "closing": 503,
}  # fmt: skip
"""Each fault's HTTP status."""


class RefusedError(WalrasError):
    """A request from outside is refused: `fault` says why to programs, the message to people."""

    def __init__(self, fault: Fault, why: str, after_s: float = 0.0) -> None:
        super().__init__(why)
        self.fault, self.after_s = fault, after_s

    @property
    def status(self) -> int:
        """As an HTTP status."""
        return STATUS[self.fault]


class Pass(msgspec.Struct, frozen=True):
    """What a token says. `until` is by the time of day, in seconds; None: for as long as the secret lasts.

    `id` is a name of its own, by which it is revoked.
    """

    agent: AgentId
    market: str
    may: tuple[Action, ...]
    until: float | None
    id: str

    def demand(self, action: Action) -> None:
        """Refuse what this pass does not allow.

        Raises:
            RefusedError: if it does not.
        """
        if action not in self.may:
            raise RefusedError(
                "not allowed", f"this pass lets {self.agent} {', '.join(self.may)}; not {action}"
            )


class Passes:
    """Issues and reads the passes of one market.

    Args:
        secret: what tokens are made from, 16 bytes or more.
        market: its name; a pass of another one is refused, even under the same secret.
        wall: the time of day in seconds.
        revoked: ids of passes that are refused, see `revoke`.

    Raises:
        ScenarioError: for a secret that is too short.

    Examples:
        >>> passes = Passes(b"sixteen bytes at least", "spot")
        >>> passes.read(passes.issue("ada")).agent
        'ada'
    """

    def __init__(
        self,
        secret: bytes,
        market: str,
        wall: Callable[[], float] = time.time,
        revoked: Iterable[str] = (),
    ) -> None:
        self._tokens, self.market, self._wall = Tokens(secret), market, wall
        self.revoked = dict.fromkeys(revoked)
        """Ids of the passes that are refused. Keep them beside the secret: a market that starts again has to be told."""
        self._lines: dict[asyncio.Event, str] = {}

    def issue(self, agent: AgentId, may: tuple[Action, ...] = BIDDER, lasts_s: float | None = None) -> str:
        """The token of a pass; hand it to nobody but this agent's owner.

        Raises:
            ScenarioError: for an agent without a name, an action that there is not, a time that is not above 0.
        """
        if not agent:
            raise ScenarioError("agent", agent, "an agent's id")
        known = Action.__args__  # type: ignore[attr-defined]
        if unknown := [action for action in may if action not in known]:
            raise ScenarioError("may", unknown[0], f"some of {', '.join(known)}")
        if lasts_s is not None and not (is_amount(lasts_s) and lasts_s > 0):
            raise ScenarioError("lasts_s", lasts_s, "a number of seconds above 0, or None")
        until = None if lasts_s is None else self._wall() + lasts_s
        claims = msgspec.json.encode(Pass(agent, self.market, may, until, secrets.token_hex(8)))
        return self._tokens.token(KIND, urlsafe_b64encode(claims).decode().rstrip("="))

    def read(self, token: str) -> Pass:
        """What a token says.

        Raises:
            RefusedError: if it is missing, false, expired, revoked, or of another market.
        """
        if not token:
            raise RefusedError("no credential", "expected the header Authorization: Bearer <token>")
        claims = self._tokens.bearer(KIND, token)
        if claims is None:
            raise RefusedError("wrong credential", "this token was not issued by this market")
        try:
            found = msgspec.json.decode(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)), type=Pass)
        except msgspec.DecodeError:  # it is older than this version
            raise RefusedError("wrong credential", "this token says less than one of today has to") from None
        if found.market != self.market:
            raise RefusedError("another market", f"this token is for the market {found.market!r}")
        self.check(found)
        return found

    def check(self, shown: Pass) -> None:
        """Refuse a pass that is over.

        Raises:
            RefusedError: if it has expired or been revoked.
        """
        if shown.id in self.revoked:
            raise RefusedError("revoked", "this token has been revoked by the market's owner")
        if shown.until is not None and self._wall() >= shown.until:
            raise RefusedError("expired", "this token has expired; ask the market's owner for a new one")

    def revoke(self, pass_id: str) -> None:
        """Refuse a pass from now on; lines that are open under it end, and what agents do for its holder.

        Args:
            pass_id: ``passes.read(token).id``.
        """
        self.revoked[pass_id] = None
        for line, shown in self._lines.items():
            if shown == pass_id:
                line.set()

    async def over(self, shown: Pass) -> None:
        """Wait until a pass is over.

        Raises:
            RefusedError: then.
        """
        while True:
            self.check(shown)
            left = None if shown.until is None else shown.until - self._wall()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.revocation(shown), left)

    async def revocation(self, shown: Pass) -> None:
        """Wait until a pass is revoked."""
        line = asyncio.Event()
        self._lines[line] = shown.id
        try:
            if shown.id not in self.revoked:
                await line.wait()
        finally:
            del self._lines[line]


class Reception:
    """Lets in who shows a pass, unless it comes too often.

    Args:
        passes: of the market.
        per_s: how many requests of one agent are let in, a second, in the long run.
        burst: how many at once.
    """

    def __init__(self, passes: Passes, per_s: float = 20.0, burst: int = 40) -> None:
        self.passes, self.per_s, self.burst = passes, per_s, burst
        self._left: dict[AgentId, tuple[float, float]] = {}

    def enter(self, token: str) -> Pass:
        """Whose token this is.

        Raises:
            RefusedError: for a token that is missing, wrong, over or of another market; for too many requests.
        """
        shown = self.passes.read(token)
        self.count(shown)
        return shown

    def count(self, shown: Pass) -> None:
        """One more request by who holds a pass.

        Raises:
            RefusedError: for too many; for a pass that is over meanwhile.
        """
        self.passes.check(shown)
        now = asyncio.get_running_loop().time()
        left, then = self._left.get(shown.agent, (float(self.burst), now))
        left = min(float(self.burst), left + max(0.0, now - then) * self.per_s)
        if left < 1.0:
            why = f"more than {self.per_s:g} requests a second"
            raise RefusedError("too many", why, (1.0 - left) / self.per_s)
        self._left[shown.agent] = left - 1.0, now
