"""What an OpenAI-compatible server says, in the shapes of its two interfaces; `Said` is what a model came to."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

CREATED = 1_760_000_000
"""A time, always the same: replies are deterministic."""


class Said(NamedTuple):
    """A model's reply: text, or a refusal, or the call of a tool with its arguments."""

    text: str = ""
    refusal: str = ""
    tool: str = ""

    @property
    def words(self) -> str:
        """Whichever of them it is; of a tool, its arguments."""
        return self.text or self.refusal


def usage_of(prompt: str, said: Said) -> dict[str, int]:
    """Plausible numbers of tokens: one for four characters, at least one."""
    read, wrote = max(1, len(prompt) // 4), max(1, len(said.words) // 4)
    return {"input": read, "output": wrote, "total": read + wrote}


# ----------------------------------------------------------------------------------------------- chat completions


def chat(model: str, prompt: str, said: Said) -> dict[str, Any]:
    """The body of a chat completion."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": said.text or None,
        "refusal": said.refusal or None,
    }
    if said.tool:
        message |= {"content": None, "tool_calls": [_tool_call(said)]}
    return {
        "id": "chatcmpl-loopback",
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": _finish(said), "logprobs": None}],
        "usage": _chat_usage(prompt, said),
    }


def chat_stream(model: str, prompt: str, said: Said) -> Iterator[str]:
    """The same as server-sent events, with the usage in the last chunk."""
    head = {"id": "chatcmpl-loopback", "object": "chat.completion.chunk", "created": CREATED, "model": model}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> str:
        return _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    yield chunk({"role": "assistant", "content": ""})
    if said.tool:
        yield chunk({"tool_calls": [{"index": 0, **_tool_call(said)}]})
    else:
        for part in _parts(said.words):
            yield chunk({"refusal" if said.refusal else "content": part})
    yield chunk({}, _finish(said))
    yield _event({**head, "choices": [], "usage": _chat_usage(prompt, said)})
    yield "data: [DONE]\n\n"


def _tool_call(said: Said) -> dict[str, Any]:
    return {
        "id": "call_loopback",
        "type": "function",
        "function": {"name": said.tool, "arguments": said.text},
    }


def _finish(said: Said) -> str:
    return "tool_calls" if said.tool else "stop"


def _chat_usage(prompt: str, said: Said) -> dict[str, int]:
    used = usage_of(prompt, said)
    return {
        "prompt_tokens": used["input"],
        "completion_tokens": used["output"],
        "total_tokens": used["total"],
    }


# ------------------------------------------------------------------------------------------------------ responses


def response(model: str, prompt: str, said: Said, status: str = "completed") -> dict[str, Any]:
    """The body of a response."""
    used = usage_of(prompt, said)
    return {
        "id": "resp_loopback",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "model": model,
        "output": [_output(said)] if status == "completed" else [],
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": used["input"],
            "output_tokens": used["output"],
            "total_tokens": used["total"],
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    }


def response_stream(model: str, prompt: str, said: Said) -> Iterator[str]:
    """The same as server-sent events."""
    item = _output(said)
    place = {"item_id": item["id"], "output_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": response(model, prompt, said, "in_progress")},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
    ]
    delta = "response.function_call_arguments.delta" if said.tool else "response.output_text.delta"
    if said.refusal:
        delta = "response.refusal.delta"
    events += [
        {"type": delta, **place, "content_index": 0, "delta": part, "logprobs": []}
        for part in _parts(said.words)
    ]
    events += [
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": response(model, prompt, said)},
    ]
    for number, event in enumerate(events):
        yield f"event: {event['type']}\n" + _event({**event, "sequence_number": number})


def _output(said: Said) -> dict[str, Any]:
    if said.tool:
        call = {"call_id": "call_loopback", "name": said.tool, "arguments": said.text}
        return {"type": "function_call", "id": "fc_loopback", "status": "completed", **call}
    part = {"type": "refusal", "refusal": said.refusal} if said.refusal else {
        "type": "output_text", "text": said.text, "annotations": []
    }  # fmt: skip
    return {
        "type": "message",
        "id": "msg_loopback",
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"


def _parts(text: str) -> Iterator[str]:
    size = max(1, -(-len(text) // 3))
    return (text[k : k + size] for k in range(0, len(text), size))
