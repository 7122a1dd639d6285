"""The WebSocket of the HTTP edge, through the client of the package websockets."""

import asyncio
import json
import logging
from typing import Any

import pytest

from auctions import FirstPrice
from tests.edges.houses import call, expired, house, served, until
from tests.edges.test_http import bid
from walras.adapters.edge import Listening
from walras.adapters.http import http_app
from walras.items import Lot
from walras.live.feed import DeskRules

pytest.importorskip("uvicorn", reason="the extra http is not installed")
pytest.importorskip("starlette", reason="the extra http is not installed")
client = pytest.importorskip("websockets.asyncio.client", reason="the extra http is not installed")
exceptions = pytest.importorskip("websockets.exceptions", reason="the extra http is not installed")


def live(url: str, token: str = "", **settings: Any) -> Any:
    """A line to the edge; with a pass, if there is one."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return client.connect(f"{url.replace('http', 'ws')}/v1/live", additional_headers=headers, **settings)


async def frame(line: Any, wanted: Any) -> Any:
    """The next frame that holds something."""
    while True:
        found = wanted(json.loads(await asyncio.wait_for(line.recv(), 10)))
        if found:
            return found


async def ended(line: Any) -> int:
    """The code with which a line ends."""
    await asyncio.wait_for(line.wait_closed(), 20)
    return int(line.close_code)


def test_a_websocket_tells_and_takes_and_outlives_nonsense() -> None:
    async def market() -> Any:
        async with house("ada") as desk, served(desk, http_app) as url, live(url, desk.token("ada")) as line:
            first = json.loads(await line.recv())
            assert first["events"] == [] and first["questions"] == []
            going = asyncio.ensure_future(desk.market.run(FirstPrice(reply_within_s=20), [Lot("vase")], 30))
            (question,) = await frame(line, lambda f: f.get("questions"))
            desk.feed("ada").add(0.0, "opened", "elsewhere")
            seen = await frame(line, lambda f: f if f["events"][-1]["conversation"] == "elsewhere" else None)
            assert seen["questions"] == [], "it has been told already"
            for nonsense in ("{", b"\xff\xfe\x00", "[" * 5000, "null", '{"question":"x","answer":1}'):
                await line.send(nonsense)
                refused = await frame(line, lambda f: f.get("refused"))
                assert refused["error"] in ("malformed", "unknown")
            await line.send(json.dumps({"question": question["id"], "answer": bid(5), "key": "k"}))
            said = await frame(line, lambda f: f if "receipt" in f else None)
            assert said == {"key": "k", "receipt": {"question": question["id"], "legal": True, "why": ""}}
            kinds: list[str] = []
            while "ended" not in kinds:
                kinds += [event["kind"] for event in await frame(line, lambda f: f.get("events"))]
            assert "won" in kinds
            return (await going).allocation["vase"]

    assert asyncio.run(market()).price == 5


def test_a_websocket_needs_a_pass() -> None:
    async def market() -> None:
        async with house("ada") as desk, served(desk, http_app) as url:
            for token in ("", "nonsense", expired("ada"), desk.token("ada")[:-1]):
                with pytest.raises(exceptions.InvalidStatus) as refused:
                    await live(url, token)
                assert refused.value.response.status_code == 401
            async with live(url, desk.token("ada", may=("answer",))) as blind:
                assert await ended(blind) == 4403

    asyncio.run(market())


def test_a_browser_shows_its_token_as_a_subprotocol() -> None:
    async def market() -> None:
        async with house("ada") as desk, served(desk, http_app) as url:
            async with live(url, subprotocols=["walras", desk.token("ada")]) as line:
                assert line.subprotocol == "walras", "a browser hangs up if it is given none, or the token"
                assert json.loads(await line.recv())["questions"] == []
            for asked_for in (
                ["walras"],
                ["walras", "nonsense"],
                [desk.token("ada")],
                ["chat", desk.token("ada")],
            ):
                with pytest.raises(exceptions.InvalidStatus):
                    await live(url, subprotocols=asked_for)

    asyncio.run(market())


def test_a_line_ends_when_its_pass_is_revoked_and_no_other_does() -> None:
    async def market() -> None:
        async with house("ada") as desk, served(desk, http_app) as url:
            one, other = desk.token("ada"), desk.token("ada")
            async with live(url, one) as line, live(url, other) as still:
                await asyncio.gather(line.recv(), still.recv())
                desk.passes.revoke(desk.passes.read(one).id)
                assert await ended(line) == 4401
                assert (await call(f"{url}/v1/questions", one))["error"] == "revoked"
                desk.feed("ada").add(0.0, "asked", "c")
                assert await frame(still, lambda f: f.get("events"))

    asyncio.run(market())


def test_a_line_ends_by_itself_when_its_pass_expires() -> None:
    async def market() -> int:
        async with (
            house("ada") as desk,
            served(desk, http_app) as url,
            live(url, desk.token("ada", lasts_s=0.5)) as line,
        ):
            return await ended(line)

    assert asyncio.run(market()) == 4401


def test_frames_and_lines_have_their_limits() -> None:
    async def market() -> None:
        rules = DeskRules(per_s=1000, burst=1000, most_bytes=1000, most_waiting=1)
        async with house("ada", rules=rules) as desk, Listening(http_app(desk), most_bytes=5000) as at:
            token = desk.token("ada")
            async with live(at.url, token) as line:
                await line.recv()
                await line.send("x" * 2000)
                assert (await frame(line, lambda f: f.get("refused")))["error"] == "too large"
                async with live(at.url, token) as second:
                    assert await ended(second) == 4429
                await line.send("x" * 6000)
                assert await ended(line) == 1009
            assert (await call(f"{at.url}/health")).status == 200

    asyncio.run(market())


def test_who_waits_is_told_when_the_edge_stops(caplog: pytest.LogCaptureFixture) -> None:
    async def market() -> None:
        async with house("ada") as desk:
            async with Listening(http_app(desk)) as at:
                token = desk.token("ada")
                line = await live(at.url, token)
                await line.recv()
                poll = asyncio.create_task(call(f"{at.url}/v1/events?wait_s=20", token))
                await until(lambda: desk.feed("ada").listeners == 2)
            assert ((await poll).status, (await poll)["error"]) == (503, "closing")
            assert await ended(line) == 1001

    with caplog.at_level(logging.ERROR):
        asyncio.run(market())
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
