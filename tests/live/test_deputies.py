"""A replicated opener in a live market: several machines play one role, one conversation comes of it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from auctions import SealedBid, second_price
from consensus.replicated import Replicated
from contractnet import ContractNet
from walras.agents import Agent
from walras.allocation import Report
from walras.items import Item, Lot, Task
from walras.live import Live, Rules
from walras.live.approval import Approved
from walras.live.approval_rules import Gate, Yes
from walras.live.audit import verify
from walras.mechanism import Mechanism
from walras.results import Result
from walras.study.market import Market
from walras.testing.virtual_time import run_virtually

MACHINES = ("r1", "r2", "r3")
BIDDERS = ("ann", "ben", "cyd")
NET = ContractNet(reply_within_s=8.0, valid_for_s=60.0)
SEALED = SealedBid(second_price, reply_within_s=8.0)

CASES: dict[str, tuple[Mechanism, tuple[Item, ...]]] = {
    "contract net": (NET, (Task("job"),)),
    "two tasks": (NET, (Task("a"), Task("b"))),
    "sealed bids": (SEALED, (Lot("lot"),)),
    "sealed tenders": (SEALED, (Task("job"),)),
}
cases = pytest.mark.parametrize("case", CASES)


def agents(items: tuple[Item, ...]) -> tuple[Agent, ...]:
    worth = [{item.id: 3.0 + k for item in items} for k in range(3)]
    bidders = (Agent(n, costs=w, values=w, money=20.0) for n, w in zip(BIDDERS, worth, strict=True))
    return (Agent("house", money=100.0, capacity=0), *bidders)


def market(mechanism: Mechanism, items: tuple[Item, ...]) -> Market:
    return Market(mechanism=mechanism, items=items, agents=agents(items), seed=1)


def lived(one: Market) -> Result:
    async def main() -> Result:
        return await one.lived(wall=asyncio.get_running_loop().time)

    result: Result = run_virtually(main())
    return result


@cases
def test_it_ends_as_with_a_single_opener_and_as_in_the_simulator(case: str) -> None:
    mechanism, items = CASES[case]
    single, replicated = (
        lived(market(mechanism, items)),
        lived(market(Replicated(mechanism, MACHINES), items)),
    )
    assert (
        replicated.allocation
        == single.allocation
        == market(Replicated(mechanism, MACHINES), items).simulated().allocation
    )
    assert replicated.outcomes["house/1"].status == "done"
    for name in ("house", *BIDDERS):
        assert replicated.agent(name).earned == single.agent(name).earned
        assert replicated.agent(name).spent == single.agent(name).spent
    assert {name: b for name, b in replicated.balances.items() if name not in MACHINES} == single.balances
    assert all(replicated.balances[name] == 0.0 for name in MACHINES)


def test_one_conversation_comes_of_it_opened_by_the_opener() -> None:
    result = lived(market(Replicated(NET, MACHINES), (Task("a"), Task("b"))))
    opened = [(row.conversation, row.agent) for row in result.trace if row.kind == "open"]
    assert opened == [("house/1", "house"), ("house/1/house/1", "house"), ("house/1/house/2", "house")]
    awards = [row.details["line"]["item"] for row in result.trace if row.kind == "award"]
    assert sorted(awards) == ["a", "b"], "three copies, and every award once"


def test_the_machines_of_one_market_serve_one_conversation_after_another() -> None:
    async def main() -> Any:
        async with Live(wall=asyncio.get_running_loop().time) as live:
            for agent in agents((Task("a"), Task("b"))):
                live.add(agent)
            rules = Replicated(NET, MACHINES)
            return [await live.run(rules, [Task(name)], 60.0) for name in ("a", "b")]

    results = run_virtually(main())
    assert [list(result.allocation) for result in results] == [["a"], ["b"]]
    assert all(set(result.trace.conversations()) >= {f"house/{k}"} for k, result in enumerate(results, 1))


def test_the_openers_mind_and_its_gate_are_its_own() -> None:
    """A gate within: what is approved once is awarded once, whoever of the machines leads."""
    asked: list[str] = []

    def ann(question: Any, agent: Agent) -> Any:
        asked.append(agent.id)
        return Yes()

    gated = Replicated(Approved(NET, Gate(("boss",), award_above=0.0)), MACHINES)
    one = Market(
        mechanism=gated,
        items=(Task("job"),),
        agents=(*agents((Task("job"),)), Agent("boss", ann, capacity=0)),
    )
    assert lived(one).allocation["job"].winner == "ann"
    assert asked == ["boss"]


def test_cancelled_and_overdue_end_all_copies() -> None:
    async def main(cancel: bool) -> Any:
        async with Live(wall=asyncio.get_running_loop().time) as live:
            live.add(Agent("slow", lambda question, agent: asyncio.sleep(1000)))
            id_ = live.open(Replicated(NET, MACHINES), [Task("job")], 5.0)
            await asyncio.sleep(1.0)
            if cancel:
                live.cancel(id_)
            result = await live.result(id_)
            await asyncio.sleep(100.0)
            return result, id_ in live.runtime.book

    for cancel, status in ((True, "cancelled"), (False, "unassigned")):
        result, still_there = run_virtually(main(cancel))
        assert result.outcomes["house/1"].status == status
        assert not still_there


def test_how_children_have_ended_is_known_as_long_as_somebody_may_ask() -> None:
    async def main() -> Any:
        async with Live(wall=asyncio.get_running_loop().time) as live:
            for agent in agents((Task("a"), Task("b"))):
                live.add(agent)
            await live.run(Replicated(NET, MACHINES), [Task("a"), Task("b")], 60.0)
            known = [(child, outcome.status) for child, outcome in live.runtime.came_to.items()]
            await asyncio.sleep(100.0)
            return known, live.runtime.came_to

    known, left = run_virtually(main())
    assert known == [("house/1/house/1", "done"), ("house/1/house/2", "done")] and left == {}


@cases
@pytest.mark.parametrize("stop_after_s", [0.0, 0.5, 2.0, 4.5])
def test_a_market_that_is_stopped_anywhere_goes_on_from_its_journal(
    case: str, stop_after_s: float, tmp_path: Path
) -> None:
    mechanism, items = CASES[case]
    done: list[str] = []

    async def work(task: Task, key: str) -> Report:
        await asyncio.sleep(2.0)
        done.append(key)
        return Report("done", cost=1.0, quality=1.0)

    async def mind(question: Any, agent: Agent) -> Any:
        await asyncio.sleep(1.0)
        return mechanism.default_strategy(question, agent)

    async def life(until_s: float | None) -> Any:
        rules = Rules(audit=tmp_path / "audit", compact_every=400)
        async with Live(wall=asyncio.get_running_loop().time, journal=tmp_path / "m.db", rules=rules) as live:
            for agent in agents(items):
                agent.strategy = mind if agent.id != "house" else None
                live.add(agent, work if agent.id != "house" else None)
            id_ = live.open(Replicated(mechanism, MACHINES), items, 60.0)
            if until_s is not None:
                await asyncio.sleep(until_s)
                return None
            return await live.result(id_), live.runtime.ledger.conserved()

    async def both() -> Any:
        await life(stop_after_s)
        return await life(None)

    result, conserved = run_virtually(both())
    assert result.outcomes["house/1"].status == "done" and conserved
    assert sorted(result.allocation) == sorted(item.id for item in items)
    assert len([line for line in result.allocation.lines if line.won]) == len(items), "nothing twice"
    assert len(set(done)) == sum(isinstance(item, Task) for item in items)
    assert not [name for name in result.balances if name.startswith(("escrow:", "bond:"))]
    assert verify(tmp_path / "audit").sound


def test_the_machines_take_no_part_themselves() -> None:
    result = lived(market(Replicated(SEALED, MACHINES), (Lot("lot"),)))
    opened = next(row for row in result.trace if row.kind == "open")
    assert tuple(opened.details["participants"]) == BIDDERS
