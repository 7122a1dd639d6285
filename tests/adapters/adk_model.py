"""A model of Google's kit that asks an OpenAI-compatible server; imported only where the kit is installed."""

import json
from collections.abc import AsyncGenerator, Iterator
from typing import Any

from google.adk.models import BaseLlm, LlmRequest, LlmResponse
from google.genai import types

from walras.adapters.frameworks import json_format

TIMES = {"type": "object", "properties": {"times": {"type": "integer"}}, "required": ["times"]}
"""What the tools of the suite take."""


class LoopbackLlm(BaseLlm):  # type: ignore[misc]  # the kit is not there for mypy
    """One request for each of the kit's."""

    chat: Any

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        config = llm_request.config
        schema = config.response_json_schema or config.response_schema
        tools = [one.name for tool in config.tools or () for one in tool.function_declarations or ()]
        wanted: dict[str, Any] = {"response_format": json_format(schema)} if schema else {}
        if tools:
            functions = [{"name": name, "parameters": TIMES} for name in tools]
            wanted["tools"] = [{"type": "function", "function": function} for function in functions]
        made = await self.chat.chat.completions.create(
            model=self.model,
            messages=[
                {"role": "system", "content": str(config.system_instruction)},
                *turns(llm_request.contents),
            ],
            max_completion_tokens=config.max_output_tokens,
            extra_headers=dict((config.http_options and config.http_options.headers) or {}),
            **wanted,
        )
        message = made.choices[0].message
        parts = [types.Part(text=message.content)] if message.content else []
        for call in message.tool_calls or ():
            args = json.loads(call.function.arguments)
            parts.append(types.Part.from_function_call(name=call.function.name, args=args))
        yield LlmResponse(
            content=types.Content(role="model", parts=parts),
            usage_metadata=types.GenerateContentResponseUsageMetadata(
                prompt_token_count=made.usage.prompt_tokens,
                candidates_token_count=made.usage.completion_tokens,
            ),
        )


def turns(contents: Any) -> Iterator[dict[str, Any]]:
    """What was said until now, as OpenAI has it; the call before an answer of a tool goes without saying."""
    for part in (part for content in contents for part in content.parts or ()):
        if part.function_response:
            said = json.dumps(part.function_response.response)
            yield {"role": "tool", "tool_call_id": "call_loopback", "content": said}
        elif part.text:
            yield {"role": "user", "content": part.text}
