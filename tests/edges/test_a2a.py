"""A2A: remote agents as participants, our agents and our auctioneer as A2A agents, through the SDK over loopback."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from auctions import FirstPrice, SealedBid, second_price, truthful as bids_truly
from auctions.messages import BidWanted
from contractnet import ContractNet, ProposalWanted, truthful
from tests.edges.houses import SECRET, expired, say, until
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
                assert await mind.health("ada") == ""
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

    def test_workers_are_functions_coroutines_or_objects_that_are_called_like_either(self) -> None:
        """What they return in place of a report is its result."""

        def plain(task: Task, key: str) -> str:
            return task.id

        async def coroutine(task: Task, key: str) -> str:
            return task.id

        class Workshop:
            async def __call__(self, task: Task, key: str) -> str:
                return task.id

        async def result_of(work: Any) -> str:
            app = agent_app(Agent("ada", truthful), PASSES, questions=[ProposalWanted], work=work)
            async with remote(app) as mind:
                return (await mind.work(Task("job-1"), "m/1/ada#job-1")).result

        found = [asyncio.run(result_of(work)) for work in (plain, coroutine, Workshop())]
        assert found == ["job-1"] * 3

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
        assert "\n" not in found.detail, "one line, without links of a library"

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
            ({"capabilities": {"extensions": [{"uri": EXTENSION}]}, "supportedInterfaces": [
                {"url": "http://127.0.0.1:1", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}]}, "elsewhere"),
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
                return await asked(mind), await mind.health("ada")

        found, health = asyncio.run(market())
        assert found.status == "error" and why in found.detail and why in health
        assert set(asked_for) == {CARD}

    def test_a_redirect_is_not_followed(self) -> None:
        asked_for: list[str] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            asked_for.append(scope["path"])
            await send({"type": "http.response.start", "status": 307, "headers": [(b"location", b"/steal")]})
            await send({"type": "http.response.body", "body": b""})

        async def market() -> Answered:
            async with remote(app) as mind:
                return await asked(mind)

        assert asyncio.run(market()).status == "error"
        assert asked_for == [CARD]

    def test_nobody_at_the_address_is_a_fault_that_may_pass(self) -> None:
        async def market() -> Answered:
            async with remote(agent_app(Agent("ada", _offer), PASSES, questions=[HowMuch])) as mind:
                gone = mind
            return await asked(gone)

        found = asyncio.run(market())
        assert found.status == "error" and "1 times" in found.detail, "it was Retryable"

    @pytest.mark.parametrize("streaming", [True, False])
    def test_a_task_that_waits_for_a_person_is_looked_at_again(self, streaming: bool) -> None:
        async def market() -> Answered:
            script = ["INPUT_REQUIRED", "COMPLETED"]
            async with remote(_foreign(script), strict=False, poll_s=0.02, streaming=streaming) as mind:
                return await asked(mind)

        assert asyncio.run(market()).value == Offer(4)

    @pytest.mark.parametrize(
        ("script", "status"),
        [
            (["text"], "ok"),
            (["COMPLETED"], "ok"),
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

    def test_a_question_under_the_key_of_another_gets_no_answer_of_that_one(self) -> None:
        async def market() -> None:
            pondered: list[str] = []

            def mind(question: Any, agent: Agent) -> Offer:
                pondered.append(question.task.id)
                return Offer(float(len(pondered)))

            async with Listening(agent_app(Agent("ada", mind), PASSES, questions=[HowMuch])) as at:
                token = PASSES.issue("house", may=("ask",))

                async def ask(task: str, token: str = token) -> dict[str, Any]:
                    question = plain(how_much())
                    question["task"]["id"] = task
                    asked = {"ask": {"question": question, "seconds": 9, "key": "k"}}
                    return [e async for e in say(at.url, token, asked, "HTTP+JSON", context="m/1")][-1]

                first, again, other = await ask("a"), await ask("a"), await ask("b")
                assert first["data"]["answer"]["price"] == again["data"]["answer"]["price"] == 1, first
                assert "another request" in other["error"] and pondered == ["a"]
                theirs = await ask("a", PASSES.issue("mart", may=("ask",)))
                assert theirs["data"]["answer"]["price"] == 2, "a key is its caller's own"

        asyncio.run(market())

    def test_settings_that_make_no_sense_are_refused(self) -> None:
        for url, token in (("ada", ""), ("ftp://x", ""), ("http://[::1", ""), ("http://192.0.2.1", "secret")):
            with pytest.raises(ScenarioError):
                A2AParticipant(url, token=token)
        for settings in ({"poll_s": 0}, {"most_bytes": 0}, {"token": "two\nlines"}):
            with pytest.raises(ScenarioError, match=next(iter(settings))):
                A2AParticipant("http://127.0.0.1:1", **settings)
        ada, asks = Agent("ada", _offer), [HowMuch]
        served: list[tuple[Any, Any, Any]] = [
            (Agent("ada"), PASSES, asks), (ada, "passes", asks), (ada, PASSES, []), (ada, PASSES, HowMuch),
            (ada, PASSES, ["HowMuch"]),
        ]  # fmt: skip
        for agent, passes, questions in served:
            with pytest.raises(ScenarioError):
                agent_app(agent, passes, questions=questions)
        with pytest.raises(ScenarioError, match="desk"):
            auctioneer_app(Live(), FirstPrice())  # type: ignore[arg-type]


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
