"""A chat model of LangChain (extra ``langchain``).

In a live market::

    from langchain_openai import ChatOpenAI
    from walras import Agent
    from walras.adapters.langchain import LangChainParticipant

    market.add(Agent("ada", LangChainParticipant(ChatOpenAI(model="gpt-4o-mini"))))
"""

import inspect
from typing import Any

from walras.adapters.frameworks import (
    NO_ANSWER,
    FrameworkParticipant,
    Said,
    chat,
    framework,
    headers,
    one_try,
    part,
)
from walras.live.participant import Ask


class LangChainParticipant(FrameworkParticipant):
    """Asks a chat model. For an agent that was made with ``create_agent``, take `LangGraphParticipant`.

    Args:
        model: a ``BaseChatModel``; its client's own retries are switched off.
        instructions: who it is, before the question.
        more: see `FrameworkParticipant`.

    Raises:
        MissingExtraError, OldExtraError: see `framework`.
        ScenarioError: for what is no chat model.
    """

    def __init__(self, model: Any, instructions: str = "", **more: Any) -> None:
        super().__init__(**more)
        framework("langchain", "langchain_core")
        part(model, "with_structured_output", "a chat model with with_structured_output")
        one_try(model, getattr(model, "root_async_client", None))
        if getattr(model, "max_tokens", 0) is None:
            model = model.model_copy(update={"max_tokens": self.most_output_tokens})
        self.model = model
        self.instructions = [{"role": "system", "content": instructions}] if instructions else []
        self.strict = "strict" in inspect.signature(model.with_structured_output).parameters

    async def said(self, ask: Ask) -> Said:
        more: dict[str, Any] = {"strict": True, "extra_headers": headers(ask)} if self.strict else {}
        schema = {"title": "answer", "description": "The answer.", **ask.schema}
        model = self.model.with_structured_output(schema, include_raw=True, **more)
        message = (await model.ainvoke([*self.instructions, *chat(ask)]))["raw"]
        used = message.usage_metadata or {}
        return Said(_value(message), used.get("input_tokens"), used.get("output_tokens"))


def _value(message: Any) -> Any:
    """What a message says: models without a format of their own say it as the arguments of a tool named `answer`."""
    if message.additional_kwargs.get("refusal"):
        return None
    if message.tool_calls:
        call = message.tool_calls[0]
        return call["args"] if call["name"] == "answer" else NO_ANSWER
    return message.text or NO_ANSWER
