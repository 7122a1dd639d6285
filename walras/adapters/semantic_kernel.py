"""An agent of Semantic Kernel (extra ``semantic-kernel``), which is only maintained: for what exists.

In a live market::

    from semantic_kernel.agents import ChatCompletionAgent
    from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion
    from walras import Agent
    from walras.adapters.semantic_kernel import SemanticKernelParticipant

    mind = ChatCompletionAgent(service=OpenAIChatCompletion(), name="ada")
    market.add(Agent("ada", SemanticKernelParticipant(mind)))
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


class SemanticKernelParticipant(FrameworkParticipant):
    """Asks an agent's service with its instructions; its plugins are not offered, since a bid is one request.

    Args:
        agent: a ``ChatCompletionAgent`` with a service; its client's own retries are switched off.
        more: see `FrameworkParticipant`.

    Raises:
        MissingExtraError, OldExtraError: see `framework`.
        ScenarioError: for what is no agent with a service.
    """

    def __init__(self, agent: Any, **more: Any) -> None:
        super().__init__(**more)
        framework("semantic-kernel", "semantic_kernel")
        self.sdk = needed("semantic_kernel.contents", "semantic-kernel")
        self.agent, self.service = agent, part(agent, "service", "an agent with a service")
        one_try(getattr(self.service, "client", None))

    async def said(self, ask: Ask) -> Said:
        history = self.sdk.ChatHistory(system_message=self.agent.instructions)
        history.add_system_message(ask.prompt.system)
        history.add_user_message(ask.prompt.user)
        settings = self.service.instantiate_prompt_execution_settings(
            response_format=json_format(ask.schema),
            max_completion_tokens=self.most_output_tokens,
        )
        message = await self.service.get_chat_message_content(history, settings)
        used = message.metadata.get("usage")
        return Said(self._value(message), used and used.prompt_tokens, used and used.completion_tokens)

    def _value(self, message: Any) -> Any:
        if any(isinstance(item, self.sdk.FunctionCallContent) for item in message.items):
            return NO_ANSWER
        choices = getattr(message.inner_content, "choices", None)  # a refusal is only told there
        refused = choices and getattr(choices[0].message, "refusal", None)
        return None if refused else str(message.content) or None
