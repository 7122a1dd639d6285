"""Strategies that know more than their own value: equilibrium bids, naive ones, learned ones, and prices that rise with load.

All of them are settings, so that they pickle, compare and print. They answer sealed bids; whatever else they are asked,
they answer truthfully. (`Limited` keeps to its limit everywhere.)
"""

import math
from typing import Any

import msgspec

from auctions import equilibrium
from auctions.messages import Bid, BidWanted, Pass
from auctions.open_messages import Demand, DemandAt
from auctions.strategies import purse, truthful, worth
from auctions.values import Affiliated, Independent, Risk, Wallet
from walras.agents import Agent, Strategy
from walras.amounts import is_amount
from walras.errors import ScenarioError
from walras.items import Item
from walras.questions import Question


class Shading(msgspec.Struct, frozen=True):
    """Bid as in equilibrium, where `auctions.equilibrium` has it in closed form; else truthfully.

    For private values: first price (with a reserve, and for risk aversion), second and third price, all-pay. For
    affiliated and common values, as if there were no reserve: first and second price; for the wallet game: second price. A
    seller of work shades upwards; for that its costs have to be uniform or exponential.

    Args:
        values: how everybody's values and signals come about.
        bidders: how many there are, oneself included; None: as many as were asked.
        risk: attitude of all bidders; only CRRA and first price have a closed form.

    Raises:
        ScenarioError: for values that are no such model, for fewer bidders than one, and for CARA.
    """

    values: Independent | Affiliated | Wallet = Independent()
    bidders: int | None = None
    risk: Risk = Risk()

    def __post_init__(self) -> None:
        if not isinstance(self.values, Independent | Affiliated | Wallet):
            raise ScenarioError("values", self.values, "a model of values, such as Independent(Uniform())")
        if self.bidders is not None and self.bidders < 1:
            raise ScenarioError("bidders", self.bidders, "1 or more, or None for as many as are asked")
        if self.risk.cara:
            raise ScenarioError("risk", self.risk, "CRRA: with CARA no bid is known in closed form")

    def __call__(self, question: Question, agent: Agent) -> Any:
        answer = truthful(question, agent)
        if not isinstance(question, BidWanted) or not isinstance(answer, Bid):
            return answer
        value, n = worth(agent, question.item), self.bidders or question.bidders
        assert value is not None
        return _priced(answer, question.item, agent, self.bid(value, n, question.rule, question.item))

    def bid(self, value: float, n: int, rule: str, item: Item) -> float:
        """The bid of one of n for an item, in terms in which more is better: below zero in a procurement."""
        if rule == "second_price" and isinstance(self.values, Wallet) and n >= 2:
            return equilibrium.wallet_second_price(value, n, self.values)
        if isinstance(self.values, Affiliated) and n >= 2 and not item.procured:
            if rule == "second_price":
                return equilibrium.affiliated_second_price(value, n, self.values)
            if rule == "first_price":
                return equilibrium.affiliated_first_price(value, n, self.values)
        return self._private(value, n, rule, item) if isinstance(self.values, Independent) else value

    def _private(self, value: float, n: int, rule: str, item: Item) -> float:
        assert isinstance(self.values, Independent)
        distribution = self.values.distribution.mirrored() if item.procured else self.values.distribution
        limit = reserve_of(item)
        if rule == "first_price" and (n >= 2 or limit > -math.inf):
            return equilibrium.first_price(value, n, distribution, limit, crra=self.risk.crra)
        if rule == "third_price" and n >= 3:
            return equilibrium.third_price(value, n, distribution, limit)
        if rule == "all_pay" and n >= 2 and not item.procured:
            return equilibrium.all_pay(value, n, distribution, limit)
        return value


class Naive(msgspec.Struct, frozen=True):
    """Bid for an item of common or affiliated value as if one's own signal were all that can be known.

    In a first-price auction it shades as if values were private. Who bids so wins when it has been too optimistic: the
    winner's curse.
    """

    values: Affiliated
    bidders: int | None = None

    def __call__(self, question: Question, agent: Agent) -> Any:
        answer = truthful(question, agent)
        if not isinstance(question, BidWanted) or not isinstance(answer, Bid) or question.item.procured:
            return answer
        signal, n = agent.value_of(question.item), self.bidders or question.bidders
        if question.rule == "first_price" and n >= 2:
            bid = equilibrium.affiliated_first_price(
                signal, n, msgspec.structs.replace(self.values, private=1.0)
            )
        else:
            bid = equilibrium.naive(signal, self.values)
        return _priced(answer, question.item, agent, bid)


class Tabled(msgspec.Struct, frozen=True):
    """Bid by a table of values and bids, on straight lines between its points: what somebody has learned, or was told.

    `auctions.learning.Learned.strategy` makes one. In a procurement both are prices of sellers.

    Raises:
        ScenarioError: unless there are as many bids as values, and values ascend.

    >>> Tabled((0.0, 10.0), (0.0, 5.0)).price(4.0)
    2.0
    """

    values: tuple[float, ...]
    bids: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values or len(self.values) != len(self.bids):
            raise ScenarioError("bids", self.bids, f"one for each of {len(self.values)} values, 1 or more")
        if list(self.values) != sorted({*self.values}):
            raise ScenarioError("values", self.values, "numbers that ascend")

    def __call__(self, question: Question, agent: Agent) -> Any:
        answer = truthful(question, agent)
        if not isinstance(question, BidWanted) or not isinstance(answer, Bid):
            return answer
        value = worth(agent, question.item)
        assert value is not None
        sign = -1.0 if question.item.procured else 1.0
        return _priced(answer, question.item, agent, sign * self.price(sign * value))

    def price(self, value: float) -> float:
        """The bid for a value; beyond the table's ends as at them."""
        if value <= self.values[0]:
            return self.bids[0]
        for k in range(1, len(self.values)):
            (a, b), (low, high) = self.values[k - 1 : k + 1], self.bids[k - 1 : k + 1]
            if value <= b:
                return low + (high - low) * (value - a) / (b - a)
        return self.bids[-1]


class Limited(msgspec.Struct, frozen=True):
    """As another strategy, but never above `limit`, currency: a budget for each item. In a procurement never below it.

    In open auctions it goes home there. An agent's money is a budget for all its items together, which every strategy
    here keeps to.

    Raises:
        ScenarioError: for a limit that is negative or infinite.
    """

    limit: float
    strategy: Strategy = truthful

    def __post_init__(self) -> None:
        if not is_amount(self.limit):
            raise ScenarioError("limit", self.limit, "a finite number of 0 or more")

    def __call__(self, question: Question, agent: Agent) -> Any:
        answer = self.strategy(question, agent)
        if isinstance(question, DemandAt) and self._is_beyond(question.price, question.item):
            return Demand(question.item.id, 0, question.round)
        if not isinstance(answer, Bid) or not self._is_beyond(answer.price, question.item):  # type: ignore[attr-defined]
            return answer
        limited = msgspec.structs.replace(answer, price=self.limit)
        return limited if question.accepts(limited) else Pass(answer.item, "no-interest", answer.round)

    def _is_beyond(self, price: float, item: Item) -> bool:
        return price < self.limit if item.procured else price > self.limit


class LoadPriced(msgspec.Struct, frozen=True):
    """Ask for one's cost, and `surcharge` more for every task that one is working on: who has much to do gets dear.

    `auctions.bulk.assign` does the same for many agents at once.
    """

    surcharge: float

    def __post_init__(self) -> None:
        if not is_amount(self.surcharge):
            raise ScenarioError("surcharge", self.surcharge, "a finite number of 0 or more")

    def __call__(self, question: Question, agent: Agent) -> Any:
        answer = truthful(question, agent)
        if not isinstance(question, BidWanted) or not isinstance(answer, Bid) or not question.item.procured:
            return answer
        load = agent.capacity - agent.free_slots
        return msgspec.structs.replace(answer, price=answer.price + self.surcharge * load)


def reserve_of(item: Item) -> float:
    """The reserve in terms in which more is better; without one, 0 on sale, and ``-inf`` in a procurement."""
    reserve = getattr(item, "reserve", None)
    if item.procured:
        return -math.inf if reserve is None else -float(reserve)
    return 0.0 if reserve is None else float(reserve)


def _priced(answer: Bid, item: Item, agent: Agent, bid: float) -> Any:
    """The same bid at another price, within the purse; a bid below the reserve is as good as none, and is sent as that."""
    price = max(0.0, -bid if item.procured else min(bid, purse(agent, item)))
    return msgspec.structs.replace(answer, price=price)
