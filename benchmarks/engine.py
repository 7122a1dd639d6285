"""The engine against SimPy and Mesa on the same Contract Net market: ``python -m benchmarks.engine [--json] [--quick]``.

All sides run in one process, one after the other in every repeat; CPU time of this thread; garbage collected before
each sample. Each repeat gives a ratio, and the median over the repeats is shown. The sides must agree on every winner
and on the instant of the last outcome, or there is no result.

`Simulation.run` has garbage collected seldom, SimPy and Mesa leave that to Python's defaults. So each rival runs twice in a
repeat: as its users have it, and with the collector as patient as ours (``..._same_gc``).
"""

import argparse
import gc
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.market import GAP_S, LATENCY, MANAGER, Market, Shown, Side, make_market
from benchmarks.memory import bytes_in_flight, bytes_per_agent
from benchmarks.rival_callbacks import SimpyCallbacks
from benchmarks.rival_mesa import MesaEvents
from benchmarks.rival_processes import GatheringProcesses, SimpyProcesses, TunedProcesses
from contractnet import ContractNet, Propose, cheapest
from walras.agents import Agent
from walras.items import Task
from walras.simulation import Network, Simulation
from walras.simulation.simulation import patient_collector

RULES = ContractNet(
    reply_within_s=0.2, cancel_within_s=0.05, margin_s=0.05, announcements=1, award_rule=cheapest
)  # all durations fit into a round's `GAP_S`


class OurSide:
    """The simulator as users have it: the standard roles, every promise kept, trace and digest on."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.costs = {
            str(r): dict(zip(market.contractors, costs, strict=True)) for r, costs in enumerate(market.costs)
        }
        self.simulation = Simulation(seed=market.seed, network=Network(latency=LATENCY))
        self.simulation.add(Agent(MANAGER))
        for contractor in market.contractors:
            self.simulation.add(Agent(contractor, self.propose))
        self.open(range(1))
        self.result = self.simulation.run(progress=False)

    def propose(self, question: Any, agent: Agent) -> Propose:
        """Every contractor's strategy: what the market says. The rivals' contractors, too, look their price up in its table."""
        return Propose(self.costs[question.task.kind][agent.id], valid_until=question.valid_until)

    def open(self, rounds: range) -> None:
        for r in rounds:
            self.simulation.open(
                RULES,
                [Task(f"task-{r}", str(r))],
                opener=MANAGER,
                participants=self.market.contractors,
                at=r * GAP_S,
                finish_by=(r + 1) * GAP_S,
            )

    def run(self) -> None:
        self.open(range(1, self.market.rounds + 1))
        self.result = self.simulation.run(progress=False)

    def shown(self) -> Shown:
        winners = tuple(line.winner or "" for line in self.result.allocation.lines)
        return Shown(winners, max(self.simulation.world.ended_at.values()))


class Patient:
    """A rival with the garbage collector as our side has it."""

    def __init__(self, side: type[Side], market: Market) -> None:
        self.side = side(market)

    def run(self) -> None:
        with patient_collector():
            self.side.run()

    def shown(self) -> Shown:
        return self.side.shown()


RIVALS: dict[str, type[Side]] = {
    "simpy": SimpyProcesses,
    "gathering": GatheringProcesses,
    "tuned": TunedProcesses,
    "callbacks": SimpyCallbacks,
    "mesa": MesaEvents,
}
SAME_GC: dict[str, Callable[[Market], Side]] = {name: partial(Patient, side) for name, side in RIVALS.items()}


class Sizes(NamedTuple):
    """How much is run: timed rounds by number of contractors, and how often each side runs them."""

    rounds: dict[int, int]
    repeats: int
    in_flight: int
    agents: int


FULL = Sizes({10: 300, 100: 60, 1000: 10}, repeats=15, in_flight=50_000, agents=5_000)
QUICK = Sizes({10: 60, 100: 15, 1000: 2}, repeats=5, in_flight=5_000, agents=500)


def sample(side: Callable[[Market], Side], market: Market) -> tuple[float, Shown]:
    """CPU seconds of one side's timed rounds, and what it showed."""
    running = side(market)
    gc.collect()
    before = time.thread_time()
    running.run()
    return time.thread_time() - before, running.shown()


def compare(
    market: Market, repeats: int, sides: dict[str, Callable[[Market], Side]]
) -> dict[str, list[float]]:
    """CPU seconds per repeat and side, taken in turns.

    Raises:
        AssertionError: if the sides disagree on a winner or on the instant of the last outcome.
    """
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        agreed: Shown | None = None
        for name, side in sides.items():
            seconds, shown = sample(side, market)
            agreed = agreed or shown
            assert len(shown.winners) == market.rounds + 1, f"{name} ended {len(shown.winners)} rounds"
            assert shown == agreed, f"{name} shows {shown}, the first side {agreed}"
            times[name].append(seconds)
    return times


def measure(sizes: Sizes) -> dict[str, float]:
    """All numbers by name: throughput of ours over each rival's, our messages per second, and bytes."""
    found: dict[str, float] = {}
    gc.collect()
    gc.freeze()  # else SimPy's users would pay for collecting what this program has imported
    try:
        for size, rounds in sizes.rounds.items():
            found |= ratios(make_market(size, rounds), sizes.repeats)
    finally:
        gc.unfreeze()
    found |= bytes_in_flight(sizes.in_flight)
    found["bytes_per_agent"] = round(bytes_per_agent(sizes.agents))
    return found


def ratios(market: Market, repeats: int) -> dict[str, float]:
    """The numbers of one market by name: our messages per second, and throughput of ours over each rival's."""
    size = len(market.contractors)
    again = {f"{name}_same_gc": side for name, side in SAME_GC.items()}
    times = compare(market, repeats, {"ours": OurSide, **RIVALS, **again})
    found: dict[str, float] = {f"messages_per_second_{size}": round(market.messages / median(times["ours"]))}
    for name in RIVALS:
        for kind in ("", "_same_gc"):
            pairs = zip(times[name + kind], times["ours"], strict=True)
            found[f"ratio_{name}_{size}{kind}"] = round(median(theirs / ours for theirs, ours in pairs), 2)
    return found


HEADS = ("SimPy", "gathering", "tuned", "callbacks", "Mesa")


def as_table(found: dict[str, float], sizes: Sizes) -> Table:
    """The numbers for people."""
    table = Table(title="How many times faster than the same market as ...")
    for head in ("N", *HEADS, "messages/s"):
        table.add_column(head, justify="right")
    for size in sizes.rounds:
        rows = [
            [f"{found[f'ratio_{name}_{size}{kind}']:.2f}" for name in RIVALS] for kind in ("", "_same_gc")
        ]
        table.add_row(str(size), *rows[0], f"{found[f'messages_per_second_{size}']:,.0f}")
        table.add_row("", *(f"({ratio})" for ratio in rows[1]), "")
    table.caption = (
        "in brackets: with garbage collected as seldom as by ours\n"
        f"{found['bytes_per_message']:.0f} bytes per message in flight beside the message, "
        f"{found['bytes_per_message_kept']:.0f} with the trace kept\n"
        f"({found['bytes_per_message_lossy']:.0f} and {found['bytes_per_message_lossy_kept']:.0f} "
        f"on a network that loses some); {found['bytes_per_agent']:.0f} per agent"
    )
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.add_argument(
        "--quick", action="store_true", help="few rounds and repeats: seconds, and more noise"
    )
    options = parser.parse_args(arguments)
    sizes = QUICK if options.quick else FULL
    found = measure(sizes)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        Console().print(as_table(found, sizes))


if __name__ == "__main__":
    main()
