"""A wide market on one core: ``python -m benchmarks.scale [--asked N] [--errands N] [--json] [--quick]``.

10,000 errands come up all over a town of 1,000 couriers; only the nearest 100 are asked about each (the eligibility
filter). CPU time of this thread per message is compared with that of the rounds of `benchmarks.engine` at N = 1,000, taken
in turns in the same process. Memory is the peak of the whole process, with the trace kept.
"""

import argparse
import gc
import json
import sys
import time
from collections.abc import Sequence
from math import hypot, inf
from statistics import fmean
from typing import Any, ClassVar, NamedTuple

import numpy as np
from rich.console import Console

from benchmarks.engine import OurSide
from benchmarks.market import make_market
from contractnet import ContractNet, Propose
from walras.agents import Agent
from walras.allocation import Report
from walras.items import Task
from walras.scenario import Arrival, Instance, Scenario
from walras.simulation import Simulation
from walras.simulation.clock import LOOK

DESK = "desk"
SPEED = 0.01
"""Widths of the town per second."""
ENGINE_N, ENGINE_ROUNDS, SLICES = 1_000, 6, 7
RULES = ContractNet(reply_within_s=1.0, result_within_s=900.0)


class Town(Scenario, frozen=True, kw_only=True):
    """Errands at random places of the unit square, and couriers who each do one at a time.

    An errand costs its courier what it takes: the way there and back at `SPEED`, and a minute. `load` is the share of
    time that all couriers together would be busy if the nearest did each errand.
    """

    name: ClassVar[str] = "town"

    tasks: int = 10_000
    agents: int = 1_000
    top: int = 100
    load: float = 0.5
    within_s: float = 1_800.0

    def draw(self, seed: int) -> "TownInstance":
        return TownInstance(self, seed)


class Errand(Task, frozen=True):
    """Something to be done at a place."""

    x: float = 0.0
    y: float = 0.0


class Courier(NamedTuple):
    """Where somebody lives; as a strategy, it proposes its true cost and says when it could be done."""

    x: float
    y: float

    def seconds(self, errand: Errand) -> float:
        """How long the errand takes it, which is also what it costs."""
        return 60.0 + 2.0 * hypot(self.x - errand.x, self.y - errand.y) / SPEED

    def propose(self, question: Any, agent: Agent) -> Propose:
        seconds, free = self.seconds(question.task), agent.free_slots
        eta_s = seconds if free > 0 else seconds * (2 - free)  # who is busy does it after what it has to do
        return Propose(seconds, eta_s, 1.0, question.valid_until)


class TownInstance(Instance):
    """One drawn town: who lives where, and what comes up when and where."""

    def __init__(self, settings: Town, seed: int) -> None:
        rng = np.random.default_rng(seed)
        homes, places = rng.random((settings.agents, 2)), rng.random((settings.tasks, 2))
        names = np.array([f"c{k}" for k in range(settings.agents)])
        gap_s = 70.0 / (settings.load * settings.agents)  # an errand nearby takes some 70 s
        times = np.cumsum(rng.exponential(gap_s, settings.tasks)).tolist()
        arrivals = []
        for k, (x, y) in enumerate(places.tolist()):
            away = np.hypot(homes[:, 0] - x, homes[:, 1] - y)
            nearest = np.sort(np.argpartition(away, settings.top - 1)[: settings.top])
            errand = Errand(f"errand-{k}", price_of_waiting=1.0, x=x, y=y)
            asked = tuple(names[nearest].tolist())
            arrivals.append(Arrival(times[k], (errand,), DESK, asked, times[k] + settings.within_s))
        self.couriers = {
            name: Courier(*home) for name, home in zip(names.tolist(), homes.tolist(), strict=True)
        }
        agents = [Agent(name, courier.propose) for name, courier in self.couriers.items()]
        super().__init__([Agent(DESK, capacity=0), *agents], arrivals, seed=seed)

    def work(self, task: Task, agent: str) -> Report:
        assert isinstance(task, Errand)
        seconds = self.couriers[agent].seconds(task)
        return Report("done", cost=seconds, quality=1.0, seconds=seconds)


def engine_us(rounds: int = ENGINE_ROUNDS) -> float:
    """CPU microseconds per message of the engine benchmark's rounds at N = 1,000."""
    market = make_market(ENGINE_N, rounds)
    side = OurSide(market)
    gc.collect()
    before = time.thread_time()
    side.run()
    return 1e6 * (time.thread_time() - before) / market.messages


class Stopwatch:
    """CPU seconds of a run; it stands still now and then for rounds of the engine benchmark."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.engine_us: list[float] = []
        self.since = time.thread_time()

    def stand_still(self, _: object = None) -> None:
        """Time the engine's rounds, and not as the run's."""
        self.seconds += time.thread_time() - self.since
        self.engine_us.append(engine_us())
        self.since = time.thread_time()


def measure(town: Town, seed: int = 7) -> dict[str, Any]:
    """All numbers by name. The ratio is of the whole run, its result included, to the engine's rounds between its slices."""
    simulation = Simulation(town, RULES, seed=seed)
    assert simulation.instance is not None
    end_s = simulation.instance.arrivals[-1].at
    gc.collect()
    watch = Stopwatch()
    for k in range(1, SLICES):
        simulation.env.watch_at(end_s * k / SLICES, LOOK, watch.stand_still, None)
    result = simulation.run(progress=False)
    watch.stand_still()
    sent = simulation.world.trace.messages
    us = 1e6 * watch.seconds / sent
    return {
        "tasks": town.tasks,
        "agents": town.agents,
        "top": town.top,
        "completed": int(result.metrics["completed"] or 0),
        "messages": sent,
        "seconds": round(watch.seconds, 2),
        "us_per_message": round(us, 2),
        "engine_us_per_message": round(fmean(watch.engine_us), 2),
        "ratio_to_engine": round(us / fmean(watch.engine_us), 2),
        "peak_mb": round(peak_mb()),
        "digest": result.digest,
    }


def peak_mb() -> float:
    """The most memory that this process has had at once, megabytes; infinite where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return inf
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.add_argument("--quick", action="store_true", help="1,000 errands and 200 couriers: seconds")
    parser.add_argument("--asked", type=int, metavar="N", default=100, help="asked about each errand (100)")
    parser.add_argument("--errands", type=int, metavar="N", help="how many come up (10,000; quick: 1,000)")
    options = parser.parse_args(arguments)
    couriers, errands = (200, 1_000) if options.quick else (1_000, 10_000)
    if options.errands is not None:
        errands = options.errands
    if errands < 1:
        parser.error(f"--errands is {errands}; expected 1 or more")
    if not 1 <= options.asked <= couriers:
        parser.error(f"--asked is {options.asked}; expected 1 to {couriers:,}, the couriers there are")
    found = measure(Town(tasks=errands, agents=couriers, top=options.asked))
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        for name, value in found.items():
            Console().print(
                f"{name:>22}  {value:,}" if isinstance(value, int | float) else f"{name:>22}  {value}"
            )


if __name__ == "__main__":
    main()
