"""How bidders answer: plain functions of the question and the agent's view of itself."""

from math import inf
from typing import Any

from auctions.messages import HOLD, AuctionQuestion, Bid, BidWanted, Pass, PriceOffered, Reason
from auctions.open_messages import Demand, DemandAt
from walras.agents import Agent
from walras.items import Item, Task
from walras.questions import Question


def worth(agent: Agent, item: Item) -> float | None:
    """What one unit of an item is worth to an agent, so that more is better on both sides; None: it cannot serve.

    On sale it is the agent's value; of work that is procured, minus the cost that it claims; of a good that is procured,
    minus the value of the good to it, which it would give away.

    >>> worth(Agent("ada", values={"vase": 12}), Item("vase"))
    12.0
    >>> worth(Agent("bob", costs={"job": 3}), Task("job"))
    -3.0
    """
    if not item.procured:
        return agent.value_of(item)
    if not isinstance(item, Task):
        return -agent.value_of(item)
    claim = agent.claim(item)
    return None if claim is None else -claim.cost


def obstacle(agent: Agent, item: Item) -> Reason | None:
    """Why an agent has no bid that could serve both it and the auctioneer; None: it has."""
    value = worth(agent, item)
    if value is None:
        return "ineligible"
    if isinstance(item, Task) and agent.capacity == 0:
        return "no-capacity"
    if value <= 0 and not item.procured:
        return "no-interest"
    reserve = getattr(item, "reserve", None)
    if reserve is not None and value < (-reserve if item.procured else reserve):
        return "over-reserve"
    return None


def purse(agent: Agent, item: Item) -> float:
    """The most that an agent can bid: its free money, with what its earlier bids here hold; procured: no limit."""
    return inf if item.procured else agent.free + agent.held(HOLD)


def truthful(question: Question, agent: Agent) -> Any:
    """Bid what one unit is worth to it, as far as its purse goes; take a price that is not worse than that; else pass."""
    if not isinstance(question, AuctionQuestion):
        return question.otherwise
    item = question.item
    why = obstacle(agent, item)
    if why is not None:
        return Pass(item.id, why, question.round)
    value = worth(agent, item)
    assert value is not None
    if isinstance(question, BidWanted):
        price = -value if item.procured else min(value, purse(agent, item))
        quality = _quality(agent, item) if question.value_of_quality else 1
        return Bid(item.id, price, round=question.round, quality=quality)
    if isinstance(question, PriceOffered):
        if question.price <= purse(agent, item) and (
            value >= -question.price if item.procured else value >= question.price
        ):
            return Bid(item.id, question.price, round=question.round)
        return Pass(item.id, "no-interest", question.round)
    if isinstance(question, DemandAt):
        gain = value + question.price if item.procured else min(value, purse(agent, item)) - question.price
        return Demand(item.id, int(gain > 0), question.round, indifferent=int(gain == 0))
    return question.otherwise


def _quality(agent: Agent, item: Item) -> float:
    claim = agent.claim(item) if isinstance(item, Task) else None
    return 1 if claim is None else claim.quality
