"""An agent of CrewAI (extra ``crewai``).

In a live market::

    from crewai import Agent as Mind
    from walras import Agent
    from walras.adapters.crewai import CrewAIParticipant

    mind = Mind(role="mechanic", goal="earn a living", backstory="You are thrifty.", llm="openai/gpt-4o-mini")
    market.add(Agent("ada", CrewAIParticipant(mind)))
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from walras.adapters.frameworks import (
    NO_ANSWER,
    FrameworkParticipant,
    Said,
    chat,
    framework,
    headers,
    json_format,
    one_try,
    part,
)
from walras.live.extras import needed
from walras.live.participant import Ask

# CrewAI reports to its makers, unless this is set before it does so for the first time; who wants that sets it before us.
# OTEL_SDK_DISABLED would do as well, and would end the traces of everybody else in this process.
for _switch in ("CREWAI_DISABLE_TELEMETRY", "CREWAI_DISABLE_TRACKING"):
    os.environ.setdefault(_switch, "true")
os.environ.setdefault("CREWAI_TRACING_ENABLED", "false")


class CrewAIParticipant(FrameworkParticipant):
    """Asks an agent's LLM with its role, goal and backstory; without tools and without a crew, since a bid is one request.

    Args:
        mind: a ``crewai.Agent`` or a ``crewai.LLM``; its client's own retries are switched off.
        more: see `FrameworkParticipant`.

    Raises:
        MissingExtraError, OldExtraError: see `framework`.
        ScenarioError: for what is neither.
    """

    def __init__(self, mind: Any, **more: Any) -> None:
        super().__init__(**more)
        framework("crewai", "crewai")
        self.retry = needed("crewai.llms.retry", "crewai")
        self.llm, self.persona = getattr(mind, "llm", mind), _persona(mind)
        part(self.llm, "acall", "a crewai.Agent or a crewai.LLM")
        self.speaks_openai = hasattr(self.llm, "_get_async_client")
        if self.speaks_openai:
            one_try(self.llm._get_async_client())

    async def said(self, ask: Ask) -> Said:
        llm = self._copy(ask)
        with self._one_try():
            content = await llm.acall([*self.persona, *chat(ask)])
        used = llm.get_token_usage_summary()
        value = content or None if isinstance(content, str) else NO_ANSWER
        if not used.successful_requests:  # a provider that does not say
            return Said(value)
        return Said(value, used.prompt_tokens, used.completion_tokens)

    def _copy(self, ask: Ask) -> Any:
        """The LLM with this question's settings and a meter of its own, on the same connections."""
        settings: dict[str, Any] = {"max_tokens": self.most_output_tokens}
        if self.speaks_openai:
            more = {**self.llm.additional_params, "extra_headers": headers(ask)}
            settings |= {"response_format": json_format(ask.schema), "additional_params": more}
        llm = self.llm.model_copy(update=settings)
        llm._token_usage = dict.fromkeys(llm._token_usage, 0)
        return llm

    @contextmanager
    def _one_try(self) -> Iterator[None]:
        """CrewAI tries again when a provider is busy, and has no switch for that but the mark of being inside of it."""
        token = self.retry._active_llm_rate_limit_retry.set(True)
        try:
            yield
        finally:
            self.retry._active_llm_rate_limit_retry.reset(token)


def _persona(mind: Any) -> list[dict[str, str]]:
    if not hasattr(mind, "role"):
        return []
    return [{"role": "system", "content": f"You are {mind.role}. {mind.backstory}\nYour goal: {mind.goal}"}]
