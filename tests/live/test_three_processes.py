"""A Contract Net among three processes: the manager here, contractors in two others, one of which is killed at its work."""

import asyncio
import time
from pathlib import Path

from tests.live.lines import SECRET, until
from tests.live.processes import Program, running
from tests.live.shop_program import RULES, SHOPS
from walras.items import Task
from walras.live import Live, Rules
from walras.live.wire import Peer, Wire
from walras.results import Result

TASKS = 10


async def lived(folder: Path) -> tuple[list[Result], int, dict[str, float]]:
    epoch = time.time()
    rules = Rules(secret=SECRET, epoch=epoch)
    async with Live(rules=rules) as market:
        for agent in (each for agents in SHOPS.values() for each in agents):
            market.add_absentee(agent, money=0.0)
        peers = {name: Peer(agents=agents) for name, agents in SHOPS.items()}
        async with Wire(market, "office", peers, listen="ws://127.0.0.1:0") as wire:
            shops = {
                name: Program("-m", "tests.live.shop_program", name, folder, epoch, wire.url)
                for name in SHOPS
            }
            east = shops["east"]
            async with running(list(shops.values())):
                await until(lambda: set(wire.status.values()) == {"connected"})
                crew = [agent for agents in SHOPS.values() for agent in agents]
                each = [
                    market.run(RULES, [Task(f"t{k}", kind="job")], within_s=120.0, participants=crew)
                    for k in range(TASKS)
                ]
                results = asyncio.gather(*each)
                await until(lambda: east.said)
                begun = len(east.said)
                await east.kill()
                await until(lambda: wire.status["east"] != "connected")
                await east.start()
                return await results, begun, market.runtime.ledger.balances()


def test_a_contractor_that_is_killed_at_work_comes_back_and_every_task_is_done_once(tmp_path: Path) -> None:
    results, begun, balances = asyncio.run(lived(tmp_path))
    assert begun >= 1
    assert [result.records[0].status for result in results] == ["done"] * TASKS
    assert [result.records[0].awards for result in results] == [1] * TASKS
    done = (tmp_path / "done").read_text().splitlines()
    assert sorted(done) == sorted(
        f"house/{k + 1}/{result.records[0].winner}#t{k}" for k, result in enumerate(results)
    )
    assert any(result.records[0].winner in SHOPS["east"] for result in results)
    for agent in (each for agents in SHOPS.values() for each in agents):
        earned = [r.records[0].paid for r in results if r.records[0].winner == agent]
        assert balances[agent] == sum(earned)
