"""The baselines: one rule each, by which an operator's mind answers `Choose`; and first come, first served."""

from collections.abc import Mapping
from math import inf
from typing import Any, ClassVar

from walras.agents import Agent, Estimate, MarketView
from walras.amounts import is_above_0, is_amount, is_whole
from walras.baselines.giving import Announcer, Dispatcher
from walras.baselines.messages import (
    Assign,
    Choice,
    Choose,
    Claim,
    Done,
    Leave,
    Open,
    Release,
    Take,
    Taken,
    is_price,
)
from walras.baselines.worker import Worker
from walras.errors import ScenarioError
from walras.items import Item, Task
from walras.mechanism import Mechanism
from walras.messages import AgentId, Envelope
from walras.protocol import Protocol


class Dispatch(Mechanism, frozen=True):
    """Central dispatch: an operator, who sees the market, assigns each task by a rule and pays the claimed cost.

    2 messages for a task. Feasible are the candidates of whom an estimate is publicly known, with a capacity above 0
    and a claimed cost within the task's reserve. The opener is an `Agent` with ``operator=True``.

    Args:
        tries: how many agents get the task, one after the other, while reports say that it failed.
        silence_s: after how many seconds without a report the next one gets it; inf: the end is waited for, since a
            queue may be long.
        margin_s: how many seconds before `finish_by` it is given up.

    Raises:
        ScenarioError: for settings out of range, and for anything but one single-copy task per conversation.
    """

    tries: int = 2
    silence_s: float = inf
    margin_s: float = 0.1

    messages: ClassVar = (Assign, Done, Release)

    def __post_init__(self) -> None:
        if not is_whole(self.tries, 1):
            raise ScenarioError(_field(self, "tries"), self.tries, "a whole number of 1 or more")
        if not is_above_0(self.silence_s):
            raise ScenarioError(
                _field(self, "silence_s"), self.silence_s, "more than 0 seconds (inf: no limit)"
            )
        _check_margin(self, self.margin_s)

    def opener(self, me: AgentId, items: tuple[Item, ...], participants: tuple[AgentId, ...]) -> Protocol:
        candidates = tuple(agent for agent in participants if agent != me)
        return Dispatcher(_single_task(self, items), candidates, self.tries, self.silence_s, self.margin_s)

    def join(self, me: AgentId, invitation: Envelope | None) -> Protocol | None:
        return Worker() if invitation is not None and isinstance(invitation.message, Assign) else None

    def default_strategy(self, question: Any, agent: Agent) -> Choice:
        market = agent.market
        if market is None:
            raise ScenarioError(
                f"operator of {agent.id}", agent.operator, f"True, for {type(self).__name__} to see all"
            )
        agents = market.agents
        feasible = {
            id_: found
            for id_ in question.candidates
            if (found := market.estimate(id_, question.task)) is not None
            and agents[id_].capacity > 0
            and is_price(max(0.0, found.cost), question.task)
        }
        chosen = self.pick(question, feasible, market, agent) if feasible else None
        return Choice(chosen, max(0.0, feasible[chosen].cost)) if chosen is not None else Choice()

    def pick(
        self, question: Choose, feasible: Mapping[AgentId, Estimate], market: MarketView, agent: Agent
    ) -> AgentId | None:
        """The rule: one of the feasible agents (in the order of the candidates, at least one), or None."""
        raise TypeError(f"{type(self).__name__} does not say whom it picks")


class RandomAssignment(Dispatch, frozen=True):
    """Uniformly among the feasible agents, from the operator's own random stream.

    The `random` policy of Eager, Lazowska and Zahorjan, "Adaptive load sharing in homogeneous distributed systems",
    IEEE Transactions on Software Engineering 12(5), 1986.
    """

    protocol: ClassVar[str] = "x-random"

    def pick(
        self, question: Choose, feasible: Mapping[AgentId, Estimate], market: MarketView, agent: Agent
    ) -> AgentId | None:
        assert agent.rng is not None, "the runtime gives every agent its stream"
        return agent.rng.choice(tuple(feasible))


class RoundRobin(Dispatch, frozen=True):
    """The next feasible agent in a fixed cycle, that of the participants.

    Where the cycle stands is the number of the conversation, so no state is shared between conversations: an agent
    that comes after infeasible ones takes their turns, too.
    """

    protocol: ClassVar[str] = "x-round-robin"

    def pick(
        self, question: Choose, feasible: Mapping[AgentId, Estimate], market: MarketView, agent: Agent
    ) -> AgentId | None:
        order = question.candidates[question.turn :] + question.candidates[: question.turn]
        return next(id_ for id_ in order if id_ in feasible)


class Cheapest(Dispatch, frozen=True):
    """The lowest claimed cost, whoever waits; ties to the lowest id.

    Greedy on-line assignment as in MURDOCH (Gerkey and Matarić, "Sold!: auction methods for multirobot
    coordination", IEEE Transactions on Robotics and Automation 18(5), 2002), with costs known instead of bid.
    """

    protocol: ClassVar[str] = "x-cheapest"

    def pick(
        self, question: Choose, feasible: Mapping[AgentId, Estimate], market: MarketView, agent: Agent
    ) -> AgentId | None:
        return min(feasible, key=lambda id_: (feasible[id_].cost, id_))


class Greedy(Dispatch, frozen=True):
    """The highest estimated worth (`MarketView.worth`: quality, cost and the present wait); ties to the lowest id.

    Myopic: each task for itself, none is kept waiting for a better match.
    """

    protocol: ClassVar[str] = "x-greedy"

    def pick(
        self, question: Choose, feasible: Mapping[AgentId, Estimate], market: MarketView, agent: Agent
    ) -> AgentId | None:
        return min(feasible, key=lambda id_: (-_worth(market, id_, question.task), id_))


class BestSingle(Dispatch, frozen=True):
    """The one agent that is best over all tasks of the run (`MarketView.best_single`), whatever its queue.

    What it cannot do stays unassigned. It is chosen with hindsight, so it bounds what picking one agent can reach.
    """

    protocol: ClassVar[str] = "x-best-single"

    def pick(
        self, question: Choose, feasible: Mapping[AgentId, Estimate], market: MarketView, agent: Agent
    ) -> AgentId | None:
        return market.best_single if market.best_single in feasible else None


class LeastLoaded(Dispatch, frozen=True):
    """The lowest load for its capacity, running and queued tasks together; ties by worth, then to the lowest id.

    Join the shortest queue (Winston, "Optimality of the shortest line discipline", Journal of Applied Probability
    14(1), 1977), with complete and current knowledge of the queues.
    """

    protocol: ClassVar[str] = "x-least-loaded"

    def pick(
        self, question: Choose, feasible: Mapping[AgentId, Estimate], market: MarketView, agent: Agent
    ) -> AgentId | None:
        agents = market.agents

        def standing(id_: AgentId) -> tuple[float, float, AgentId]:
            worth = _worth(market, id_, question.task)
            return (market.load(id_) / agents[id_].capacity, -worth, id_)

        return min(feasible, key=standing)


class FirstComeClaim(Mechanism, frozen=True):
    """Each task is announced to all, and who claims it first has it, at its claimed cost.

    An agent claims what it can do as soon as it has a free slot. No operator is needed, and nobody compares: the
    fastest free agent wins, not the best.

    Args:
        again_s: after how many seconds an agent that has no free slot is asked again.
        margin_s: how many seconds before `finish_by` a task is given up.

    Raises:
        ScenarioError: for settings out of range, and for anything but one single-copy task per conversation.
    """

    again_s: float = 1.0
    margin_s: float = 0.1

    protocol: ClassVar[str] = "x-first-come-claim"
    messages: ClassVar = (Open, Claim, Assign, Taken, Done, Release)

    def __post_init__(self) -> None:
        if not is_amount(self.again_s) or self.again_s < 0.001:
            raise ScenarioError(
                _field(self, "again_s"), self.again_s, "a finite number of seconds, 0.001 or more"
            )
        _check_margin(self, self.margin_s)

    def opener(self, me: AgentId, items: tuple[Item, ...], participants: tuple[AgentId, ...]) -> Protocol:
        audience = tuple(agent for agent in participants if agent != me)
        return Announcer(_single_task(self, items), audience, self.margin_s)

    def join(self, me: AgentId, invitation: Envelope | None) -> Protocol | None:
        if invitation is None or not isinstance(invitation.message, Open):
            return None
        return Worker(self.again_s)

    def default_strategy(self, question: Any, agent: Agent) -> Any:
        claimed = agent.claim(question.task)
        if claimed is None or agent.capacity == 0 or not is_price(max(0.0, claimed.cost), question.task):
            return Leave()
        return Take(max(0.0, claimed.cost)) if agent.free_slots >= 1 else None


def _worth(market: MarketView, agent: AgentId, task: Task) -> float:
    worth = market.worth(agent, task)
    return -inf if worth is None else worth


def _field(mechanism: Mechanism, name: str) -> str:
    return f"{name} of {type(mechanism).__name__}"


def _check_margin(mechanism: Mechanism, margin_s: float) -> None:
    if not is_amount(margin_s):
        raise ScenarioError(_field(mechanism, "margin_s"), margin_s, "a finite number of seconds, 0 or more")


def _single_task(mechanism: Mechanism, items: tuple[Item, ...]) -> Task:
    if len(items) == 1 and isinstance(items[0], Task) and items[0].copies == 1:
        return items[0]
    raise ScenarioError(
        f"items for {type(mechanism).__name__}", items, "one task of one copy per conversation"
    )
