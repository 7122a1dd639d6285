"""The same replicas live: what was acknowledged is there after the whole program was started again."""

import asyncio
from pathlib import Path
from typing import Any

from consensus.raft.cluster import Cluster
from consensus.raft.kv import Append, Get, Put
from consensus.raft.service import Query, Redirect, Reply
from tests.live.test_journal import lives, never
from tests.live.worlds import in_market
from walras.agents import Agent
from walras.live import Live, Rules
from walras.protocol import Protocol, on

CLUSTER = Cluster(("r1", "r2", "r3"))
CALLS = (Put("x", "1"), Append("x", "2"), Get("x"))


def test_a_cluster_runs_live() -> None:
    async def main(market: Live) -> Any:
        CLUSTER.seat(market)
        CLUSTER.seat_client(market, "ada", *CALLS)
        await asyncio.sleep(10.0)
        ada: Any = market.role("raft", "ada")
        return [call.result for call in ada.calls], CLUSTER.leader(market)

    results, leader = in_market(main, seed=3)
    assert results == [None, None, "12"]
    assert leader in CLUSTER.members


class Reader(Protocol):
    """Asks until somebody answers."""

    result: str = ""

    def on_start(self) -> None:
        self.on_timer("ask")

    def on_timer(self, name: str) -> None:
        self.broadcast(CLUSTER.members, Query(1, Get("x")))
        self.set_timer("ask", self.now + 1.0)

    @on(Reply)
    def hear(self, sender: str, message: Reply) -> None:
        self.result = str(message.result)

    @on(Redirect)
    def turn(self, sender: str, message: Redirect) -> None:
        """We ask again anyhow."""


def test_what_was_acknowledged_outlives_the_program(tmp_path: Path) -> None:
    async def write(market: Live) -> Any:
        CLUSTER.seat(market)
        CLUSTER.seat_client(market, "ada", *CALLS)
        await asyncio.sleep(10.0)
        return [role.status().hard_state.term for role in CLUSTER.replicas(market).values()]

    async def read(market: Live) -> Any:
        CLUSTER.seat(market)
        market.add(Agent("ada"))
        market.add(Agent("bob"))
        market.seat("bob", Reader(), "raft")
        await asyncio.sleep(10.0)
        bob: Any = market.role("raft", "bob")
        replicas = CLUSTER.replicas(market).values()
        return bob.result, [role.status().hard_state.term for role in replicas]

    path = tmp_path / "market.db"
    before = lives(path, write, never(), rules=Rules(compact_every=500))
    found, after = lives(path, read, never(), rules=Rules(compact_every=500))
    assert found == "12"
    assert min(after) > max(before), "they have held an election since, in a term that nobody had seen"
