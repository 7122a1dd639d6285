"""One process of a Raft cluster: ``python raft_process.py NAME FOLDER EPOCH PORT PORT PORT``.

It keeps its journal in FOLDER, listens at its own port, and prints a line of JSON whenever something has changed.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from consensus.raft.cluster import Cluster
from consensus.raft.kv import Append, Get, Put
from consensus.raft.machine import Refused
from consensus.raft.sessions import InSession, OpenSession, SessionExpired, WithSessions
from walras import Agent
from walras.live import Live, Peer, Rules, Wire

CLUSTER = Cluster(("r1", "r2", "r3"))
COMMANDS = (Put, Append, Get, Refused, OpenSession, InSession, SessionExpired, WithSessions)
CLIENTS = ("c1", "c2")
SECRET = b"shared by all processes, and by nobody else"


async def main(name: str, folder: Path, epoch: float, ports: dict[str, int]) -> None:
    """A market with one agent, its replica, and lines to the others; clients call us."""
    async with Live(journal=folder / f"{name}.db", rules=Rules(secret=SECRET, epoch=epoch)) as market:
        market.add(Agent(name))
        market.seat(name, CLUSTER.replica(), CLUSTER.conversation)
        urls = {member: f"ws://127.0.0.1:{port}" for member, port in ports.items()}
        listen = urls.pop(name)
        peers = {**{member: Peer(url) for member, url in urls.items()}, "clients": Peer(agents=CLIENTS)}
        async with Wire(market, name, peers, listen=listen, types=COMMANDS):
            shown = None
            while True:
                role: Any = market.role(CLUSTER.conversation, name)
                state = {
                    "life": role.incarnation,
                    "leads": bool(role.led),
                    "term": role.led,
                    "applied": role.applied,
                }
                if state != shown:
                    print(json.dumps(state), flush=True)
                    shown = state
                await asyncio.sleep(0.02)


if __name__ == "__main__":
    name, folder, epoch, *ports = sys.argv[1:]
    numbers = dict(zip(CLUSTER.members, map(int, ports), strict=True))
    asyncio.run(main(name, Path(folder), float(epoch), numbers))
