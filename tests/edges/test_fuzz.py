"""Whatever arrives, an edge answers with a status, and the award is what it would have been without it."""

import asyncio
import contextlib
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from auctions import FirstPrice, truthful
from auctions.messages import BidWanted
from tests.edges.houses import SECRET, call, expired, house, until
from tests.edges.raw import HANDSHAKE, frame, line, request, upgraded
from walras.adapters.a2a_server import agent_app, auctioneer_app
from walras.adapters.edge import Listening
from walras.adapters.entrance import Entrance
from walras.adapters.http import http_app
from walras.adapters.mcp import mcp_app
from walras.agents import Agent
from walras.items import Lot
from walras.live.desk import Desk
from walras.live.feed import DeskRules
from walras.live.passes import Passes

pytest.importorskip("starlette", reason="the extra http is not installed")

PATHS = ("/v1/questions", "/v1/conversations", "/v1/conversation", "/v1/events", "/v1/answers", "/v1/join", "/v1/live",
         "/openapi.json", "/health", "/", "/v1/../v1/answers")  # fmt: skip

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=10), part, max_size=3),
    max_leaves=8,
)
bid = st.just({"type": "Bid", "item": "vase", "price": 99})
answers = st.fixed_dictionaries(
    {"question": st.sampled_from(["QUESTION", "x", ""]), "answer": plain | bid},
    optional={"key": st.text(max_size=10), "agent": st.just("ada"), "bidder": st.just("ada")},
)
bids = st.fixed_dictionaries(
    {"question": st.just("QUESTION"), "answer": bid | plain}, optional={"key": st.text(max_size=3)}
)
"""What would count if it came from somebody else."""
bodies = st.binary(max_size=60) | (plain | answers | bids).map(json.dumps).map(str.encode)
who = st.sampled_from(["eve", "look", "look", "revoked", "expired", "elsewhere", "none"])
requests = st.tuples(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "TRACE"]),
    st.sampled_from(PATHS) | st.text(max_size=12).map(lambda text: "/" + quote(text)),
    st.dictionaries(
        st.sampled_from(["cursor", "wait_s", "id", "x"]), st.text(max_size=12).map(quote), max_size=3
    ),
    bodies,
    who | st.text(max_size=20),
)
nearly: st.SearchStrategy[Any] = st.tuples(
    st.just("POST"), st.just("/v1/answers"), st.just({}), bids.map(json.dumps).map(str.encode), who
)
TOKENS = {
    "eve": Passes(SECRET, "spot").issue("eve", may=("look", "answer", "join")),
    "look": Passes(SECRET, "spot").issue("ada", may=("look",)),
    "expired": expired("ada"),
    "elsewhere": Passes(SECRET, "elsewhere").issue("ada"),
    "revoked": Passes(SECRET, "spot").issue("ada"),
    "none": "",
}
"""Passes of all kinds, none of which lets its holder answer for ada."""


async def asked(
    app: Entrance, method: str, path: str, query: dict[str, str], body: bytes, token: str
) -> tuple[int, bytes]:
    """One request straight to the application: what it raises would be a crash of the edge."""
    said: list[Any] = []
    parts = [body[: len(body) // 2], body[len(body) // 2 :]]

    async def receive() -> Any:
        if parts:
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}
        return await asyncio.sleep(3600)

    async def send(message: Any) -> None:
        said.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "root_path": "", "server": ("127.0.0.1", 1), "client": ("127.0.0.1", 2),
        "query_string": "&".join(f"{k}={v}" for k, v in query.items()).encode(),
        "headers": [(b"authorization", f"Bearer {token}".encode())],
    }  # fmt: skip
    await app(scope, receive, send)
    return said[0]["status"], b"".join(message.get("body", b"") for message in said[1:])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(requests | nearly, min_size=1, max_size=25))
def test_fuzzed_requests_are_answered_and_change_no_award(sent: list[Any]) -> None:
    async def market() -> Any:
        async with house("ada") as desk:
            app = _revoking(desk)
            going = asyncio.ensure_future(desk.market.run(FirstPrice(reply_within_s=30), [Lot("vase")], 60))
            while not desk.feed("ada").waiting:
                await asyncio.sleep(0)
            (question,) = desk.feed("ada").waiting
            for method, path, query, body, who in sent:
                body = body.replace(b"QUESTION", question.encode())
                query = {k: v for k, v in query.items() if k != "wait_s" or not _is_long(v)}
                status, said = await asked(app, method, path, query, body, TOKENS.get(who, who))
                assert 200 <= status < 500, said
                if status >= 400 and method != "HEAD":
                    assert json.loads(said).keys() == {"error", "why"}
            token = desk.token("ada")
            bid = {"question": question, "answer": {"type": "Bid", "item": "vase", "price": 3}}
            status, said = await asked(app, "POST", "/v1/answers", {}, json.dumps(bid).encode(), token)
            assert status == 200 and json.loads(said)["legal"]
            return (await going).allocation["vase"]

    award = asyncio.run(market())
    assert (award.winner, award.price) == ("ada", 3)


frames = st.fixed_dictionaries(
    {
        "opcode": st.sampled_from([1, 1, 1, 2, 0, 8, 9, 10, 3, 15]),
        "payload": bodies,
        "bits": st.sampled_from([0x80, 0x80, 0x80, 0x00, 0xC0, 0xF0]),
        "masked": st.sampled_from([True, True, True, False]),
        "claims": st.none() | st.none() | st.integers(0, 2**63 - 1),
    }
)
texts = st.fixed_dictionaries(
    {"opcode": st.sampled_from([1, 2]), "payload": bids.map(json.dumps).map(str.encode) | bodies}
)
callers = st.tuples(
    who, st.lists(texts, min_size=1, max_size=8), st.lists(frames | st.binary(max_size=30), max_size=3)
)
"""Who, frames that can be read, and then some that perhaps cannot."""


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(callers, min_size=1, max_size=4))
def test_fuzzed_websockets_are_answered_or_cut_off_and_change_no_award(
    sent: list[tuple[str, list[Any], list[Any]]],
) -> None:
    """Frames of all kinds, right and wrong, on real lines; the one that counts comes over a WebSocket, too."""

    async def market() -> Any:
        async with house("ada") as desk, Listening(_revoking(desk)) as at, line(at.url) as good:
            going = asyncio.ensure_future(desk.market.run(FirstPrice(reply_within_s=30), [Lot("vase")], 60))
            await until(lambda: desk.feed("ada").waiting)
            (question,) = desk.feed("ada").waiting
            for caller, readable, others in sent:
                async with line(at.url) as (reader, writer):
                    writer.write(request("GET", "/v1/live", TOKENS[caller], b"", *HANDSHAKE))
                    head = await reader.readuntil(b"\r\n\r\n")
                    with contextlib.suppress(OSError, EOFError):  # the edge may hang up at any time
                        if b" 101 " in head:
                            writer.write(b"".join(_framed(part, question) for part in readable))
                            writer.write(frame(1, b'{"question": "x", "answer": null, "key": "LAST"}'))
                            await asyncio.wait_for(reader.readuntil(b"LAST"), 20)
                        for part in others:
                            writer.write(part if isinstance(part, bytes) else _framed(part, question))
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(reader.read(), 0.05)
            await upgraded(good, desk.token("ada"))
            bid = {"question": question, "answer": {"type": "Bid", "item": "vase", "price": 3}}
            good[1].write(frame(1, json.dumps(bid).encode()))
            return (await going).allocation["vase"]

    award = asyncio.run(market())
    assert (award.winner, award.price) == ("ada", 3)


METHODS = ["SendMessage", "SendStreamingMessage", "GetTask", "CancelTask", "ListTasks", "SubscribeToTask",
           "CreateTaskPushNotificationConfig", "initialize", "tools/list", "tools/call", "resources/read", "ping"]  # fmt: skip
parts = st.lists(
    st.fixed_dictionaries(
        {}, optional={"data": plain | answers, "text": st.text(max_size=9), "url": st.text()}
    )
)
messages = st.fixed_dictionaries(
    {
        "message": st.fixed_dictionaries(
            {"messageId": st.text(min_size=1), "role": st.just("ROLE_USER"), "parts": parts}
        )
    }
)
calls = st.fixed_dictionaries(
    {"name": st.sampled_from(["place_bid", "wait_for_events", "x"]), "arguments": answers | plain}
)
envelopes = st.fixed_dictionaries(
    {"jsonrpc": st.sampled_from(["2.0", "1.0"]), "method": st.sampled_from(METHODS)},
    optional={"id": plain, "params": plain | messages | calls},
)
bidding = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "id": st.just(1), "method": st.just("tools/call"),
     "params": st.fixed_dictionaries({"name": st.just("place_bid"), "arguments": bids})}
)  # fmt: skip
PLACES = {
    "a2a": ("", "/"),
    "rest": ("/message:send", "/message:stream", "/x/message:send", "/tasks/x:cancel", "/tasks/x:subscribe", "/tasks", "/x"),
    "agent": ("", "/message:send"),
    "mcp": ("/mcp",),
}  # fmt: skip


def _app(protocol: str, desk: Desk) -> Entrance:
    """The edge of a protocol; the agent is one of ours that others ask."""
    pytest.importorskip("mcp.server.mcpserver" if protocol == "mcp" else "a2a.server.routes")
    if protocol == "mcp":
        return mcp_app(desk)
    if protocol == "agent":
        return agent_app(Agent("bob", truthful), desk.passes, questions=[BidWanted], rules=desk.rules)
    return auctioneer_app(desk, FirstPrice(reply_within_s=0.4))


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.data(),
    st.lists(
        (messages | envelopes | bidding).map(json.dumps).map(str.encode) | bodies, min_size=1, max_size=20
    ),
)
@pytest.mark.parametrize("protocol", list(PLACES))
def test_fuzzed_calls_of_other_protocols_change_no_award(
    protocol: str, data: st.DataObject, sent: list[bytes]
) -> None:
    places = [data.draw(st.sampled_from(PLACES[protocol])) for _ in sent]

    async def market() -> Any:
        async with house("ada", "eve", rules=DeskRules(per_s=1e6, burst=10**6, most_wait_s=0.01)) as desk:
            app = _app(protocol, desk)
            going = asyncio.ensure_future(
                desk.market.run(FirstPrice(reply_within_s=30), [Lot("vase")], 60, participants=["ada"])
            )
            await until(lambda: desk.feed("ada").waiting)
            (question,) = desk.feed("ada").waiting
            eve = desk.token("eve", may=("look", "answer", "join", "open", "ask"))
            form = {
                "Content-Type": "application/json", "Accept": "application/json, text/event-stream",
                "A2A-Version": "1.0", "MCP-Protocol-Version": "2025-06-18",
            }  # fmt: skip
            async with Listening(app) as at:
                for place, body in zip(places, sent, strict=True):
                    body = body.replace(b"QUESTION", question.encode())
                    assert await _status(at.url + place, eve, body, form) < 500
            ada = desk.enter(desk.token("ada"))
            assert ada.answer(question, {"type": "Bid", "item": "vase", "price": 3}).legal
            return (await going).allocation["vase"]

    award = asyncio.run(market())
    assert (award.winner, award.price) == ("ada", 3)


def _revoking(desk: Desk) -> Entrance:
    """The edge of a desk that has revoked one of the passes."""
    desk.passes.revoke(desk.passes.read(TOKENS["revoked"]).id)
    return http_app(desk)


def _framed(part: dict[str, Any], question: str) -> bytes:
    return frame(**{**part, "payload": part["payload"].replace(b"QUESTION", question.encode())})


async def _status(url: str, token: str, body: bytes, form: dict[str, str]) -> int:
    try:
        return (await call(url, token, body, form)).status
    except json.JSONDecodeError:  # a stream of events, or words
        return 200


def _is_long(wait: str) -> bool:
    """Whether this would be a true wait, which a test has no time for."""
    with contextlib.suppress(ValueError):
        return float(wait) > 0
    return False


@pytest.mark.parametrize("check", ["the document", "the edge"])
def test_the_openapi_document_is_true(check: str) -> None:
    """Through schemathesis, where it is installed: it makes requests from the document, and checks what comes back."""
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

    async def market() -> list[str]:
        async with house("ada", "eve", rules=DeskRules(per_s=1e6, burst=10**6, most_wait_s=0.01)) as desk:
            desk.market.open(FirstPrice(reply_within_s=500), [Lot("vase")], 600, participants=["ada"])
            async with Listening(http_app(desk)) as at:
                return await asyncio.to_thread(
                    _explored, schemathesis, at.url, desk.token("eve", may=("look", "answer", "join")), check
                )

    assert asyncio.run(market()) == []


def _explored(schemathesis: Any, url: str, token: str, check: str) -> list[str]:
    """The complaints of schemathesis."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    if check == "the document":
        schema.validate()
        return [] if len(list(schema.get_all_operations())) == 7 else ["operations are missing"]
    complaints = []
    modes = schemathesis.GenerationMode
    explored = [
        (found.ok(), mode)
        for found in schema.get_all_operations()
        for mode in (modes.POSITIVE, modes.NEGATIVE)
    ]
    for operation, mode in explored:
        if mode is modes.NEGATIVE and not (operation.body or operation.query):
            continue  # there is nothing to get wrong

        @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def explore(case: Any) -> None:
            case.call_and_validate(headers={"Authorization": f"Bearer {token}"})

        try:
            explore()
        except Exception as error:
            complaints.append(f"{operation.label}: {error}"[:2000])
    return complaints
