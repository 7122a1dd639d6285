"""What becomes of a market whose auctioneer falls?

A house buys work, one task after the other, from workers with private costs. At a drawn time the machine that runs its
auctions stops. The house has further machines, on which a mechanism may keep copies (`consensus.replicated`), or not.
Money is in one currency, time in seconds.
"""

import math
from math import fsum
from typing import ClassVar

from consensus.replicated import Replicated
from contractnet import ContractNet
from walras.agents import Agent, Estimate
from walras.allocation import Report
from walras.amounts import check_count, check_seconds, is_amount, is_number
from walras.errors import ScenarioError
from walras.items import Task
from walras.mechanism import Mechanism
from walras.messages import AgentId
from walras.randomness import stream
from walras.scenario import Arrival, Instance, Optimum, Scenario
from walras.simulation.faults import Crash, Faults
from walras.simulation.network import Network, Uniform

HOUSE = "house"
"""Who buys, and the machine that it runs its auctions on."""

MACHINES: tuple[AgentId, ...] = (HOUSE, "spare-1", "spare-2", "spare-3", "spare-4")
"""The machines that a house may run copies on: its own, which leads at first, and the spare ones."""


def compared(rules: Mechanism | None = None, machines: tuple[int, ...] = (3, 5)) -> dict[str, Mechanism]:
    """A mechanism (None: a Contract Net) as it is, and replicated on so many machines, by their names in tables."""
    rules = ContractNet(reply_within_s=4.0) if rules is None else rules
    copies = {f"{n} machines": Replicated(rules, MACHINES[:n]) for n in machines}
    return {"1 machine": rules, **copies}


class FallenAuctioneer(Scenario, frozen=True, kw_only=True):
    """Tasks to be done, and a house whose machine stops once, at a time that is drawn.

    A task is worth the same to the house whoever does it; what it costs a worker is uniform on [1, 10], and takes it
    `work_s` seconds on average. Workers do any number of tasks at once, so the optimum is the cheapest worker for each.

    Args:
        tasks: how many there are.
        workers: who may do them, all asked about every task.
        worth: what a task that is done is worth to the house.
        every_s: seconds between two tasks.
        work_s: mean seconds of work, drawn for each task and worker between a half and three halves of it.
        within_s: how long after it was announced a task has to be done, seconds.
        falls: whether the machine stops at all.
        down_s: how long it is down, seconds; infinite: for good.
        latency_s: the mean time of a message on its way, seconds; drawn between a half and three halves of it.

    Raises:
        ScenarioError: naming the field, its value and what was expected.
    """

    name: ClassVar[str] = "fallen-auctioneer"
    version: ClassVar[int] = 1

    tasks: int = 20
    workers: int = 6
    worth: float = 10.0
    every_s: float = 2.0
    work_s: float = 4.0
    within_s: float = 30.0
    falls: bool = True
    down_s: float = math.inf
    latency_s: float = 0.03

    def __post_init__(self) -> None:
        check_count(self, "tasks", "workers", most=1_000_000)
        for field in ("worth", "work_s", "latency_s"):
            if not is_amount(getattr(self, field)):
                raise ScenarioError(field, getattr(self, field), "a finite number of 0 or more")
        check_seconds(self, "every_s", "within_s")
        if not is_number(self.down_s, 0):
            raise ScenarioError("down_s", self.down_s, "seconds, or infinity for good")

    def draw(self, seed: int) -> "Season":
        return Season(self, seed)


fallen_auctioneer = FallenAuctioneer
"""The scenario, as it is called on the pages."""


class Season(Instance):
    """One drawn season, and the moment of the fall."""

    def __init__(self, settings: FallenAuctioneer, seed: int) -> None:
        self.settings = settings
        width = len(str(settings.workers))
        self.names = tuple(f"worker-{k + 1:0{width}}" for k in range(settings.workers))
        tasks = [Task(f"task-{k + 1}", reserve=settings.worth) for k in range(settings.tasks)]
        self.truth = {
            (task.id, name): self._drawn(seed, task.id, name) for task in tasks for name in self.names
        }
        workers = [
            Agent(
                name,
                costs={task.id: self.truth[task.id, name] for task in tasks},
                capacity=settings.tasks,
            )
            for name in self.names
        ]
        arrivals = [
            Arrival(
                k * settings.every_s, (task,), HOUSE, self.names, k * settings.every_s + settings.within_s
            )
            for k, task in enumerate(tasks)
        ]
        machines = [Agent(name, capacity=0, operator=True) for name in MACHINES]
        busy_s = settings.tasks * settings.every_s
        self.falls_at_s = stream(seed, "fall").uniform(0.0, busy_s)
        crash = Crash(HOUSE, self.falls_at_s, settings.down_s)
        super().__init__(
            [*machines, *workers],
            arrivals,
            network=Network(latency=Uniform(settings.latency_s / 2, settings.latency_s * 1.5)),
            faults=Faults((crash,)) if settings.falls else Faults(),
            seed=seed,
        )

    def _drawn(self, seed: int, task: str, worker: AgentId) -> Estimate:
        rng = stream(seed, "work", task, worker)
        cost = 1.0 + 9.0 * rng.random()
        return Estimate(cost, 1.0, self.settings.work_s * (0.5 + rng.random()))

    def work(self, task: Task, agent: AgentId) -> Report:
        """As the worker expects."""
        true = self.truth[task.id, agent]
        return Report("done", cost=true.cost, quality=true.quality, seconds=true.seconds)

    def value(self, task: Task, report: Report, latency_s: float) -> float:
        return self.settings.worth

    def worth(self, task: Task, estimate: Estimate, wait_s: float = 0.0) -> float:
        return self.settings.worth - estimate.cost

    def optimum(self) -> Optimum:
        """Every task by whom it costs the least, if that gains anything."""
        least = [
            min(self.truth[arrival.items[0].id, name].cost for name in self.names)
            for arrival in self.arrivals
        ]
        gains = [self.settings.worth - cost for cost in least if cost < self.settings.worth]
        return Optimum(fsum(gains), exact=True, method="the cheapest worker for each task")
