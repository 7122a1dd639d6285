"""A model of smolagents (extra ``smolagents``).

In a live market::

    from smolagents import OpenAIServerModel
    from walras import Agent
    from walras.adapters.smolagents import SmolagentsParticipant

    market.add(Agent("ada", SmolagentsParticipant(OpenAIServerModel("gpt-4o-mini"))))
"""

from typing import Any

from walras.adapters.frameworks import (
    NO_ANSWER,
    FrameworkParticipant,
    Said,
    framework,
    headers,
    json_format,
    one_try,
    part,
)
from walras.adapters.function import InThread
from walras.live.participant import Ask


class SmolagentsParticipant(FrameworkParticipant):
    """Asks a model, or that of an agent: agents of smolagents write programs, which is too much for a bid.

    Models of smolagents block, so each question has a thread; a call ends by itself at the question's deadline.

    Args:
        mind: a ``smolagents.Model``, or an agent; its own retries are switched off.
        threads: at most so many at once; a question more has to come again.
        more: see `FrameworkParticipant`.

    Raises:
        MissingExtraError, OldExtraError: see `framework`.
        ScenarioError: for what is neither.
    """

    def __init__(self, mind: Any, *, threads: int = 32, **more: Any) -> None:
        super().__init__(**more)
        self.sdk = framework("smolagents", "smolagents")
        self.model = getattr(mind, "model", mind)
        part(self.model, "generate", "a smolagents.Model, or an agent with one")
        one_try(getattr(self.model, "client", None))
        if hasattr(self.model, "retryer"):
            self.model.retryer.max_attempts = 1
        self.in_thread: Any = InThread(lambda ask, _: self._generated(ask), threads)  # type: ignore[arg-type]

    async def said(self, ask: Ask) -> Said:
        said: Said = await self.in_thread(ask, None)
        return said

    def _generated(self, ask: Ask) -> Said:
        roles = (("system", ask.prompt.system), ("user", ask.prompt.user))
        message = self.model.generate(
            [self.sdk.ChatMessage(role=role, content=text) for role, text in roles],
            response_format=json_format(ask.schema),
            max_completion_tokens=self.most_output_tokens,
            extra_headers=headers(ask),
            timeout=ask.seconds,
        )
        used = message.token_usage
        value = NO_ANSWER if message.tool_calls else message.content
        return Said(value, used and used.input_tokens, used and used.output_tokens)
