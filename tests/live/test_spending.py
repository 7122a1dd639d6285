"""What minds took before a market was killed counts against its budgets when it goes on."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from auctions import SealedBid, second_price
from walras.agents import Agent
from walras.items import Lot
from walras.live import Ask, Budgets, Guard, Limits, Live, Participant, Reply, Rules, Usage
from walras.results import Result
from walras.testing.virtual_time import run_virtually

PRICED, UNPRICED = Usage(1, 100, 20, cost_usd=0.4), Usage(1, 100, 20)


class Dear(Participant):
    def __init__(self, takes: Usage) -> None:
        self.takes = takes

    def estimate(self, ask: Ask) -> Usage:
        return self.takes

    async def answer(self, ask: Ask) -> Any:
        return Reply({"answer": {"type": "Bid", "item": "l", "price": 3.0}}, self.takes)


def life(
    path: Path, auctions: int, guard: Guard, takes: Usage = PRICED, compact_every: int = 50_000
) -> list[Result]:
    """A program that holds so many auctions one after the other, on a journal."""

    async def main() -> list[Result]:
        wall, rules = asyncio.get_running_loop().time, Rules(compact_every=compact_every)
        async with Live(guard=guard, journal=path, wall=wall, rules=rules) as market:
            market.add(Agent("ada", Dear(takes)))
            rounds = [market.run(SealedBid(second_price), [Lot("l")], within_s=10.0) for _ in range(auctions)]
            return [await one for one in rounds]

    return run_virtually(main())


def guarded(**settings: Any) -> Guard:
    return Guard(budgets=Budgets(Limits(usd=1.0), **settings))


def statuses(results: list[Result]) -> list[str]:
    return [row.details["status"] for result in results for row in result.trace if row.kind == "answer"]


@pytest.mark.parametrize("compact_every", [50_000, 1])
def test_a_budget_is_not_full_again_after_a_restart(tmp_path: Path, compact_every: int) -> None:
    path = tmp_path / "market.db"
    assert statuses(life(path, 2, guarded(), compact_every=compact_every)) == ["ok", "ok"]
    guard = guarded()
    assert statuses(life(path, 3, guard, compact_every=compact_every)) == ["ok", "ok", "over_budget"]
    run, ada = guard.budgets.run, guard.budgets.of_agent("ada")
    for account in (run, ada):
        assert (account.usd, account.assumed_usd, account.tokens, account.calls) == (0.8, 0.0, 240, 2)


def test_what_nobody_knows_is_assumed_again(tmp_path: Path) -> None:
    path = tmp_path / "market.db"
    life(path, 2, guarded(unknown_usd=0.3), UNPRICED)
    guard = guarded(unknown_usd=0.3)
    life(path, 2, guard, UNPRICED)
    assert (guard.budgets.run.usd, guard.budgets.run.assumed_usd) == (0.0, 0.6)


def test_a_guard_that_was_there_has_counted_it_already(tmp_path: Path) -> None:
    path, guard = tmp_path / "market.db", guarded()
    life(path, 2, guard)
    life(path, 2, guard)
    assert guard.budgets.run.usd == 0.8


def test_calls_that_came_too_late_are_counted_again_too(tmp_path: Path) -> None:
    class Slow(Dear):
        async def answer(self, ask: Ask) -> Any:
            await asyncio.sleep(1e6)

    async def main(guard: Guard) -> None:
        async with Live(
            guard=guard, journal=tmp_path / "m.db", wall=asyncio.get_running_loop().time
        ) as market:
            market.add(Agent("ada", Slow(PRICED)))
            await market.run(SealedBid(second_price, reply_within_s=2.0), [Lot("l")], within_s=10.0)

    guards = [guarded(unknown_usd=0.4), guarded(unknown_usd=0.4)]
    for guard in guards:
        run_virtually(main(guard))
    assert [guard.budgets.run.assumed_usd for guard in guards] == [0.4, 0.4]
    assert guards[1].budgets.reservations == 0, "nobody was asked in the second life"


def test_the_account_of_an_open_conversation_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "market.db"

    async def killed() -> None:
        async with Live(guard=guarded(), journal=path, wall=asyncio.get_running_loop().time) as market:
            market.add(Agent("ada", Dear(PRICED)))
            market.add(Agent("bob", lambda question, agent: asyncio.sleep(100)))
            market.open(SealedBid(second_price, reply_within_s=50.0), [Lot("l")], within_s=90.0)
            await asyncio.sleep(1.0)

    run_virtually(killed())
    guard = guarded()

    async def again() -> float:
        async with Live(guard=guard, journal=path, wall=lambda: 2.0) as market:
            assert market.recovered
            return guard.budgets.of_conversation("house/1").usd

    assert run_virtually(again()) == 0.4
