"""An agent of Microsoft Agent Framework (extra ``agent-framework``).

from agent_framework import Agent as Mind
from agent_framework.openai import OpenAIChatClient
from walras import Agent
from walras.adapters.agent_framework import AgentFrameworkParticipant

market.add(Agent("ada", AgentFrameworkParticipant(Mind(OpenAIChatClient(model="gpt-4o-mini"), "You are thrifty."))))
"""

from typing import Any

from walras.adapters.frameworks import (
    NO_ANSWER,
    FrameworkParticipant,
    Said,
    allowed,
    chat,
    framework,
    headers,
    json_format,
    one_try,
)
from walras.live.participant import Ask


class AgentFrameworkParticipant(FrameworkParticipant):
    """Asks an agent's client with its instructions and options; its tools only where the guard allows them.

    Args:
        agent: an ``agent_framework.Agent``; its client's own retries are switched off.
        more: see `FrameworkParticipant`.

    Raises:
        MissingExtraError, OldExtraError: see `framework`.
    """

    def __init__(self, agent: Any, **more: Any) -> None:
        super().__init__(**more)
        self.sdk = framework("agent-framework", "agent_framework")
        self.agent = agent
        one_try(getattr(agent.client, "client", None))

    async def said(self, ask: Ask) -> Said:
        sdk, options = self.sdk, dict(self.agent.default_options)
        tools, told = allowed(options.pop("tools", ()), ask), options.pop("instructions", "")
        turns = [*([{"role": "system", "content": told}] if told else []), *chat(ask)]
        response = await self.agent.client.get_response(
            [sdk.Message(turn["role"], [turn["content"]]) for turn in turns],
            options={
                **options,
                **({"tools": tools} if tools else {}),
                "response_format": json_format(ask.schema),
                "max_tokens": self.most_output_tokens,
            },
            client_kwargs={"extra_headers": headers(ask)},
        )
        used = response.usage_details or {}
        return Said(_value(response), used.get("input_token_count"), used.get("output_token_count"))


def _value(response: Any) -> Any:
    contents = [content for message in response.messages for content in message.contents]
    if any(content.type == "function_call" for content in contents):
        return NO_ANSWER
    refused = any(content.additional_properties.get("model_output_kind") == "refusal" for content in contents)
    return None if refused else response.text or None
