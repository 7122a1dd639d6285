"""How bidders behave in open auctions: straightforwardly, at the last moment, in jumps, or by marginal values.

All but the first are settings, so that they pickle, compare and print. What they are not made for they answer truthfully.
"""

from typing import Any

import msgspec

from auctions.messages import Bid, BidSchedule, BidWanted, Pass, PriceOffered, most_units
from auctions.open_messages import Demand, DemandAt, Later, MaximumWanted, NextBid
from auctions.strategies import purse, truthful, worth
from walras.agents import Agent, Strategy
from walras.amounts import is_amount
from walras.errors import ScenarioError
from walras.questions import Question


def straightforward(question: Question, agent: Agent) -> Any:
    """Bid what is asked for whenever one is outbid, as long as the item is worth it; name one's value where a maximum is wanted.

    In an English auction and on a clock nothing is better while the others do not react to how one bids. It is what
    `auctions.truthful` does.
    """
    return truthful(question, agent)


class Sniping(msgspec.Struct, frozen=True):
    """Wait until the close is near, and then bid as `strategy` does: no time is left for the others to answer.

    The close is the earliest time at which it may be over: that of a candle, the end of a soft close as it stands, or when
    nobody has bid for as long as the rules allow.

    Args:
        lead_s: how long before the close it bids, seconds: more than `margin_s`, which the mechanism keeps clear for the
            way, by what its mind takes to answer.
        strategy: how it bids then.

    Raises:
        ScenarioError: for a negative or infinite lead.

    References:
        A. Roth and A. Ockenfels, American Economic Review 92(4), 2002.
    """

    lead_s: float = 1.0
    strategy: Strategy = truthful

    def __post_init__(self) -> None:
        if not is_amount(self.lead_s):
            raise ScenarioError("lead_s", self.lead_s, "a finite number of seconds, 0 or more")

    def __call__(self, question: Question, agent: Agent) -> Any:
        answer = self.strategy(question, agent)
        if isinstance(question, NextBid | MaximumWanted) and isinstance(answer, Bid):
            end = min(question.may_close_from, question.idle_by, question.active_by)
            at = min(end - self.lead_s, question.decide_by)
            if question.asked_at < at:
                return Later(question.item.id, at, question.round)
        return answer


class Jumping(msgspec.Struct, frozen=True):
    """Bid more than is asked for: from there a share of the way to one's own value, so as to be done, or to impress.

    Args:
        share: 0 is straightforward, 1 bids the value at once.

    Raises:
        ScenarioError: for a share outside [0, 1].

    References:
        C. Avery, Strategic jump bidding in English auctions, Review of Economic Studies 65(2), 1998.
    """

    share: float = 0.5

    def __post_init__(self) -> None:
        if not is_amount(self.share) or self.share > 1.0:
            raise ScenarioError("share", self.share, "a number from 0 to 1")

    def __call__(self, question: Question, agent: Agent) -> Any:
        answer = truthful(question, agent)
        if not isinstance(question, NextBid) or not isinstance(answer, Bid) or not question.jumps:
            return answer
        value = worth(agent, question.item)
        assert value is not None
        limit = -value if question.item.procured else min(value, purse(agent, question.item))
        price = question.price + self.share * (limit - question.price)
        within = max if question.item.procured else min
        return msgspec.structs.replace(answer, price=within(price, limit) if self.share else question.price)


class MarginalValues(msgspec.Struct, frozen=True):
    """Wants several units, each worth less to it than the one before (in a procurement: each costs more), and says so.

    Where a price is called it demands the units that are worth more; where bids are wanted it bids the schedule.

    Args:
        values: what the first unit is worth, the second ..., currency.

    Raises:
        ScenarioError: unless there is a value, and all are finite and 0 or more.
    """

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        values: Any = self.values
        if not isinstance(values, tuple | list) or not values or not all(map(is_amount, values)):
            raise ScenarioError("values", self.values, "one finite number of 0 or more for each unit")

    def __call__(self, question: Question, agent: Agent) -> Any:
        if not isinstance(question, BidWanted | PriceOffered | DemandAt):
            return question.otherwise
        item = question.item
        values = sorted(self.values, reverse=not item.procured)[: most_units(item)]
        if isinstance(question, BidWanted):
            return BidSchedule(item.id, tuple((value, 1) for value in values), question.round)
        price = question.price
        more = sum(value < price if item.procured else value > price for value in values)
        same = values.count(price)
        if isinstance(question, DemandAt):
            more = min(more, question.quantity)
            return Demand(item.id, more, question.round, min(same, question.quantity - more))
        if more + same == 0:
            return Pass(item.id, "no-interest", question.round)
        return Bid(
            item.id,
            price,
            1 if isinstance(question, NextBid) else min(more + same, question.quantity),
            question.round,
        )
