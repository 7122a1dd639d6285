"""The desk by itself: passes, questions, receipts, events; on virtual time, without any wire."""

import asyncio
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest

from auctions import ContinuousDouble, English, FirstPrice, SealedBid, second_price
from contractnet import ContractNet, truthful
from tests.edges.houses import SECRET, expired, house
from walras.adapters.desk import AtDesk
from walras.adapters.edge import Listening
from walras.adapters.http import http_app
from walras.adapters.mcp import mcp_app
from walras.agents import Agent
from walras.errors import ScenarioError
from walras.items import Lot, Task
from walras.live.desk import Desk
from walras.live.door import Tokens
from walras.live.feed import DeskRules
from walras.live.live import Live
from walras.live.passes import Action, Passes, RefusedError
from walras.testing.virtual_time import run_virtually as run

GUEST: tuple[Action, ...] = ("look", "answer", "join")


def bid(item: str, price: float) -> dict[str, Any]:
    return {"type": "Bid", "item": item, "price": price}


async def first_question(desk: Desk, agent: str) -> Any:
    visitor, cursor = desk.enter(desk.token(agent)), ""
    while not visitor.questions():
        cursor = (await visitor.events(cursor, 10)).cursor
    return visitor, visitor.questions()[0]


def test_whoever_shows_the_pass_answers_for_the_agent() -> None:
    async def market() -> Any:
        async with house("ada", "bob") as desk:
            going = asyncio.ensure_future(desk.market.run(SealedBid(second_price), [Lot("vase")], 60))
            for agent, price in (("ada", 12), ("bob", 9)):
                visitor, question = await first_question(desk, agent)
                assert question.kind == "BidWanted" and question.question["item"]["id"] == "vase"
                assert 0 < question.seconds_left <= 60
                assert visitor.answer(question.id, bid("vase", price)).legal
                assert visitor.questions() == []
            result = await going
            ada, bob = [await desk.enter(desk.token(a)).events() for a in ("ada", "bob")]
            return result.allocation["vase"], [e.kind for e in ada.events], [e.kind for e in bob.events]

    award, ada, bob = run(market())
    assert (award.winner, award.price) == ("ada", 9)
    assert ada == ["opened", "asked", "closed", "won", "ended"]
    assert bob == ["opened", "asked", "closed", "ended"], "nobody else's price or prize"


def test_the_guard_asks_once_more_after_an_illegal_answer_and_says_why() -> None:
    async def market() -> Any:
        async with house("ada") as desk:
            going = asyncio.ensure_future(desk.market.run(FirstPrice(), [Lot("vase")], 60))
            visitor, question = await first_question(desk, "ada")
            wrong = visitor.answer(question.id, bid("vase", -3))
            assert not wrong.legal
            assert visitor.answer(question.id, bid("vase", -3)) == wrong, "the same key, the same receipt"
            await asyncio.sleep(0.1)
            (again,) = visitor.questions()
            assert again.id != question.id and again.note
            assert visitor.answer(again.id, bid("vase", 3)).legal
            return (await going).allocation["vase"]

    assert run(market()).price == 3


def test_who_never_comes_is_silent_and_the_market_goes_on() -> None:
    async def market() -> Any:
        async with house("ada", "bob") as desk:
            going = asyncio.ensure_future(desk.market.run(FirstPrice(), [Lot("vase")], 60))
            visitor, question = await first_question(desk, "bob")
            visitor.answer(question.id, bid("vase", 2))
            result = await going
            ada = desk.enter(desk.token("ada"))
            late = (await ada.events()).events[1].data["question"]
            with pytest.raises(RefusedError, match="no longer open") as refused:
                ada.answer(late, bid("vase", 50))
            assert refused.value.status == 410
            return result.allocation["vase"]

    assert run(market()).winner == "bob"


def test_an_answer_counts_once_whatever_the_key() -> None:
    async def market() -> None:
        async with house("ada", "bob") as desk:
            going = asyncio.ensure_future(desk.market.run(FirstPrice(), [Lot("vase")], 5))
            visitor, question = await first_question(desk, "ada")
            receipt = visitor.answer(question.id, bid("vase", 3), key="k1")
            assert visitor.answer(question.id, bid("vase", 3), key="k1") == receipt
            with pytest.raises(RefusedError, match="another answer") as conflict:
                visitor.answer(question.id, bid("vase", 4), key="k1")
            with pytest.raises(RefusedError, match="another answer"):
                visitor.answer("another question", bid("vase", 3), key="k1")
            with pytest.raises(RefusedError, match="no longer open"):
                visitor.answer(question.id, bid("vase", 4), key="k2")
            assert conflict.value.fault == "conflict"
            stranger = desk.enter(desk.token("bob"))
            with pytest.raises(RefusedError, match="not one that waits for bob"):
                stranger.answer(question.id, bid("vase", 4))
            assert (await going).allocation["vase"].price == 3

    run(market())


def test_the_last_keys_are_remembered() -> None:
    async def market() -> None:
        async with house("ada", rules=DeskRules(per_s=1e3, burst=100, most_keys=1)) as desk:
            for lot in ("vase", "bowl"):
                going = asyncio.ensure_future(desk.market.run(FirstPrice(), [Lot(lot)], 60))
                visitor, question = await first_question(desk, "ada")
                receipt = visitor.answer(question.id, bid(lot, 3), key=lot)
                assert visitor.answer(question.id, bid(lot, 3), key=lot) == receipt
                await going
            with pytest.raises(RefusedError, match="not one that waits"):
                visitor.answer("the first one", bid("vase", 3), key="vase")

    run(market())


def test_null_declines() -> None:
    async def market() -> Any:
        async with house("ada") as desk:
            going = asyncio.ensure_future(desk.market.run(FirstPrice(), [Lot("vase")], 60))
            visitor, question = await first_question(desk, "ada")
            assert visitor.answer(question.id, None).why == "declined"
            return await going

    result = run(market())
    assert "vase" not in result.allocation and result.ended_s < 1


@pytest.mark.parametrize(
    ("token", "fault"),
    [
        ("", "no credential"),
        ("ada", "wrong credential"),
        ("e30.00", "wrong credential"),
        (expired("ada"), "expired"),
        (Passes(SECRET, "elsewhere").issue("ada"), "another market"),
        (Passes(b"another secret entirely", "spot").issue("ada"), "wrong credential"),
    ],
)
def test_a_pass_that_is_none_is_refused(token: str, fault: str) -> None:
    async def market() -> None:
        async with house("ada") as desk:
            with pytest.raises(RefusedError) as refused:
                desk.enter(token)
            assert refused.value.fault == fault

    run(market())


def test_a_revoked_pass_is_refused_at_once_and_in_the_next_life_of_the_market() -> None:
    async def market() -> None:
        async with house("ada") as desk:
            token, other = desk.token("ada"), desk.token("ada")
            shown = desk.passes.read(token)
            visitor = desk.enter(token)
            waiting = asyncio.ensure_future(visitor.events("", 30))
            await asyncio.sleep(0)
            desk.passes.revoke(shown.id)
            with pytest.raises(RefusedError, match="has been revoked") as refused:
                desk.enter(token)
            assert (refused.value.status, refused.value.fault) == (401, "revoked")
            with pytest.raises(RefusedError, match="has been revoked"):
                visitor.count()
            desk.feed("ada").add(0.0, "asked", "c")
            with pytest.raises(RefusedError, match="has been revoked"):
                await waiting
            assert desk.enter(other).agent == "ada", "each pass by itself"
            with pytest.raises(RefusedError, match="has been revoked"):
                Passes(SECRET, "spot", revoked=desk.passes.revoked).read(token)

    run(market())


def test_a_token_that_says_too_little_is_no_credential() -> None:
    """As one of an earlier version: true, and yet of no use."""
    claims = urlsafe_b64encode(b'{"agent": "ada", "market": "spot"}').decode().rstrip("=")
    with pytest.raises(RefusedError) as refused:
        Passes(SECRET, "spot").read(Tokens(SECRET).token("pass", claims))
    assert refused.value.fault == "wrong credential"


def test_a_pass_says_what_its_holder_may() -> None:
    async def market() -> None:
        async with house("ada") as desk:
            onlooker = desk.enter(desk.token("ada", may=("look",)))
            assert onlooker.questions() == []
            for act in (lambda: onlooker.answer("q", 1), lambda: onlooker.join("house/1"),
                        lambda: onlooker.open(FirstPrice(), [Lot("vase")], 5)):  # fmt: skip
                with pytest.raises(RefusedError, match="lets ada look") as refused:
                    act()
                assert refused.value.status == 403
            desk.market.open(FirstPrice(), [Lot("vase")], 60)
            blind = desk.enter(desk.token("ada", may=("answer",)))
            for look in (blind.conversations, lambda: blind.inspect("house/1"), blind.questions):
                with pytest.raises(RefusedError, match="not look"):
                    look()
            with pytest.raises(RefusedError, match="not look"):
                await blind.events()

    run(market())


def test_who_only_looks_on_sees_nothing_of_conversations_of_others() -> None:
    async def market() -> None:
        async with house("ada", "eve") as desk:
            desk.market.open(FirstPrice(), [Lot("vase")], 60, participants=["ada"])
            eve = desk.enter(desk.token("eve", may=("look", "answer")))
            assert eve.conversations() == []
            with pytest.raises(RefusedError, match="may see"):
                eve.inspect("house/1")
            (notice,) = desk.enter(desk.token("ada")).conversations()
            assert (notice.id, notice.invited, notice.status) == ("house/1", True, "open")
            guest = desk.enter(desk.token("eve", may=GUEST))  # who may join sees what there is to join
            assert [one.id for one in guest.conversations()] == ["house/1"]
            with pytest.raises(RefusedError, match="is open"):
                guest.join("house/2")

    run(market())


def test_too_many_requests_are_refused_until_time_has_passed() -> None:
    async def market() -> None:
        async with house("ada", rules=DeskRules(per_s=2, burst=3)) as desk:
            token = desk.token("ada")
            for _ in range(3):
                desk.enter(token)
            with pytest.raises(RefusedError, match="requests a second") as refused:
                desk.enter(token)
            assert refused.value.status == 429 and 0 < refused.value.after_s <= 0.5
            desk.enter(desk.token("bob"))  # each for itself
            await asyncio.sleep(0.5)
            desk.enter(token)

    run(market())


def test_events_are_bounded_and_say_what_was_missed_and_cursors_of_earlier_lives_begin_anew() -> None:
    async def market() -> None:
        async with house(
            "ada", rules=DeskRules(most_events=3, per_s=1e3, burst=1000, most_waiting=1)
        ) as desk:
            feed = desk.feed("ada")
            for k in range(5):
                feed.add(0.0, "asked", "c", question=f"{k}")
            ada = desk.enter(desk.token("ada"))
            seen = await ada.events()
            assert ([e.number for e in seen.events], seen.missed) == ([3, 4, 5], 2)
            assert (await ada.events(seen.cursor)).events == []
            assert len((await ada.events("00000000:4")).events) == 3
            for nonsense in ("x", "a:b", f"{desk.life}:-1", f"{desk.life}:²", ":" + "9" * 99):
                with pytest.raises(RefusedError, match="cursor"):
                    await ada.events(nonsense)
            with pytest.raises(RefusedError, match="wait_s"):
                await ada.events("", float("nan"))
            waiting = asyncio.ensure_future(ada.events(seen.cursor, 10))
            await asyncio.sleep(0)
            with pytest.raises(RefusedError, match="wait already"):
                await ada.events(seen.cursor, 10)
            feed.add(1.0, "won", "c", item="vase")
            assert (await waiting).events[0].kind == "won"

    run(market())


def test_work_that_was_won_is_done_at_the_desk_too() -> None:
    async def market() -> Any:
        async with Live(seed=7) as live:
            desk = Desk(live, SECRET, rules=DeskRules(per_s=1e3, burst=100))
            live.add(Agent("ada", truthful, costs={"job": 3.0}), desk.worker("ada"))
            going = asyncio.ensure_future(live.run(ContractNet(), [Task("job-1", kind="job")], 60))
            ada, question = await first_question(desk, "ada")
            assert (question.kind, question.key) == (
                "Work",
                "house/1/ada#job-1",
            ) and question.seconds_left is None
            assert not ada.answer(question.id, {"status": "lost"}).legal
            await asyncio.sleep(0.1)
            (again,) = ada.questions()
            done = {"status": "done", "cost": 2.5, "quality": 0.9, "seconds": 4.0}
            assert ada.answer(again.id, done).legal
            result = await going
            paid = [e.data for e in (await ada.events()).events if e.kind == "paid"]
            assert paid == [{"item": "job-1", "paid": 3.0}]
            return result

    result = run(market())
    assert result.agents[1].tasks == 1 and result.agents[1].cost == 2.5


@pytest.mark.parametrize(
    "make",
    [
        lambda: Passes(b"short", "spot"),
        lambda: Passes(SECRET, "spot").issue(""),
        lambda: Passes(SECRET, "spot").issue("ada", may=("rule",)),  # type: ignore[arg-type]
        lambda: Passes(SECRET, "spot").issue("ada", lasts_s=0),
        lambda: Passes(SECRET, "spot").issue("ada", lasts_s="long"),  # type: ignore[arg-type]
        lambda: DeskRules(burst=0),
        lambda: Desk("market", SECRET),  # type: ignore[arg-type]
        lambda: AtDesk(None),  # type: ignore[arg-type]
        lambda: http_app(Live()),  # type: ignore[arg-type]
        lambda: mcp_app(Live()),  # type: ignore[arg-type]
        lambda: Listening("an app"),  # type: ignore[arg-type]
    ],
)
def test_settings_that_make_no_sense_are_refused(make: Any) -> None:
    with pytest.raises(ScenarioError):
        make()


def test_an_agent_who_was_not_added_cannot_join() -> None:
    async def market() -> None:
        async with house("ada") as desk:
            desk.market.open(FirstPrice(), [Lot("vase")], 60)
            with pytest.raises(RefusedError, match="not in the market"):
                desk.enter(desk.token("eve", may=GUEST)).join("house/1")

    run(market())


def test_a_market_that_is_started_again_asks_again_and_old_cursors_find_the_new_question(
    tmp_path: Path,
) -> None:
    async def first() -> tuple[str, str]:
        async with house("ada", journal=tmp_path / "market.db") as desk:
            desk.market.open(FirstPrice(reply_within_s=60), [Lot("vase")], 90)
            visitor, question = await first_question(desk, "ada")
            return question.id, (await visitor.events()).cursor

    async def second(old: str, cursor: str) -> Any:
        async with house("ada", journal=tmp_path / "market.db") as desk:
            going = desk.market.open(FirstPrice(reply_within_s=60), [Lot("vase")], 90)
            visitor, question = await first_question(desk, "ada")
            assert desk.market.recovered and question.id != old
            with pytest.raises(RefusedError, match="not one that waits"):
                visitor.answer(old, bid("vase", 3))
            assert "asked" in [event.kind for event in (await visitor.events(cursor)).events]
            visitor.answer(question.id, bid("vase", 3))
            return (await desk.market.result(going)).allocation["vase"]

    assert asyncio.run(second(*asyncio.run(first()))).price == 3


@pytest.mark.parametrize(
    ("mechanism", "seated"), [(ContinuousDouble(), True), (English(increment=1.0), False)]
)
def test_a_guest_joins_by_its_own_wish_where_the_mechanism_lets_it(mechanism: Any, seated: bool) -> None:
    async def market() -> bool:
        async with house("ada", "eve") as desk:
            going = desk.market.open(mechanism, [Lot("vase")], 60, participants=["ada"])
            eve = desk.enter(desk.token("eve", may=GUEST))
            assert not eve.inspect(going).invited
            await asyncio.sleep(0.1)
            eve.join(going)
            await asyncio.sleep(0.1)
            return eve.inspect(going).seated

    assert run(market()) is seated
