"""The loopback server: both interfaces, plain and streamed, through the real client; any schema; faults on demand."""

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import msgspec
import openai
import pytest
from hypothesis import given, strategies as st

from contractnet import ProposalWanted
from contractnet.messages import CallForProposals, Inform, Propose
from walras.items import Lot, Task
from walras.live.schemas import form_of
from walras.testing.filling import fill
from walras.testing.loopback import HUNG_UP, OVERSIZED, Loopback

BID = {
    "type": "object",
    "properties": {"price": {"type": "number", "minimum": 1, "maximum": 2}, "by": {"enum": ["rail", "road"]}},
    "required": ["price", "by"],
    "additionalProperties": False,
}
FORMAT: Any = {"type": "json_schema", "json_schema": {"name": "bid", "schema": BID, "strict": True}}
TOOL: Any = {"type": "function", "function": {"name": "bid", "parameters": BID}}
PROMPT: Any = [
    {"role": "system", "content": "You bid."},
    {"role": "user", "content": [{"type": "text", "text": "How much?"}]},
]


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    with Loopback() as running:
        yield running


def client(server: Loopback) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url, api_key="any", max_retries=0, timeout=5.0)


def bid(server: Loopback, model: str, **more: Any) -> Any:
    with client(server) as sdk:
        reply = sdk.chat.completions.create(model=model, messages=PROMPT, response_format=FORMAT, **more)
        return list(reply) if more.get("stream") else reply  # a stream ends with its client


# -------------------------------------------------------------------------------------------------- any schema


@pytest.mark.parametrize(
    ("schema", "fits"),
    [
        ({"type": "integer", "minimum": 5, "maximum": 5}, lambda v: v == 5),
        ({"type": "integer", "exclusiveMinimum": 5, "exclusiveMaximum": 7}, lambda v: v == 6),
        ({"type": "integer", "multipleOf": 7, "minimum": 8, "maximum": 20}, lambda v: v == 14),
        ({"type": "number", "maximum": -3}, lambda v: v <= -3),
        ({"type": "number", "minimum": 1e9}, lambda v: v >= 1e9),
        ({"type": "number", "minimum": 0.12345678, "maximum": 0.12345679}, lambda v: 0.12345678 <= v <= 0.12345679),
        ({"type": "string", "minLength": 30}, lambda v: len(v) >= 30),
        ({"type": "string", "maxLength": 2}, lambda v: len(v) <= 2),
        ({"type": "string", "format": "date"}, lambda v: v == "2026-01-02"),
        ({"type": ["null", "boolean"]}, lambda v: isinstance(v, bool)),
        ({"const": {"a": 1}}, lambda v: v == {"a": 1}),
        ({"enum": [3, None]}, lambda v: v in (3, None)),
        ({"type": "array", "items": {"type": "null"}, "minItems": 4}, lambda v: v == [None] * 4),
        ({"type": "array", "maxItems": 0}, lambda v: v == []),
        ({"prefixItems": [{"const": 1}, {"const": 2}], "items": False}, lambda v: v == [1, 2]),
        ({"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]}, lambda v: v == {"a": 1, "b": 2}),
        ({"anyOf": [{"type": "null"}, {"const": 4}]}, lambda v: v == 4),
        ({"oneOf": [{"type": "null"}]}, lambda v: v is None),
        ({}, lambda v: v == "anything"),
    ],
)  # fmt: skip
def test_values_fit_their_schema(schema: dict[str, Any], fits: Any) -> None:
    assert all(fits(fill(schema, str(seed))) for seed in range(20))


@given(st.text(max_size=5))
def test_the_schemas_of_structs_are_filled_with_what_they_read(seed: str) -> None:
    """With defaults, bounds, tags, literals, and tasks within tasks."""
    for struct in (Propose, Inform, CallForProposals, Task, Lot):
        schema = msgspec.json.schema(struct)
        value = fill(schema, seed)
        json.dumps(value, allow_nan=False)
        msgspec.convert(_sane(value), struct)
    assert form_of(ProposalWanted).read(_sane(fill(form_of(ProposalWanted).schema, seed)), 99_999) is not None


def _sane(value: Any) -> Any:
    """What JSON schema cannot say: that a share is at most 1, and that there is at least one."""
    if isinstance(value, dict):
        return {
            name: 1 if name in ("copies", "quantity", "quality") and part is not None else _sane(part)
            for name, part in value.items()
        }
    return [_sane(part) for part in value] if isinstance(value, list) else value


def test_recursion_ends_and_a_schema_without_an_end_is_named() -> None:
    tree = {
        "$defs": {
            "n": {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#/$defs/n"}}}}
        }
    }
    assert all(json.dumps(fill({**tree, "$ref": "#/$defs/n"}, str(seed))) for seed in range(50))
    endless = {"properties": {"more": {"$ref": "#"}}, "required": ["more"]}
    with pytest.raises(LookupError):
        fill(endless, "x")
    with pytest.raises(LookupError, match="the type of a schema is 'number or so'"):
        fill({"type": "number or so"}, "x")


def test_the_same_seed_gives_the_same_value_and_others_differ() -> None:
    values = [json.dumps(fill(BID, str(seed))) for seed in range(20)]
    assert values == [json.dumps(fill(BID, str(seed))) for seed in range(20)]
    assert len(set(values)) > 10


# ----------------------------------------------------------------------------------------------- both interfaces


def test_a_chat_completion_fits_the_schema_and_reports_usage(server: Loopback) -> None:
    reply = bid(server, "plain", extra_headers={"Idempotency-Key": "k1"})
    content = json.loads(reply.choices[0].message.content)
    assert 1 <= content["price"] <= 2
    assert reply.usage.prompt_tokens > 0
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert json.loads(bid(server, "plain").choices[0].message.content) == content, "deterministic"
    call = server.of("plain")[0]
    assert (call.path, call.schema_type, call.strict, call.idempotency_key, call.status, call.stream) == (
        "/v1/chat/completions", "json_schema", True, "k1", 200, False
    )  # fmt: skip
    assert call.prompt == "You bid.\nHow much?"
    assert "OpenAI" in call.user_agent


def test_a_streamed_chat_says_the_same_with_its_usage_in_the_last_chunk(server: Loopback) -> None:
    whole = bid(server, "streamed")
    chunks = bid(server, "streamed", stream=True, stream_options={"include_usage": True})
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content
    assert len(chunks) > 3
    assert chunks[-1].usage == whole.usage


@pytest.mark.parametrize("stream", [False, True])
def test_responses_plain_and_streamed(server: Loopback, stream: bool) -> None:
    wanted: Any = {"format": {"type": "json_schema", "name": "bid", "schema": BID, "strict": True}}
    with client(server) as sdk:
        if stream:
            with sdk.responses.stream(
                model="r", input="How much?", instructions="You bid.", text=wanted
            ) as events:
                kinds = [event.type for event in events]
                reply: Any = events.get_final_response()
            assert "response.output_text.delta" in kinds
        else:
            reply = sdk.responses.create(model="r", input="How much?", instructions="You bid.", text=wanted)
    assert 1 <= json.loads(reply.output_text)["price"] <= 2
    assert reply.usage.total_tokens == reply.usage.input_tokens + reply.usage.output_tokens
    assert server.of("r")[-1].prompt == "You bid.\nHow much?"


@pytest.mark.parametrize("choice", ["required", "auto", {"type": "function", "function": {"name": "bid"}}])
@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called_with_arguments_that_fit(server: Loopback, choice: Any, stream: bool) -> None:
    with client(server) as sdk:
        reply: Any = sdk.chat.completions.create(
            model="tools", messages=PROMPT, tools=[TOOL], tool_choice=choice, stream=stream
        )
        if stream:
            (call,) = (
                c.choices[0].delta.tool_calls[0] for c in reply if c.choices and c.choices[0].delta.tool_calls
            )
        else:
            (call,) = reply.choices[0].message.tool_calls
    assert call.function.name == "bid"
    assert 1 <= json.loads(call.function.arguments)["price"] <= 2


def test_a_tool_that_has_answered_is_not_called_again(server: Loopback) -> None:
    answered = [*PROMPT, {"role": "tool", "tool_call_id": "call_loopback", "content": "done"}]
    bare: Any = {"type": "function", "name": "bid", "parameters": BID}
    with client(server) as sdk:
        reply: Any = sdk.chat.completions.create(model="tools", messages=answered, tools=[TOOL])
        calls: Any = sdk.responses.create(model="tools", input="x", tools=[bare])
    assert reply.choices[0].message.tool_calls is None
    assert calls.output[0].name == "bid"


def test_models_are_listed(server: Loopback) -> None:
    with client(server) as sdk:
        assert [model.id for model in sdk.models.list()] == ["loopback"]


# ----------------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_model_fails_so_many_times_and_then_answers(server: Loopback, status: int) -> None:
    model = f"shaky+{status}:2"
    for _ in range(2):
        with pytest.raises(openai.APIStatusError) as failed:
            bid(server, model)
        assert failed.value.status_code == status
    assert bid(server, model).choices[0].message.content
    assert [call.status for call in server.of(model)] == [status, status, 200]


def test_a_busy_server_says_when_to_come_back(server: Loopback) -> None:
    with pytest.raises(openai.RateLimitError) as failed:
        bid(server, "busy+429")
    assert failed.value.response.headers["retry-after"] == "0"


def test_a_reply_may_break_its_schema_chat_refuse_or_be_far_too_long(server: Loopback) -> None:
    def said(model: str) -> Any:
        return bid(server, model).choices[0].message

    assert json.loads(said("m+malformed:1").content) == {"unexpected": [True]}
    assert "price" in json.loads(said("m+malformed:1").content)
    assert [json.loads(said("m+malformed").content) for _ in range(3)] == [{"unexpected": [True]}] * 3
    assert "interesting question" in said("m+prose").content
    refused = said("m+refusing")
    assert (refused.content, refused.refusal) == (None, "I cannot help with that.")
    assert len(said("m+oversized").content) > OVERSIZED


def test_a_slow_model_takes_its_time_and_closing_does_not_wait_for_it() -> None:
    with Loopback() as server:
        with pytest.raises(openai.APITimeoutError), client(server).with_options(timeout=0.1) as sdk:
            sdk.chat.completions.create(model="m+slow:60", messages=PROMPT)
        before = time.monotonic()
    assert time.monotonic() - before < 30.0


def test_a_client_that_hangs_up_on_a_slow_model_is_noticed(server: Loopback) -> None:
    with pytest.raises(openai.APITimeoutError), client(server).with_options(timeout=0.1) as sdk:
        sdk.chat.completions.create(model="late+slow:60", messages=PROMPT, max_completion_tokens=9)
    for _ in range(500):
        if server.of("late+slow:60"):
            break
        time.sleep(0.01)
    (call,) = server.of("late+slow:60")
    assert (call.status, call.most_tokens) == (HUNG_UP, 9)


def test_a_model_may_call_a_tool_that_nobody_has_offered(server: Loopback) -> None:
    message = bid(server, "m+calling").choices[0].message
    assert message.content is None
    assert message.tool_calls[0].function.name == "delete_everything"
    assert len(server.of("m+calling")) == 1


def test_faults_add_up_from_left_to_right(server: Loopback) -> None:
    with pytest.raises(openai.InternalServerError):
        bid(server, "m+500:1+malformed:1")
    assert json.loads(bid(server, "m+500:1+malformed:1").choices[0].message.content) == {"unexpected": [True]}
    assert "price" in bid(server, "m+500:1+malformed:1").choices[0].message.content


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/nothing", b"{}", 404),
        ("/v1/chat/completions", b"{", 400),
        ("/v1/chat/completions", b"{}", 400),
        ("/v1/chat/completions", b'{"model": 3, "messages": []}', 400),
        ("/v1/responses", b"[]", 400),
        ("/v1/chat/completions", b'{"model": "m+explode", "messages": []}', 404),
    ],
)
def test_bad_requests_are_refused(server: Loopback, path: str, body: bytes, status: int) -> None:
    with pytest.raises(HTTPError) as failed:
        urlopen(Request(server.url.removesuffix("/v1") + path, data=body))
    with failed.value as reply:
        assert reply.status == status
        assert json.load(reply)["error"]["message"]


def test_a_server_may_insist_on_its_key() -> None:
    with Loopback(key="secret") as server, pytest.raises(openai.AuthenticationError):
        bid(server, "m")


def test_a_mind_may_answer_in_place_of_the_filler() -> None:
    with Loopback(
        mind=lambda prompt, schema: {"heard": prompt, "fields": list(schema["properties"])}
    ) as server:
        said = json.loads(bid(server, "m").choices[0].message.content)
    assert said == {"heard": "You bid.\nHow much?", "fields": ["price", "by"]}
