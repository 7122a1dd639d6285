"""Callers that want to keep an edge from its work, or to bid for others: the edge stays up, and the award is what it was."""

import asyncio
import contextlib
import json
import logging
from functools import partial
from typing import Any

import pytest

from auctions import FirstPrice
from tests.edges.houses import BRISK, SECRET, call, house, served, until
from tests.edges.raw import HANDSHAKE, answered, frame, line, request, upgraded
from walras.adapters.edge import Listening
from walras.adapters.entrance import Entrance
from walras.adapters.http import http_app
from walras.items import Lot
from walras.live.desk import Desk
from walras.live.door import Tokens
from walras.live.feed import DeskRules
from walras.live.passes import Passes

pytest.importorskip("uvicorn", reason="the extra http is not installed")
pytest.importorskip("starlette", reason="the extra http is not installed")


async def asked(desk: Desk, agent: str = "ada") -> str:
    """The id of the question that waits for an agent."""
    await until(lambda: desk.feed(agent).waiting)
    return next(iter(desk.feed(agent).waiting))


def bid(question: str, price: Any, **more: Any) -> dict[str, Any]:
    return {"question": question, "answer": {"type": "Bid", "item": "vase", "price": price}, **more}


# ------------------------------------------------------------------------------------------------------ keeping others out
def test_lines_that_never_come_to_the_point_keep_nobody_out() -> None:
    async def market() -> None:
        async with (
            house("ada") as desk,
            Listening(http_app(desk), most_lines=40) as at,
            contextlib.AsyncExitStack() as crowd,
        ):
            token = desk.token("ada")
            for k in range(120):
                _, writer = await crowd.enter_async_context(line(at.url))
                writer.write(b"" if k % 2 else b"GET /v1/questions HTTP/1.1\r\nAuthor")
                if k % 10 == 0:
                    assert (await call(f"{at.url}/v1/questions", token)).status == 200
            assert (await call(f"{at.url}/v1/questions", token)).status == 200

    asyncio.run(market())


def test_who_does_not_finish_a_request_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("walras.adapters.lines.READ_WITHIN_S", 0.2)
    monkeypatch.setattr("walras.adapters.entrance.READ_WITHIN_S", 0.2)

    async def market() -> None:
        async with house("ada") as desk, served(desk, http_app) as url:
            token = desk.token("ada")
            async with line(url) as silent, line(url) as slow, line(url) as second, line(url) as stuck:
                stuck[1].write(request("GET", "/v1/live", "", b"", *HANDSHAKE, "Content-Length: 0"))
                second[1].write(request("GET", "/health", token) + b"GET /hea")
                slow[1].write(b"GET /health HTTP/1.1\r\nX: ")
                for _ in range(3):
                    await asyncio.sleep(0.05)
                    slow[1].write(b"a")
                for reader, _ in (silent, slow, second, stuck):
                    with contextlib.suppress(ConnectionError):
                        assert b" 400 " not in await asyncio.wait_for(reader.read(), 20)
            half = request("POST", "/v1/answers", token, b"{", "Content-Length: 99")
            status, _ = await answered(url, half)
            assert status == 400
            assert (await call(f"{url}/health")).status == 200

    asyncio.run(market())


def test_an_agent_has_only_so_many_requests_under_way() -> None:
    async def market() -> None:
        rules = DeskRules(per_s=1000, burst=1000, most_at_once=2)
        async with house("ada", "bob", rules=rules) as desk, served(desk, http_app) as url:
            token = desk.token("ada")
            held = [asyncio.create_task(call(f"{url}/v1/events?wait_s=20", token)) for _ in range(2)]
            await until(lambda: desk.feed("ada").listeners == 2)
            said = await call(f"{url}/v1/questions", token)
            assert said.status == 429 and "under way" in said["why"]
            assert (await call(f"{url}/v1/questions", desk.token("bob"))).status == 200
            desk.feed("ada").add(0.0, "asked", "c")
            assert [(await one).status for one in held] == [200, 200]
            assert (await call(f"{url}/v1/questions", token)).status == 200

    asyncio.run(market())


def test_a_flood_of_frames_is_read_no_faster_than_the_rules_say() -> None:
    async def market() -> Any:
        rules = DeskRules(per_s=100, burst=10)
        async with (
            house("ada", "eve", rules=rules) as desk,
            served(desk, http_app) as url,
            line(url) as flood,
        ):
            going = asyncio.ensure_future(
                desk.market.run(FirstPrice(reply_within_s=20), [Lot("vase")], 30, participants=["ada"])
            )
            question = await asked(desk)
            await upgraded(flood, desk.token("eve"))
            began = asyncio.get_running_loop().time()
            flood[1].write(frame(1, b"{") * 20_000)
            said = await call(f"{url}/v1/answers", desk.token("ada"), bid(question, 3))
            assert said.status == 200
            await asyncio.sleep(0.3)
            taken_s = asyncio.get_running_loop().time() - began
            replies = (await flood[0].read(1_000_000)).count(b'"refused"')
            assert replies <= rules.burst + rules.per_s * taken_s + 1
            return (await going).allocation["vase"]

    award = asyncio.run(market())
    assert (award.winner, award.price) == ("ada", 3)


def test_lines_that_have_ended_leave_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("walras.adapters.lines.READ_WITHIN_S", 0.1)

    async def market() -> None:
        async with house("ada") as desk, served(desk, http_app) as url:
            async with line(url) as there:
                await upgraded(there, desk.token("ada"))
            assert (await call(f"{url}/health")).status == 200
            await asyncio.sleep(0.3)

    asyncio.run(market())
    assert not caplog.records


def test_a_request_that_came_with_the_one_before_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("walras.adapters.lines.READ_WITHIN_S", 0.4)

    async def market() -> bytes:
        async with house("ada") as desk, served(desk, http_app) as url, line(url) as both:
            token = desk.token("ada")
            both[1].write(request("GET", "/health", token) + request("GET", "/v1/events?wait_s=1", token))
            return await asyncio.wait_for(both[0].read(), 20)

    assert asyncio.run(market()).count(b"HTTP/1.1 200") == 2


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ([b"a" * 60, b"a" * 40], 200),
        ([b"a" * 60, b"a" * 41], 413),
        ([b"\xc3", b"\xa9"], 200),
        ([b"\xff"], 400),
    ],
)
def test_a_body_is_measured_as_a_whole_and_has_to_be_text(pieces: list[bytes], status: int) -> None:
    said: list[Any] = []
    coming = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    coming.append({"type": "http.request", "body": b"", "more_body": False})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        said.append({"status": 200, "body": (await receive())["body"]})

    async def receive() -> Any:
        return coming.pop(0)

    async def send(message: Any) -> None:
        said.append(message)

    entrance = Entrance(app, Passes(SECRET, "spot").read, DeskRules(most_bytes=100), ("/",))
    asyncio.run(entrance({"type": "http", "path": "/", "headers": []}, receive, send))
    assert said[0]["status"] == status
    assert status != 200 or said[0]["body"] == b"".join(pieces)


# ------------------------------------------------------------------------------------------------------ what is no request
SPELLINGS = [
    "/v1/questions/", "//v1/questions", "/openapi.json/../v1/questions", "/v1/%2e%2e/v1/questions", "/openapi.json%00",
    "/health/", "/health;/v1/questions", "/v1/questions%2f", "http://elsewhere/v1/questions", "/%76%31/questions",
]  # fmt: skip


def test_no_spelling_of_a_path_gets_round_the_entrance() -> None:
    async def market() -> None:
        async with house("ada") as desk, served(desk, http_app) as url:
            for path in SPELLINGS:
                assert (await answered(url, request("GET", path, "none")))[0] == 401, path
                status, head = await answered(url, request("GET", path, desk.token("ada")))
                assert status in (200, 404) and b"location:" not in head.lower(), "nobody is sent elsewhere"

    asyncio.run(market())


def test_bytes_that_are_no_request_are_answered_or_cut_off() -> None:
    async def market() -> None:
        async with house("ada") as desk, served(desk, http_app) as url:
            token, post = desk.token("ada"), ("POST", "/v1/answers")
            both = ("Content-Length: 5", "Transfer-Encoding: chunked")
            chunks = b"10000\r\n" + b"a" * 65_536 + b"\r\n1\r\na\r\n0\r\n\r\n"
            for sent, statuses in (
                (b"\x16\x03\x01\x02\x00\x01" * 50, (400,)),  # TLS to a plain port
                (b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000, (400, 0)),
                (request(*post, token, chunks, "Transfer-Encoding: chunked"), (413,)),
                (request(*post, token, b"0\r\n\r\nGET /health HTTP/1.1\r\n\r\n", *both), (400,)),
                (request(*post, token, b"a" * 70_000), (413, 0)),
                (request("GET", "/v1/questions", "é\u00ff\x00"), (400, 401)),
                (request("GET", "/v1/questions", token[:-1] + "é"), (401,)),
                (request("GET", "/v1/questions", "a" * 10_000), (401,)),
                (request("GET", "/v1/questions", "%ff%00." + "0" * 64), (401,)),
                (request("GET", "*", token), (400, 404)),
                (request("PRI", "*", token), (400, 404, 505)),
            ):  # fmt: skip
                status, _ = await answered(url, sent)
                assert status in statuses, sent[:60]
                assert (await call(f"{url}/health")).status == 200

    asyncio.run(market())


def test_a_market_goes_on_when_callers_hang_up(caplog: pytest.LogCaptureFixture) -> None:
    async def market() -> None:
        async with house("ada") as desk, served(desk, http_app) as url:
            token = desk.token("ada")
            waiting = request("GET", "/v1/events?wait_s=20", token)
            for half in (
                waiting,
                waiting[:30],
                request("POST", "/v1/answers", token, b"{", "Content-Length: 99"),
            ):
                async with line(url) as (_, writer):
                    writer.write(half)
                    await writer.drain()
            await until(lambda: desk.feed("ada").listeners == 0)
            assert (await call(f"{url}/health")).status == 200

    with caplog.at_level(logging.ERROR):
        asyncio.run(market())
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


# ------------------------------------------------------------------------------------------------------- bidding for others
def test_a_forged_identity_is_nobodys() -> None:
    """Claims that were changed, another agent's name before one's own code, a line of another protocol's tokens."""

    async def market() -> Any:
        async with house("ada", "eve") as desk, served(desk, http_app) as url:
            going = asyncio.ensure_future(
                desk.market.run(FirstPrice(reply_within_s=20), [Lot("vase")], 30, participants=["ada"])
            )
            question = await asked(desk)
            eve, ada = desk.token("eve"), desk.token("ada")
            forged = [
                ada.rpartition(".")[0] + "." + eve.rpartition(".")[2], ada[:-2] + "00", ada.upper(), ada + ".", "." + ada,
                Tokens(SECRET).token("mind", "ada"), ada.replace(".", "%2e"), "null", "undefined", '{"agent":"ada"}',
            ]  # fmt: skip
            for token in forged:
                said = await call(f"{url}/v1/answers", token, bid(question, 99))
                assert (said.status, said["error"]) == (401, "wrong credential")
            for claim in ({}, {"agent": "ada"}, {"bidder": "ada"}, {"key": question}):
                said = await call(
                    f"{url}/v1/answers",
                    eve,
                    bid(question, 99, **claim),
                    {"X-Agent": "ada", "Cookie": "agent=ada"},
                )
                assert said.status in (400, 404)
            await call(f"{url}/v1/answers", ada, bid(question, 3))
            return (await going).allocation["vase"]

    award = asyncio.run(market())
    assert (award.winner, award.price) == ("ada", 3)


@pytest.mark.parametrize(
    ("price", "status"),
    [("1e999", 400), ("NaN", 400), ("1" * 5000, 400), ("1" * 400, 422), ('"7"', 422), ("true", 422), ("-1", 422)],
)  # fmt: skip
def test_a_price_that_is_none_buys_nothing(price: str, status: int) -> None:
    async def market() -> Any:
        async with house("ada", "bob", rules=BRISK) as desk, served(desk, http_app) as url:
            going = asyncio.ensure_future(desk.market.run(FirstPrice(reply_within_s=20), [Lot("vase")], 30))
            bobs = await asked(desk, "bob")
            await call(f"{url}/v1/answers", desk.token("bob"), bid(bobs, 3))
            for _ in range(2):  # the guard asks once more
                question = await asked(desk)
                raw = json.dumps(bid(question, 0)).replace('"price": 0', f'"price": {price}').encode()
                said = await call(f"{url}/v1/answers", desk.token("ada"), raw)
                assert said.status == status
                if status == 400:  # it was no answer at all: the question still waits
                    decline = {"question": question, "answer": None}
                    assert (await call(f"{url}/v1/answers", desk.token("ada"), decline)).status == 200
                    break
                await until(partial(desk.feed("ada").gone.count, question))
            return (await going).allocation["vase"]

    award = asyncio.run(market())
    assert (award.winner, award.price) == ("bob", 3)


def test_a_key_stands_for_one_answer_and_a_bid_after_the_close_for_none() -> None:
    async def market() -> Any:
        async with house("ada") as desk, served(desk, http_app) as url:
            going = asyncio.ensure_future(desk.market.run(FirstPrice(reply_within_s=20), [Lot("vase")], 30))
            question, token = await asked(desk), desk.token("ada")
            first = await call(f"{url}/v1/answers", token, bid(question, 3, key="k"))
            again = await call(f"{url}/v1/answers", token, bid(question, 3, key="k"))
            other = await call(f"{url}/v1/answers", token, bid(question, 9, key="k"))
            assert (first, other.status, other["error"]) == (again, 409, "conflict")
            await going
            late = await call(f"{url}/v1/answers", token, bid(question, 9, key="late"))
            assert (late.status, late["error"]) == (410, "too late")
            return (await going).allocation["vase"]

    assert asyncio.run(market()).price == 3
