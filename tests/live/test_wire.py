"""Two markets on one loop, joined by WebSockets: what breaks, doubles, lies or makes no sense on the line between them."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from contractnet import ContractNet
from tests.live.lines import (
    QUICK,
    ROOM,
    SECRET,
    SHARED,
    Cutter,
    Listener,
    Note,
    Teller,
    ignored,
    impostor,
    until,
)
from tests.live.worlds import tasks, workers
from walras.agents import Agent
from walras.errors import ScenarioError
from walras.live import Live
from walras.live.door import MIND, Backoff, Door, LineRules, Tokens
from walras.live.extras import MissingExtraError
from walras.live.wire import Peer, Wire


@asynccontextmanager
async def listening(**settings: Any) -> AsyncIterator[tuple[Live, Wire, Listener]]:
    """The process of `lis`, whose only neighbour is `tel`."""
    async with Live(rules=SHARED, **settings) as market:
        market.add(Agent("lis"))
        market.seat("lis", Listener(), ROOM)
        peers = {"tel": Peer(), "other": Peer()}
        async with Wire(market, "lis", peers, listen="ws://127.0.0.1:0", rules=QUICK) as wire:
            role: Any = market.role(ROOM, "lis")
            yield market, wire, role


@asynccontextmanager
async def telling(url: str, count: int, **settings: Any) -> AsyncIterator[tuple[Live, Wire]]:
    """The process of `tel`, who speaks to `lis` at this address."""
    async with Live(rules=SHARED, **settings) as market:
        market.add(Agent("tel"))
        market.seat("tel", Teller("lis", count), ROOM)
        async with Wire(market, "tel", {"lis": url}, rules=QUICK) as wire:
            yield market, wire


# ------------------------------------------------------------------ breaks


@pytest.mark.parametrize("seed", range(3))
def test_what_is_said_over_a_line_that_breaks_is_heard_once_each(seed: int) -> None:
    async def main() -> None:
        async with listening() as (_, wire, listener):
            cutter = Cutter(wire.url, Random(seed))
            async with cutter as url, telling(url, 200) as (market, _):
                teller: Any = market.role(ROOM, "tel")
                await until(lambda: teller.said == 200)
                cutter.tame = True
                await until(lambda: not market.runtime.peers.outbox())
            assert sorted(listener.heard) == list(range(1, 201))
            assert cutter.cuts >= 5, "this shows nothing: the line hardly broke"

    asyncio.run(main())


def test_a_market_over_a_line_that_breaks_does_every_task_once() -> None:
    done: list[str] = []

    async def work(task: Any, key: str) -> str:
        done.append(key)
        return "done"

    async def main() -> list[Any]:
        rules = ContractNet(reply_within_s=10.0, valid_for_s=60.0)
        async with Live(rules=SHARED) as office, Live(rules=SHARED) as shop:
            for agent in workers(3):
                shop.add(agent, work)
            shop.serve(rules)
            crew = {"shop": Peer(agents=("w0", "w1", "w2"))}
            async with Wire(office, "office", crew, listen="ws://127.0.0.1:0", rules=QUICK) as wire:
                cutter = Cutter(wire.url, Random(5), most_bytes=8000)
                async with cutter as url, Wire(shop, "shop", {"office": Peer(url, ("house",))}, rules=QUICK):
                    each = [office.run(rules, [task], within_s=60.0) for task in tasks(8)]
                    results = await asyncio.gather(*each)
                    assert cutter.cuts >= 2, "this shows nothing: the line hardly broke"
                    return results

    results = asyncio.run(main())
    assert [result.records[0].status for result in results] == ["done"] * 8
    assert [result.records[0].awards for result in results] == [1] * 8
    assert len(done) == len(set(done)) == 8
    for result in results:  # what came from elsewhere is in the trace, once
        rows = [row for row in result.trace if row.kind == "message"]
        said = [(row.agent, row.details["message"]["type"]) for row in rows]
        assert said.count(("w1", "Propose")) == 1 and said.count((result.records[0].winner, "Inform")) == 1
        ids = [row.details["id"] for row in rows if row.details["to"] == "house"]
        assert len(ids) == len(set(ids))


def test_both_sides_may_call_each_other() -> None:
    async def main() -> None:
        async with listening() as (there, wire, listener), Live(rules=SHARED) as here:
            here.add(Agent("tel"))
            here.add(Agent("second"))
            async with Wire(here, "tel", {"lis": wire.url}, listen="ws://127.0.0.1:0", rules=QUICK) as ours:
                wire.processes["tel"].url = ours.url
                calling = asyncio.ensure_future(wire._call(wire.processes["tel"]))
                await until(lambda: wire.status["tel"] == ours.status["lis"] == "connected")
                here.seat("tel", Teller("lis", 20), ROOM)
                await until(lambda: len(listener.heard) == 20)
                calling.cancel()
        assert there.runtime.peers.outbox() == []

    asyncio.run(main())


def test_pauses_between_attempts_double_up_to_a_limit_and_begin_anew_after_a_good_line() -> None:
    class Most(Random):
        def random(self) -> float:
            return 1.0

    backoff = Backoff(LineRules(backoff_s=0.5, most_backoff_s=3.0), Most())
    assert [backoff.pause_s() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert backoff.pause_s(lasted_s=2.9) == 3.0, "it was made, and broke at once"
    assert [backoff.pause_s(lasted_s=3.1), backoff.pause_s()] == [0.5, 1.0]
    spread = [Backoff(LineRules(backoff_s=0.5), Random(k)).pause_s() for k in range(50)]
    assert 0.25 <= min(spread) < 0.3 and 0.45 < max(spread) <= 0.5


# ------------------------------------------------------------------ restarts


def test_what_was_said_while_the_other_was_down_arrives_when_it_is_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with listening(journal=tmp_path / "lis.db") as (_, wire, listener):
            port = int(wire.url.rpartition(":")[2])
            async with telling(wire.url, 10, journal=tmp_path / "tel.db") as (market, _):
                await until(lambda: len(listener.heard) == 10 and not market.runtime.peers.outbox())
        url = f"ws://127.0.0.1:{port}"
        async with telling(url, 10, journal=tmp_path / "tel.db") as (market, _):
            teller: Any = market.role(ROOM, "tel")
            assert market.recovered and teller.said == 10
            market.seat("tel", Teller("lis", 15, said=10), "room/again")
            await until(lambda: len(market.runtime.peers.outbox()) == 5)
        async with (
            telling(url, 10, journal=tmp_path / "tel.db") as (market, _),  # was down, too, with its outbox
            Live(rules=SHARED, journal=tmp_path / "lis.db") as there,
        ):
            there.add(Agent("lis"))
            there.seat("lis", Listener(), "room/again")
            async with Wire(there, "lis", {"tel": Peer()}, listen=url, rules=QUICK):
                later: Any = there.role("room/again", "lis")
                before: Any = there.role(ROOM, "lis")
                await until(lambda: not market.runtime.peers.outbox())
                assert later.heard == [11, 12, 13, 14, 15]
                assert before.heard == list(range(1, 11))

    asyncio.run(main())


def test_a_process_that_has_forgotten_everything_is_heard_from_its_first_message_on() -> None:
    async def say_five(url: str) -> None:
        async with telling(url, 5) as (market, _):
            teller: Any = market.role(ROOM, "tel")
            await until(lambda: teller.said == 5 and not market.runtime.peers.outbox())

    async def main() -> None:
        async with listening() as (_, wire, listener):
            await say_five(wire.url)
            await say_five(wire.url)
            assert sorted(listener.heard) == sorted([1, 2, 3, 4, 5] * 2)

    asyncio.run(main())


# ------------------------------------------------------------------ strangers


def test_a_message_that_comes_twice_and_out_of_order_is_heard_once() -> None:
    async def main() -> list[int]:
        async with listening() as (market, wire, listener):
            for _ in range(2):  # also by another line
                async with impostor(market, wire.url) as caller:
                    for number in (3, 1, 1, 2, 3):
                        await caller.note(number, now=market.now)
                    acks: list[int] = []
                    while set(acks) != {1, 2, 3}:
                        acks += (await caller.hear("Acks"))["numbers"]
            return listener.heard

    assert asyncio.run(main()) == [3, 1, 2]


NONSENSE = [
    ({"sender": "other"}, "'other' does not live in tel"),
    ({"sender": "lis"}, "'lis' does not live in tel"),
    ({"to": "nobody"}, "'nobody' does not live in lis"),
    ({"to": "tel"}, "'tel' does not live in lis"),
    ({"message": {"type": "Nope"}}, "type 'Nope' is not known in Listener"),
    ({"message": {"type": "Note"}}, "Missing required argument 'number'"),
    ({"message": {"type": "Note", "number": "one"}}, "Expected `int`, got `str`"),
    ({"message": {"type": "Note", "number": 1, "by": "me"}}, "Note has no field 'by'"),
    ({"message": {"type": "Task", "id": "t"}}, "a Task where a Message is expected"),
    ({"message": 7}, "7 where an object is expected"),
    ({"conversation": "elsewhere"}, "nobody here speaks in elsewhere"),
    ({"conversation": "elsewhere", "protocol": "x-unknown"}, "nobody here speaks x-unknown"),
]


@pytest.mark.parametrize(("changed", "why"), NONSENSE)
def test_nonsense_is_refused_and_ignored_and_the_market_goes_on(changed: dict[str, Any], why: str) -> None:
    async def main() -> None:
        async with listening() as (market, wire, listener):
            async with impostor(market, wire.url) as caller:
                await caller.note(1, now=market.now, **changed)
                refused = await caller.hear("Refused")
                assert refused["number"] == 1 and why in refused["why"]
                await caller.note(2, now=market.now)
                await caller.hear("Acks")
            assert listener.heard == [2]
            assert any(why in found for found in ignored(market))

    asyncio.run(main())


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", 4400),
        ("[1]", 4400),
        ('{"type": "Nope"}', 4400),
        ('{"type": "Carried", "number": "x"}', 4400),
        (b"\xff\xfe", 4400),
        ("[" * 100_000, 4400),
        ('"' + "x" * 2_000_000 + '"', 1009),
    ],
    ids=["cut", "array", "unknown", "types", "bytes", "deep", "oversized"],
)
def test_who_sends_no_frames_is_hung_up_on_and_others_are_heard(frame: str | bytes, code: int) -> None:
    async def main() -> None:
        async with listening() as (market, wire, listener):
            async with impostor(market, wire.url) as caller:
                await caller.say(frame)
                await asyncio.wait_for(caller.line.wait_closed(), 60.0)
                assert caller.line.close_code == code
            await until(lambda: ignored(market))
            async with impostor(market, wire.url) as caller:
                await caller.note(1, now=market.now)
                await caller.hear("Acks")
            assert listener.heard == [1]

    asyncio.run(main())


def test_nobody_can_do_away_with_messages_that_it_was_not_sent() -> None:
    async def main() -> None:
        async with listening() as (market, wire, _):
            market.seat("lis", Teller("other", 1), "room/2")
            await until(market.runtime.peers.outbox)
            ((number, _),) = market.runtime.peers.outbox()
            async with impostor(market, wire.url) as caller:
                await caller.say({"type": "Acks", "life": wire.origin, "numbers": [number]})
                await caller.say({"type": "Refused", "number": number, "why": "no"})
                await caller.note(1, now=market.now)
                await caller.hear("Acks")
            assert [n for n, _ in market.runtime.peers.outbox()] == [number]

    asyncio.run(main())


@pytest.mark.parametrize("secret", [b"short", "a text of more than 16 letters", None])
def test_a_secret_is_bytes_and_not_too_few(secret: Any) -> None:
    with pytest.raises(ScenarioError, match=r"secret is .*; expected 16 bytes or more"):
        Tokens(secret)


@pytest.mark.parametrize("token", ["", "tel.", "tel.00", Tokens(SECRET).token(MIND, "tel"), "é.ü"])
def test_a_wrong_token_is_turned_away_at_the_door(token: str) -> None:
    async def main() -> int:
        async with listening() as (_, wire, _):
            headers = {"Authorization": f"Bearer {token}".encode().decode("latin-1")}
            with pytest.raises(InvalidStatus) as refused:
                async with connect(f"{wire.url}/process", additional_headers=headers, proxy=None):
                    pass
            return refused.value.response.status_code

    assert asyncio.run(main()) == 401


def test_a_process_with_another_secret_learns_why_it_is_turned_away() -> None:
    async def main() -> None:
        others = replace(SHARED, secret=bytes(16))
        async with (
            listening() as (_, wire, _),
            Live(rules=others) as market,
            Wire(market, "tel", {"lis": wire.url}, rules=QUICK) as other,
        ):
            await until(lambda: other.status["lis"] == "wrong token (401)")
            assert wire.status["tel"] == "not yet"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"version": 2}, "version 2 where 1 is spoken"),
        ({"token": Tokens(SECRET).token("process", "other")}, "not tel"),
        ({"seed": 1}, "another seed: 1 and 0"),
        ({"now": 0.0}, "the same epoch?"),
        ({"type": "Acks", "numbers": []}, "no greeting"),
    ],
)
def test_processes_that_do_not_belong_together_say_so(changed: dict[str, Any], why: str) -> None:
    async def main() -> None:
        async with listening() as (market, wire, _):
            async with impostor(market, wire.url, **changed) as caller:
                await asyncio.wait_for(caller.line.wait_closed(), 60.0)
                assert caller.line.close_code == 4412 and why in caller.line.close_reason
            await until(lambda: why in wire.status["tel"])

    asyncio.run(main())


# ------------------------------------------------------------------ our own side


def test_what_is_too_large_is_lost_and_says_so_and_the_next_message_passes() -> None:
    class Loud(Teller):
        def on_timer(self, name: str) -> None:
            self.send("lis", Note(1, "x" * 2_000_000))
            self.send("lis", Note(2))

    async def main() -> tuple[list[str], list[int]]:
        async with listening() as (_, wire, listener), telling(wire.url, 1) as (market, _):
            market.seat("tel", Loud("lis", 1), "room/loud")
            await until(lambda: len(ignored(market)) == 2 and 1 in listener.heard)
            return ignored(market), listener.heard

    why, heard = asyncio.run(main())
    assert re.fullmatch(r"2,000,1\d\d bytes; 1,048,576 are the most", why[0])  # it says when it was sent
    assert why[1:] == ["lis says: nobody here speaks in room/loud"]
    assert heard == [1], "what others say is not held up"


def test_mistakes_are_told_before_anything_happens() -> None:
    async def main() -> None:
        async with Live() as market:
            with pytest.raises(ScenarioError, match="epoch"):
                Wire(market, "a", {})
        async with Live(rules=replace(SHARED, secret=b"short")) as market:
            with pytest.raises(ScenarioError, match="'5 bytes'; expected 16") as told:
                Wire(market, "a", {})
            assert "short" not in str(told.value)
        async with Live(rules=SHARED) as market:
            market.add(Agent("ada"))
            for peers in ({"b": Peer(agents=("ada",))}, {"b": Peer(agents=("x",)), "c": Peer(agents=("x",))}):
                with pytest.raises(ScenarioError, match="lives in no other process"):
                    Wire(market, "a", peers)
            with pytest.raises(ScenarioError, match="of this machine, or wss://"):
                Wire(market, "a", {"b": "ws://192.0.2.1:80"})
            Wire(market, "a", {"b": "ws://192.0.2.1:80"}, rules=LineRules(plain_beyond_loopback=True))
            with pytest.raises(ScenarioError, match="an address such as"):
                Wire(market, "a", {"b": "localhost:80"})
            async with Wire(market, "a", {}):
                with pytest.raises(ScenarioError, match="no wire yet"):
                    Wire(market, "a", {})

    asyncio.run(main())


def test_an_address_with_tls_is_not_called_without_it() -> None:
    async def main() -> None:
        async with listening() as (_, plain, _), Live(rules=SHARED) as market:
            url = plain.url.replace("ws:", "wss:")
            async with Wire(market, "tel", {"lis": url}, rules=QUICK) as wire:
                await until(lambda: wire.status["lis"] != "not yet")
                assert "SSL" in wire.status["lis"] or "Connection" in wire.status["lis"]
                assert plain.status["tel"] == "not yet"

    asyncio.run(main())


def test_a_door_says_what_is_wrong_with_it() -> None:
    async def main() -> None:
        async with Door(secret=SECRET) as door:
            assert door.url.startswith("ws://127.0.0.1:")
            with pytest.raises(ScenarioError, match="an address that is free"):
                async with Door(door.url, SECRET):
                    pass

    for listen in ("ws://0.0.0.0:0", "http://127.0.0.1", "ws://127.0.0.1:99999", ""):
        with pytest.raises(ScenarioError, match="listen"):
            Door(listen, SECRET)
    with pytest.raises(ScenarioError, match="SSLContext"):
        Door("wss://127.0.0.1:0", SECRET)
    with pytest.raises(ScenarioError, match="most_bytes"):
        LineRules(most_bytes=0)
    with pytest.raises(ScenarioError, match="ping_s"):
        LineRules(ping_s=0.0)
    asyncio.run(main())


def test_without_websockets_the_error_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "websockets.asyncio.server", None)
    with pytest.raises(MissingExtraError, match=r'pip install "walras\[websocket\]"'):
        Door(secret=SECRET)
