"""An agent of the OpenAI Agents SDK (extra ``openai-agents``).

In a live market::

    from agents import Agent as Mind
    from walras import Agent
    from walras.adapters.openai_agents import OpenAIAgentsParticipant

    market.add(Agent("ada", OpenAIAgentsParticipant(Mind(name="ada", model="gpt-4o-mini"))))
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
    one_try,
    part,
)
from walras.live.participant import Ask


class OpenAIAgentsParticipant(FrameworkParticipant):
    """Asks an agent with its model and its instructions; its tools only where the guard allows them, no hand-offs.

    The SDK sends traces to OpenAI, wherever the model is; not from here.

    Args:
        agent: an ``agents.Agent``; its client's own retries are switched off.
        more: see `FrameworkParticipant`.

    Raises:
        MissingExtraError, OldExtraError: see `framework`.
        ScenarioError: for what is no agent.
    """

    takes_tools = True

    def __init__(self, agent: Any, **more: Any) -> None:
        super().__init__(**more)
        self.sdk = framework("openai-agents", "agents")
        clone = part(agent, "clone", "an agents.Agent")
        named = not isinstance(agent.model, self.sdk.Model)
        model = self.sdk.MultiProvider().get_model(agent.model) if named else agent.model
        one_try(getattr(model, "_client", None))
        self.agent = clone(model=model, handoffs=[], mcp_servers=[])
        self.quiet = self.sdk.RunConfig(tracing_disabled=True)

    async def said(self, ask: Ask) -> Said:
        sdk = self.sdk
        settings = sdk.ModelSettings(max_tokens=self.most_output_tokens, extra_headers=headers(ask))
        agent = self.agent.clone(
            tools=allowed(self.agent.tools, ask),
            output_type=_unread(sdk.AgentOutputSchemaBase, ask),
            model_settings=self.agent.model_settings.resolve(settings),
        )
        try:
            result = await sdk.Runner.run(
                agent, chat(ask), max_turns=self.most_requests(ask), run_config=self.quiet
            )
        except sdk.ModelRefusalError:
            return Said(None)
        except sdk.MaxTurnsExceeded:
            return Said(NO_ANSWER, calls=self.most_requests(ask))
        except sdk.ModelBehaviorError:
            return Said(NO_ANSWER)
        used = result.context_wrapper.usage
        return Said(result.final_output, used.input_tokens, used.output_tokens, used.requests)


def _unread(base: Any, ask: Ask) -> Any:
    """The form of an answer for the SDK, which hands the text on as it is: the guard reads it."""
    methods = {
        "is_plain_text": lambda self: False,
        "name": lambda self: "answer",
        "json_schema": lambda self: dict(ask.schema),
        "is_strict_json_schema": lambda self: True,
        "validate_json": lambda self, text: text,
    }
    return type("Answer", (base,), methods)()
