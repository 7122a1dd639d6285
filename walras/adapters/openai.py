"""A model behind any endpoint that speaks as OpenAI's does, through the openai package (extra ``openai``)."""

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from walras.adapters.frameworks import (
    NO_ANSWER,
    FrameworkParticipant,
    PerLoop,
    Said,
    chat,
    framework,
    headers,
    json_format,
    model_name,
)
from walras.errors import ScenarioError
from walras.live.door import is_loopback
from walras.live.participant import Ask
from walras.live.prices import Price

KEY, BASE_URL = "OPENAI_API_KEY", "OPENAI_BASE_URL"


class OpenAIParticipant(FrameworkParticipant):
    """One request per question, no tools, no loop: ``Agent("ada", OpenAIParticipant("gpt-4o-mini"))``.

    Args:
        model: as the endpoint calls it.
        base_url: of the endpoint; None: that of the environment variable ``OPENAI_BASE_URL``, else OpenAI's.
        api_key: None: that of the environment variable ``OPENAI_API_KEY``. Empty: the endpoint needs none, as one on this
            machine may (there None will do, too).
        price: of the model; None: unknown, which is not zero.
        structured: ask for output that fits the schema; False for endpoints that cannot (it is in the prompt anyway).
        most_output_tokens: the longest answer.
        options: more arguments of the request, as ``{"temperature": 0, "seed": 7}``.

    Raises:
        MissingExtraError, OldExtraError: see `framework`.
        ScenarioError: for a model without a name, an address that is none, a key that is missing, or one that cannot be
            sent; it is never shown.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        price: Price | None = None,
        structured: bool = True,
        most_output_tokens: int = 1000,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        sdk: Any = framework("openai", "openai")
        address = _address(base_url)
        super().__init__(price=price, most_output_tokens=most_output_tokens, provider=address or "openai")
        self.model, self.structured, self.options = model_name(model), structured, dict(options or {})
        settings = {"base_url": address, "api_key": _key(api_key, address), "max_retries": 0}
        self._sdk = PerLoop(lambda: sdk.AsyncOpenAI(**settings))

    async def said(self, ask: Ask) -> Said:
        wanted = {"response_format": json_format(ask.schema)} if self.structured else {}
        reply = await self._sdk.client().chat.completions.create(
            model=self.model,
            messages=chat(ask),
            max_completion_tokens=self.most_output_tokens,
            extra_headers=headers(ask),
            timeout=ask.seconds,
            **{**wanted, **self.options},
        )
        message, used = reply.choices[0].message, reply.usage
        value = NO_ANSWER if message.tool_calls else message.content  # a refusal has no content
        return Said(value, used and used.prompt_tokens, used and used.completion_tokens)

    async def close(self) -> None:
        client = self._sdk.taken()
        if client is not None:
            await client.close()


def _address(given: Any) -> str | None:
    """The endpoint's; None: the package's own default."""
    field = "base_url" if given is not None else BASE_URL
    found: Any = given if given is not None else os.environ.get(BASE_URL)
    if given is None and not found:
        return None
    try:
        parts = urlsplit(found)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except (ValueError, AttributeError, TypeError):  # a port that is none, or no text at all
        sound = False
    if not sound or found != "".join(found.split()):
        raise ScenarioError(field, found, "an address such as https://api.example.com/v1")
    return str(found)


def _key(given: Any, address: str | None) -> str:
    """What is sent as the key."""
    field, found = ("api_key", given) if given is not None else (KEY, os.environ.get(KEY))
    if not found:
        if given is None and not is_loopback(address or ""):
            raise ScenarioError(
                "api_key",
                given,
                f'a key, here or in the environment variable {KEY} ("" if there is no need of one)',
            )
        return "none"  # the package does not go without
    if not isinstance(found, str) or not found.isascii() or not found.isprintable() or found != found.strip():
        raise ScenarioError(
            field, "(not shown)", "a key of printable ASCII, without spaces or a line break at its ends"
        )
    return found
