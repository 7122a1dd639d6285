"""Sealed bids at scale: ``python -m benchmarks.sealed [--json] [--quick]``.

Tasks come one by one and are given to the lowest of all agents' bids, which rise with what an agent has already won:
10,000 tasks and 10,000 agents by `auctions.bulk.assign`, on NumPy alone. At a size that both can do, the same market is
run with messages; winners and prices must agree to the last bit, or there is no result. CPU time of this thread; the
fast side is repeated, and the median shown.
"""

import argparse
import gc
import json
import time
import tracemalloc
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, ClassVar

from rich.console import Console

from auctions.bulk import Assigned, Rates, assign
from auctions.clearing import first_price
from auctions.sealed import SealedBid
from auctions.shading import LoadPriced
from walras.agents import Agent, CostTable
from walras.allocation import Report
from walras.items import Task
from walras.randomness import uniforms
from walras.scenario import Arrival, Instance, Scenario
from walras.simulation import Simulation

DESK, GAP_S, SURCHARGE, KINDS, REPEATS = "desk", 5.0, 0.05, 20, 5
RULES = SealedBid(first_price, result_within_s=1e8, attempts=1)


class Errands(Scenario, frozen=True, kw_only=True):
    """Tasks of 20 kinds, one every 5 s; agents have a cost for each kind, and work for longer than the run."""

    name: ClassVar[str] = "errands"

    tasks: int = 10_000
    agents: int = 10_000

    def draw(self, seed: int) -> "ErrandsInstance":
        return ErrandsInstance(self, seed)


def rates(town: Errands, seed: int) -> Rates:
    """The same numbers for both sides."""
    return Rates(
        1.0 + uniforms(seed, "rates", size=KINDS * town.agents).reshape(KINDS, town.agents),
        (KINDS * uniforms(seed, "kinds", size=town.tasks)).astype(int),
        0.5 + 1.5 * uniforms(seed, "sizes", size=town.tasks),
    )


class ErrandsInstance(Instance):
    """One drawn market, as agents and arrivals."""

    def __init__(self, town: Errands, seed: int) -> None:
        drawn, kinds = rates(town, seed), [str(kind) for kind in range(KINDS)]
        names = tuple(f"agent-{k:05}" for k in range(town.agents))
        agents = [
            Agent(
                name,
                LoadPriced(SURCHARGE),
                costs=CostTable(dict(zip(kinds, costs, strict=True)), per_size=True),
                capacity=town.tasks,
            )
            for name, costs in zip(names, drawn.per_size.T.tolist(), strict=True)
        ]
        arrivals = [
            Arrival(GAP_S * k, (Task(f"task-{k}", kind=str(kind), size=size),), DESK, names, 1e9)
            for k, (kind, size) in enumerate(zip(drawn.kinds.tolist(), drawn.sizes.tolist(), strict=True))
        ]
        super().__init__([Agent(DESK, capacity=0), *agents], arrivals, seed=seed)

    def work(self, task: Task, agent: str) -> Report:
        return Report("done", quality=1.0, seconds=1e6)


def in_bulk(town: Errands, seed: int) -> Assigned:
    return assign(rates(town, seed), town.tasks, town.agents, surcharge=SURCHARGE)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of this thread, and what came of it."""
    gc.collect()
    before = time.thread_time()
    found = work()
    return time.thread_time() - before, found


def peak_mb(town: Errands, seed: int) -> float:
    """The most memory that `assign` has beside its inputs, megabytes."""
    drawn = rates(town, seed)
    tracemalloc.start()
    assign(drawn, town.tasks, town.agents, surcharge=SURCHARGE)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return peak


def measure(large: Errands, small: Errands, seed: int = 7) -> dict[str, Any]:
    """All numbers by name."""
    simulation = Simulation(small, RULES, seed=seed)
    messages_s, result = timed(lambda: simulation.run(progress=False))
    bulk_s = median(timed(lambda: in_bulk(small, seed))[0] for _ in range(REPEATS))
    found = in_bulk(small, seed)
    lines = [result.allocation[f"task-{k}"] for k in range(small.tasks)]
    assert [line.winner for line in lines] == [f"agent-{w:05}" for w in found.winners]
    assert [line.price for line in lines] == found.prices.tolist()
    seconds = median(timed(lambda: in_bulk(large, seed))[0] for _ in range(REPEATS))
    return {
        "tasks": large.tasks,
        "agents": large.agents,
        "seconds": round(seconds, 3),
        "ns_per_bid": round(1e9 * seconds / (large.tasks * large.agents), 2),
        "peak_mb": round(peak_mb(large, seed), 1),
        "busiest": int(in_bulk(large, seed).loads.max()),
        "both_tasks": small.tasks,
        "both_agents": small.agents,
        "messages": int(result.metrics["messages"] or 0),
        "messages_seconds": round(messages_s, 2),
        "bulk_seconds": round(bulk_s, 5),
        "ratio": round(messages_s / bulk_s),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sealed", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.add_argument(
        "--quick", action="store_true", help="1,000 by 1,000, and 40 by 40 with messages: a second"
    )
    given = parser.parse_args(arguments)
    large, small = (
        (Errands(tasks=1000, agents=1000), Errands(tasks=40, agents=40))
        if given.quick
        else (Errands(), Errands(tasks=200, agents=300))
    )
    found = measure(large, small)
    if given.json:
        print(json.dumps(found, indent=2))
        return
    console = Console(highlight=False)
    console.print(
        f"{found['tasks']:,} tasks by {found['agents']:,} agents: {found['seconds']} s, {found['ns_per_bid']} ns a bid, "
        f"{found['peak_mb']} MB; the busiest agent gets {found['busiest']}"
    )
    console.print(
        f"{found['both_tasks']} by {found['both_agents']}, the same winners and prices: {found['messages_seconds']} s with "
        f"{found['messages']:,} messages, {1e3 * found['bulk_seconds']:.2f} ms in bulk, {found['ratio']} times as fast"
    )


if __name__ == "__main__":
    main()
