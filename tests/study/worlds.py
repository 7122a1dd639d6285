"""Small worlds for tests of studies: quick to draw, and made to go wrong where a test wants it."""

import os
from collections.abc import Mapping
from typing import ClassVar

from walras.agents import Agent, Estimate, MarketView
from walras.allocation import Report
from walras.baselines import Choose, Greedy
from walras.items import Task
from walras.messages import AgentId
from walras.randomness import stream
from walras.scenario import Arrival, Instance, Optimum, Scenario


class Errands(Scenario, frozen=True, kw_only=True):
    """Five errands for two runners; `trouble` strikes at the third errand of the seeds in `troubled`."""

    name: ClassVar[str] = "errands"

    trouble: str = ""
    troubled: tuple[int, ...] = ()
    worth: float = 10.0

    def draw(self, seed: int) -> Instance:
        return Errand(self, seed)


class Errand(Instance):
    def __init__(self, settings: Errands, seed: int) -> None:
        self.settings = settings
        tasks = [Task(f"errand-{k}", "errand") for k in range(1, 6)]
        arrivals = [
            Arrival(float(k), (task,), "boss", ("ada", "bob"), k + 50.0) for k, task in enumerate(tasks)
        ]
        agents = [
            Agent("boss", capacity=0, operator=True),
            Agent("ada", costs=_cost_of_ada, capacity=2),
            Agent("bob", costs=_cost_of_bob),
        ]
        super().__init__(agents, arrivals, seed=seed)

    def work(self, task: Task, agent: AgentId) -> Report:
        if self.seed in self.settings.troubled and task.id == "errand-3":
            _strike(self.settings.trouble)
        seconds = stream(self.seed, "work", task.id, agent).uniform(1.0, 3.0)
        return Report("done", cost=1.0 if agent == "ada" else 2.0, quality=1.0, seconds=seconds)

    def value(self, task: Task, report: Report, latency_s: float) -> float:
        return self.settings.worth - latency_s

    def optimum(self) -> Optimum | None:
        _COUNT.append(self.seed)
        return Optimum(5 * (self.settings.worth - 1.0), exact=False, method="nobody waits")


_COUNT: list[int] = []
"""Seeds of the optima that this process has computed."""


def optima_computed() -> list[int]:
    """The seeds of which an optimum has been computed since this was last asked."""
    found = list(_COUNT)
    _COUNT.clear()
    return found


def _strike(trouble: str) -> None:
    if trouble == "raise":
        raise RuntimeError("the third errand\nis too much")
    if trouble == "ctrl-c":
        raise KeyboardInterrupt
    if trouble == "die":
        os._exit(13)


def _cost_of_ada(task: Task) -> Estimate:
    return Estimate(1.0, 1.0, 2.0)


def _cost_of_bob(task: Task) -> Estimate:
    return Estimate(2.0, 1.0, 2.0)


class BobFirst(Greedy, frozen=True):
    """Whatever it is, bob does it; with `trouble` it raises at the third errand."""

    trouble: bool = False
    protocol: ClassVar[str] = "x-bob-first"

    def pick(
        self, question: Choose, feasible: Mapping[AgentId, Estimate], market: MarketView, agent: Agent
    ) -> AgentId | None:
        return "bob"


def by_size(task: Task, proposals: Mapping[AgentId, object]) -> Mapping[AgentId, float]:
    """An award rule of a user's own: all are equal."""
    return dict.fromkeys(proposals, task.size)


def no_place() -> object:
    """An award rule that no settings file can name."""
    return lambda task, proposals: dict.fromkeys(proposals, 0.0)
