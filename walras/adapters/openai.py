"""A model behind any endpoint that speaks as OpenAI's does, through the openai package (extra ``openai``)."""

import asyncio
import os
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from walras.errors import ScenarioError
from walras.live.answers import NOTHING, Usage
from walras.live.extras import needed
from walras.live.participant import Ask, Participant, Reply, Retryable
from walras.live.prices import Price

_MAY_PASS = (408, 409, 429)
_NEVER_LEFT = ("ConnectError", "ConnectTimeout", "PoolTimeout")
"""How the package's HTTP client calls what happened before anything was sent."""

KEY, BASE_URL = "OPENAI_API_KEY", "OPENAI_BASE_URL"


class OpenAIParticipant(Participant):
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
        MissingExtraError: if openai is not installed.
        ScenarioError: for an address that is none, a key that is missing, or one that cannot be sent; it is never shown.
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
        self.sdk = needed("openai", "openai")
        self.model, self.price, self.structured = model, price, structured
        self.most_output_tokens = most_output_tokens
        self.options = dict(options or {})
        address = _address(base_url)
        self.provider = address or "openai"
        self._settings = {"base_url": address, "api_key": _key(api_key, address)}
        self._client: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def estimate(self, ask: Ask) -> Usage:
        usage = super().estimate(ask)
        return self.price.of(usage) if self.price is not None else usage

    async def answer(self, ask: Ask) -> Any:
        messages = [
            {"role": "system", "content": ask.prompt.system},
            {"role": "user", "content": ask.prompt.user},
        ]
        form = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": ask.schema, "strict": True},
        }
        wanted = {"response_format": form} if self.structured else {}
        try:
            reply = await self._connected().chat.completions.create(
                model=self.model,
                messages=messages,
                max_completion_tokens=self.most_output_tokens,
                extra_headers={"Idempotency-Key": ask.key},
                timeout=ask.seconds,
                **{**wanted, **self.options},
            )
        except self.sdk.APIConnectionError as error:
            took = NOTHING if type(error.__cause__).__name__ in _NEVER_LEFT else None
            raise Retryable(
                f"no connection to {self.provider} ({type(error).__name__})", usage=took
            ) from None
        except self.sdk.APIStatusError as error:
            why = f"{error.status_code} from {self.provider}: {error.message}"
            if error.status_code in _MAY_PASS or error.status_code >= 500:
                raise Retryable(why, _after_s(error.response.headers.get("retry-after"))) from None
            raise RuntimeError(why) from None
        return Reply(reply.choices[0].message.content, self._used(reply.usage))  # a refusal has no content

    def _used(self, usage: Any) -> Usage:
        if usage is None:
            return Usage()
        used = Usage(1, usage.prompt_tokens, usage.completion_tokens)
        return self.price.of(used) if self.price is not None else used

    def _connected(self) -> Any:
        """The client of this event loop: its connections cannot be used on another one."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._client, self._loop = self.sdk.AsyncOpenAI(**self._settings, max_retries=0), loop
        return self._client

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
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
        if given is None and not _is_loopback(address):
            raise ScenarioError(
                "api_key",
                given,
                f'a key, here or in the environment variable {KEY} ("" if there is no need of one)',
            )
        return "none"  # the package does not go without
    if not isinstance(found, str) or not found.isascii() or not found.isprintable() or " " in found:
        raise ScenarioError(field, "(not shown)", "a key of printable ASCII, without spaces and line breaks")
    return found


def _is_loopback(address: str | None) -> bool:
    host = urlsplit(address).hostname if address is not None else None
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


def _after_s(header: str | None) -> float:
    try:
        return max(0.0, float(header or 0.0))
    except ValueError:  # a date, as the standard also allows: then the guard's own pause has to do
        return 0.0
