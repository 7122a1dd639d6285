"""A model of Google's kit that asks an OpenAI-compatible server; imported only where the kit is installed."""

from collections.abc import AsyncGenerator
from typing import Any

from google.adk.models import BaseLlm, LlmRequest, LlmResponse
from google.genai import types

from walras.adapters.frameworks import json_format


class LoopbackLlm(BaseLlm):  # type: ignore[misc]  # the kit is not there for mypy
    """One request for each of the kit's."""

    chat: Any

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        config = llm_request.config
        schema = config.response_json_schema or config.response_schema
        texts = [part.text or "" for content in llm_request.contents for part in content.parts or ()]
        told = config.system_instruction
        made = await self.chat.chat.completions.create(
            model=self.model,
            messages=[
                {"role": "system", "content": told if isinstance(told, str) else str(told)},
                *({"role": "user", "content": text} for text in texts),
            ],
            max_completion_tokens=config.max_output_tokens,
            response_format=json_format(schema),
            extra_headers=dict((config.http_options and config.http_options.headers) or {}),
            tools=[
                {"type": "function", "function": {"name": one.name, "parameters": {}}}
                for tool in config.tools or ()
                for one in tool.function_declarations or ()
            ]
            or None,
        )
        message = made.choices[0].message
        parts = [types.Part(text=message.content)] if message.content else []
        for call in message.tool_calls or ():
            parts.append(types.Part.from_function_call(name=call.function.name, args={}))
        yield LlmResponse(
            content=types.Content(role="model", parts=parts),
            usage_metadata=types.GenerateContentResponseUsageMetadata(
                prompt_token_count=made.usage.prompt_tokens,
                candidates_token_count=made.usage.completion_tokens,
            ),
        )
