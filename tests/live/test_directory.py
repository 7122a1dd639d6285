"""Agents come, drain and go during a run; who can do what is listed; who is ill is known before it is asked."""

import asyncio
from typing import Any, ClassVar

import pytest

from contractnet import ContractNet
from contractnet.messages import Propose
from tests.live.minds import Scripted, busy
from tests.live.payloads import PAYLOADS
from tests.live.test_injection import HONEST, Gullible, Quote, awarded
from tests.live.worlds import in_market
from walras.agents import Agent, CostTable, Estimate
from walras.allocation import Report
from walras.errors import ScenarioError
from walras.items import Task
from walras.live import Guard, Live
from walras.live.answers import Answered
from walras.live.cascade import Cascade
from walras.live.directory import MOST_TEXT, Claim, Listing
from walras.live.participant import Ask, Participant
from walras.live.prompts import Prompts
from walras.questions import Question

NET = ContractNet(reply_within_s=2.0, announcements=1)


def worker(name: str, seconds: float = 5.0, **more: Any) -> Agent:
    return Agent(name, costs=CostTable({"job": Estimate(10.0, 0.9, seconds)}), **more)


def task(name: str) -> Task:
    return Task(name, kind="job")


# ------------------------------------------------------------------------------------------------- coming and going


def test_who_joins_during_a_run_takes_part_in_what_comes_next() -> None:
    async def main(market: Live) -> Any:
        market.add(worker("ada"))
        first = asyncio.create_task(market.run(NET, [task("t0")], 60.0))
        await asyncio.sleep(1.0)
        market.add(Agent("bob", costs={"job": 1.0}))
        return await first, await market.run(NET, [task("t1")], 60.0)

    first, second = in_market(main)
    assert (first.allocation["t0"].winner, second.allocation["t1"].winner) == ("ada", "bob")


def test_who_drains_finishes_what_it_has_won_and_takes_no_more() -> None:
    async def main(market: Live) -> Any:
        market.add(worker("ada", 20.0))
        market.add(Agent("bob", costs={"job": 99.0}))
        won = asyncio.create_task(market.run(NET, [task("t0")], 60.0))
        await asyncio.sleep(5.0)
        gone = asyncio.create_task(market.drain("ada"))
        await asyncio.sleep(1.0)
        assert market.directory["ada"].status == "draining"
        taken = await market.run(NET, [task("t1")], 30.0)
        assert not gone.done(), "it still works on what it has won"
        done = await won
        await gone
        return done, taken, market.directory["ada"].status, market.now

    done, taken, status, now = in_market(main)
    assert (done.allocation["t0"].winner, done.records[0].paid) == ("ada", 10.0)
    assert taken.allocation["t1"].winner == "bob"
    assert status == "gone" and 20.0 < now < 25.0


def test_who_leaves_at_once_leaves_its_work_which_waits_for_its_return() -> None:
    calls: list[str] = []

    async def work(job: Task, key: str) -> Report:
        calls.append(key)
        await asyncio.sleep(10.0)
        return Report("done", quality=1.0)

    async def main(market: Live) -> Any:
        market.add(worker("ada"), work)
        won = asyncio.create_task(market.run(NET, [task("t0")], 100.0))
        await asyncio.sleep(5.0)
        market.leave("ada")
        await asyncio.sleep(20.0)
        assert not won.done()
        market.add(worker("ada"), work)
        return await won

    result = in_market(main)
    assert result.records[0].status == "done"
    assert len(calls) == 2 and len(set(calls)) == 1, "the same work, under the same key"


def test_who_drains_is_turned_away_from_what_it_is_invited_to_all_the_same() -> None:
    async def main(market: Live) -> Any:
        market.add(worker("ada"))
        market.runtime.drain("ada")
        result = await market.run(NET, [task("t0")], 60.0, participants=["ada"])
        market.add(worker("bob"))
        await market.run(NET, [task("t1")], 60.0)
        return result, [list(row.details["participants"]) for row in market.trace if row.kind == "open"]

    result, openings = in_market(main)
    assert result.records[0].winner is None
    assert openings == [["ada"], ["bob"]], "where nobody is named, she is not invited"
    why = [row.details["why"] for row in result.trace if row.kind == "ignored" and row.agent == "ada"]
    assert why == ["takes part in nothing new"]


@pytest.mark.parametrize("stubborn", [False, True])
def test_who_comes_back_at_once_takes_its_work_up_when_the_old_one_has_let_go(stubborn: bool) -> None:
    calls: list[str] = []

    async def work(job: Task, key: str) -> Report:
        calls.append(key)
        try:
            await asyncio.sleep(10.0)
        except asyncio.CancelledError:
            await asyncio.sleep(1.0)  # as one that puts its tools away
            if not stubborn:
                raise
        return Report("done", quality=1.0)

    async def main(market: Live) -> Any:
        market.add(worker("ada"), work)
        won = asyncio.create_task(market.run(NET, [task("t0")], 100.0))
        await asyncio.sleep(5.0)
        market.leave("ada")
        market.add(worker("ada"), work)
        return await won

    result = in_market(main)
    assert result.records[0].status == "done"
    assert len(calls) == 2 and len(set(calls)) == 1


def test_who_comes_back_at_once_with_another_mind_is_asked_by_it() -> None:
    class Slow(Guard):
        """One that takes its time to give up."""

        async def answer(self, agent: Agent, *rest: Any, **more: Any) -> Answered:
            asked.append(agent.capabilities[0])
            try:
                await asyncio.sleep(1.0)
                return Answered("declined")
            except asyncio.CancelledError:
                await asyncio.sleep(1.0)
                raise

    asked: list[str] = []

    async def main(market: Live) -> Any:
        market.add(Agent("ada", capabilities=("old",), attention=1))
        market.open(NET, [task("t0"), task("t1")], 100.0)
        await asyncio.sleep(0.5)
        market.leave("ada")
        market.add(Agent("ada", capabilities=("new",), attention=1))
        await asyncio.sleep(5.0)

    in_market(main, guard=Slow())
    assert asked == ["old", "new"]


def test_the_trace_tells_who_came_and_who_drained() -> None:
    async def main(market: Live) -> Any:
        market.add(worker("ada"))
        await market.drain("ada")
        market.add(worker("ada"))
        return [(row.agent, row.details["text"]) for row in market.trace if row.conversation == ""]

    assert in_market(main) == [
        ("ada", "comes for the first time"), ("ada", "takes part in nothing new"), ("ada", "is back"),
    ]  # fmt: skip


# --------------------------------------------------------------------------------------------------- the directory


def test_who_can_do_what_at_which_claimed_quality() -> None:
    async def main(market: Live) -> Any:
        market.add(Agent("ada", capabilities=("python", "sql")))
        market.add(Agent("bob", capabilities=("python",)))
        market.add(Agent("cyd", capabilities=("sql",)))
        directory = market.directory
        directory.describe("ada", "I am careful.", {"python": 0.7, "sql": 0.9})
        directory.describe("bob", "I am the best.", {"python": 0.95})
        found = [
            directory.who_can("python"), directory.who_can("sql"), directory.who_can("python", "sql"),
            directory.who_can("sql", at_least=0.5), directory.who_can("python", "sql", at_least=0.8),
            directory.who_can("python", at_least=0.8), directory.who_can("cobol"),
        ]  # fmt: skip
        return found, directory["ada"], list(directory)

    found, ada, everybody = in_market(main)
    assert found == [("bob", "ada"), ("ada", "cyd"), ("ada",), ("ada",), (), ("bob",), ()]
    assert ada == Listing("ada", (Claim("python", 0.7), Claim("sql", 0.9)), "I am careful.", "here", 0, 1)
    assert ada.quality("sql") == 0.9 and ada.quality("cobol") is None
    assert [listing.agent for listing in everybody] == ["ada", "bob", "cyd"]


def test_who_has_several_capabilities_stands_where_the_weakest_claim_puts_it() -> None:
    async def main(market: Live) -> Any:
        for name, python, sql in (("ada", 0.9, 0.2), ("bob", 0.5, 0.4), ("cyd", 0.4, 0.5)):
            market.add(Agent(name))
            market.directory.describe(name, quality={"python": python, "sql": sql})
        return market.directory.who_can("python", "sql")

    assert in_market(main) == ("bob", "cyd", "ada")


def test_who_drains_or_is_gone_is_not_among_those_who_can() -> None:
    async def main(market: Live) -> Any:
        for name in ("ada", "bob", "cyd"):
            market.add(Agent(name, capabilities=("python",)))
        market.leave("ada")
        market.runtime.drain("cyd")
        return market.directory.who_can("python"), await market.directory.healthy(), market.directory["ada"]

    able, healthy, ada = in_market(main)
    assert able == healthy == ("bob",)
    assert ada.status == "gone"


def test_a_listing_shows_how_busy_an_agent_is() -> None:
    async def main(market: Live) -> Any:
        market.add(worker("ada", 20.0, capacity=2))
        market.open(NET, [task("t0")], 60.0)
        await asyncio.sleep(5.0)
        return market.directory["ada"]

    found = in_market(main)
    assert (found.busy, found.capacity) == (1, 2)


@pytest.mark.parametrize("quality", [1.5, -0.1, float("nan"), "high"])
def test_a_quality_that_is_none_is_refused(quality: Any) -> None:
    async def main(market: Live) -> None:
        market.add(Agent("ada"))
        market.directory.describe("ada", quality={"python": quality})

    with pytest.raises(ScenarioError, match="quality of ada for python"):
        in_market(main)


def test_an_unknown_agent_is_named() -> None:
    async def main(market: Live) -> None:
        market.directory["nobody"]

    with pytest.raises(ScenarioError, match="nobody"):
        in_market(main)


class WhomToAsk(Question, frozen=True, kw_only=True):
    """These agents are listed. What would you pay to have the first of them?"""

    listed: tuple[Listing, ...]
    answers: ClassVar[tuple[type, ...]] = (Quote,)


@pytest.mark.parametrize("fenced", [True, False])
def test_what_agents_say_about_themselves_is_data_and_no_instruction(fenced: bool) -> None:
    async def main(market: Live) -> Any:
        found = []
        for number, text in enumerate(PAYLOADS):
            market.add(Agent(f"a{number}", capabilities=(text,)))
            market.directory.describe(f"a{number}", text, {text: 0.5})
            found.append(market.directory[f"a{number}"])
        return found

    for listing in in_market(main):
        question = WhomToAsk(listed=(listing,), decide_by=9.0)
        assert awarded(Gullible(), question, Prompts(fenced=fenced)) == ("sober" if fenced else "gullible")
    assert HONEST > 0


def test_what_is_too_long_is_cut() -> None:
    async def main(market: Live) -> Any:
        market.add(Agent("ada"))
        market.directory.describe("ada", "x" * 10_000_000)
        return market.directory["ada"]

    assert len(in_market(main).about) == MOST_TEXT


# ----------------------------------------------------------------------------------------------------------- health


class Patient(Participant):
    """Says how it is, or does worse."""

    def __init__(self, condition: Any) -> None:
        self.condition = condition

    async def answer(self, ask: Ask) -> Any:
        return Propose(1.0)

    async def health(self, agent: str) -> str:
        if isinstance(self.condition, Exception):
            raise self.condition
        if isinstance(self.condition, float):
            await asyncio.sleep(self.condition)
        return str(self.condition)


def test_everybody_is_asked_at_once_and_nobody_can_hold_it_up() -> None:
    async def main(market: Live) -> Any:
        minds: dict[str, Any] = {
            "well": Patient(""), "ill": Patient("the model is not loaded"), "broken": Patient(KeyError("x")),
            "slow": Patient(99.0), "slower": Patient(999.0), "rule": lambda question, agent: None, "none": None,
            "backed-up": Cascade(Patient("down"), Patient("")), "all-down": Cascade(Patient("down"), Patient("too")),
        }  # fmt: skip
        for name, mind in minds.items():
            market.add(Agent(name, mind))
        market.add(Agent("gone"))
        market.leave("gone")
        began = market.now
        return await market.directory.health(), await market.directory.healthy(), market.now - began

    health, healthy, took = in_market(main)
    assert health == {
        "well": "", "ill": "the model is not loaded", "broken": "KeyError: 'x'",
        "slow": "it did not say within 2 s", "slower": "it did not say within 2 s", "rule": "", "none": "",
        "backed-up": "", "all-down": "down; too", "gone": "it is not here",
    }  # fmt: skip
    assert healthy == ("well", "rule", "none", "backed-up")
    assert took == pytest.approx(4.0, abs=0.1), "twice two seconds"


def test_whose_circuit_is_open_is_ill() -> None:
    async def main(market: Live) -> Any:
        market.add(Agent("ada", Scripted(*[busy()] * 20)))
        market.add(worker("bob"))
        await market.run(NET, [task("t0")], 60.0)
        return await market.directory.health()

    assert "keeps failing and is left alone" in in_market(main)["ada"]
