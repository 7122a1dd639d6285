"""An agent of AutoGen 0.7 (extra ``autogen``), whose development has ended: for what exists.

In a live market::

    from autogen_ext.models.openai import OpenAIChatCompletionClient
    from walras import Agent
    from walras.adapters.autogen import AutoGenParticipant

    market.add(Agent("ada", AutoGenParticipant(OpenAIChatCompletionClient(model="gpt-4o-mini"))))
"""

from typing import Any

from walras.adapters.frameworks import (
    NO_ANSWER,
    FrameworkParticipant,
    Said,
    framework,
    json_format,
    one_try,
    part,
)
from walras.live.extras import needed
from walras.live.participant import Ask


class AutoGenParticipant(FrameworkParticipant):
    """Asks a model client, or that of an agent with its system message: an agent itself remembers what it was asked.

    Args:
        mind: a ``ChatCompletionClient`` or an ``AssistantAgent``; the client's own retries are switched off.
        more: see `FrameworkParticipant`.

    Raises:
        MissingExtraError, OldExtraError: see `framework`.
        ScenarioError: for what is neither.
    """

    def __init__(self, mind: Any, **more: Any) -> None:
        super().__init__(**more)
        framework("autogen", "autogen_core")
        self.sdk = needed("autogen_core.models", "autogen")
        self.client = getattr(mind, "_model_client", mind)
        part(self.client, "create", "a ChatCompletionClient, or an agent with one")
        self.persona = list(getattr(mind, "_system_messages", ()))
        one_try(getattr(self.client, "_client", None))

    async def said(self, ask: Ask) -> Said:
        made = await self.client.create(
            [
                *self.persona,
                self.sdk.SystemMessage(content=ask.prompt.system),
                self.sdk.UserMessage(content=ask.prompt.user, source="market"),
            ],
            extra_create_args={
                "response_format": json_format(ask.schema),
                "max_completion_tokens": self.most_output_tokens,
            },
        )
        value = made.content or None if isinstance(made.content, str) else NO_ANSWER
        return Said(value, made.usage.prompt_tokens, made.usage.completion_tokens)
