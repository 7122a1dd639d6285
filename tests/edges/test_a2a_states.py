"""The states of our A2A tasks: what waits for a person says so, what is revoked or stopped ends, what is refused is told once."""

import asyncio
import contextlib
import logging
import queue
from collections.abc import AsyncIterator
from typing import Any

import pytest

from contractnet import ContractNet, ProposalWanted, truthful
from tests.edges.houses import SECRET, call, house, say, served, until
from tests.live.minds import HowMuch, Offer, how_much
from walras.adapters.a2a import A2AParticipant
from walras.adapters.a2a_server import agent_app, auctioneer_app
from walras.adapters.edge import Listening
from walras.adapters.human import HumanParticipant
from walras.agents import Agent
from walras.allocation import Report
from walras.errors import RemoteProtocolError
from walras.items import Task
from walras.live.answers import Answered
from walras.live.approval import Approved
from walras.live.approval_rules import Gate, Yes
from walras.live.cascade import Cascade
from walras.live.guard import Guard, GuardRules
from walras.live.passes import Passes
from walras.live.vocabulary import plain

pytest.importorskip("a2a.server.routes", reason="the extra a2a is not installed")

Lines = queue.Queue[str]


@contextlib.asynccontextmanager
async def asking(mind: Any, **settings: Any) -> AsyncIterator[tuple[str, Passes, str]]:
    """The address of an agent with this mind, its passes, and one of them."""
    passes = Passes(SECRET, "spot")
    app = agent_app(Agent("ada", mind), passes, questions=[HowMuch, ProposalWanted], **settings)
    async with Listening(app) as at:
        yield at.url, passes, passes.issue("house", may=("ask",))


def ask(seconds: float = 20.0) -> dict[str, Any]:
    return {"ask": {"question": plain(how_much()), "seconds": seconds, "key": "k"}}


async def states_of(url: str, token: str, body: Any, lines: Lines, typed: str) -> list[dict[str, Any]]:
    """What is heard, while a person answers as soon as it is said that one is asked."""
    heard = []
    async for event in say(url, token, body):
        heard.append(event)
        if event["state"] == "INPUT_REQUIRED":
            lines.put(typed)
    return heard


# ------------------------------------------------------------------------------------------------------- people


@pytest.mark.parametrize(
    ("typed", "state", "said"),
    [
        ("Offer price=5", "COMPLETED", {"answer": {"type": "Offer", "price": 5}}),
        ("", "COMPLETED", {"answer": None}),
    ],
)
def test_while_a_person_decides_the_task_says_so(typed: str, state: str, said: Any) -> None:
    async def market() -> list[dict[str, Any]]:
        lines: Lines = queue.Queue()
        person = HumanParticipant(read=lines.get, show=lambda text: None)
        async with asking(Cascade(_fails, person)) as (url, _, token):
            return await states_of(url, token, ask(), lines, typed)

    heard = asyncio.run(market())
    assert [event["state"] for event in heard if event["state"]] == ["SUBMITTED", "INPUT_REQUIRED", state]
    (data,) = [event["data"] for event in heard if event["data"]]
    assert data["answer"] == said["answer"] or said["answer"].items() <= data["answer"].items()


@pytest.mark.parametrize("streaming", [True, False])
def test_our_market_waits_for_the_person_until_the_deadline(streaming: bool) -> None:
    async def market() -> tuple[Answered, Answered, list[str]]:
        lines: Lines = queue.Queue()
        screen: list[str] = []
        person = HumanParticipant(read=lines.get, show=screen.append)
        async with asking(person) as (url, _, token):
            far = A2AParticipant(url, token=token, streaming=streaming, poll_s=0.05)
            guard = Guard(GuardRules(retries=0))

            async def asked(task: str, seconds: float) -> Answered:
                return await guard.answer(
                    Agent("ada", far), how_much(task), conversation="m/1", seconds=seconds
                )

            silent = await asked("t1", 1.0)
            going = asyncio.ensure_future(asked("t2", 20.0))
            await until(lambda: len(screen) == 2)
            lines.put("Offer price=5")
            found = silent, await going, screen
            await far.close()
            return found

    silent, answered, screen = asyncio.run(market())
    assert silent.status == "timeout"
    assert answered.value == Offer(5.0) and "t2" in screen[1]


def test_while_an_approval_is_awaited_the_auction_says_so() -> None:
    async def market() -> list[str]:
        asked, approved = asyncio.Event(), asyncio.Event()

        async def approver(question: Any, agent: Agent) -> Yes:
            await asked.wait()
            return Yes("fine")

        async def work(task: Task, key: str) -> Report:
            await approved.wait()
            return Report("done")

        rules = Approved(ContractNet(reply_within_s=5), Gate(("ann",), award_above=1.0))
        async with house() as desk, served(desk, lambda d: auctioneer_app(d, rules)) as url:
            desk.market.add(Agent("ada", truthful, costs={"job": 2.0}), work)
            desk.market.add(Agent("ann", approver, capacity=0))
            items = [{"type": "Task", "id": "job-1", "kind": "job"}]
            body = {"allocate": {"items": items, "within_s": 60}}
            states: list[str] = []
            async for event in say(url, desk.token("carol", may=("open",)), body):
                states += [event["state"]] if event["state"] else []
                if "INPUT_REQUIRED" in states:
                    (asked if states[-1] == "INPUT_REQUIRED" else approved).set()
            return states

    expected = ["SUBMITTED", "WORKING", "INPUT_REQUIRED", "WORKING", "COMPLETED"]
    assert asyncio.run(market()) == expected


# ------------------------------------------------------------------------------------------------------- passes


def test_what_runs_under_a_pass_ends_when_it_is_revoked_and_other_passes_go_on() -> None:
    async def market() -> tuple[list[str], list[dict[str, Any]], list[dict[str, Any]], str]:
        begun: list[str] = []
        stopped: list[str] = []

        async def work(task: Task, key: str) -> Report:
            begun.append(key)
            try:
                await asyncio.sleep(0.5 if key == "good" else 60)
            except asyncio.CancelledError:
                stopped.append(key)
                raise
            return Report("done")

        async with asking(truthful, work=work) as (url, passes, token):
            other = passes.issue("mart", may=("ask",))

            async def done(token: str, key: str) -> list[dict[str, Any]]:
                return [e async for e in say(url, token, {"do": {"task": plain(Task("job")), "key": key}})]

            going = [asyncio.ensure_future(done(token, "bad")), asyncio.ensure_future(done(other, "good"))]
            await until(lambda: len(begun) == 2)
            passes.revoke(passes.read(token).id)
            bad, good = await asyncio.gather(*going)
            look = {"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": bad[0]["task"]}}
            again = passes.issue("house", may=("ask",))
            seen = await call(url, again, look, {"A2A-Version": "1.0"})
            return stopped, bad, good, seen["result"]["status"]["state"]

    stopped, bad, good, state = asyncio.run(market())
    assert stopped == ["bad"] and state == "TASK_STATE_FAILED"
    assert "revoked" in bad[-1]["error"]
    assert good[-1]["state"] == "COMPLETED"


# ---------------------------------------------------------------------------------------------- refusals, nonsense


@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
def test_what_is_refused_is_told_to_its_caller_and_leaves_no_traceback_in_our_log(
    binding: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def market() -> list[dict[str, Any]]:
        async with asking(truthful) as (url, _, token):
            bodies: list[Any] = [{"ask": {"seconds": -1}}, {"do": {"task": {"type": "Live"}}}, {}]
            return [[e async for e in say(url, token, body, binding)][-1] for body in bodies]

    with caplog.at_level(logging.INFO):
        refused = asyncio.run(market())
    assert all(event["error"] for event in refused)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info] == []


@pytest.mark.parametrize(
    "report", [Report("great"), Report("done", cost=-1.0), Report("done", quality=7.0), Report("done", seconds=-1.0)]
)  # fmt: skip
def test_a_report_that_is_none_is_no_work_done(report: Report) -> None:
    async def work(task: Task, key: str) -> Report:
        return report

    async def market() -> None:
        async with asking(truthful, work=work) as (url, _, token):
            far = A2AParticipant(url, token=token)
            with pytest.raises(RemoteProtocolError, match="a report that is none"):
                await far.work(Task("job"), "m/1/ada#job")
            await far.close()

    asyncio.run(market())


async def _fails(question: Any, agent: Agent) -> Any:
    raise ValueError("ask a person")
