"""An agent of AG2, from version 1 on (extra ``ag2``).

In a live market::

    from ag2 import Agent as Mind
    from ag2.config import OpenAIConfig
    from walras import Agent
    from walras.adapters.ag2 import AG2Participant

    mind = Mind("ada", "You are thrifty.", config=OpenAIConfig(model="gpt-4o-mini"))
    market.add(Agent("ada", AG2Participant(mind)))
"""

from typing import Any

from walras.adapters.frameworks import (
    NO_ANSWER,
    FrameworkParticipant,
    PerLoop,
    Said,
    allowed,
    framework,
    headers,
    part,
)
from walras.live.extras import needed
from walras.live.participant import Ask


class AG2Participant(FrameworkParticipant):
    """Asks an agent like the one given: its model, its instructions; its tools only where the guard allows them.

    Args:
        agent: an ``ag2.Agent`` with a config. Unless that brings a client of its own, `close` ends its connections.
        more: see `FrameworkParticipant`.

    Raises:
        MissingExtraError, OldExtraError: see `framework`.
        ScenarioError: for what is no agent, or has no config.
    """

    takes_tools = True

    def __init__(self, agent: Any, **more: Any) -> None:
        super().__init__(**more)
        self.sdk = framework("ag2", "ag2")
        self.proto = needed("ag2.response.proto", "ag2").ResponseProto
        part(agent, "config", "an ag2.Agent with a config")
        self.agent = agent
        self._http = PerLoop(lambda: needed("openai", "ag2").DefaultAsyncHttpxClient())

    async def said(self, ask: Ask) -> Said:
        agent = self.sdk.Agent(
            self.agent.name,
            [*self.agent.system_prompt, ask.prompt.system],
            config=_Capped(self._config(ask), self.most_requests(ask)),
            tools=allowed(self.agent.tools, ask),
            response_schema=_unread(self.proto, ask),
        )
        try:
            reply = await agent.ask(ask.prompt.user)
        except _EnoughError:
            return Said(NO_ANSWER, calls=self.most_requests(ask))
        report = await reply.usage()
        used = report.total
        value = NO_ANSWER if reply.response.tool_calls else reply.body
        return Said(value, used.prompt_tokens, used.completion_tokens, max(1, len(report.records)))

    def _config(self, ask: Ask) -> Any:
        """The agent's config with our cap and key, and without retries, as far as its provider knows of them."""
        config = self.agent.config
        caps = ("max_completion_tokens", "max_output_tokens", "max_tokens")
        wanted = {
            "max_retries": 0,
            next((name for name in caps if hasattr(config, name)), caps[0]): self.most_output_tokens,
            "default_headers": {**(getattr(config, "default_headers", None) or {}), **headers(ask)},
        }
        if getattr(config, "http_client", "none") is None and config.provider == "openai":
            wanted["http_client"] = self._http.client()  # one for each question would keep its connections
        known = {name: value for name, value in wanted.items() if hasattr(config, name)}
        return config.copy(**known) if known else config

    async def close(self) -> None:
        http = self._http.taken()
        if http is not None:
            await http.aclose()


class _EnoughError(Exception):
    """The agent wants more requests than it has."""


class _Capped:
    """A config whose client stops after so many requests: the framework's own loop goes on as long as tools are called."""

    def __init__(self, config: Any, most: int) -> None:
        self.config, self.left = config, most

    def __getattr__(self, name: str) -> Any:
        return getattr(self.config, name)

    def create(self) -> Any:
        client = self.config.create()

        async def capped(*turns: Any, **more: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise _EnoughError
            return await client(*turns, **more)

        return capped


def _unread(base: Any, ask: Ask) -> Any:
    """The form of an answer for AG2, which hands the text on as it is: the guard reads it."""

    async def validate(self: Any, response: str, context: Any, provider: Any = None) -> str:
        return response

    fields = {
        "name": "answer",
        "description": None,
        "json_schema": dict(ask.schema),
        "system_prompt": None,
        "validate": validate,
    }
    return type("Answer", (base,), fields)()
