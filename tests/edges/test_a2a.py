"""A2A: remote agents as participants, our agents and our auctioneer as A2A agents, through the SDK over loopback."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from auctions import FirstPrice, SealedBid, second_price
from auctions import truthful as bids_truly
from auctions.messages import BidWanted
from contractnet import ContractNet, ProposalWanted, truthful
from tests.edges.houses import SECRET, call, expired, house, served, until
from tests.live.minds import HowMuch, Offer, how_much
from walras.adapters.a2a import EXTENSION, A2AParticipant
from walras.adapters.a2a_server import CARD, agent_app, auctioneer_app
from walras.adapters.edge import Listening
from walras.agents import Agent
from walras.allocation import Report
from walras.errors import ScenarioError
from walras.items import Lot, Task
from walras.live.answers import Answered
from walras.live.extras import MissingExtraError
from walras.live.feed import DeskRules
from walras.live.guard import Guard, GuardRules
from walras.live.live import Live
from walras.live.passes import Passes
from walras.live.vocabulary import plain

PASSES = Passes(SECRET, "spot")


def test_without_the_extra_the_error_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "a2a.client", None)
    with pytest.raises(MissingExtraError, match=r'pip install "walras\[a2a\]"'):
        A2AParticipant("http://127.0.0.1:1")


@contextlib.asynccontextmanager
async def remote(app: Any, **settings: Any) -> AsyncIterator[A2AParticipant]:
    """A participant that is behind an app on this machine."""
    settings.setdefault("token", PASSES.issue("house", may=("ask",)))
    async with Listening(app) as at:
        mind = A2AParticipant(at.url, **settings)
        try:
            yield mind
        finally:
            await mind.close()


async def asked(mind: A2AParticipant, seconds: float = 10.0, **rules: Any) -> Answered:
    guard = Guard(GuardRules(retries=0, **rules))
    return await guard.answer(Agent("ada", mind), how_much(), conversation="m/1", seconds=seconds)


class TestWithTheSdk:
    @pytest.fixture(autouse=True)
    def sdk(self) -> None:
        pytest.importorskip("a2a.server.routes", reason="the extra a2a is not installed")

    # -------------------------------------------------------------------------------------------------- participants
    @pytest.mark.parametrize("streaming", [True, False])
    def test_a_remote_agent_bids_by_message(self, streaming: bool) -> None:
        async def market() -> Any:
            ada = agent_app(Agent("ada", bids_truly, values={"vase": 12}), PASSES, questions=[BidWanted])
            async with remote(ada, streaming=streaming) as mind, Live() as live:
                live.add(Agent("ada", mind))
                live.add(Agent("bob", bids_truly, values={"vase": 9}))
                assert await mind.health() == ""
                return (
                    await live.run(SealedBid(second_price, reply_within_s=8), [Lot("vase")], 20)
                ).allocation["vase"]

        award = asyncio.run(market())
        assert (award.winner, award.price) == ("ada", 9)

    @pytest.mark.parametrize("streaming", [True, False])
    def test_an_agent_that_speaks_rest_only_is_asked_and_works(self, streaming: bool) -> None:
        async def work(task: Task, key: str) -> Report:
            return Report("done", cost=2.5)

        async def market() -> Any:
            ada = agent_app(
                Agent("ada", truthful, costs={"job": 3.0}), PASSES, questions=[ProposalWanted], work=work
            )
            async with remote(_rest_only(ada), streaming=streaming, poll_s=0.02) as mind, Live() as live:
                live.add(Agent("ada", mind))
                return await live.run(ContractNet(reply_within_s=8), [Task("job-1", kind="job")], 20)

        result = asyncio.run(market())
        assert result.allocation["job-1"].price == 3 and result.agents[1].cost == 2.5

    @pytest.mark.parametrize("streaming", [True, False])
    def test_what_it_wins_is_a_task_of_its_own_and_done_once(self, streaming: bool) -> None:
        done: list[str] = []

        async def work(task: Task, key: str) -> Report:
            done.append(key)
            await asyncio.sleep(0.05)
            return Report("done", cost=2.5, quality=0.9, seconds=1.0)

        async def market() -> Any:
            there = Agent("ada", truthful, costs={"job": 3.0})
            ada = agent_app(there, PASSES, questions=[ProposalWanted], work=work)
            async with remote(ada, streaming=streaming, poll_s=0.02) as mind, Live() as live:
                live.add(Agent("ada", mind))
                result = await live.run(ContractNet(reply_within_s=8), [Task("job-1", kind="job")], 20)
                again = await mind.work(Task("job-1", kind="job"), "house/1/ada#job-1")
                return result, again

        result, again = asyncio.run(market())
        assert result.allocation["job-1"].winner == "ada" and result.agents[1].cost == 2.5
        assert done == ["house/1/ada#job-1"] and again.cost == 2.5

    def test_work_that_fails_or_is_stopped_says_so(self) -> None:
        stopped: list[str] = []

        async def work(task: Task, key: str) -> Report:
            if task.id == "bad":
                raise OSError("no disk")
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                stopped.append(key)
                raise
            return Report("done")

        async def market() -> Report:
            app = agent_app(Agent("ada", truthful), PASSES, questions=[ProposalWanted], work=work)
            async with remote(app) as mind:
                report = await mind.work(Task("bad"), "m/1/ada#bad")
                going = asyncio.ensure_future(mind.work(Task("long"), "m/1/ada#long"))
                await asyncio.sleep(0.3)
                going.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await going
                await until(lambda: stopped)
                return report

        report = asyncio.run(market())
        assert report.status == "failed" and "no disk" in report.result
        assert stopped == ["m/1/ada#long"]

    @pytest.mark.parametrize(
        ("token", "why"),
        [
            ("", "401"),
            ("nonsense", "401"),
            (expired("house"), "401"),
            ("other", "403"),
            ("bidder", "not ask"),
        ],
    )
    def test_a_wrong_token_is_an_error_and_no_more(self, token: str, why: str) -> None:
        others = {"other": Passes(SECRET, "elsewhere").issue("house"), "bidder": PASSES.issue("house")}
        shown = others.get(token, token)

        async def market() -> Answered:
            async with remote(
                agent_app(Agent("ada", _offer), PASSES, questions=[HowMuch]), token=shown
            ) as mind:
                return await asked(mind)

        found = asyncio.run(market())
        assert found.status == "error" and why in found.detail

    def test_it_ponders_a_question_once_in_each_conversation(self) -> None:
        pondered: list[str] = []

        def mind(question: Any, agent: Agent) -> Offer:
            pondered.append(question.task.id)
            return Offer(float(len(pondered)))

        async def market() -> list[Any]:
            async with remote(agent_app(Agent("ada", mind), PASSES, questions=[HowMuch])) as far:
                found = []
                for pause_s, where in ((0.0, "m/1"), (0.0, "m/1"), (0.0, "m/2"), (3.1, "m/1")):
                    await asyncio.sleep(pause_s)
                    asker = Agent("ada", far)
                    said = await Guard().answer(asker, how_much(), conversation=where, seconds=3)
                    found.append(said.value.price)
                return found

        assert asyncio.run(market()) == [1, 1, 2, 3], "once, where and as long as the answer counts"

    def test_its_mind_may_decline_fail_or_talk_nonsense(self) -> None:
        def scripted(said: Any) -> Callable[..., Any]:
            def mind(question: Any, agent: Agent) -> Any:
                if isinstance(said, Exception):
                    raise said
                return said

            return mind

        async def market(said: Any) -> Answered:
            app = agent_app(Agent("ada", scripted(said)), PASSES, questions=[HowMuch])
            async with remote(app) as mind:
                return await asked(mind)

        assert asyncio.run(market(Offer(7.5))).value == Offer(7.5)
        assert asyncio.run(market(None)).status == "declined"
        found = asyncio.run(market(ValueError("oh")))
        assert found.status == "error" and "ValueError: oh" in found.detail
        assert "invalid" in asyncio.run(market(Offer(-1))).detail

    # ----------------------------------------------------------------------------------------------- foreign agents
    @pytest.mark.parametrize(
        ("card", "why"),
        [
            (b"no card", "AgentCardResolutionError"),
            (b"[]", "AgentCard"),
            ({"name": "x"}, "does not declare"),
            ({"capabilities": {"extensions": [{"uri": EXTENSION}]}}, "no address"),
            ({"capabilities": {"extensions": [{"uri": EXTENSION}]}, "supportedInterfaces": [
                {"url": "http://192.0.2.1/steal", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}]}, "elsewhere"),
            (b'{"name": "' + b"x" * 2_000_000 + b'"}', "more than 1,048,576 bytes"),
        ],
    )  # fmt: skip
    def test_a_foreign_card_is_looked_at_before_anything_is_sent(self, card: Any, why: str) -> None:
        asked_for: list[str] = []
        body = card if isinstance(card, bytes) else json.dumps(card).encode()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            asked_for.append(scope["path"])
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

        async def market() -> tuple[Answered, str]:
            async with remote(app) as mind:
                return await asked(mind), await mind.health()

        found, health = asyncio.run(market())
        assert found.status == "error" and why in found.detail and why in health
        assert set(asked_for) == {CARD}

    def test_nobody_at_the_address_is_a_fault_that_may_pass(self) -> None:
        async def market() -> Answered:
            async with remote(agent_app(Agent("ada", _offer), PASSES, questions=[HowMuch])) as mind:
                gone = mind
            return await asked(gone)

        found = asyncio.run(market())
        assert found.status == "error" and "1 times" in found.detail, "it was Retryable"

    @pytest.mark.parametrize(
        ("script", "status"),
        [
            (["text"], "ok"),
            (["COMPLETED"], "ok"),
            (["INPUT_REQUIRED", "COMPLETED"], "ok"),
            (["REJECTED"], "declined"),
            (["FAILED"], "error"),
            (["AUTH_REQUIRED"], "error"),
            (["prose"], "invalid"),
            (["silence"], "timeout"),
        ],
    )
    def test_agents_that_never_heard_of_markets_are_asked_in_words(
        self, script: list[str], status: str
    ) -> None:
        async def market() -> Answered:
            async with remote(_foreign(script), strict=False, poll_s=0.02) as mind:
                return await asked(mind, 1.0 if script == ["silence"] else 10.0, repairs=0)

        found = asyncio.run(market())
        assert found.status == status, found.detail
        assert status != "ok" or found.value == Offer(4)

    # --------------------------------------------------------------------------------------------------- the auctioneer
    @pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
    def test_an_auctioneer_allocates_for_who_may_open(self, binding: str) -> None:
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
                events = [e async for e in _say(url, seller, body, binding)]
                again = [e async for e in _say(url, seller, body, binding)]
                refused = [e async for e in _say(url, desk.token("carol"), body, binding)]
                return events, again, refused, list(desk.market.runtime.runs)

        events, again, refused, runs = asyncio.run(market())
        assert [e["state"] for e in events if e["state"]] == ["SUBMITTED", "WORKING", "COMPLETED"]
        (result,) = [e["data"] for e in events if e["data"]]
        (award,) = result["awards"]
        assert (award["winner"], award["price"]) == ("ada", 12)
        assert result == next(e["data"] for e in again if e["data"]) and runs == ["carol/1"], (
            "the same key, once"
        )
        assert "not open" in refused[-1]["error"]

    def test_a_key_stands_for_one_request_of_one_caller(self) -> None:
        async def market() -> Any:
            rules = DeskRules(per_s=1000, burst=1000, most_keys=2)
            async with house(rules=rules) as desk, served(desk, _auctioneer) as url:
                carol, eve = desk.token("carol", may=("open",)), desk.token("eve", may=("open",))

                async def allocate(token: str, item: str, key: str) -> dict[str, Any]:
                    wanted = {"items": [{"type": "Lot", "id": item}], "within_s": 10, "key": key}
                    return [e async for e in _say(url, token, {"allocate": wanted})][-1]

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

        assert asyncio.run(market()) == ["carol/1", "eve/1", "eve/2", "eve/3"], (
            "nobody's keys push out another's"
        )

    def test_a_question_under_the_key_of_another_gets_no_answer_of_that_one(self) -> None:
        async def market() -> None:
            pondered: list[str] = []

            def mind(question: Any, agent: Agent) -> Offer:
                pondered.append(question.task.id)
                return Offer(float(len(pondered)))

            async with Listening(agent_app(Agent("ada", mind), PASSES, questions=[HowMuch])) as at:
                token = PASSES.issue("house", may=("ask",))

                async def ask(task: str) -> dict[str, Any]:
                    question = plain(how_much())
                    question["task"]["id"] = task
                    asked = {"ask": {"question": question, "seconds": 9, "key": "k"}}
                    return [e async for e in _say(at.url, token, asked, "HTTP+JSON", context="m/1")][-1]

                first, again, other = await ask("a"), await ask("a"), await ask("b")
                assert first["data"]["answer"]["price"] == again["data"]["answer"]["price"] == 1, first
                assert "another request" in other["error"] and pondered == ["a"]

        asyncio.run(market())

    def test_only_so_many_tasks_of_a_caller_are_kept(self) -> None:
        async def market() -> Any:
            rules = DeskRules(per_s=1000, burst=1000, most_keys=2)
            async with house(rules=rules) as desk, served(desk, _auctioneer) as url:
                tokens = [desk.token(who, may=("open",)) for who in ("carol", "eve", "eve", "eve")]
                for k, token in enumerate(tokens):
                    wanted = {"items": [{"type": "Lot", "id": f"{k}"}], "within_s": 10}
                    assert [e async for e in _say(url, token, {"allocate": wanted})][-1][
                        "state"
                    ] == "COMPLETED"
                listing = {"jsonrpc": "2.0", "id": 1, "method": "ListTasks", "params": {}}
                return [
                    (await call(url, token, listing, {"A2A-Version": "1.0"}))["result"]["totalSize"]
                    for token in tokens[:2]
                ]

        assert asyncio.run(market()) == [1, 2]

    def test_who_cancels_its_task_calls_the_auction_off(self) -> None:
        async def market() -> Any:
            rules = FirstPrice(reply_within_s=50)
            async with house("ada") as desk, served(desk, lambda d: auctioneer_app(d, rules)) as url:
                seller = desk.token("carol", may=("open",))
                body = {"allocate": {"items": [{"type": "Lot", "id": "vase"}], "within_s": 60}}
                states: list[str] = []
                async for event in _say(url, seller, body):
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
    def test_nonsense_is_refused_and_the_market_goes_on(self, body: Any) -> None:
        async def market() -> Any:
            async with house("ada") as desk, served(desk, lambda d: auctioneer_app(d, FirstPrice())) as url:
                said = [e async for e in _say(url, desk.token("carol", may=("open",)), body)]
                assert desk.market.runtime.runs == {}
                return said, await call(url + CARD)

        said, card = asyncio.run(market())
        assert said[-1]["error"] and card.status == 200

    @pytest.mark.parametrize(
        "body", [b"{", b"[" * 5000, b"null", b"\xff", b"{}", b'{"jsonrpc": "2.0", "method": 7}']
    )
    def test_what_is_no_request_gets_an_error(self, body: bytes) -> None:
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
    def test_numbers_that_json_has_not_are_a_fault_of_the_caller(self, binding: str) -> None:
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
    def test_rest_has_the_same_entrance(self, path: str) -> None:
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

    def test_settings_that_make_no_sense_are_refused(self) -> None:
        for url, token in (("ada", ""), ("ftp://x", ""), ("http://[::1", ""), ("http://192.0.2.1", "secret")):
            with pytest.raises(ScenarioError):
                A2AParticipant(url, token=token)
        with pytest.raises(ScenarioError):
            agent_app(Agent("ada"), PASSES, questions=[])


def _auctioneer(desk: Any) -> Any:
    return auctioneer_app(desk, FirstPrice(reply_within_s=0.2, margin_s=0.1))


def _rest_only(app: Any) -> Any:
    """An agent whose card names the REST binding as the only one that is known."""

    async def altered(scope: Any, receive: Any, send: Any) -> None:
        async def say(message: Any) -> None:
            if scope["type"] == "http" and scope["path"] == CARD and "body" in message:
                message = {**message, "body": message["body"].replace(b'"JSONRPC"', b'"UNKNOWN"')}
            elif scope["type"] == "http":
                assert scope["path"] != "/", "that would be JSON-RPC"
            await send(message)

        await app(scope, receive, say)

    return altered


def _offer(question: Any, agent: Agent) -> Any:
    return Offer(7.5)


async def _say(
    url: str, token: str, body: Any, binding: str = "JSONRPC", context: str | None = None
) -> AsyncIterator[dict[str, Any]]:
    """What the SDK's own client hears: states, data and errors."""
    from walras.adapters.a2a import Heard

    sdk, types = pytest.importorskip("a2a.client"), pytest.importorskip("a2a.types")
    helpers, httpx = pytest.importorskip("a2a.helpers"), pytest.importorskip("httpx")
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=20) as lines:
        config = sdk.ClientConfig(
            httpx_client=lines,
            streaming=True,
            supported_protocol_bindings=[binding],
            use_client_preference=True,
        )
        client = await sdk.create_client(url, config)
        message = helpers.new_data_message(body, role=types.Role.ROLE_USER, context_id=context)
        try:
            async for event in client.send_message(types.SendMessageRequest(message=message)):
                heard = Heard(types)
                heard.take(event)
                yield {"state": heard.state, "data": heard.data, "task": heard.task, "error": ""}
        except sdk.A2AClientError as error:
            yield {"state": "", "data": None, "task": "", "error": f"{error}"}
        except pytest.importorskip("a2a.utils.errors").A2AError as error:
            yield {"state": "", "data": None, "task": "", "error": f"{error}"}


def _foreign(script: list[str]) -> Any:
    """Somebody else's A2A agent, made with the SDK alone, that does what it is told."""
    helpers, types = pytest.importorskip("a2a.helpers"), pytest.importorskip("a2a.types")
    routes, handlers = (
        pytest.importorskip("a2a.server.routes"),
        pytest.importorskip("a2a.server.request_handlers"),
    )
    tasks, starlette = pytest.importorskip("a2a.server.tasks"), pytest.importorskip("starlette.applications")
    answer = json.dumps({"answer": {"type": "Offer", "price": 4, "eta_s": None, "until": None}})

    class Executor:
        async def execute(self, context: Any, queue: Any) -> None:
            words = [part.text for part in context.message.parts if part.WhichOneof("content") == "text"]
            assert "For how much would you do the task?" in words[0]
            if script[0] in ("text", "prose"):
                text = answer if script[0] == "text" else "About four, I think."
                await queue.enqueue_event(helpers.new_text_message(text, context_id=context.context_id))
                return
            task = helpers.new_task_from_user_message(context.message)
            task.id, task.context_id = context.task_id, context.context_id
            await queue.enqueue_event(task)
            updater = tasks.TaskUpdater(queue, task.id, task.context_id)
            if script[0] == "silence":
                await asyncio.sleep(30)
            for state in script:
                if state == "COMPLETED":
                    await updater.add_artifact([helpers.new_text_part(answer)])
                await updater.update_status(types.TaskState.Value(f"TASK_STATE_{state}"))
                await asyncio.sleep(0.1)

        async def cancel(self, context: Any, queue: Any) -> None:
            await tasks.TaskUpdater(queue, context.task_id, context.context_id).cancel()

    card = types.AgentCard(
        name="foreign", description="knows nothing of markets", version="1", default_input_modes=["text/plain"],
        default_output_modes=["text/plain"], capabilities=types.AgentCapabilities(streaming=True),
        skills=[types.AgentSkill(id="x", name="x", description="x", tags=["x"])],
        supported_interfaces=[
            types.AgentInterface(url="http://127.0.0.1", protocol_binding="JSONRPC", protocol_version="1.0")
        ],
    )  # fmt: skip

    async def here(shown: Any) -> Any:
        return shown

    handler = handlers.DefaultRequestHandler(Executor(), tasks.InMemoryTaskStore(), card)
    app = starlette.Starlette(
        routes=[
            *routes.create_agent_card_routes(card, card_modifier=here),
            *routes.create_jsonrpc_routes(handler, "/"),
        ]
    )

    async def placed(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            card.supported_interfaces[0].url = f"http://127.0.0.1:{scope['server'][1]}"
        await app(scope, receive, send)

    return placed
