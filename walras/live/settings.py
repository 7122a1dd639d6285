"""What a live runtime is made with: its rules, who asks the minds, who looks on."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from walras.agents import Agent, Strategy
from walras.live.answers import Answered
from walras.messages import ConversationId
from walras.questions import Question

if TYPE_CHECKING:
    from walras.live.port import Port


class Rules(NamedTuple):
    """Settings of a live market that hold for its whole life."""

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
