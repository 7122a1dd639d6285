"""The OpenAPI document of a desk over HTTP: made from the structs that are read and written, so that it cannot drift."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from walras.live.desk import Desk
from walras.live.feed import Event, Events, Notice, Posted, Receipt
from walras.live.passes import STATUS
from walras.live.visitor import MOST_KEY

CURSOR = "^([0-9a-f]{8}:[0-9]{1,15})?$"
_REF = "#/components/schemas/{name}"
_Id = Annotated[str, Meta(min_length=1, max_length=MOST_KEY)]


class AnswerBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer to a question; null declines. The same answer under the same key again gets the same receipt."""

    question: _Id
    answer: Any
    key: Annotated[str, Meta(max_length=MOST_KEY)] = ""
    """The idempotency key; empty: the question's id."""


class JoinBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The wish to join a conversation."""

    conversation: _Id


class Fault(msgspec.Struct, frozen=True):
    """Why a request was refused: `error` for programs, `why` for people."""

    error: str
    why: str


class Conversations(msgspec.Struct, frozen=True):
    """What this agent is in, and what it may join."""

    conversations: list[Notice]


class Questions(msgspec.Struct, frozen=True):
    """The questions that wait for this agent's answer."""

    questions: list[Posted]


class News(msgspec.Struct, frozen=True):
    """A frame of the WebSocket: events since the last one, and questions that were not sent before."""

    events: list[Event]
    cursor: str
    missed: int
    questions: list[Posted]


def document(desk: Desk) -> dict[str, Any]:
    """OpenAPI 3.1 of this desk's edge."""
    structs = (AnswerBody, JoinBody, Fault, Conversations, Questions, Events, Notice, Posted, Receipt, News)
    _, components = msgspec.json.schema_components(structs, ref_template=_REF)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Walras market {desk.name}",
            "version": "1",
            "description": "Bearer tokens say who asks. WebSocket: GET /v1/live?cursor=, frames as in News; send AnswerBody.",
        },
        "security": [{"pass": []}],
        "paths": _paths(desk),
        "components": {
            "schemas": components,
            "securitySchemes": {"pass": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths(desk: Desk) -> dict[str, Any]:
    cursor = _query(
        "cursor", {"type": "string", "pattern": CURSOR}, "of the last answer; empty: from the beginning"
    )
    wait_s = _query(
        "wait_s", {"type": "number", "minimum": 0, "maximum": desk.rules.most_wait_s}, "how long to wait"
    )
    id_ = {**_query("id", {"type": "string", "minLength": 1}, "of a conversation"), "required": True}
    health = {"type": "object", "properties": {"market": {"type": "string"}, "status": {"const": "open"}}}
    return {
        "/health": {"get": {**_operation("Whether the market is open", health, ()), "security": []}},
        "/v1/conversations": {"get": _operation("Conversations that this agent may see", Conversations)},
        "/v1/conversation": {
            "get": {**_operation("One conversation", Notice, ("malformed", "unknown")), "parameters": [id_]}
        },
        "/v1/questions": {"get": _operation("Questions that wait for an answer", Questions)},
        "/v1/events": {
            "get": {
                **_operation("Events since a cursor, waited for if there are none", Events, ("malformed",)),
                "parameters": [cursor, wait_s],
            }
        },
        "/v1/answers": {
            "post": _operation(
                "Answer a question",
                Receipt,
                ("malformed", "unknown", "too late", "conflict", "illegal"),
                AnswerBody,
            )
        },
        "/v1/join": {"post": _operation("Join a conversation", Notice, ("malformed", "unknown"), JoinBody)},
    }


def _query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": description}


_ALWAYS = ("no credential", "not allowed", "too many", "too large")


def _operation(
    summary: str, returns: Any, faults: tuple[str, ...] | None = None, body: type | None = None
) -> dict[str, Any]:
    """One operation: what it returns, and the faults that are its own; () says that it refuses nothing."""
    responses = {"200": _content(summary, returns)}
    if faults != ():
        for name in (*_ALWAYS, *(faults or ())):
            status = f"{STATUS[name]}"  # type: ignore[index]  # names are checked by the table
            responses[status] = _content(name, Receipt if name == "illegal" else Fault)
    found: dict[str, Any] = {"summary": summary, "responses": responses}
    if body is not None:
        found["requestBody"] = {"required": True, **_content("", body)}
        found["requestBody"].pop("description")
    return found


def _content(description: str, what: Any) -> dict[str, Any]:
    schema = {"$ref": _REF.format(name=what.__name__)} if isinstance(what, type) else what
    return {"description": description, "content": {"application/json": {"schema": schema}}}
