"""A process with two contractors: ``python -m tests.live.shop_program NAME FOLDER EPOCH OFFICE``; prints each finished task.

Work is done in truth once per key: the file of keys outlives every process.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from contractnet import ContractNet
from tests.live.lines import SECRET
from walras.agents import Agent
from walras.items import Task
from walras.live import Live, Rules
from walras.live.wire import Peer, Wire

SHOPS = {"east": ("e0", "e1"), "west": ("w0", "w1")}
WORK_S = 0.25
RULES = ContractNet(reply_within_s=5.0, valid_for_s=60.0)


async def main(name: str, folder: Path, epoch: float, office: str) -> None:
    done = folder / "done"

    async def work(task: Task, key: str) -> str:
        print(json.dumps({"begun": key}), flush=True)
        await asyncio.sleep(WORK_S)
        if key not in (done.read_text().splitlines() if done.exists() else []):
            file = os.open(done, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
            os.write(file, f"{key}\n".encode())
            os.close(file)
        return "done"

    async with Live(journal=folder / f"{name}.db", rules=Rules(secret=SECRET, epoch=epoch)) as market:
        for k, agent in enumerate(SHOPS[name]):
            market.add(Agent(agent, costs={"job": 2.0 + k}, capacity=2), work)
        market.serve(RULES)
        async with Wire(market, name, {"office": Peer(office, ("house",))}):
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), sys.argv[4]))
