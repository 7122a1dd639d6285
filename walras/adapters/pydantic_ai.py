"""An agent of Pydantic AI (extra ``pydantic-ai``).

In a live market::

    from pydantic_ai import Agent as Mind
    from walras import Agent
    from walras.adapters.pydantic_ai import PydanticAIParticipant

    mind = Mind("openai:gpt-4o-mini", instructions="You repair bicycles.")
    market.add(Agent("ada", PydanticAIParticipant(mind)))
"""

from typing import Any

from walras.adapters.frameworks import (
    NO_ANSWER,
    FrameworkParticipant,
    Said,
    framework,
    headers,
    one_try,
    part,
)
from walras.live.participant import Ask


class PydanticAIParticipant(FrameworkParticipant):
    """Asks an agent with its model, its instructions and its settings; its tools only where the guard allows them.

    Args:
        agent: a ``pydantic_ai.Agent`` with a model; its client's own retries are switched off.
        more: see `FrameworkParticipant`.

    Raises:
        MissingExtraError, OldExtraError: see `framework`.
        ScenarioError: for what is no agent, or has no model.
    """

    takes_tools = True

    def __init__(self, agent: Any, **more: Any) -> None:
        super().__init__(**more)
        self.sdk = framework("pydantic-ai", "pydantic_ai")
        model = part(agent, "model", "a pydantic_ai.Agent with a model")
        self.agent, self.model = agent, self.sdk.models.infer_model(model)
        one_try(getattr(self.model, "client", None))

    async def said(self, ask: Ask) -> Said:
        sdk, output = self.sdk, str
        if self.model.profile.get("supports_json_schema_output"):
            output = sdk.NativeOutput(sdk.StructuredDict(dict(ask.schema), name="answer"))
        tools = [tools.filtered(lambda _, tool: tool.name in ask.tools) for tools in self.agent.toolsets]
        try:
            with self.agent.override(
                tools=[], native_tools=[], toolsets=tools if ask.tools else [], retries=0
            ):
                result = await self.agent.run(
                    ask.prompt.user,
                    model=self.model,
                    instructions=ask.prompt.system,
                    output_type=output,
                    usage_limits=sdk.UsageLimits(request_limit=self.most_requests(ask)),
                    model_settings={"max_tokens": self.most_output_tokens, "extra_headers": headers(ask)},
                )
        except sdk.exceptions.ContentFilterError:
            return Said(None)
        except sdk.UsageLimitExceeded:
            return Said(NO_ANSWER, calls=self.most_requests(ask))
        except sdk.UnexpectedModelBehavior:
            return Said(NO_ANSWER)
        used = result.usage
        return Said(result.output, used.input_tokens, used.output_tokens, used.requests)
