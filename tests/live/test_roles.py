"""The roles of the sketches, unchanged, in live markets: auctions, an endless book, sub-contracts, Raft, replication."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from auctions import SealedBid, second_price, truthful
from tests.live.test_journal import lives, never
from tests.live.worlds import in_market
from tests.sketches import clock_auction, order_book
from tests.sketches.raft import LOG, READERS, WRITERS, Client, Replica
from tests.sketches.replicated import Bidder, Copy, House
from walras import Agent, Lot
from walras.live import Live, Rules
from walras.simulation.latency import Constant
from walras.simulation.network import Network
from walras.simulation.simulation import Simulation

NAMES = ("r0", "r1", "r2")


def test_the_page_of_the_design_that_plugs_in_agents() -> None:
    async def page() -> Any:
        async with Live(budget_usd=2.0) as market:
            market.add(Agent("ada", truthful, values={"job-1": 9}))
            market.add(Agent("bob", truthful, values={"job-1": 12}))
            return await market.run(SealedBid(second_price), items=[Lot("job-1")], within_s=60)

    result = asyncio.run(page())
    line = result.allocation["job-1"]
    assert (line.winner, line.price) == ("bob", 9.0)
    assert result.outcomes["house/1"].status == "done"
    assert result.metrics["paid"] == 9.0
    assert "bob" in str(result.trace.conversation("house/1"))


@pytest.mark.parametrize("bidders", [2, 7])
def test_a_sealed_bid_comes_to_the_same_as_in_simulation(bidders: int) -> None:
    agents = [Agent(f"b{k}", truthful, values={"lot": 5.0 + k % 4}, money=20.0) for k in range(bidders)]
    simulation = Simulation(seed=3, network=Network(latency=Constant(0.0)))
    simulation.add(Agent("house", capacity=0))
    for agent in agents:
        simulation.add(agent)
    simulation.open(SealedBid(second_price), [Lot("lot")], "house", finish_by=30.0)
    there = simulation.run()

    async def main(market: Live) -> Any:
        for agent in agents:
            market.add(agent)
        return await market.run(SealedBid(second_price), [Lot("lot")], within_s=30.0)

    here = in_market(main, seed=3)
    assert here.allocation == there.allocation and len(here.allocation) == 1
    assert here.outcomes == there.outcomes


def test_a_clock_auction_sells_as_in_simulation() -> None:
    """With ample purses: where they are short, what is left for a lot depends on which clock was quicker."""

    def bidders() -> list[Agent]:
        values = [{"lot1": 6.0 + 3 * k, "lot2": 14.0 - 2 * k, "lot3": 8.0 + k % 2} for k in range(4)]
        return [Agent(f"b{k}", clock_auction.thrifty, values=values[k], money=100.0) for k in range(4)]

    simulation = Simulation(seed=1, network=Network(latency=Constant(0.01)))
    for agent in (Agent("house"), *bidders()):
        simulation.add(agent)
    simulation.open(clock_auction.Clock(), clock_auction.LOTS, "house", finish_by=60.0)
    there = simulation.run()

    async def main(market: Live) -> Any:
        for agent in (Agent("house"), *bidders()):
            market.add(agent)
        return await market.run(clock_auction.Clock(), clock_auction.LOTS, within_s=60.0)

    here = in_market(main, seed=1)
    assert sorted(here.allocation.items()) == sorted(there.allocation.items()) and len(here.allocation) == 3
    assert here.overcommitments == 0


def test_an_endless_book_survives_its_machine(tmp_path: Path) -> None:
    async def main(market: Live) -> Any:
        names = [f"t{k}" for k in range(5)]
        market.add(Agent("venue"))
        for name in names:
            market.add(Agent(name, order_book.gambler, money=12.0))
        pit = market.open(order_book.Pit(), [Lot("wheat", quantity=10**6)], opener="venue", participants=[])
        if not market.recovered:
            for name in names:
                market.join(name, pit)
        await asyncio.sleep(8.0)
        ledger = market.runtime.ledger
        assert ledger.conserved() and ledger.overcommitments == 0
        assert sum(ledger.account(name).balance for name in names) == pytest.approx(60.0)
        return market.so_far(pit).allocation.lines

    path = tmp_path / "market.db"
    lines: tuple[Any, ...] = ()
    for life in range(3):
        more = lives(path, main, never(), rules=Rules(compact_every=50))
        assert more[: len(lines)] == lines, f"life {life} has forgotten trades"
        lines = more
    assert len(lines) > 3


def cluster(market: Live) -> None:
    for name in NAMES:
        market.add(Agent(name))
        market.seat(name, Replica(tuple(peer for peer in NAMES if peer != name)), LOG)
        market.seat(name, Client("read"), READERS)
        market.seat(name, Client("write"), WRITERS)


def test_a_raft_cluster_keeps_what_it_has_committed(tmp_path: Path) -> None:
    async def main(market: Live) -> Any:
        cluster(market)
        await asyncio.sleep(6.0)
        replicas: list[Any] = [market.role(LOG, name) for name in NAMES]
        clients: list[Any] = [market.role(room, name) for name in NAMES for room in (READERS, WRITERS)]
        committed = [tuple(role.log[1 : role.commit + 1]) for role in replicas]
        return max(committed, key=len), committed, [done for client in clients for done in client.history]

    path = tmp_path / "market.db"
    before: tuple[Any, ...] = ()
    for _ in range(3):
        longest, each, done = lives(path, main, never(), rules=Rules(compact_every=500))
        assert longest[: len(before)] == before and len(longest) > len(before)
        assert all(entries == longest[: len(entries)] for entries in each)
        assert not [
            (a, b) for a in done for b in done if b.kind == "read" and b.began > a.ended and b.index < a.index
        ]
        before = longest


def test_a_replicated_auctioneer_sells_once_whatever_is_killed(tmp_path: Path) -> None:
    copies, bidders = ("h0", "h1", "h2"), ("ann", "ben", "cyd")

    async def main(market: Live, seconds: float) -> Any:
        market.add(Agent("house"))
        for name in copies:
            market.add(Agent(name))
            market.seat(name, Replica(tuple(peer for peer in copies if peer != name)), LOG)
            market.seat(name, Copy(House("lot", bidders), "house"), "market")
        for k, name in enumerate(bidders):
            market.add(Agent(name, money=10.0))
            market.seat(name, Bidder(copies, 4.0 + k), "market")
        await asyncio.sleep(seconds)
        return market.runtime.ledger.balances(), market.trace

    for k, span_s in enumerate((0.4, 0.7, 1.1, 1.6)):
        path = tmp_path / f"{k}.db"
        for _ in range(4):
            lives(path, partial(main, seconds=span_s), never())
        balances, trace = lives(path, partial(main, seconds=18.0), never())
        awards = [row for row in trace if row.kind == "award"]
        assert len(awards) == 1
        winner, price = awards[0].details["line"]["winner"], awards[0].details["line"]["price"]
        assert balances[winner] == 10.0 - price
        assert sum(balances[name] for name in bidders) == 30.0 - price
