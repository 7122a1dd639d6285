"""Scenarios: who is there, what arrives, what truly happens; without a mechanism, so that mechanisms can be compared.

A `Scenario` is settings; `draw(seed)` makes an `Instance`, one concrete world. True values and costs stay with the
instance: protocols see bids only.
"""

from collections.abc import Collection, Iterable, Sequence
from math import inf, isfinite
from numbers import Real
from typing import Any, ClassVar

import msgspec

from walras.agents import Agent, Estimate
from walras.allocation import ENDINGS, Award, Report
from walras.amounts import is_number
from walras.errors import ScenarioError
from walras.items import Item, Task
from walras.messages import AgentId, Frozen


class Arrival(Frozen, frozen=True):
    """Items that are announced together: when, by whom, to whom, and when it is over at the latest (seconds)."""

    at: float
    items: tuple[Item, ...]
    opener: AgentId
    participants: tuple[AgentId, ...]
    finish_by: float


class Optimum(Frozen, frozen=True):
    """The yardstick: the welfare that full information reaches. Not `exact`: a proven upper bound, and labelled so."""

    welfare: float
    exact: bool
    method: str


class Instance:
    """One drawn world. Subclass it; what it draws is keyed by item and agent, never by the order of the calls."""

    def __init__(
        self,
        agents: Sequence[Agent],
        arrivals: Sequence[Arrival],
        *,
        network: Any = None,
        faults: Any = None,
        seed: int = 0,
    ) -> None:
        self.agents = tuple(agents)
        self.arrivals = tuple(arrivals)
        self.network = network
        """Rules of the network (`walras.simulation.Network`); None: the simulation's default."""
        self.faults = faults
        """A schedule of faults (`walras.simulation.Faults`); None: none."""
        self.seed = seed
        if not self.agents:
            raise ScenarioError("agents", [], "at least one agent")
        self._blueprints: dict[AgentId, Agent] = {}
        for agent in self.agents:
            if agent.id in self._blueprints:
                raise ScenarioError("agent id", agent.id, "an id of its own for every agent")
            self._blueprints[agent.id] = agent

    def work(self, task: Task, agent: AgentId) -> Report:
        """What truly happens when this agent does this task: seconds of service, true cost, quality."""
        estimate = self._blueprints[agent].estimate(task) or Estimate()
        return Report("done", cost=estimate.cost, quality=estimate.quality, seconds=estimate.seconds)

    def value(self, task: Task, report: Report, latency_s: float) -> float:
        """What the finished task is truly worth to its announcer, given the time from announcement to finish."""
        return 0.0

    def traded(self, item: Item, award: Award) -> float:
        """What the trade of a lot truly gains: its worth to its winner, in so many units, or less that where it is procured.

        By default agents know what lots are worth to them; a scenario in which they only have a signal says otherwise.
        """
        blueprint = self._blueprints.get(award.winner) if award.winner is not None else None
        if blueprint is None or not award.quantity:
            return 0.0
        worth: float = blueprint.values((item.id,) * award.quantity)  # type: ignore[operator]  # an Agent's is no mapping
        return -worth if item.procured else worth

    def estimate(self, agent: AgentId, task: Task) -> Estimate | None:
        """What the public knows of an agent and a task; by default what the agent claims."""
        return self._blueprints[agent].claim(task)

    def worth(self, task: Task, estimate: Estimate, wait_s: float = 0.0) -> float:
        """What its announcer may expect to gain from a task done as estimated, in the run's currency.

        `wait_s` are seconds in the worker's queue before it begins. By default minus the cost, as if all agents
        were equally good and time did not matter.
        """
        return -estimate.cost

    def optimum(self) -> Optimum | None:
        """The welfare of the clairvoyant optimum, or a proven bound; None where it is not known."""
        return None


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a family of worlds. The version names the rules, so that a published number can name them too."""

    name: ClassVar[str]
    version: ClassVar[int] = 1

    def draw(self, seed: int) -> Instance:
        """The world of this seed: the same for every mechanism."""
        raise TypeError(f"{type(self).__name__} does not say how its worlds are drawn")


def check_arrivals(arrivals: Sequence[Arrival], agents: Collection[AgentId]) -> None:
    """Raise `ScenarioError` for the first arrival that cannot be announced, or that is out of order."""
    before = 0.0
    for place, arrival in enumerate(arrivals):
        try:
            check_arrival(arrival, agents, before)
        except ScenarioError as error:
            raise ScenarioError(f"arrivals[{place}].{error.field}", error.value, error.expected) from None
        before = arrival.at


def check_arrival(arrival: Arrival, agents: Collection[AgentId], before: float) -> None:
    """Raise `ScenarioError` for an unknown agent, for times out of order, or for items that are none or not apart."""
    at, finish_by = arrival.at, arrival.finish_by
    if not is_number(at, before) or at == inf:
        raise ScenarioError("at", at, f"a time in seconds, {before:g} or later")
    if not is_number(finish_by, at) or finish_by == at:
        raise ScenarioError("finish_by", finish_by, f"a time in seconds after {at:g}, or infinity")
    for who, named in (("opener", (arrival.opener,)), ("participants", arrival.participants)):
        if not all(map(agents.__contains__, named)):
            unknown = next(agent for agent in named if agent not in agents)
            raise ScenarioError(who, unknown, f"an agent of this world ({some(agents)})")
    _check_items(arrival.items)


def check_report(report: object, task: Task, agent: AgentId) -> Report:
    """What a scenario says of work done; raises `ScenarioError` unless it is a report with numbers in it."""
    if not isinstance(report, Report):
        raise ScenarioError(f"work on {task.id} by {agent}", report, "a walras.allocation.Report")
    if report.status not in ENDINGS:
        raise ScenarioError(f"status of {task.id} by {agent}", report.status, f"one of {', '.join(ENDINGS)}")
    for field in ("cost", "quality", "seconds"):
        value: Any = getattr(report, field)
        number = type(value) is float or isinstance(value, Real)  # an abstract class is slow to ask
        if not number or not isfinite(value) or (field == "seconds" and value < 0):
            least = " of 0 or more" if field == "seconds" else ""
            raise ScenarioError(f"{field} of {task.id} by {agent}", value, f"a finite number{least}")
    return report


def check_worth(value: Any, task: Task) -> float:
    """What a scenario says that a task was worth; raises `ScenarioError` unless it is a number."""
    if not isinstance(value, Real) or not isfinite(value):
        raise ScenarioError(f"value of {task.id}", value, "a finite number")
    return float(value)


def check_optimum(optimum: object) -> Optimum | None:
    """What a scenario says of its optimum; raises `ScenarioError` unless it is one, or None."""
    if not (optimum is None or isinstance(optimum, Optimum)):
        raise ScenarioError("optimum of the scenario", optimum, "a walras.scenario.Optimum, or None")
    return optimum


def _check_items(items: Sequence[Item]) -> None:
    if not isinstance(items, tuple | list):
        raise ScenarioError("items", items, "a tuple of items, such as (Task('task-1'),)")
    seen: set[str] = set()
    for item in items:
        if not isinstance(item, Item):
            raise ScenarioError("items", item, "items, such as Task('task-1')")
        for id_ in item.ids:
            if id_ in seen:
                raise ScenarioError(
                    "items", id_, "an id of its own for every item of a conversation, and every part"
                )
            seen.add(id_)


def some(agents: Iterable[AgentId]) -> str:
    """The first few of these agents, for messages."""
    names = list(agents)
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more or "nobody yet"
