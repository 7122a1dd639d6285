"""Markets that run in simulation and live, and how to compare what happened."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from contractnet import ContractNet
from walras.agents import Agent, CostTable, Estimate
from walras.items import Item, Task
from walras.live.live import Live
from walras.mechanism import Mechanism
from walras.results import Result
from walras.simulation.latency import Constant
from walras.simulation.network import Network
from walras.simulation.simulation import Simulation
from walras.testing.virtual_time import run_virtually
from walras.trace import Trace

Event = tuple[Any, ...]


def workers(count: int = 5, capacity: int = 1) -> list[Agent]:
    """Agents with costs of their own, the cheapest in the middle."""
    costs = [CostTable({"job": Estimate(10.0 + abs(k - count // 2), 0.9, 2.0 + k)}) for k in range(count)]
    return [Agent(f"w{k}", costs=costs[k], capacity=capacity) for k in range(count)]


def tasks(count: int) -> list[Item]:
    return [Task(f"t{k}", kind="job", reserve=40.0) for k in range(count)]


def simulated(
    mechanism: Mechanism, agents: Iterable[Agent], items: Iterable[Item], latency_s: float = 0.0
) -> Result:
    """The market in simulation."""
    simulation = Simulation(seed=7, network=Network(latency=Constant(latency_s)))
    simulation.add(Agent("house", capacity=0))
    for agent in agents:
        simulation.add(agent)
    simulation.open(mechanism, items, "house", finish_by=60.0)
    return simulation.run()


def lived(mechanism: Mechanism, agents: Iterable[Agent], items: Iterable[Item]) -> Result:
    """The same market live, on virtual time."""

    async def main() -> Result:
        async with Live(seed=7, wall=asyncio.get_running_loop().time) as market:
            market.add(Agent("house", capacity=0))
            for agent in agents:
                market.add(agent)
            return await market.run(mechanism, items, 60.0)

    return run_virtually(main())


def by_role(trace: Trace) -> dict[tuple[str, str], list[Event]]:
    """What every role did and was told, in order, with its times; a runtime's own are numbers of messages, and the text of
    questions, which a simulation leaves out.
    """
    found: dict[tuple[str, str], list[Event]] = {}
    for row in trace:
        details = {name: value for name, value in row.details.items() if name not in {"id", "question"}}
        found.setdefault((row.conversation, row.agent), []).append((row.at, row.kind, details))
    return found


def order(trace: Trace) -> dict[tuple[str, str], list[str]]:
    """What every role did and was told, in order, without times and contents."""
    return {
        role: [f"{kind} {_what(details)}" for _, kind, details in events]
        for role, events in by_role(trace).items()
    }


def _what(details: dict[str, Any]) -> str:
    message = details.get("message") or details.get("outcome") or {}
    return f"{message.get('type', '')} {details.get('name', details.get('to', ''))}"


def in_market(main: Callable[[Live], Awaitable[Any]], **settings: Any) -> Any:
    """Do something in a live market on virtual time."""

    async def whole() -> Any:
        async with Live(wall=asyncio.get_running_loop().time, **settings) as market:
            return await main(market)

    return run_virtually(whole())


CONTRACT_NET = ContractNet(reply_within_s=2.0, margin_s=0.25)
