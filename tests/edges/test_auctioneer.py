"""The auctioneer as an A2A agent, through the SDK's own client over loopback, in both bindings."""

import asyncio
import json
from typing import Any

import pytest

from auctions import FirstPrice, truthful as bids_truly
from tests.edges.houses import call, expired, house, say, served, until
from walras.adapters.a2a import EXTENSION
from walras.adapters.a2a_server import CARD, auctioneer_app
from walras.agents import Agent
from walras.live.feed import DeskRules

pytest.importorskip("a2a.server.routes", reason="the extra a2a is not installed")


def _auctioneer(desk: Any) -> Any:
    return auctioneer_app(desk, FirstPrice(reply_within_s=0.2, margin_s=0.1))


@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
def test_an_auctioneer_allocates_for_who_may_open(binding: str) -> None:
    async def market() -> Any:
        async with (
            house() as desk,
            served(desk, lambda d: auctioneer_app(d, FirstPrice(reply_within_s=5))) as url,
        ):
            for agent, value in (("ada", 12), ("bob", 9)):
                desk.market.add(Agent(agent, bids_truly, values={"vase": value}))
            seller = desk.token("carol", may=("open",))
            items = [{"type": "Lot", "id": "vase"}]
            body = {"allocate": {"items": items, "within_s": 10, "key": "k1"}}
            events = [e async for e in say(url, seller, body, binding)]
            again = [e async for e in say(url, seller, body, binding)]
            refused = [e async for e in say(url, desk.token("carol"), body, binding)]
            return events, again, refused, list(desk.market.runtime.runs)

    events, again, refused, runs = asyncio.run(market())
    assert [e["state"] for e in events if e["state"]] == ["SUBMITTED", "WORKING", "COMPLETED"]
    (result,) = [e["data"] for e in events if e["data"]]
    (award,) = result["awards"]
    assert (award["winner"], award["price"]) == ("ada", 12)
    assert result == next(e["data"] for e in again if e["data"]) and runs == ["carol/1"], "the same key, once"
    assert "not open" in refused[-1]["error"]


def test_a_key_stands_for_one_request_of_one_caller() -> None:
    async def market() -> Any:
        rules = DeskRules(per_s=1000, burst=1000, most_keys=2)
        async with house(rules=rules) as desk, served(desk, _auctioneer) as url:
            carol, eve = desk.token("carol", may=("open",)), desk.token("eve", may=("open",))

            async def allocate(token: str, item: str, key: str) -> dict[str, Any]:
                wanted = {"items": [{"type": "Lot", "id": item}], "within_s": 10, "key": key}
                return [e async for e in say(url, token, {"allocate": wanted})][-1]

            for token, item, key in (
                (carol, "vase", "k"),
                (eve, "vase", "k"),
                (eve, "a", "a"),
                (eve, "b", "b"),
            ):
                assert (await allocate(token, item, key))["state"] == "COMPLETED"
            assert "another request" in (await allocate(carol, "urn", "k"))["error"]
            assert (await allocate(carol, "vase", "k"))["state"] == "COMPLETED"
            return list(desk.market.runtime.runs)

    assert asyncio.run(market()) == ["carol/1", "eve/1", "eve/2", "eve/3"], "nobody's keys push out another's"


def test_only_so_many_tasks_of_a_caller_are_kept() -> None:
    async def market() -> Any:
        rules = DeskRules(per_s=1000, burst=1000, most_keys=2)
        async with house(rules=rules) as desk, served(desk, _auctioneer) as url:
            tokens = [desk.token(who, may=("open",)) for who in ("carol", "eve", "eve", "eve")]
            for k, token in enumerate(tokens):
                wanted = {"items": [{"type": "Lot", "id": f"{k}"}], "within_s": 10}
                assert [e async for e in say(url, token, {"allocate": wanted})][-1]["state"] == "COMPLETED"
            listing = {"jsonrpc": "2.0", "id": 1, "method": "ListTasks", "params": {}}
            return [
                (await call(url, token, listing, {"A2A-Version": "1.0"}))["result"]["totalSize"]
                for token in tokens[:2]
            ]

    assert asyncio.run(market()) == [1, 2]


def test_who_cancels_its_task_calls_the_auction_off() -> None:
    async def market() -> Any:
        rules = FirstPrice(reply_within_s=50)
        async with house("ada") as desk, served(desk, lambda d: auctioneer_app(d, rules)) as url:
            seller = desk.token("carol", may=("open",))
            body = {"allocate": {"items": [{"type": "Lot", "id": "vase"}], "within_s": 60}}
            states: list[str] = []
            async for event in say(url, seller, body):
                states.append(event["state"])
                if event["state"] == "WORKING":
                    for caller, error in ((desk.token("eve", may=("open",)), True), (seller, False)):
                        stop = {
                            "jsonrpc": "2.0",
                            "id": 1,
                            "method": "CancelTask",
                            "params": {"id": event["task"]},
                        }
                        said = await call(url, caller, stop, {"A2A-Version": "1.0"})
                        assert ("error" in said) == error, "it is nobody else's"
            await until(lambda: desk.market.runtime.runs["carol/1"].outcome)
            return states, desk.market.runtime.runs["carol/1"].outcome

    states, outcome = asyncio.run(market())
    assert states[-1] == "CANCELED" and outcome.status == "cancelled"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"allocate": 1},
        {"allocate": {"items": [{"type": "Lot"}], "within_s": 5}},
        {"allocate": {"items": [{"type": "Live", "id": "x"}], "within_s": 5}},
        {"allocate": {"items": [{"type": "Lot", "id": "x"}], "within_s": -1}},
        {"allocate": {"items": [{"type": "Lot", "id": "x"}], "within_s": "NaN"}},
        {"allocate": {"items": [{"type": "Lot", "id": "x"}, {"type": "Lot", "id": "x"}], "within_s": 5}},
    ],
)
def test_nonsense_is_refused_and_the_market_goes_on(body: Any) -> None:
    async def market() -> Any:
        async with house("ada") as desk, served(desk, lambda d: auctioneer_app(d, FirstPrice())) as url:
            said = [e async for e in say(url, desk.token("carol", may=("open",)), body)]
            assert desk.market.runtime.runs == {}
            return said, await call(url + CARD)

    said, card = asyncio.run(market())
    assert said[-1]["error"] and card.status == 200


@pytest.mark.parametrize(
    "body", [b"{", b"[" * 5000, b"null", b"\xff", b"{}", b'{"jsonrpc": "2.0", "method": 7}']
)
def test_what_is_no_request_gets_an_error(body: bytes) -> None:
    async def market() -> None:
        async with house("ada") as desk, served(desk, lambda d: auctioneer_app(d, FirstPrice())) as url:
            token = desk.token("carol", may=("open",))
            said = await call(url, token, body, {"Content-Type": "application/json"})
            assert said.status < 500 and "error" in said
            assert (await call(url, token, b"x" * 70_000)).status == 413
            assert (await call(url, None, body)).status == 401
            card = await call(url + CARD)
            assert card["capabilities"]["extensions"][0]["uri"] == EXTENSION
            assert card["supportedInterfaces"][0]["url"] == url

    asyncio.run(market())


@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
def test_numbers_that_json_has_not_are_a_fault_of_the_caller(binding: str) -> None:
    async def market() -> Any:
        async with house("ada") as desk, served(desk, _auctioneer) as url:
            message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"data": {"allocate": 0}}]}
            body: Any = {"message": message}
            if binding == "JSONRPC":
                body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": body}
            raw = json.dumps(body).replace('"allocate": 0', '"allocate": 1e999').encode()
            path = "" if binding == "JSONRPC" else "/message:send"
            form = {"Content-Type": "application/json", "A2A-Version": "1.0"}
            return await call(url + path, desk.token("carol", may=("open",)), raw, form)

    said = asyncio.run(market())
    assert said.status < 500 and "Infinity" in said["error"]["message"]
    assert said["error"]["code"] in (-32602, 400), "its parameters, not our fault"


@pytest.mark.parametrize("path", ["/message:send", "/elsewhere/message:send", "/tasks/x:cancel"])
def test_rest_has_the_same_entrance(path: str) -> None:
    async def market() -> None:
        async with house("ada") as desk, served(desk, _auctioneer) as url:
            for token, status in (
                ("", 401),
                ("no", 401),
                (expired("carol"), 401),
                (desk.token("carol"), 0),
            ):
                said = await call(url + path, token, b"{", {"A2A-Version": "1.0"})
                assert said.status == status or (status == 0 and 400 <= said.status < 500)
            said = await call(url + path, desk.token("carol", may=("open",)), b"x" * 70_000)
            assert said.status == 413

    asyncio.run(market())
