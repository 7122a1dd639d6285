"""Two processes, one conversation: messages that are lost, doubled or cut off on the line are heard once."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from contractnet import ContractNet
from tests.live.lines import ROOM, Teller
from tests.live.test_records_roles import Add, Adder
from tests.live.worlds import tasks, workers
from tests.sketches.raft import LOG, WRITERS, Client, Replica
from walras.agents import Agent
from walras.live import Live
from walras.live.settings import Rules
from walras.messages import Envelope
from walras.testing.virtual_time import run_virtually

RULES = ContractNet(reply_within_s=3.0, margin_s=0.5)


class Line:
    """One end of a line between markets, which loses and doubles; the other ends are in `others`, by agent."""

    def __init__(self, name: str, dice: Random, loss: float) -> None:
        self.name, self.dice, self.loss = name, dice, loss
        self.market: Live | None = None
        self.others: dict[str, Line] = {}
        self.by_name: dict[str, Line] = {}
        self.carried = 0

    def plug_in(self, market: Live) -> None:
        self.market = market
        market.runtime.peers.link = self
        self.again()

    def unplug(self) -> None:
        self.market = None

    def again(self) -> None:
        """Until it is acknowledged, a message is carried again."""
        if self.market is not None:
            for number, envelope in self.market.runtime.peers.outbox():
                self.send(number, envelope)
            asyncio.get_running_loop().call_later(0.3, self.again)

    def send(self, number: int, envelope: Envelope) -> None:
        assert self.market is not None
        journal = self.market.runtime.agenda.journal
        assert journal is not None and not journal.dirty, "a message leaves before its cause is durable"
        for _ in range(1 + (self.dice.random() < 0.2)):
            if self.dice.random() >= self.loss:
                delay = 0.01 + 0.05 * self.dice.random()
                asyncio.get_running_loop().call_later(
                    delay, self.others[envelope.to].hear, self.name, number, envelope
                )

    def hear(self, origin: str, number: int, envelope: Envelope) -> None:
        self.carried += 1
        if self.market is not None:
            self.market.runtime.peers.arrived(origin, number, envelope)

    def acknowledge(self, origin: str, number: int) -> None:
        assert self.market is not None
        journal = self.market.runtime.agenda.journal
        assert journal is not None and not journal.dirty, "a message is acknowledged before it is durable"
        other = self.by_name[origin]
        if other.market is not None and self.dice.random() >= self.loss:
            other.market.runtime.peers.acknowledged(number)


def lines(seed: int, loss: float, *names: str) -> dict[str, Line]:
    made = {name: Line(name, Random(seed), loss) for name in names}
    for line in made.values():
        line.by_name = made
    return made


async def while_up(line: Line, path: Path, main: Callable[[Live], Awaitable[Any]]) -> Any:
    clock = asyncio.get_running_loop().time
    async with Live(journal=path / f"{line.name}.db", wall=clock, rules=Rules(lifetime_s=10.0)) as market:
        try:
            found = main(market)
            line.plug_in(market)
            return await found
        finally:
            line.unplug()


def test_what_comes_twice_under_one_number_is_heard_once() -> None:
    async def main() -> Any:
        async with Live() as market:
            market.add(Agent("adder"))
            market.add_absentee("counter")
            market.seat("adder", Adder(), "count/1")
            for origin, number in (("there", 1), ("there", 1), ("elsewhere", 1), ("there", 2)):
                envelope = Envelope("count/1", "", "counter", "adder", Add(2), market.now)
                market.runtime.peers.arrived(origin, number, envelope)
            await asyncio.sleep(1.0)
            role: Any = market.role("count/1", "adder")
            return role.heard

    assert run_virtually(main()) == [2, 2, 2]


def test_a_message_that_nobody_took_in_its_lifetime_is_lost_and_says_so(tmp_path: Path) -> None:
    async def life(seconds: float) -> list[tuple[Any, ...]]:
        clock = asyncio.get_running_loop().time
        async with Live(journal=tmp_path / "m.db", wall=clock, rules=Rules(lifetime_s=10.0)) as market:
            market.add(Agent("tel"))
            market.add_absentee("lis")
            market.seat("tel", Teller("lis", 3, every_s=1.0), ROOM)
            for _ in range(int(seconds)):
                await asyncio.sleep(1.0)
                messages: list[Any] = [envelope.message for _, envelope in market.runtime.peers.outbox()]
                waiting = [message.number for message in messages]
                seen.append((market.now, waiting))
            lost = [row for row in market.trace if row.kind == "lost"]
            return [(row.at, row.agent, row.details["message"]["number"], row.details["why"]) for row in lost]

    async def lives() -> Any:
        return await life(3.0), await life(12.0)

    seen: list[Any] = []
    first, second = run_virtually(lives())
    assert first == [] and seen[2] == (3.0, [1, 2, 3])
    assert [(agent, number, why) for _, agent, number, why in second] == [
        ("tel", k, "too old") for k in (1, 2, 3)
    ]
    assert all(at > 10.0 + number - 1 for at, _, number, _ in second)
    assert seen[-1][1] == []


@pytest.mark.parametrize("loss", [0.0, 0.4])
@pytest.mark.parametrize("down", [False, True])
def test_a_task_is_done_in_another_process(tmp_path: Path, loss: float, down: bool) -> None:
    ends = lines(1, loss, "office", "shop")
    ends["office"].others = dict.fromkeys(("w0", "w1", "w2"), ends["shop"])
    ends["shop"].others = {"house": ends["office"]}
    done: list[str] = []

    async def work(task: Any, key: str) -> str:
        await asyncio.sleep(6.0)
        done.append(key)
        return "done"

    async def office(market: Live) -> Any:
        for agent in ("w0", "w1", "w2"):
            market.add_absentee(agent, money=0.0)
        return await market.run(RULES, tasks(1), within_s=60.0)

    async def shop(market: Live, seconds: float) -> Any:
        market.serve(RULES)
        market.add_absentee("house")
        for agent in workers(3):
            market.add(agent, work)
        await asyncio.sleep(seconds)

    async def shop_with_a_break() -> None:
        if down:
            await while_up(ends["shop"], tmp_path, partial(shop, seconds=5.0))
            await asyncio.sleep(1.0)
        await while_up(ends["shop"], tmp_path, partial(shop, seconds=60.0))

    async def whole() -> Any:
        running = asyncio.ensure_future(shop_with_a_break())
        result = await while_up(ends["office"], tmp_path, office)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return result

    result = run_virtually(whole())
    assert (result.records[0].status, result.records[0].winner, result.records[0].awards) == ("done", "w1", 1)
    assert result.balances["w1"] == 10.0
    assert done == ["house/1/w1#t0"]
    if loss:
        assert ends["shop"].carried > 6, "this shows nothing: nothing was carried twice"


def test_a_raft_cluster_of_three_processes_survives_its_leader(tmp_path: Path) -> None:
    names = ("r0", "r1", "r2")
    ends = lines(2, 0.05, *names)
    for end in ends.values():
        end.others = dict(ends)
    markets: dict[str, Live] = {}

    async def process(name: str, seconds: float) -> None:
        async def main(market: Live) -> None:
            markets[name] = market
            for other in names:
                if other == name:
                    market.add(Agent(name))
                else:
                    market.add_absentee(other)
            market.seat(name, Replica(tuple(peer for peer in names if peer != name)), LOG)
            market.seat(name, Client("write"), WRITERS)
            await asyncio.sleep(seconds)

        await while_up(ends[name], tmp_path, main)

    def committed() -> dict[str, tuple[Any, ...]]:
        roles: dict[str, Any] = {name: markets[name].role(LOG, name) for name in names}
        return {name: tuple(role.log[1 : role.commit + 1]) for name, role in roles.items()}

    async def whole() -> None:
        running = {name: asyncio.ensure_future(process(name, 1000.0)) for name in names}
        await asyncio.sleep(5.0)
        before = committed()
        roles: dict[str, Any] = {name: markets[name].role(LOG, name) for name in names}
        leader = next(name for name in names if roles[name].state == "leader")
        running[leader].cancel()
        await asyncio.gather(running[leader], return_exceptions=True)
        await asyncio.sleep(5.0)
        running[leader] = asyncio.ensure_future(process(leader, 1000.0))
        await asyncio.sleep(5.0)
        after = committed()
        longest = max(after.values(), key=len)
        assert min(len(entries) for entries in before.values()) >= 1
        assert all(longest[: len(entries)] == entries for entries in (*before.values(), *after.values()))
        assert len(after[leader]) > len(before[leader])
        assert markets[leader].role(LOG, leader).incarnation == 1
        for task in running.values():
            task.cancel()
        await asyncio.gather(*running.values(), return_exceptions=True)

    run_virtually(whole())
