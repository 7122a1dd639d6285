"""A model behind any endpoint that speaks as OpenAI's does, through the openai package (extra ``openai``)."""

import asyncio
from collections.abc import Mapping
from typing import Any

from walras.live.answers import Usage
from walras.live.extras import needed
from walras.live.participant import Ask, Participant, Reply, Retryable
from walras.live.prices import Price

_MAY_PASS = (408, 409, 429)


class OpenAIParticipant(Participant):
    """One request per question, no tools, no loop: ``Agent("ada", OpenAIParticipant("gpt-4o-mini"))``.

    Args:
        model: as the endpoint calls it.
        base_url: of the endpoint; None: as the openai package finds it (``OPENAI_BASE_URL``, else OpenAI).
        api_key: None: as the package finds it (``OPENAI_API_KEY``).
        price: of the model; None: unknown, which is not zero.
        structured: ask for output that fits the schema; False for endpoints that cannot (it is in the prompt anyway).
        most_output_tokens: the longest answer.
        options: more arguments of the request, as ``{"temperature": 0, "seed": 7}``.

    Raises:
        MissingExtraError: if openai is not installed.
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
        self.provider = base_url or "openai"
        self._settings = {"base_url": base_url, "api_key": api_key}
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
            raise Retryable(f"no connection to {self.provider} ({type(error).__name__})") from None
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


def _after_s(header: str | None) -> float:
    try:
        return max(0.0, float(header or 0.0))
    except ValueError:  # a date, as the standard also allows: then the guard's own pause has to do
        return 0.0
