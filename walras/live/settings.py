"""What a live runtime is made with: its rules, who asks the minds, who looks on."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from walras.agents import Agent, Strategy
from walras.amounts import is_above_0, is_amount, is_number, is_whole
from walras.errors import ScenarioError
from walras.live.answers import Answered
from walras.messages import ConversationId
from walras.questions import Question

if TYPE_CHECKING:
    from walras.live.port import Port


class Rules(msgspec.Struct, frozen=True):
    """Settings of a live market that hold for its whole life.

    Raises:
        ScenarioError: for a setting that makes no sense; it names the field.
    """

    seed: int = 0
    """Of the roles' random streams; `Live` sets it to its own."""
    name: str = ""
    """Of the market, for its audit trail."""
    lifetime_s: float = 30.0
    """How old a message may be on arrival, and how long a finished role hears late ones; seconds, as all that ends in `_s`."""
    grace_s: float = 1.0
    """How long whoever waits for a conversation waits for its other roles, after its opener has ended."""
    lease_s: float = inf
    """How long an agent may hold a piece of work; after that it is reported as unknown."""
    compact_every: int = 50_000
    """After how many rows the journal is replaced by a copy of the market: endless markets would need endless replay."""
    secret: bytes = b""
    """The key of signatures and of the tokens between processes; processes that share a market share it."""
    audit: str | Path | None = None
    """The file of the audit trail (`walras.live.audit`), sealed with `secret` if there is one; None: none is kept."""
    epoch: float | None = None
    """When the market's time 0 was, by the time of day; processes that share a market share it. None: when it began."""

    def __post_init__(self) -> None:
        right = {
            "seed": (is_whole(self.seed, -inf), "a whole number"),
            "name": (isinstance(self.name, str), "a text"),
            "lifetime_s": (is_amount(self.lifetime_s), "a finite number of seconds of 0 or more"),
            "grace_s": (is_amount(self.grace_s), "a finite number of seconds of 0 or more"),
            "lease_s": (is_above_0(self.lease_s), "a number of seconds above 0"),
            "compact_every": (is_whole(self.compact_every, 1), "a whole number of 1 or more"),
            "secret": (isinstance(self.secret, bytes), "bytes, as secrets.token_bytes(32) makes them"),
            "audit": (isinstance(self.audit, str | Path | None), "the path of a file, or None"),
            "epoch": (self.epoch is None or _is_finite(self.epoch), "a time of day in seconds, or None"),
        }
        for field, (sound, expected) in right.items():
            if not sound:
                shown = type(self.secret).__name__ if field == "secret" else getattr(self, field)
                raise ScenarioError(field, shown, expected)


def _is_finite(value: object) -> bool:
    return is_number(value) and -inf < value < inf


def check_above_0(rules: msgspec.Struct, *fields: str) -> None:
    """Refuse the first of these settings that is no number above 0.

    Raises:
        ScenarioError: naming it.
    """
    for field in fields:
        if not is_above_0(getattr(rules, field)):
            raise ScenarioError(field, getattr(rules, field), "a number above 0")


class Asker(Protocol):
    """Who asks the minds, as `walras.live.guard.Guard` does; it comes back within about `seconds`, with an answer."""

    async def answer(
        self, agent: Agent, question: Question, *, conversation: ConversationId, seconds: float,
        strategy: Strategy | None = None,
    ) -> Answered: ...  # fmt: skip

    def forget(self, conversation: ConversationId) -> None:
        """A conversation is over."""

    def close(self) -> None:
        """Give back what it holds."""


Onlooker = Callable[[tuple[Any, ...]], object]
"""Is shown the rows of a live market's trace (``docs/trace-schema.md``), see `walras.live.Live.follow`."""


class Watch(Protocol):
    """Who looks on, in tests: before every effect and after every input of a role."""

    def before_effect(self, port: Port) -> None: ...
    def after_input(self, port: Port) -> None: ...
