"""Any of the many providers that LiteLLM knows (extra ``litellm``).

In a live market::

    from walras import Agent
    from walras.adapters.litellm import LiteLLMParticipant

    market.add(Agent("ada", LiteLLMParticipant("anthropic/claude-haiku-4-5")))
"""

import os
from collections.abc import Mapping
from typing import Any

from walras.adapters.frameworks import (
    NO_ANSWER,
    FrameworkParticipant,
    Said,
    chat,
    framework,
    headers,
    json_format,
    model_name,
)
from walras.live.participant import Ask


class LiteLLMParticipant(FrameworkParticipant):
    """Asks a model by the name that LiteLLM has for it.

    LiteLLM fetches a table of prices when it is imported; not from here, where the table that comes with it will do.

    Args:
        model: as LiteLLM calls it, with its provider.
        options: more arguments of the request, as ``{"api_base": ..., "temperature": 0}``.
        more: see `FrameworkParticipant`.

    Raises:
        MissingExtraError, OldExtraError: see `framework`.
        ScenarioError: for a model without a name.
    """

    def __init__(self, model: str, options: Mapping[str, Any] | None = None, **more: Any) -> None:
        super().__init__(**more)
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        self.sdk = framework("litellm", "litellm")
        self.model, self.options = model_name(model), dict(options or {})

    async def said(self, ask: Ask) -> Said:
        response = await self.sdk.acompletion(
            model=self.model,
            messages=chat(ask),
            response_format=json_format(ask.schema),
            max_tokens=self.most_output_tokens,
            extra_headers=headers(ask),
            **{**self.options, "max_retries": 0, "num_retries": 0},
        )
        message, used = response.choices[0].message, response.usage
        value = NO_ANSWER if message.tool_calls else message.content or None
        return Said(value, used.prompt_tokens, used.completion_tokens)
