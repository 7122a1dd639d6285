"""A language model of LlamaIndex (extra ``llamaindex``).

In a live market::

    from llama_index.llms.openai_like import OpenAILike
    from walras import Agent
    from walras.adapters.llamaindex import LlamaIndexParticipant

    llm = OpenAILike("qwen3", api_base="http://localhost:8000/v1", is_chat_model=True)
    market.add(Agent("ada", LlamaIndexParticipant(llm)))
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
from walras.live.extras import needed
from walras.live.participant import Ask


class LlamaIndexParticipant(FrameworkParticipant):
    """Asks an LLM, or that of an agent. A workflow of your own is a `WorkflowParticipant`.

    Args:
        mind: an ``LLM`` of an OpenAI-compatible provider, or an agent with one; its own retries are switched off.
        more: see `FrameworkParticipant`.

    Raises:
        MissingExtraError, OldExtraError: see `framework`.
        ScenarioError: for what is neither.
    """

    def __init__(self, mind: Any, **more: Any) -> None:
        super().__init__(**more)
        framework("llamaindex", "llama_index.core")
        self.sdk = needed("llama_index.core.llms", "llamaindex")
        self.llm = getattr(mind, "llm", mind)
        part(self.llm, "achat", "an LLM, or an agent with one")
        one_try(self.llm, getattr(self.llm, "_aclient", None))

    async def said(self, ask: Ask) -> Said:
        roles = (("system", ask.prompt.system), ("user", ask.prompt.user))
        reply = await self.llm.achat(
            [self.sdk.ChatMessage(role=role, content=text) for role, text in roles],
            response_format=json_format(ask.schema),
            max_tokens=self.most_output_tokens,
            extra_headers=headers(ask),
        )
        message, used = reply.message, reply.additional_kwargs
        tools = any(block.block_type == "tool_call" for block in message.blocks)
        value = NO_ANSWER if tools else message.content or None
        return Said(value, used.get("prompt_tokens"), used.get("completion_tokens"))
