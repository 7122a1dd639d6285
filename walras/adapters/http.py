"""A market's desk over HTTP and WebSocket, for participants in any language (extra ``http``).

``async with Listening(http_app(desk)) as at:`` serves it; `walras.adapters.openapi` describes it, under ``/openapi.json``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from walras.adapters.entrance import SUBPROTOCOL, VISITOR, Entrance, fault, headers_of
from walras.adapters.openapi import AnswerBody, Fault, JoinBody, News, document
from walras.live.desk import Desk, a_desk
from walras.live.extras import needed
from walras.live.passes import RefusedError
from walras.live.visitor import Visitor

PUBLIC = ("/openapi.json", "/health")

CLOSED = 4000
"""A WebSocket that we end says why: this, plus the status of the refusal."""

Endpoint = Callable[[Any], Awaitable[Any]]
_answer = msgspec.json.Decoder(AnswerBody).decode
_join = msgspec.json.Decoder(JoinBody).decode
_number = msgspec.json.Decoder(float).decode


def http_app(desk: Desk) -> Entrance:
    """An ASGI application that opens a desk to HTTP and WebSocket.

    Raises:
        ScenarioError: for what is no desk.
        MissingExtraError: if starlette is not installed.
    """
    a_desk(desk)
    starlette, routing = needed("starlette.applications", "http"), needed("starlette.routing", "http")
    errors = needed("starlette.exceptions", "http")
    described = msgspec.json.encode(document(desk))

    async def openapi(request: Any) -> Any:
        return _json(described)

    async def health(request: Any) -> Any:
        return _json({"market": desk.name, "status": "open"})

    routes = [
        routing.Route("/openapi.json", openapi),
        routing.Route("/health", health),
        routing.Route("/v1/conversations", _endpoint(_conversations)),
        routing.Route("/v1/conversation", _endpoint(_conversation)),
        routing.Route("/v1/questions", _endpoint(_questions)),
        routing.Route("/v1/events", _endpoint(_events)),
        routing.Route("/v1/answers", _endpoint(_answers), methods=["POST"]),
        routing.Route("/v1/join", _endpoint(_joins), methods=["POST"]),
        routing.WebSocketRoute("/v1/live", _live),
    ]
    app = starlette.Starlette(routes=routes, exception_handlers={errors.HTTPException: _wrong_place})
    app.router.redirect_slashes = False  # the caller's own word for our address is in a redirect
    return Entrance(app, desk.enter, desk.rules, PUBLIC)


def _json(content: Any, status: int = 200) -> Any:
    body = content if isinstance(content, bytes) else msgspec.json.encode(content)
    responses = needed("starlette.responses", "http")
    return responses.Response(body, status, media_type="application/json")


def _endpoint(act: Callable[[Visitor, Any], Awaitable[Any]]) -> Endpoint:
    """An endpoint that answers in JSON, whatever happens."""

    async def endpoint(request: Any) -> Any:
        try:
            return await act(request.scope[VISITOR], request)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            refused = RefusedError("malformed", f"{error}")
        except RefusedError as error:
            refused = error
        response = _json(fault(refused), refused.status)
        response.raw_headers = [
            *(header for header in response.raw_headers if header[0] != b"content-type"), *headers_of(refused),
        ]  # fmt: skip
        return response

    return endpoint


async def _wrong_place(request: Any, error: Any) -> Any:
    """A path or a method that there is not."""
    response = _json(
        Fault("unknown", f"{error.detail}: {request.method} {request.url.path}"[:200]), error.status_code
    )
    response.headers.update(error.headers or {})
    return response


# ---------------------------------------------------------------------------------------------------------------- requests
async def _conversations(visitor: Visitor, request: Any) -> Any:
    return _json({"conversations": visitor.conversations()})


async def _conversation(visitor: Visitor, request: Any) -> Any:
    id_ = request.query_params.get("id")
    if not id_:
        raise RefusedError("malformed", "id: expected the id of a conversation")
    return _json(visitor.inspect(id_))


async def _questions(visitor: Visitor, request: Any) -> Any:
    return _json({"questions": visitor.questions()})


async def _events(visitor: Visitor, request: Any) -> Any:
    wait = request.query_params.get("wait_s", "0")
    most = visitor.desk.rules.most_wait_s
    try:
        wait_s = _number(wait.encode())
    except msgspec.DecodeError:
        wait_s = -1.0
    if not 0 <= wait_s <= most:
        raise RefusedError("malformed", f"wait_s: expected a number from 0 to {most:g}")
    await request.body()
    cursor = request.query_params.get("cursor", "")
    seen = asyncio.ensure_future(visitor.events(cursor, wait_s))
    # whatever comes after the request: the caller has hung up
    gone = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait((seen, gone), return_when=asyncio.FIRST_COMPLETED)
        return _json(seen.result() if seen.done() else {})
    finally:
        seen.cancel()
        gone.cancel()


async def _answers(visitor: Visitor, request: Any) -> Any:
    body = _answer(await request.body())
    receipt = visitor.answer(body.question, body.answer, body.key)
    return _json(receipt, 200 if receipt.legal else 422)


async def _joins(visitor: Visitor, request: Any) -> Any:
    return _json(visitor.join(_join(await request.body()).conversation))


# --------------------------------------------------------------------------------------------------------------- WebSocket
async def _live(socket: Any) -> None:
    """Push what happens, take answers, until the caller hangs up or its pass is over."""
    visitor: Visitor = socket.scope[VISITOR]
    await socket.accept(SUBPROTOCOL if SUBPROTOCOL in socket.scope.get("subprotocols", ()) else None)
    tasks = [
        asyncio.create_task(_push(visitor, socket, socket.query_params.get("cursor", ""))),
        asyncio.create_task(_take(visitor, socket)),
        asyncio.create_task(visitor.desk.passes.over(visitor.shown)),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        errors = [task.exception() for task in tasks if task.done()]
        refused = next((error for error in errors if isinstance(error, RefusedError)), None)
        if refused is not None:
            await socket.close(CLOSED + refused.status, f"{refused}".encode()[:120].decode(errors="ignore"))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _push(visitor: Visitor, socket: Any, cursor: str) -> None:
    told: set[str] = set()
    wait_s = 0.0  # at first, what is open is told in any case
    while True:
        seen = await visitor.events(cursor, wait_s)
        questions = visitor.questions()
        news = News(seen.events, seen.cursor, seen.missed, [q for q in questions if q.id not in told])
        told = {question.id for question in questions}
        if news.events or news.questions or not wait_s:
            await socket.send_text(msgspec.json.encode(news).decode())
        cursor, wait_s = seen.cursor, visitor.desk.rules.most_wait_s


async def _take(visitor: Visitor, socket: Any) -> None:
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        await _paced(visitor)
        said = _taken(visitor, message.get("text") or message.get("bytes") or b"")
        await socket.send_text(msgspec.json.encode(said).decode())


async def _paced(visitor: Visitor) -> None:
    """One more frame; who sends too many is read no faster than it may send."""
    while True:
        try:
            return visitor.count()
        except RefusedError as refused:
            if refused.fault != "too many":
                raise
            await asyncio.sleep(refused.after_s)


def _taken(visitor: Visitor, raw: str | bytes) -> dict[str, Any]:
    """What became of one frame."""
    key, most = "", visitor.desk.rules.most_bytes
    try:
        frame = raw.encode() if isinstance(raw, str) else raw
        if len(frame) > most:
            raise RefusedError("too large", f"more than {most:,} bytes")
        body = _answer(frame)
        key = body.key or body.question
        return {"key": key, "receipt": visitor.answer(body.question, body.answer, body.key)}
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        refused = RefusedError("malformed", f"{error}")
    except RefusedError as error:
        refused = error
    return {"key": key, "refused": fault(refused)}
