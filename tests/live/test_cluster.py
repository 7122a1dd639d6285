"""A Raft cluster of three processes, each with its SQLite file, whose leaders are killed with SIGKILL."""

import asyncio
import time
from pathlib import Path
from random import Random
from typing import Any

from consensus.linearizability import KEY_VALUE, check, operations_of
from consensus.raft.kv import described
from consensus.raft.sessions import Client, history
from docs.raft_process import CLIENTS, CLUSTER, COMMANDS, SECRET
from tests.consensus.worlds import operations
from tests.live.lines import until
from tests.live.processes import Program, free_ports, running
from walras.live import Live, Rules
from walras.live.wire import Wire

MANY = 10_000
"""More operations than a client comes to."""


async def lived(folder: Path) -> tuple[list[Client], dict[str, Program], list[str]]:
    """What two clients see of a cluster whose leader is killed, and comes back, twice."""
    epoch, ports = time.time(), dict(zip(CLUSTER.members, free_ports(3), strict=True))
    programs = {name: Program("docs/raft_process.py", name, folder, epoch, *ports.values()) for name in ports}
    killed: list[str] = []
    async with running(list(programs.values())), Live(rules=Rules(secret=SECRET, epoch=epoch)) as market:
        for name in CLIENTS:
            CLUSTER.seat_client(market, name, *operations(name, MANY, Random(name)), pause_s=0.02)
        peers = {name: f"ws://127.0.0.1:{port}" for name, port in ports.items()}
        async with Wire(market, "clients", peers, types=COMMANDS):
            found: list[Any] = [market.role(CLUSTER.conversation, name) for name in CLIENTS]
            await progress(found)
            for _ in range(2):
                leader = await leading(programs)
                killed.append(leader)
                await died_and_came_back(programs[leader], found)
            newest = max(program.state["applied"] for program in programs.values())
            await until(lambda: min(program.state["applied"] for program in programs.values()) >= newest)
            return found, programs, killed


async def progress(clients: list[Client]) -> None:
    """Until each client has had ten more answers."""
    least = [len(client.calls) + 10 for client in clients]
    await until(lambda: all(len(client.calls) > n for client, n in zip(clients, least, strict=True)))


async def died_and_came_back(program: Program, clients: list[Client]) -> None:
    """Killed; the others go on; and what it had applied it knows again."""
    applied = program.state["applied"]
    await program.kill()
    await progress(clients)
    await program.start()
    await until(lambda: program.state.get("applied", 0) >= applied)
    await progress(clients)


async def leading(programs: dict[str, Program]) -> str:
    """Who leads in the highest term that anybody leads in."""

    def found() -> list[tuple[int, str]]:
        return [(p.state["term"], name) for name, p in programs.items() if p.state.get("leads")]

    await until(found)
    return max(found())[1]


def test_three_processes_elect_replicate_and_survive_the_death_of_their_leaders(tmp_path: Path) -> None:
    clients, programs, killed = asyncio.run(lived(tmp_path))
    assert len(killed) == 2
    assert [programs[name].said[0]["life"] for name in programs] == [killed.count(name) for name in programs]
    assert all((tmp_path / f"{name}.db").stat().st_size > 0 for name in programs)
    verdict = check(operations_of(history(clients, described).events), KEY_VALUE)
    assert verdict.linearizable, verdict
