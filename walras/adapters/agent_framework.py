"""An agent of Microsoft Agent Framework (extra ``agent-framework``).

In a live market::

    from agent_framework import Agent as Mind
    from agent_framework.openai import OpenAIChatClient
    from walras import Agent
    from walras.adapters.agent_framework import AgentFrameworkParticipant

    mind = Mind(OpenAIChatClient(model="gpt-4o-mini"), "You are thrifty.")
    market.add(Agent("ada", AgentFrameworkParticipant(mind)))
"""

from typing import Any

from walras.adapters.frameworks import (
    NO_ANSWER,
    WITH_TOOLS,
    FrameworkParticipant,
    Said,
    allowed,
    chat,
    framework,
    headers,
    json_format,
    one_try,
    part,
)
from walras.live.participant import Ask


class AgentFrameworkParticipant(FrameworkParticipant):
    """Asks an agent's client with its instructions and options; its tools only where the guard allows them.

    Args:
        agent: an ``agent_framework.Agent``; its client's own retries are switched off, its tool loop is cut.
        more: see `FrameworkParticipant`.

    Raises:
        MissingExtraError, OldExtraError: see `framework`.
        ScenarioError: for what is no agent with a client.
    """

    takes_tools = True

    def __init__(self, agent: Any, **more: Any) -> None:
        super().__init__(**more)
        self.sdk = framework("agent-framework", "agent_framework")
        self.agent = agent
        client = part(agent, "client", "an agent_framework.Agent with a client")
        one_try(getattr(client, "client", None))
        limits = getattr(client, "function_invocation_configuration", {})
        limits["max_iterations"] = WITH_TOOLS - 1  # then it asks once more, without tools

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
        calls = 1 + sum(_calls_a_tool(message) for message in response.messages[:-1])
        return Said(_value(response), used.get("input_token_count"), used.get("output_token_count"), calls)


def _calls_a_tool(message: Any) -> bool:
    return any(content.type == "function_call" for content in message.contents)


def _value(response: Any) -> Any:
    last = response.messages[-1] if response.messages else None
    if last is None or _calls_a_tool(last):
        return NO_ANSWER
    refused = any(
        content.additional_properties.get("model_output_kind") == "refusal" for content in last.contents
    )
    return None if refused else last.text or None
