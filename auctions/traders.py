"""Traders of the continuous double auction: strategies that answer `OrderWanted`.

A trader works on one unit at a time: its *limit* is what the next unit is worth to it, or what parting with the next one
costs it. All offer one unit, and replace their order each time when they are asked.
"""

from math import inf, nextafter
from random import Random
from typing import Any, Literal

import msgspec

from auctions.induced import Limits
from auctions.order_book import Order, Side
from auctions.order_messages import Leave, OrderWanted, Top, Trade
from walras.agents import Agent
from walras.amounts import MOST, is_amount
from walras.errors import ScenarioError
from walras.questions import Question


def next_limit(question: OrderWanted, agent: Agent) -> tuple[Side, float] | None:
    """Which side the agent is on, and its limit price for the next unit; None: it has traded all that it can.

    In an induced-value market (`Limits`) that is the next of its prices. Any other valuation is asked what one unit more, or
    one less, means: who owns units sells, who owns none buys.
    """
    values: Any = agent.values
    if isinstance(values, Limits):
        done = question.bought if values.side == "buy" else question.sold
        return (values.side, values.prices[done]) if done < len(values.prices) else None
    good = question.good
    owned = question.bought - question.sold if question.owned is None else question.owned
    if owned > 0:
        return "sell", values([good] * owned) - values([good] * (owned - 1))
    return "buy", values([good])


def at_any_price(side: Side, units: int, agent: Agent) -> Order:
    """A market order, as a venue can take it: it trades with what there is at any price, and what it does not find lapses.

    An account holds the price of its order to buy, so here any price is what the agent can pay: all its free money.

    >>> at_any_price("buy", 2, Agent("ada", money=30))
    Order(side='buy', units=2, price=15.0, only_now=True)
    """
    if side == "sell":
        return Order("sell", units)
    price = min(agent.free, MOST) / units
    if price * units > agent.free:
        price = nextafter(price, 0.0)
    return Order("buy", units, price, only_now=True)


def truthful_trader(question: Question, agent: Agent) -> Any:
    """Offer the next unit at the limit: what it is worth, no more and no less.

    It leaves when it has nothing left to trade, and keeps an order that already says so.
    """
    if not isinstance(question, OrderWanted):
        return question.otherwise
    found = next_limit(question, agent)
    if found is None:
        return Leave()
    side, limit = found
    resting = question.resting
    if resting is not None and (resting.side, resting.price) == found:
        return None
    return Order(side, 1, limit) if limit >= 0 else None


class ZeroIntelligence(msgspec.Struct, frozen=True):
    """Offer the next unit at a random price, each as likely as any other, whatever happens in the market.

    Constrained (ZI-C) it makes no loss: bids lie between `low` and its value, asks between its cost and `high`.
    Unconstrained (ZI-U) both lie between `low` and `high`. With whole bounds prices are whole.

    References:
        D. K. Gode and S. Sunder, "Allocative efficiency of markets with zero-intelligence traders", Journal of Political
        Economy 101(1), 1993, section III: prices are uniform on 1 to 200.

    Raises:
        ScenarioError: for bounds that are not 0 or more, finite, and in this order.
    """

    low: float = 1
    high: float = 200
    constrained: bool = True

    def __post_init__(self) -> None:
        if not is_amount(self.low):
            raise ScenarioError("low", self.low, "a finite number of 0 or more")
        if not is_amount(self.high) or self.high < self.low:
            raise ScenarioError("high", self.high, f"a finite number, low ({self.low}) or more")

    def __call__(self, question: Question, agent: Agent) -> Any:
        if not isinstance(question, OrderWanted):
            return question.otherwise
        found = next_limit(question, agent)
        if found is None:
            return Leave()
        side, limit = found
        low, high = self.low, self.high
        if self.constrained:
            low, high = (low, min(high, limit)) if side == "buy" else (max(low, limit), high)
        if low > high:
            return None  # there is no price without a loss
        assert agent.rng is not None, "a run gives every agent its stream"
        return Order(side, 1, uniform(agent.rng, low, high))


def uniform(rng: Random, low: float, high: float) -> float:
    """A price between two bounds, both included: whole, if they are."""
    return (
        rng.randint(low, high) if isinstance(low, int) and isinstance(high, int) else rng.uniform(low, high)
    )


class ZipSettings(msgspec.Struct, frozen=True):
    """How a ZIP trader learns; each trader draws its own rates. The ranges are those of Cliff (1997).

    Raises:
        ScenarioError: for a range that is none, or outside of what makes sense.
    """

    learning_rate: tuple[float, float] = (0.1, 0.5)
    """Cliff's beta: the share of the distance to its target that a trader wants to go."""
    momentum: tuple[float, float] = (0.0, 0.1)
    """Cliff's gamma: the weight of earlier changes in a change."""
    first_margin: tuple[float, float] = (0.05, 0.35)
    """The profit margin at the start, as a share of the limit."""
    relative: float = 0.05
    """How far a target lies from the price that was heard, at most, as a share of it (Cliff's R)."""
    absolute: float = 0.05
    """And beyond that, at most, in the currency (Cliff's A)."""

    def __post_init__(self) -> None:
        for field, most in (("learning_rate", 1.0), ("momentum", 1.0), ("first_margin", 1.0)):
            low, high = getattr(self, field)
            if not 0.0 <= low <= high <= most:
                raise ScenarioError(field, (low, high), "two shares between 0 and 1, in this order")
        for field in ("relative", "absolute"):
            if not 0.0 <= getattr(self, field) < inf:
                raise ScenarioError(field, getattr(self, field), "a finite number of 0 or more")


class Zip:
    """A ZIP trader: zero intelligence plus learning. It offers its limit plus a margin, and adapts the margin to what it hears.

    A `Trade` is a shout that was accepted (the maker's); a better bid or ask in a `Top`, or one that still stands when the
    trader is asked again, is one that was not. A seller whose price is not above that of a trade raises its margin. It
    lowers its margin, if it still has units, when a bid was accepted, or an ask was not, at a price below its own. Buyers
    do the mirror image. The price moves by the Widrow-Hoff rule with momentum, towards a target a little beyond the price
    that was heard: ``change = gamma * last + (1 - gamma) * beta * (target - price)``.

    The object is one agent's mind: it remembers its margin from one trading period to the next, and begins anew when it
    meets an agent of another run. Give every agent its own.

    References:
        D. Cliff, "Minimal-intelligence agents for bargaining behaviors in market-based environments", HP Laboratories
        report HPL-97-91, 1997. The ranges of the rates are in `ZipSettings`.
    """

    def __init__(self, settings: ZipSettings | None = None) -> None:
        self.settings = settings if settings is not None else ZipSettings()
        self._agent: Agent | None = None
        self._answered: tuple[str, int] = ("", 0)
        self._top = Top(0)

    def __call__(self, question: Question, agent: Agent) -> Any:
        if not isinstance(question, OrderWanted):
            return question.otherwise
        found = next_limit(question, agent)
        if self._agent is not agent:
            self._begin(agent, "sell" if found is not None and found[0] == "sell" else "buy")
        if (question.market, question.number) != self._answered:  # else it is asked again, after a crash
            if question.market != self._answered[0]:
                self._top = Top(0)  # another book
            self._answered = (question.market, question.number)
            self._hear(question.tape, found)
            if found is not None and question.top is not None:
                self._after_quotes(Top(0), question.top)  # it still stands, so nobody has taken it
        if found is None:
            return None  # it goes on to listen
        side, self._limit = found
        return Order(side, 1, self.price)

    @property
    def price(self) -> float:
        """What it offers now: never at a loss."""
        return self._limit * (1.0 + self._margin if self._side == "sell" else 1.0 - self._margin)

    @property
    def margin(self) -> float:
        """Its profit margin, as a share of its limit, 0 or more."""
        return self._margin

    def _begin(self, agent: Agent, side: Literal["buy", "sell"]) -> None:
        assert agent.rng is not None, "a run gives every agent its stream"
        rng = self._rng = agent.rng
        self._agent, self._side = agent, side
        self._beta = rng.uniform(*self.settings.learning_rate)
        self._gamma = rng.uniform(*self.settings.momentum)
        self._margin = rng.uniform(*self.settings.first_margin)
        self._momentum = 0.0
        self._limit = 0.0
        self._answered, self._top = ("", 0), Top(0)

    def _hear(self, tape: tuple[Trade | Top, ...], found: tuple[Side, float] | None) -> None:
        if found is not None:
            self._limit = found[1]
        active = found is not None
        for heard in tape:
            if isinstance(heard, Trade):
                self._after_trade(heard.price, "sell" if heard.side == "buy" else "buy", active)
            else:
                before, self._top = self._top, heard
                if active:
                    self._after_quotes(before, heard)

    def _after_trade(self, price: float, shouted: Side, active: bool) -> None:
        """A bid or an ask (`shouted`: the maker's side) was accepted at this price."""
        sells = self._side == "sell"
        if (self.price <= price) if sells else (self.price >= price):
            self._aim(price, up=sells)  # it could have had more
        elif active and shouted != self._side:
            self._aim(price, up=not sells)  # it would not have had this deal

    def _after_quotes(self, before: Top, now: Top) -> None:
        """A rival of its own side has shown a better price than ours, and nobody has taken it."""
        if self._side == "sell":
            if now.ask is not None and (before.ask is None or now.ask < before.ask) and self.price >= now.ask:
                self._aim(now.ask, up=False)
        elif now.bid is not None and (before.bid is None or now.bid > before.bid) and self.price <= now.bid:
            self._aim(now.bid, up=True)

    def _aim(self, heard: float, up: bool) -> None:
        """Move the price towards a target just beyond the price that was heard."""
        settings, sign = self.settings, 1.0 if up else -1.0
        target = heard * (1.0 + sign * self._rng.uniform(0.0, settings.relative))
        target += sign * self._rng.uniform(0.0, settings.absolute)
        change = self._beta * (target - self.price)
        self._momentum = self._gamma * self._momentum + (1.0 - self._gamma) * change
        if self._limit > 0:
            wanted = (self.price + self._momentum) / self._limit
            margin = wanted - 1.0 if self._side == "sell" else 1.0 - wanted
            self._margin = max(0.0, margin) if self._side == "sell" else min(1.0, max(0.0, margin))
