"""How contractors answer a call for proposals: plain functions of the question and the agent's view of itself."""

from typing import Any

import msgspec

from contractnet.messages import ProposalWanted, Propose, Refuse
from walras.agents import Agent
from walras.amounts import is_amount
from walras.errors import ScenarioError
from walras.questions import Question

_INELIGIBLE = Refuse("ineligible")
_OVER_BUDGET = Refuse("over-budget")
_NO_CAPACITY = Refuse("no-capacity")


def truthful(question: Question, agent: Agent) -> Any:
    """Propose what the agent claims: its cost as the price, its quality, and when it could be done.

    It refuses what it cannot do, what costs more than the task's reserve, and everything if its capacity is 0. With no
    free slot it expects to wait for its slots to come free one after the other, ``seconds / capacity`` each.
    """
    if not isinstance(question, ProposalWanted):
        return question.otherwise
    task = question.task
    claim = agent.claim(task)
    if claim is None:
        return _INELIGIBLE
    if task.reserve is not None and claim.cost > task.reserve:
        return _OVER_BUDGET
    if agent.capacity == 0:
        return _NO_CAPACITY
    eta_s = claim.seconds
    free = agent.free_slots
    if free <= 0:
        eta_s *= 1.0 + (1 - free) / agent.capacity
    return Propose(claim.cost, eta_s, claim.quality, question.valid_until)


def capacity_aware(question: Question, agent: Agent) -> Any:
    """As `truthful`, but refuse while no slot is free: what is accepted then begins at once."""
    answer = truthful(question, agent)
    return _NO_CAPACITY if isinstance(answer, Propose) and agent.free_slots <= 0 else answer


class Markup(msgspec.Struct, frozen=True):
    """As `truthful`, at `factor` times the price; above the task's reserve, at the reserve.

    Raises:
        ScenarioError: for a factor that is not a number of 0 or more.
    """

    factor: float

    def __post_init__(self) -> None:
        if not is_amount(self.factor):
            raise ScenarioError("factor", self.factor, "a finite number of 0 or more")

    def __call__(self, question: Question, agent: Agent) -> Any:
        answer = truthful(question, agent)
        if not isinstance(answer, Propose) or not isinstance(question, ProposalWanted):
            return answer
        price, limit = answer.price * self.factor, question.task.reserve
        if limit is not None:
            price = min(price, limit)
        return msgspec.structs.replace(answer, price=price)


def markup(factor: float) -> Markup:
    """A strategy that asks for `factor` times its cost, 1.2 for a fifth more.

    >>> markup(1.2)
    Markup(factor=1.2)
    """
    return Markup(factor)
