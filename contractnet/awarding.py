"""Award rules: pure functions from the proposals for a task to scores. Higher is better.

An award rule is anything that can be called as ``rule(task, proposals)`` with a mapping from agent to `Propose`, and
returns a mapping from agent to score. Whom it leaves out, or scores ``-inf`` or NaN, is not acceptable at any price. A
rule that studies send to other processes has to pickle: a module-level function, or a frozen struct as here.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from math import inf, isnan

import msgspec

from contractnet.messages import Propose, Reason
from walras.amounts import is_amount
from walras.errors import LocalProtocolError, ScenarioError
from walras.items import Task
from walras.messages import AgentId

AwardRule = Callable[[Task, Mapping[AgentId, Propose]], Mapping[AgentId, float]]
"""From a task and the proposals for it to a score for each acceptable proposer; higher is better."""


class LowestPrice(msgspec.Struct, frozen=True):
    """The lowest price wins, whatever its quality and however long it takes.

    Maximises ``-price_i`` over the proposals *i*. With truthful prices this minimises the cost of each task taken
    alone; a sequence of such awards need not minimise the sum where agents have limited capacity.

    Examples:
        >>> cheapest(Task("t"), {"ada": Propose(3.0), "bob": Propose(2.0)})
        {'ada': -3.0, 'bob': -2.0}
    """

    def __call__(self, task: Task, proposals: Mapping[AgentId, Propose]) -> dict[AgentId, float]:
        return {agent: -p.price for agent, p in proposals.items()}


class EarliestFinish(msgspec.Struct, frozen=True):
    """Who promises to be done first wins, at any price up to the reserve; minus `eta_s` is the score.

    Examples:
        >>> earliest_finish(Task("t"), {"ada": Propose(3.0, eta_s=5.0), "bob": Propose(2.0, eta_s=9.0)})
        {'ada': -5.0, 'bob': -9.0}
    """

    def __call__(self, task: Task, proposals: Mapping[AgentId, Propose]) -> dict[AgentId, float]:
        return {agent: -p.eta_s for agent, p in proposals.items()}


class BestValue(msgspec.Struct, frozen=True, kw_only=True):
    """The proposal that leaves the announcer with most: quasi-linear in money.

    Maximises ``v * quality_i - price_i - w * eta_i`` over the proposals *i*. Against truthful proposals, and where
    *v* and *w* are the announcer's true ones, the winner maximises the welfare of this task.

    Args:
        value_of_quality: *v*, what the task is worth to the announcer at quality 1, in the run's currency; None: the
            task's reserve, since that is the most it would pay (0 for a task without reserve: then the cheapest wins).
        price_of_waiting: *w*, what a second until the task is done costs the announcer, in the run's currency; None: what
            the task says.

    Raises:
        ScenarioError: for a value or price that is not a finite number of 0 or more.

    Examples:
        >>> bids = {"ada": Propose(3.0, quality=0.9), "bob": Propose(2.0, quality=0.5)}
        >>> BestValue(value_of_quality=10.0)(Task("t"), bids)
        {'ada': 6.0, 'bob': 3.0}
    """

    value_of_quality: float | None = None
    price_of_waiting: float | None = None

    def __post_init__(self) -> None:
        for field in ("value_of_quality", "price_of_waiting"):
            if getattr(self, field) is not None:
                _check_number(field, getattr(self, field))

    def __call__(self, task: Task, proposals: Mapping[AgentId, Propose]) -> dict[AgentId, float]:
        v, w = self.value_of_quality, self.price_of_waiting
        if v is None:
            v = task.reserve or 0.0
        if w is None:
            w = task.price_of_waiting
        return {agent: v * p.quality - p.price - w * p.eta_s for agent, p in proposals.items()}


class Weighted(msgspec.Struct, frozen=True, kw_only=True):
    """Simple additive weighting of price, time and quality, each scaled to [0, 1] over the proposals at hand.

    Maximises ``sum_k w_k * u_k(i)``, where *u_k* is 1 for the best proposal in attribute *k*, 0 for the worst, linear in
    between, and 1 for all where they do not differ. Weights are scaled to add up to 1, so a score is in [0, 1].

    Use it where attributes cannot be put in money. Scales depend on who proposes: a proposal that cannot win may
    change which of two others does. `BestValue` has no such effect.

    Args:
        price, eta, quality: the weights, 0 or more, not all 0.

    Raises:
        ScenarioError: for weights that are negative, or whose sum is 0 or not finite.

    References:
        C. L. Hwang and K. Yoon, Multiple Attribute Decision Making, Springer 1981.

    Examples:
        >>> bids = {"ada": Propose(3.0, quality=0.9), "bob": Propose(2.0, quality=0.5)}
        >>> Weighted(price=1.0, quality=3.0)(Task("t"), bids)
        {'ada': 0.75, 'bob': 0.25}
    """

    price: float = 0.0
    eta: float = 0.0
    quality: float = 0.0

    def __post_init__(self) -> None:
        for field in ("price", "eta", "quality"):
            _check_number(f"weight of {field}", getattr(self, field))
        if not 0 < float(self.price) + float(self.eta) + float(self.quality) < inf:
            raise ScenarioError("weights", self, "at least one weight above 0, and a finite sum")

    def __call__(self, task: Task, proposals: Mapping[AgentId, Propose]) -> dict[AgentId, float]:
        if not proposals:
            return {}
        total = self.price + self.eta + self.quality
        price, eta, quality = self.price / total, self.eta / total, self.quality / total
        cheap = _scale([-p.price for p in proposals.values()])
        soon = _scale([-p.eta_s for p in proposals.values()])
        good = _scale([p.quality for p in proposals.values()])
        return {
            agent: price * c + eta * s + quality * g
            for agent, c, s, g in zip(proposals, cheap, soon, good, strict=True)
        }


def _check_number(field: str, value: object) -> None:
    if not is_amount(value):
        raise ScenarioError(field, value, "a finite number of 0 or more")


def _scale(values: list[float]) -> list[float]:
    low, high = min(values), max(values)
    if low == high:
        return [1.0] * len(values)
    return [(value - low) / (high - low) for value in values]


cheapest = LowestPrice()
earliest_finish = EarliestFinish()
best_value = BestValue()


def acceptable(task: Task, proposals: Mapping[AgentId, Propose], at: float) -> dict[AgentId, Propose]:
    """Those proposals that bind `at` this time, seconds since the run's epoch, and are not above the task's reserve."""
    limit = inf if task.reserve is None else task.reserve
    return {agent: p for agent, p in proposals.items() if p.valid_until >= at and p.price <= limit}


def best(
    rule: AwardRule, task: Task, proposals: Mapping[AgentId, Propose], places: int
) -> tuple[list[AgentId], list[AgentId]]:
    """The leaders among acceptable proposals.

    Returns:
        As `leaders`: who wins outright, and who ties for the places that are left.

    Raises:
        LocalProtocolError: if the rule prefers somebody who has made no such proposal, or returns no scores.
    """
    scores = rule(task, proposals)
    if not isinstance(scores, Mapping):
        raise LocalProtocolError(f"{rule} returns {scores!r}; expected a mapping from agent to score")
    try:
        winners, tied = leaders(scores, places)
    except TypeError:
        raise LocalProtocolError(f"{rule} returns {scores!r}; expected a number for each agent") from None
    for agent in (*winners, *tied):
        if agent not in proposals:
            raise LocalProtocolError(f"{rule} awards to {agent}; expected one of {', '.join(proposals)}")
    return winners, tied


def rejections(
    proposals: Mapping[AgentId, Propose], sound: Mapping[AgentId, Propose], at: float
) -> dict[Reason, list[AgentId]]:
    """Who is rejected for which reason: who is among the `sound` has lost; the others have expired `at` this time (seconds
    since the run's epoch), or ask too much.
    """
    if proposals.keys() <= sound.keys():  # nearly always
        return {"lost": list(proposals)}
    found: defaultdict[Reason, list[AgentId]] = defaultdict(list)
    for agent, p in proposals.items():
        found["lost" if agent in sound else "expired" if p.valid_until < at else "over-budget"].append(agent)
    return found


def leaders(scores: Mapping[AgentId, float], places: int) -> tuple[list[AgentId], list[AgentId]]:
    """Who wins one of the places, and who ties for those that are left.

    Args:
        scores: by agent; higher is better. ``-inf`` and NaN never win.
        places: how many can win, 0 or more.

    Returns:
        The agents that win outright, best first, equals by id; and the agents with one equal score, by id, of whom only
        some can have the places left. The second list is empty unless a tie has to be decided.

    Notes:
        The result does not depend on the order of `scores`: neither arrival nor announcement decides anything. With
        *n* scores and *k* distinct ones among the winners it takes O(k n), for one place two passes.

    Examples:
        >>> leaders({"cyd": 2.0, "bob": 5.0, "ada": 2.0}, places=2)
        (['bob'], ['ada', 'cyd'])
        >>> leaders({"cyd": 2.0, "bob": 5.0, "ada": 2.0}, places=3)
        (['bob', 'ada', 'cyd'], [])
    """
    winners: list[AgentId] = []
    while len(winners) < places:
        top = max(scores.values(), default=-inf)
        if isnan(top):  # max goes wrong over a NaN only where that comes first, and then returns it
            scores = {agent: score for agent, score in scores.items() if not isnan(score)}
            continue
        if top == -inf:
            break
        level = sorted([agent for agent, score in scores.items() if score == top])
        if len(level) > places - len(winners):
            return winners, level
        winners += level
        if len(winners) < places:
            scores = {agent: score for agent, score in scores.items() if score < top}
    return winners, []
