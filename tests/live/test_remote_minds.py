"""Minds that call from elsewhere: their roles live in the market, their answers come over a line."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, NamedTuple

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve as serve_anything

from auctions import SealedBid, second_price, truthful
from auctions.messages import Bid, BidWanted
from tests.live.lines import QUICK, SECRET, Cutter, until
from tests.live.minds import how_much
from walras.adapters.websocket import Seat, WebSocketParticipant
from walras.agents import Agent
from walras.errors import RemoteProtocolError, ScenarioError
from walras.items import Lot
from walras.live import Live
from walras.live.answers import Usage
from walras.live.door import REPLACED, Door
from walras.live.participant import Ask, Participant, Prompt, Reply, Retryable
from walras.live.remote import Here, Said, Untyped, encode, serve
from walras.results import Result

RULES = SealedBid(second_price, reply_within_s=20.0)


@asynccontextmanager
async def served(*serving: Any) -> Any:
    """While these minds answer."""
    tasks = [asyncio.ensure_future(each) for each in serving]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def remote(door: Door, mind: Any, agent: str = "ada", url: str = "") -> Any:
    return serve(mind, url or door.url, door.token(agent), questions=[BidWanted], rules=QUICK)


async def auction(market: Live, door: Door, lots: int = 1, patience_s: float = 30.0) -> Result:
    """Ada, from elsewhere, against bob, who bids 9."""
    market.add(Agent("ada", WebSocketParticipant(door, patience_s=patience_s)))
    market.add(Agent("bob", truthful, values=dict.fromkeys(map(str, range(lots)), 9.0)))
    return await market.run(RULES, [Lot(str(k)) for k in range(lots)], within_s=100.0)


def bidding(price: float, seen: list[Any] | None = None) -> Agent:
    def strategy(question: Any, agent: Agent) -> Any:
        if seen is not None:
            seen.append(question)
        return Bid(question.item.id, price)

    return Agent("ada", strategy)


def in_auction(mind: Any, within_s: float = 20.0) -> Result:
    """One round with this remote mind."""

    async def main() -> Result:
        async with Live() as market, Door(secret=SECRET) as door, served(remote(door, mind)):
            market.add(Agent("ada", WebSocketParticipant(door, patience_s=30.0)))
            market.add(Agent("bob", truthful, values={"0": 9.0}))
            return await market.run(
                SealedBid(second_price, reply_within_s=within_s), [Lot("0")], within_s=60.0
            )

    return asyncio.run(main())


def said_of_ada(result: Result) -> tuple[str, str]:
    """The status of her answer, and what the trace says about it."""
    rows = [row for row in result.trace if row.agent == "ada"]
    notes = [row.details.get("text", "") for row in rows if row.kind == "note"]
    return next(row.details["status"] for row in rows if row.kind == "answer"), " ".join(map(str, notes))


def test_a_private_type_stays_in_its_process_and_wins() -> None:
    result = in_auction(Agent("ada", truthful, values={"0": 12.0}))
    assert (result.allocation["0"].winner, result.allocation["0"].price) == ("ada", 9.0)


def test_a_coroutine_and_a_participant_answer_too() -> None:
    async def strategy(question: Any, agent: Agent) -> Any:
        await asyncio.sleep(0)
        return Bid(question.item.id, 10.0)

    class Model(Participant):
        """As a language model: it is told in words, and answers in JSON."""

        def __init__(self) -> None:
            self.asks: list[Ask] = []

        async def answer(self, ask: Ask) -> Any:
            self.asks.append(ask)
            return Reply(json.dumps({"type": "Bid", "item": "0", "price": 11.0}), Usage(1, 30, 5, 0.01))

    model = Model()
    assert in_auction(Agent("ada", strategy)).allocation["0"].winner == "ada"
    result = in_auction(model)
    assert result.allocation["0"].winner == "ada"
    (ask,) = model.asks
    assert ask.agent == "ada" and "price" in ask.prompt.system + str(ask.schema) and ask.key
    thought = next(row for row in result.trace if row.kind == "thought" and row.agent == "ada")
    assert thought.details["usage"]["cost_usd"] == 0.01


def test_a_question_of_a_class_that_is_not_known_comes_as_text_or_fails_clearly() -> None:
    asked: list[Any] = []

    class Model(Participant):
        async def answer(self, ask: Ask) -> Any:
            asked.append(ask.question)
            return {"type": "Bid", "item": "0", "price": 11.0}

    async def main(mind: Any) -> Result:
        async with (
            Live() as market,
            Door(secret=SECRET) as door,
            served(serve(mind, door.url, door.token("ada"), rules=QUICK)),
        ):
            return await auction(market, door)

    assert asyncio.run(main(Model())).allocation["0"].winner == "ada"
    assert isinstance(asked[0], Untyped) and json.loads(asked[0].text)["type"] == "BidWanted"
    status, why = said_of_ada(asyncio.run(main(bidding(12.0))))
    assert status == "error" and "'BidWanted' is not known in this process (questions=...)" in why


# ------------------------------------------------------------------ trouble


class Moody(Participant):
    def __init__(self, *moods: Callable[[], Any]) -> None:
        self.moods = list(moods)

    async def answer(self, ask: Ask) -> Any:
        return self.moods.pop(0)()


def raises(error: Exception) -> Callable[[], Any]:
    def mood() -> Any:
        raise error

    return mood


def bid() -> Any:
    return Bid("0", 12.0)


@pytest.mark.parametrize(
    ("moods", "status", "why"),
    [
        ([bid], "ok", ""),
        ([lambda: None], "declined", ""),
        ([raises(Retryable("later")), bid], "ok", ""),
        ([raises(ValueError("my fault"))], "error", "ValueError: my fault"),
        ([lambda: "prose", bid], "ok", ""),
        ([lambda: "prose", lambda: "prose"], "illegal", ""),
        ([lambda: {"type": "Bid", "item": "0", "price": -5}] * 2, "illegal", ""),
        ([lambda: Bid("other", 12.0)] * 2, "illegal", ""),
        ([object], "error", "no JSON form"),
        ([lambda: "x" * 2_000_000], "error", "1,048,576 are the most"),
        ([lambda: "x" * 200_000] * 2, "illegal", "bytes"),
        ([lambda: {"$float": "inf"}] * 2, "illegal", ""),
    ],
)
def test_whatever_a_remote_mind_does_its_answer_has_a_status(moods: Any, status: str, why: str) -> None:
    result = in_auction(Moody(*moods))
    found, notes = said_of_ada(result)
    assert found == status and why in notes
    assert result.allocation["0"].winner == ("ada" if status == "ok" else "bob")


def test_nobody_there_and_nobody_in_time_are_different() -> None:
    async def nobody() -> Result:
        async with Live() as market, Door(secret=SECRET) as door:
            return await auction(market, door, patience_s=0.05)

    status, why = said_of_ada(asyncio.run(nobody()))
    assert status == "error" and "no process answers for ada" in why

    async def never(question: Any, agent: Agent) -> Any:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            given_up.append(question)
            raise

    given_up: list[Any] = []
    result = in_auction(Agent("ada", never), within_s=1.0)
    assert said_of_ada(result)[0] == "silent" and result.allocation["0"].winner == "bob"
    assert len(given_up) == 1


def test_each_agent_has_a_health_of_its_own() -> None:
    async def main() -> None:
        async with Live() as market, Door(secret=SECRET) as door, served(remote(door, bidding(12.0))):
            for name in ("ada", "bob"):
                market.add(Agent(name, WebSocketParticipant(door)))
            await until(door.callers["mind"].seat("ada").here.is_set)  # type: ignore[attr-defined]
            assert await market.directory.health() == {"ada": "", "bob": "no process answers for bob"}

    asyncio.run(main())


@pytest.mark.parametrize("seed", range(2))
def test_over_a_line_that_breaks_each_question_is_pondered_once(seed: int) -> None:
    seen: list[Any] = []
    lots = 12

    async def main() -> tuple[Result, int]:
        async with Live() as market, Door(secret=SECRET) as door:
            cutter = Cutter(door.url, Random(seed), most_bytes=12_000)
            async with cutter as url, served(remote(door, bidding(12.0, seen), url=url)):
                return await auction(market, door, lots=lots), cutter.cuts

    result, cuts = asyncio.run(main())
    assert cuts >= 1, "this shows nothing: the line did not break"
    assert sorted(line.winner or "" for line in result.allocation.lines) == ["ada"] * lots
    assert len(seen) == len({question.item.id for question in seen}) == lots


def test_a_mind_may_go_and_another_process_may_take_its_place() -> None:
    async def main() -> None:
        async with Live() as market, Door(secret=SECRET) as door:
            stuck = asyncio.Event()

            async def hangs(question: Any, agent: Agent) -> Any:
                stuck.set()
                await asyncio.sleep(1000)

            async with served(remote(door, Agent("ada", hangs))) as (first,):
                running = asyncio.ensure_future(auction(market, door))
                await asyncio.wait_for(stuck.wait(), 60.0)
                async with served(remote(door, bidding(12.0))):  # it is asked what the first has not answered
                    result = await running
                    assert result.allocation["0"].winner == "ada"
                    with pytest.raises(RemoteProtocolError, match="another process answers for ada"):
                        await asyncio.wait_for(first, 60.0)

    asyncio.run(main())


class Caller:
    """A line in hand: what its process says, when it ends, what it has been sent."""

    def __init__(self) -> None:
        self.says: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        self.code = 0

    async def send(self, frame: bytes, text: bool) -> None:
        self.sent.append(json.loads(frame))

    async def close(self, code: int, reason: str) -> None:
        self.code = code

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (frame := await self.says.get()) is not None:
            yield frame

    @property
    def asked(self) -> list[str]:
        return [frame["id"] for frame in self.sent if frame["type"] == "Asking"]


class Replaced(NamedTuple):
    """What came of a mind whose line was replaced twice while it pondered."""

    here_by_the_old_line: bool
    sent_to_the_second_too_early: int
    still_here: bool
    the_seat_is_the_seconds: bool
    asked_of_each: tuple[int, int, int]
    asked_the_same: bool
    value: object


async def replaced() -> Replaced:
    seat, (first, second, third) = Seat("ada"), (Caller(), Caller(), Caller())
    lines: Any = first, second, third
    taking = [asyncio.ensure_future(seat.take(lines[0]))]
    first.says.put_nowait(encode(Here()))
    await until(seat.here.is_set)
    ask = Ask(how_much(), "ada", "m/1", Prompt("", ""), {}, 60.0, "k")
    putting = asyncio.ensure_future(seat.put(ask, 60.0))
    await until(lambda: first.asked)

    taking.append(asyncio.ensure_future(seat.take(lines[1])))
    await until(lambda: first.code == REPLACED)
    first.says.put_nowait(encode(Here()))  # too late: it is the second's turn to say so
    await asyncio.sleep(0.05)
    early = seat.here.is_set(), len(second.sent)
    for _ in range(2):
        second.says.put_nowait(encode(Here()))
    await until(lambda: second.asked)
    first.says.put_nowait(None)  # and only now its end is seen
    await taking[0]
    kept = seat.here.is_set(), seat.line is lines[1]

    taking.append(asyncio.ensure_future(seat.take(lines[2])))
    (id_,) = first.asked
    third.says.put_nowait(encode(Here((id_,))))
    third.says.put_nowait(encode(Said(id_, 7, Usage())))
    said = await putting
    for task in taking:
        task.cancel()
    await asyncio.gather(*taking, return_exceptions=True)
    asked = len(first.asked), len(second.asked), len(third.asked)
    return Replaced(*early, *kept, asked, second.asked == first.asked, getattr(said, "value", said))


def test_a_line_that_was_replaced_takes_nothing_from_the_one_that_came_after() -> None:
    """The second is asked what is open, once; the third, which says that it ponders it, is not."""
    assert asyncio.run(replaced()) == Replaced(
        here_by_the_old_line=False,
        sent_to_the_second_too_early=0,
        still_here=True,
        the_seat_is_the_seconds=True,
        asked_of_each=(1, 1, 0),
        asked_the_same=True,
        value=7,
    )


# ------------------------------------------------------------------ strangers and mistakes


def test_a_token_is_good_for_its_agent_only() -> None:
    async def main() -> None:
        async with Live() as market, Door(secret=SECRET) as door, served(remote(door, bidding(99.0), "eve")):
            result = await auction(market, door, patience_s=0.2)
            assert result.allocation["0"].winner == "bob"
            with pytest.raises(ScenarioError, match="token"):
                await asyncio.wait_for(serve(bidding(1.0), door.url, "ada.123", rules=QUICK), 60.0)

    asyncio.run(main())


@pytest.mark.parametrize(
    "frame", ["{", '{"type": "Asking"}', b"\x00", "[" * 10_000, '"' + "x" * 2_000_000 + '"']
)
def test_who_answers_in_no_frames_is_hung_up_on_and_the_next_caller_is_asked(frame: str | bytes) -> None:
    async def main() -> None:
        async with Live() as market, Door(secret=SECRET) as door:
            running = asyncio.ensure_future(auction(market, door))
            await until(lambda: "mind" in door.callers)
            headers = {"Authorization": f"Bearer {door.token('ada')}"}
            async with connect(f"{door.url}/mind", additional_headers=headers, proxy=None) as line:
                await line.send('{"type": "Here"}')
                await line.recv()
                await line.send('{"type": "Said", "id": "none of ours", "value": 1, "usage": {}}')
                await line.send(frame)
                await asyncio.wait_for(line.wait_closed(), 60.0)
                assert line.close_code in (4400, 1009)
            async with served(remote(door, bidding(12.0))):
                assert (await running).allocation["0"].winner == "ada"

    asyncio.run(main())


def test_a_server_that_is_no_market_is_noticed() -> None:
    async def gibberish(line: Any) -> None:
        await line.send("hello")
        await line.wait_closed()

    async def main() -> None:
        async with serve_anything(gibberish, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
            with pytest.raises(RemoteProtocolError, match="asks no questions"):
                await asyncio.wait_for(serve(bidding(1.0), url, "ada.1", rules=QUICK), 60.0)

    asyncio.run(main())


def test_another_version_of_what_is_said_on_the_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with Live() as market, Door(secret=SECRET) as door:
            running = asyncio.ensure_future(auction(market, door))
            await until(lambda: "mind" in door.callers)
            monkeypatch.setattr("walras.adapters.websocket.VERSION", 2)
            with pytest.raises(RemoteProtocolError, match="has ended this: version 1 where 2 is spoken"):
                await asyncio.wait_for(remote(door, bidding(12.0)), 60.0)
            monkeypatch.undo()
            async with served(remote(door, bidding(12.0))):
                assert (await running).allocation["0"].winner == "ada"

    asyncio.run(main())


def test_a_mind_that_cannot_answer_is_refused_at_once() -> None:
    minds: list[Any] = [Agent("ada"), truthful, None]
    for mind in minds:
        with pytest.raises(ScenarioError, match="mind"):
            asyncio.run(serve(mind, "ws://127.0.0.1:1", "ada.1"))
    with pytest.raises(ScenarioError, match="of this machine, or wss://"):
        asyncio.run(serve(bidding(1.0), "ws://192.0.2.1:80", "ada.1"))
