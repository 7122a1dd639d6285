"""Several minds for one agent, asked in turn: cheap ones first, then strong ones, a backup, a person last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from walras.agents import Strategy
from walras.errors import ScenarioError
from walras.live.participant import Ask, Participant
from walras.questions import Question

Judge = Callable[[Question, Any], bool]
"""Whether a legal answer is good enough, so that nobody else need be asked."""


class Cascade(Participant):
    """Minds that the guard asks in turn, each with its own breaker, account and repair: ``Agent("ada", Cascade(a, b))``.

    The next is asked when one gave no legal answer, for whatever reason, or one that is not good enough. Who declines
    has decided: then nobody else is asked. If the last one fails, too, the best that stands is the last legal answer.

    Args:
        minds: participants, coroutine functions or plain strategies, two or more.
        share: of the time that is left, for each but the last.
        enough: judges legal answers; None: all are good enough.

    Raises:
        ScenarioError: for fewer than two minds, or a share that is not between 0 and 1.
    """

    def __init__(self, *minds: Strategy, share: float = 0.5, enough: Judge | None = None) -> None:
        if len(minds) < 2 or not all(callable(mind) for mind in minds):
            raise ScenarioError("minds", minds, "two strategies or participants, or more")
        if not 0 < share < 1:
            raise ScenarioError("share", share, "a number between 0 and 1")
        self.minds, self.share, self.enough = minds, share, enough
        self.person = any(isinstance(mind, Participant) and mind.person for mind in minds)

    async def answer(self, ask: Ask) -> Any:
        """The guard asks its minds, never the cascade itself."""
        raise AssertionError("a cascade was asked in place of its minds")

    async def close(self) -> None:
        for mind in self.minds:
            if isinstance(mind, Participant):
                await mind.close()
