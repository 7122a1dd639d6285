"""Agents: a private type and a strategy. The only thing that a live mind replaces is the strategy."""

import copy
import typing
from collections.abc import Awaitable, Callable, Hashable, Mapping
from numbers import Real
from random import Random
from typing import Any

import msgspec

from walras.amounts import MOST, is_amount, is_number, is_whole
from walras.errors import ScenarioError
from walras.items import Capability, Item, Task, are_names
from walras.messages import AgentId, Frozen
from walras.questions import Question
from walras.valuations import Additive, Valuation

Strategy = Callable[[Question, "Agent"], "Any | Awaitable[Any]"]
"""Answers a question, from it and from the agent's view of itself. A coroutine function only where the runtime waits.

One that has a method ``deliberation_s(question, agent)`` says so how long it ponders each question in simulation. One
that keeps something has a method ``fresh()``, which returns it as it is at the beginning of a run.
"""


class Estimate(Frozen, frozen=True):
    """What somebody believes that work would take: `cost` to the worker, `quality` in [0, 1], `seconds` of service."""

    cost: float = 0.0
    quality: float = 1.0
    seconds: float = 0.0


Costs = Callable[[Task], "Estimate | float | None"]
"""What a task would take an agent; None: it cannot do it."""


class CostTable(msgspec.Struct, frozen=True):
    """What tasks take by their `kind`: an `Estimate`, or a number, which is the cost. It cannot do other kinds.

    With `per_size`, costs and seconds are for one unit of a task's size.

    Raises:
        ScenarioError: for a cost or seconds that are not a finite number of 0 or more, or a quality outside [0, 1].

    Examples:
        >>> costs = CostTable(
        ...     {"draft": 2, "review": Estimate(cost=3.0, quality=0.5, seconds=60.0)}, per_size=True
        ... )
        >>> costs(Task("task-1", kind="review", size=2.0))
        Estimate(cost=6.0, quality=0.5, seconds=120.0)
        >>> costs(Task("task-2", kind="translate")) is None
        True
    """

    by_kind: Mapping[str, Estimate | float]
    per_size: bool = False

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "by_kind", _checked(self.by_kind))

    def __call__(self, task: Task) -> Estimate | None:
        found = typing.cast(Estimate | None, self.by_kind.get(task.kind))
        if found is None or not self.per_size:
            return found
        return Estimate(found.cost * task.size, found.quality, found.seconds * task.size)


class Account(typing.Protocol):
    """An agent's view of its own money and slots; the runtime keeps the ledger."""

    @property
    def free(self) -> float: ...
    @property
    def free_slots(self) -> int: ...
    def held(self, name: Hashable) -> float: ...


class MarketView(typing.Protocol):
    """What an operator knows of everybody: public estimates and present loads. Central baselines use it.

    Nothing in it is a private type: what agents truly cost and value stays with them.
    """

    @property
    def agents(self) -> Mapping[AgentId, "Agent"]:
        """Everybody in the market, by id: blueprints as the scenario drew them."""

    @property
    def best_single(self) -> AgentId | None:
        """The agent that can do the most tasks of the run; of equals, the highest total `worth` when nobody waits.

        Remaining ties go to the lowest id; None if nobody can do anything.
        """

    def estimate(self, agent: AgentId, task: Task) -> Estimate | None:
        """What is publicly known of an agent and a task; None: it cannot do it."""

    def load(self, agent: AgentId) -> int:
        """How many tasks the agent is working on or has queued, right now."""

    def worth(self, agent: AgentId, task: Task) -> float | None:
        """What the announcer may expect to gain from giving the task to this agent, in the run's currency.

        Net of the agent's cost and of the wait that its present load means; None: it cannot do it.
        """


class Agent(msgspec.Struct):
    """A participant: who it is, what it privately knows, and how it answers.

    A strategy is called with ``(question, agent)``; the agent is its view of itself, shared by all its conversations.
    Money and slots are enforced by its account, not by its strategy.

    Raises:
        ScenarioError: for an empty id, capabilities that are no names, a negative capacity or money that is not a number.
    """

    id: AgentId
    strategy: Strategy | None = None
    """None: it answers by the mechanism's `default_strategy`, from its private type."""
    values: Valuation | Mapping[str, float] = Additive({})
    """What lots are worth to it; a mapping from item id to value is taken as additive."""
    costs: Costs | Mapping[str, Estimate | float] | None = None
    """What tasks take it, a function of the task or a mapping from task id (or kind); None: it does no tasks."""
    claims: Costs | Mapping[str, Estimate | float] | None = None
    """What it tells others that a task would take, where that differs from what it believes (`costs`), in the same forms."""
    capabilities: tuple[Capability, ...] = ()
    capacity: int = 1
    """How many tasks it works on at the same time."""
    money: float = float("inf")
    """What it has at the start, in the run's currency; infinite: unlimited credit."""
    attention: int | None = None
    """How many questions its mind ponders at once; None: any number."""
    deliberation_s: float | Callable[[Random], float] = 0.0
    """How long it ponders a question in simulation: seconds, or a draw from its own stream."""
    place: str = ""
    """Where it is, for latency between places."""
    operator: bool = False
    """Whether it sees the whole market (`market`), as a central dispatcher does."""

    account: Account | None = None
    market: MarketView | None = None
    stream: "Random | Callable[[], Random] | None" = None
    """Its random stream, or how to make it: one takes 2.5 kB, and most agents never throw dice. Read `rng`."""

    def __post_init__(self) -> None:
        if not _is_id(self.id):
            raise ScenarioError("agent id", self.id, "a non-empty string without '/'")
        if not are_names(self.capabilities):
            raise ScenarioError(
                f"capabilities of {self.id}", self.capabilities, "a tuple of non-empty strings"
            )
        if not is_whole(self.capacity, 0):
            raise ScenarioError(f"capacity of {self.id}", self.capacity, "a whole number of 0 or more")
        if not is_number(self.money, 0):
            raise ScenarioError(
                f"money of {self.id}", self.money, "a number of 0 or more (inf: unlimited credit)"
            )
        if self.strategy is not None and not callable(self.strategy):
            raise ScenarioError(
                f"strategy of {self.id}", self.strategy, "a function of a question and an agent, or None"
            )
        pondered = self.deliberation_s
        if not callable(pondered) and not is_amount(pondered):
            raise ScenarioError(
                f"deliberation_s of {self.id}",
                pondered,
                "seconds, finite and 0 or more, or a draw from a stream",
            )
        if self.attention is not None and not is_whole(self.attention, 1):
            raise ScenarioError(f"attention of {self.id}", self.attention, "1 or more, or None for no limit")
        if isinstance(self.values, Mapping) or not callable(self.values):
            self.values = Additive(self.values)
        for field in ("costs", "claims"):
            given = getattr(self, field)
            if isinstance(given, Mapping):
                _checked(given)
            elif given is not None and not callable(given):
                expected = "a mapping from task id or kind to cost, a function, or None"
                raise ScenarioError(f"{field} of {self.id}", given, expected)

    def seated(
        self, account: Account, rng: Random | Callable[[], Random], market: MarketView | None
    ) -> "Agent":
        """A copy of this blueprint, with its account and its stream, as strategies see it in one run.

        Instead of the stream, `rng` may be what makes it when it is first asked for.
        """
        twin = copy.copy(self)
        fresh = getattr(self.strategy, "fresh", None)
        if fresh is not None:
            twin.strategy = fresh()
        twin.account, twin.stream = account, rng
        twin.market = market if self.operator else None
        return twin

    @property
    def rng(self) -> Random | None:
        """The agent's own random stream, the same for all its conversations; None before a run."""
        if self.stream is not None and not isinstance(self.stream, Random):
            self.stream = self.stream()
        return self.stream

    @rng.setter
    def rng(self, stream: Random) -> None:
        self.stream = stream

    @property
    def free(self) -> float:
        """Money that is neither spent nor held."""
        return self.account.free if self.account is not None else self.money

    @property
    def free_slots(self) -> int:
        """Slots that are neither working nor held."""
        return self.account.free_slots if self.account is not None else self.capacity

    def held(self, name: Hashable) -> float:
        """Money that earlier answers under this name hold, in the conversation that is asking."""
        return self.account.held(name) if self.account is not None else 0.0

    def value_of(self, item: Item | str) -> float:
        """What this one item is worth to the agent."""
        return typing.cast(Valuation, self.values)((item if isinstance(item, str) else item.id,))

    def estimate(self, task: Task) -> Estimate | None:
        """What the agent believes that a task would take it; None if it cannot do it."""
        return _estimate(self.costs, task) if self.can(task) else None

    def claim(self, task: Task) -> Estimate | None:
        """What the agent tells others that a task would take: its estimate, unless it overstates."""
        told = self.costs if self.claims is None else self.claims
        return _estimate(told, task) if self.can(task) else None

    def can(self, task: Task) -> bool:
        """Whether the agent has every capability that the task requires."""
        return not task.requires or set(task.requires) <= set(self.capabilities)


def _estimate(costs: "Costs | Mapping[str, Estimate | float] | None", task: Task) -> Estimate | None:
    found: Estimate | float | None
    if costs is None:
        return None
    if callable(costs):
        found = costs(task)
    else:
        found = costs.get(task.id)
        if found is None:
            found = costs.get(task.kind)
    return found if found is None or type(found) is Estimate else _as_estimate(found)


def _as_estimate(found: Estimate | float) -> Estimate:
    return found if isinstance(found, Estimate) else Estimate(cost=float(found))


def _checked(costs: Mapping[str, Any]) -> dict[str, Estimate]:
    """A table of costs as estimates, each of which makes sense."""
    table = {}
    for kind, found in costs.items():
        if not isinstance(found, Estimate | float | int):
            raise ScenarioError(f"cost of {kind}", found, "a number, or an Estimate")
        estimate = table[kind] = _as_estimate(found)
        for field, most in (("cost", MOST), ("quality", 1.0), ("seconds", MOST)):
            value: Any = getattr(estimate, field)
            if not isinstance(value, Real) or not 0.0 <= float(value) <= most:
                expected = "a number from 0 to 1" if field == "quality" else "a finite number of 0 or more"
                raise ScenarioError(f"{field} of {kind}", value, expected)
    return table


def _is_id(value: object) -> bool:
    return isinstance(value, str) and value != "" and "/" not in value
