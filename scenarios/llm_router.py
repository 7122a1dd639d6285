"""Which LLM should take this task, and at what price?

Agents are language models with the quality, cost and speed of real recorded runs; tasks arrive as in real request
traces. An agent bids from what it knows of itself, the half of its runs that came first; what then happens is drawn
from the other half. Agents work on several tasks at once, tasks need one agent, and each is assigned as it comes:
MT-SR-IA in the taxonomy of Gerkey and Mataric (Int. J. Robotics Research 23(9), 2004).
"""

from collections.abc import Sequence
from functools import cached_property
from math import fsum
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from scenarios.llm_router_data import Arrivals, Request, Run, Runs, gap_at_load
from walras.agents import Agent, CostTable, Estimate
from walras.allocation import Report
from walras.amounts import check_count, is_number, is_whole
from walras.errors import ScenarioError
from walras.items import Task, are_names
from walras.messages import AgentId
from walras.randomness import stream
from walras.scenario import Arrival, Instance, Optimum, Scenario

ROUTER = "router"
EXACT_TASKS = 7
"""Up to so many tasks the optimum is exact; beyond, a proven bound."""

_MOST: dict[str, int] = {
    "tasks": 10_000_000, "slots": 1_000_000, "load": 10**6, "overstate": 10**6, "within_s": 10**12,
    "value_of_quality": 10**9, "price_of_waiting": 10**9,
}  # fmt: skip
"""Beyond these no setting means anything, and sums would overflow."""


class LLMRouter(Scenario, frozen=True, kw_only=True):
    """A stream of coding tasks and a population of language models. Money is in US dollars, time in seconds.

    Args:
        tasks: how many arrive.
        load: how fast they come, as a share of what all agents together can serve; above 1 queues grow.
        value_of_quality: what a task is worth at full score, in dollars.
        price_of_waiting: what each second from arrival to finish costs the requester, in dollars.
        models: the population; None: all 19 models with recorded prices.
        slots: how many tasks each model works on at once.
        liars: which models overstate: names, or how many (drawn by the seed).
        overstate: how much better a liar says it is: at 0.5 its quality is half as much again (1 at most), and it is
            half as fast again.
        invite: how many models are asked per task (those whose claims look best); None: all.
        within_s: how long after its arrival a task is given up.
        trace: whose arrivals: "conv" (smooth) or "code" (bursty).
        raw: a folder with the raw records; None: the shipped tables that were derived from them.

    Raises:
        ScenarioError: naming the field, its value and what was expected.
    """

    name: ClassVar[str] = "llm-router"
    version: ClassVar[int] = 1

    tasks: int = 200
    load: float = 1.0
    value_of_quality: float = 0.02
    price_of_waiting: float = 0.0001
    models: tuple[str, ...] | None = None
    slots: int = 4
    liars: int | tuple[str, ...] = 0
    overstate: float = 0.5
    invite: int | None = None
    within_s: float = 300.0
    trace: Literal["conv", "code"] = "conv"
    raw: str | None = None

    def __post_init__(self) -> None:
        for field in ("tasks", "slots"):
            check_count(self, field, most=_MOST[field])
        if self.invite is not None:
            check_count(self, "invite")
        for field in ("load", "within_s"):
            _number(field, getattr(self, field), positive=True)
        for field in ("value_of_quality", "price_of_waiting", "overstate"):
            _number(field, getattr(self, field), positive=False)
        if self.models is not None and not (self.models and are_names(self.models)):
            raise ScenarioError("models", self.models, "names of models, at least one, or None for all")
        if not are_names(self.liars) and not is_whole(self.liars):
            raise ScenarioError("liars", self.liars, "a whole number of 0 or more, or names of models")
        if self.raw is not None and not isinstance(self.raw, str | Path):
            raise ScenarioError("raw", self.raw, "the path of a folder, or None for the shipped tables")

    def draw(self, seed: int) -> "RouterInstance":
        return RouterInstance(self, seed)


llm_router = LLMRouter
"""The scenario, as it is called on the first page of the documentation."""


class RouterInstance(Instance):
    """One drawn stream of tasks for one population."""

    def __init__(self, settings: LLMRouter, seed: int) -> None:
        self.settings = settings
        raw = Path(settings.raw) if settings.raw is not None else None
        self.runs = Runs.load(raw)
        models = tuple(settings.models or self.runs.models)
        for model in models:
            if model not in self.runs.models:
                raise ScenarioError("models", model, f"names among {', '.join(self.runs.models)}")
        self.liars = self._draw_liars(seed, models)
        population = [self._agent(model) for model in models]
        seconds = [self._mean_seconds(model) for model in models]
        gap = gap_at_load(settings.load, [settings.slots] * len(models), seconds)
        requests = Arrivals(settings.trace, raw).draw(
            settings.tasks, stream(seed, "arrivals"), mean_gap_s=gap
        )
        kinds = stream(seed, "kinds")
        tasks = [
            self._task(number, request, kinds.choice(self.runs.kinds))
            for number, request in enumerate(requests, 1)
        ]
        arrivals = [
            Arrival(
                request.at_s,
                (task,),
                ROUTER,
                self._invited(task, population),
                request.at_s + settings.within_s,
            )
            for task, request in zip(tasks, requests, strict=True)
        ]
        router = Agent(ROUTER, capacity=0, operator=True)
        super().__init__([router, *population], arrivals, seed=seed)

    def _draw_liars(self, seed: int, models: tuple[str, ...]) -> tuple[str, ...]:
        liars = self.settings.liars
        if isinstance(liars, int):
            if liars > len(models):
                raise ScenarioError("liars", liars, f"at most the {len(models)} models there are")
            return tuple(sorted(stream(seed, "liars").sample(models, liars)))
        for liar in liars:
            if liar not in models:
                raise ScenarioError("liars", liar, f"names among {', '.join(models)}")
        return tuple(liars)

    def _agent(self, model: str) -> Agent:
        known = {kind: _estimate(self.runs.expected(kind, model, "train")) for kind in self.runs.kinds}
        claims = None
        if model in self.liars:
            more = 1.0 + self.settings.overstate
            claims = CostTable(
                {k: Estimate(e.cost, min(1.0, e.quality * more), e.seconds / more) for k, e in known.items()}
            )
        return Agent(model, costs=CostTable(known), claims=claims, capacity=self.settings.slots)

    def _mean_seconds(self, model: str) -> float:
        kinds = self.runs.kinds
        return fsum(self.runs.expected(kind, model, "train").seconds for kind in kinds) / len(kinds)

    def _task(self, number: int, request: Request, kind: str) -> Task:
        settings = self.settings
        return Task(
            f"task-{number}",
            kind,
            size=float(request.context_tokens + request.output_tokens),
            reserve=settings.value_of_quality,
            price_of_waiting=settings.price_of_waiting,
        )

    def _invited(self, task: Task, population: Sequence[Agent]) -> tuple[AgentId, ...]:
        if self.settings.invite is None or self.settings.invite >= len(population):
            return tuple(model.id for model in population)
        best = sorted(
            population, key=lambda model: (-self.worth(task, model.claim(task) or Estimate()), model.id)
        )
        return tuple(sorted(model.id for model in best[: self.settings.invite]))

    # ------------------------------------------------------------------ what truly happens
    def work(self, task: Task, agent: AgentId) -> Report:
        """A recorded run of this model on this kind of task, drawn by the seed, the task and the agent."""
        run = self._run(task, agent)
        return Report("done", cost=run.cost_usd, quality=run.score, seconds=run.seconds)

    def _run(self, task: Task, agent: AgentId) -> Run:
        return self.runs.draw(task.kind, agent, stream(self.seed, "work", task.id, agent), "test")

    def value(self, task: Task, report: Report, latency_s: float) -> float:
        """Dollars: the score at its price, less the price of waiting."""
        return self.settings.value_of_quality * report.quality - self.settings.price_of_waiting * latency_s

    def worth(self, task: Task, estimate: Estimate, wait_s: float = 0.0) -> float:
        """Dollars that a requester may expect of an agent with this estimate, after it has waited."""
        settings = self.settings
        waiting = settings.price_of_waiting * (wait_s + estimate.seconds)
        return settings.value_of_quality * estimate.quality - estimate.cost - waiting

    def optimum(self) -> Optimum:
        """With every run known beforehand: exact up to 7 tasks, else a proven upper bound."""
        return self._optimum

    @cached_property
    def _optimum(self) -> Optimum:
        from scenarios.llm_router_optimum import Problem, bound, exact  # SciPy, which takes a while

        models = [agent for agent in self.agents if agent.id != ROUTER]
        outcomes = [[self._run(task, model.id) for model in models] for task in self._tasks]
        problem = Problem(
            arrival_s=np.array([arrival.at for arrival in self.arrivals]),
            slots=np.array([model.capacity for model in models]),
            service_s=np.array([[run.seconds for run in row] for row in outcomes]),
            value=np.array(
                [
                    [self.settings.value_of_quality * run.score - run.cost_usd for run in row]
                    for row in outcomes
                ]
            ),
            wait_price=self.settings.price_of_waiting,
            within_s=self.settings.within_s,
        )
        return exact(problem) if len(self.arrivals) <= EXACT_TASKS else bound(problem)

    @property
    def _tasks(self) -> list[Task]:
        return [item for arrival in self.arrivals for item in arrival.items if isinstance(item, Task)]


def _estimate(run: Run) -> Estimate:
    return Estimate(cost=run.cost_usd, quality=run.score, seconds=run.seconds)


def _number(field: str, value: object, *, positive: bool) -> None:
    if not is_number(value, 0, _MOST[field]) or (positive and value == 0):
        least = "a number above 0" if positive else "a number of 0 or more"
        raise ScenarioError(field, value, f"{least}, at most {_MOST[field]:,}")
