"""An agent of Google's Agent Development Kit (extra ``adk``).

In a live market::

    from google.adk.agents import LlmAgent
    from walras import Agent
    from walras.adapters.adk import ADKParticipant

    market.add(Agent("ada", ADKParticipant(LlmAgent(name="ada", model="gemini-3-flash"))))
"""

from typing import Any

from walras.adapters.frameworks import (
    NO_ANSWER,
    FrameworkParticipant,
    Said,
    allowed,
    framework,
    headers,
    part,
)
from walras.live.extras import needed
from walras.live.participant import Ask


class ADKParticipant(FrameworkParticipant):
    """Runs an agent in a session for each question; its tools only where the guard allows them, no sub-agents.

    Args:
        agent: a ``google.adk.agents.LlmAgent``.
        more: see `FrameworkParticipant`.

    Raises:
        MissingExtraError, OldExtraError: see `framework`.
        ScenarioError: for what is no LlmAgent.
    """

    takes_tools = True

    def __init__(self, agent: Any, **more: Any) -> None:
        super().__init__(**more)
        framework("adk", "google.adk")
        self.agents = needed("google.adk.agents", "adk")
        self.runners = needed("google.adk.runners", "adk")
        self.errors = needed("google.adk.agents.invocation_context", "adk")
        self.types = needed("google.genai.types", "adk")
        part(agent, "instruction", "an LlmAgent")
        self.agent = agent

    async def said(self, ask: Ask) -> Said:
        types = self.types
        runner = self.runners.InMemoryRunner(self._clone(ask), app_name="walras")
        session = await runner.session_service.create_session(app_name="walras", user_id=ask.agent)
        heard = []
        try:
            async for event in runner.run_async(
                user_id=ask.agent,
                session_id=session.id,
                new_message=types.Content(role="user", parts=[types.Part(text=ask.prompt.user)]),
                run_config=self.agents.RunConfig(max_llm_calls=self.most_requests(ask)),
            ):
                heard.append(event)
        except self.errors.LlmCallsLimitExceededError:
            return Said(NO_ANSWER, calls=self.most_requests(ask))
        finally:
            await runner.close()
        return _said(heard)

    def _clone(self, ask: Ask) -> Any:
        """The agent as it answers this question."""
        config = self.agent.generate_content_config or self.types.GenerateContentConfig()
        http = (config.http_options or self.types.HttpOptions()).model_copy(deep=True)
        http.headers = {**(http.headers or {}), **headers(ask)}
        tools = allowed(self.agent.tools, ask)
        return self.agent.clone(
            {
                "instruction": ask.prompt.system,
                "static_instruction": self.agent.instruction or None,
                "tools": tools,
                "sub_agents": [],
                # With tools the kit makes the schema one of them.
                "output_schema": None if tools else dict(ask.schema),
                "generate_content_config": config.model_copy(
                    update={"max_output_tokens": self.most_output_tokens, "http_options": http}
                ),
            }
        )


def _said(events: list[Any]) -> Said:
    """The text of the last event that ends the run, and what all of them took."""
    used = [event.usage_metadata for event in events if event.usage_metadata is not None]
    last = next((event for event in reversed(events) if event.is_final_response()), None)
    parts = (last.content.parts or []) if last is not None and last.content else []
    called = any(
        part.function_call for event in events for part in (event.content and event.content.parts) or ()
    )
    text = "".join(part.text or "" for part in parts if not part.thought)
    value = text or (NO_ANSWER if called else None)
    return Said(
        value,
        sum(one.prompt_token_count or 0 for one in used) if used else None,
        sum(one.candidates_token_count or 0 for one in used) if used else None,
        max(1, len(used)),
    )
