"""A live market as a program of its own, and a nursery that starts it again and again and kills it with SIGKILL.

``python -m tests.live.killed_program FOLDER RUNS SEED`` prints one JSON line per run. The nursery forks, so that a new life
does not cost the imports again.
"""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

from contractnet import ContractNet
from walras.agents import Agent
from walras.items import Task
from walras.live.audit import verify
from walras.live.live import Live
from walras.live.settings import Rules

TASKS = 8
MONEY = 1000.0
WORK_S = 0.004
AUDIT = "market.audit"


class Receiver:
    """Does work in truth, once per key: its file outlives every process."""

    def __init__(self, folder: Path) -> None:
        self.done, self.calls = folder / "done", folder / "calls"

    async def work(self, task: Task, key: str) -> str:
        _append(self.calls, key)
        await asyncio.sleep(WORK_S)
        if key not in _lines(self.done):
            _append(self.done, key)
        return "done"


def _append(path: Path, line: str) -> None:
    file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.write(file, f"{line}\n".encode())
    os.close(file)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


async def program(folder: Path) -> dict[str, Any]:
    """What a user writes: the same in every life."""
    receiver = Receiver(folder)
    rules = Rules(compact_every=60, audit=folder / AUDIT)
    async with Live(seed=1, journal=folder / "market.db", rules=rules) as market:
        market.add(Agent("house", money=MONEY, capacity=0))
        for k in range(3):
            market.add(Agent(f"w{k}", costs={"job": 2.0 + k}, capacity=2, money=0.0), receiver.work)
        net = ContractNet(valid_for_s=60.0)
        tasks = [Task(f"t{k}", kind="job", reserve=40.0) for k in range(TASKS)]
        results = [await market.run(net, [task], within_s=120.0) for task in tasks[: TASKS // 2]]
        results += await asyncio.gather(
            *(market.run(net, [task], within_s=120.0) for task in tasks[TASKS // 2 :])
        )
        ledger = market.runtime.ledger
        return {
            "statuses": [result.records[0].status for result in results],
            "awards": [result.records[0].awards for result in results],
            "paid": [result.records[0].paid for result in results],
            "balances": ledger.balances(),
            "conserved": ledger.conserved(),
            "facts": len(market.trace),
        }


def live(folder: Path, kill_after_s: float | None) -> bool:
    """One life in a process of its own; false if it was killed before its end."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            found = asyncio.run(program(folder))
            (folder / "result.new").write_text(json.dumps(found))
            (folder / "result.new").rename(folder / "result.json")
            code = 0
        finally:
            os._exit(code)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status):
        raise SystemExit("the program failed")
    return not os.WIFSIGNALED(status)


def one_run(folder: Path, dice: Random, span_s: float) -> dict[str, Any]:
    """Kill it up to four times at points of its life that nobody has chosen, then let it come to its end."""
    folder.mkdir()
    kills = 0
    while kills < 4 and not live(folder, dice.uniform(0.0, 0.7 * span_s)):
        kills += 1
    if not (folder / "result.json").exists():
        live(folder, None)
    receiver = Receiver(folder)
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    trail = verify(folder / AUDIT)
    found |= {"audit": [str(finding) for finding in trail.findings], "audited": trail.facts}
    return {**found, "kills": kills, "done": _lines(receiver.done), "calls": _lines(receiver.calls)}


def main() -> None:
    folder, runs, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    calm = folder / "calm"
    calm.mkdir()
    began = time.perf_counter()
    live(calm, None)
    span_s = time.perf_counter() - began
    for number in range(runs):
        print(json.dumps(one_run(folder / str(number), Random(seed * 10_000 + number), span_s)), flush=True)


if __name__ == "__main__":
    main()
