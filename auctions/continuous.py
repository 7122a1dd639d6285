"""The continuous double auction: a venue that keeps an order book, and traders who come and go as they like.

The venue matches orders as they come (price-time priority, see `auctions.order_book`), awards each trade at once, and
ends when it is told to, at a stated time, or never. Start from `ContinuousDouble`.
"""

from collections.abc import Mapping
from math import inf
from typing import Any, ClassVar

from auctions.order_book import Order
from auctions.order_messages import (
    CancelOrder,
    Enter,
    Leave,
    MarketClosed,
    MarketOpen,
    Released,
    Top,
    Trade,
)
from auctions.traders import truthful_trader
from auctions.venue import Trader, Venue
from walras.agents import Agent
from walras.amounts import is_amount
from walras.errors import ScenarioError
from walras.items import Item, Lot
from walras.mechanism import Mechanism
from walras.messages import AgentId, Envelope, Message
from walras.questions import Question

_INVITING = (MarketOpen, Top, Trade)


class ContinuousDouble(Mechanism, frozen=True, kw_only=True):
    """A continuous double auction: orders meet as they come, at the price of the one that was there first.

    One conversation is about one `Lot`, any units of which its traders buy and sell among themselves; its opener keeps the
    book and trades nothing. It is open until shortly before its `finish_by`; without one, for ever. Whoever is
    invited is told; others join by their own wish.

    Args:
        every_s: the mean time between two questions to one trader's mind, seconds.
        decide_within_s: how long a mind may take, seconds.
        open_until_s: when to close, if that is earlier: seconds since the epoch of the run; None: do not.
        margin_s: how long before `finish_by` it closes, seconds, so that everybody can hear of it.
        clear_on_trade: whether all orders lapse after each trade, as in Gode and Sunder's markets.
        endowments: units that traders own at the start, and so may sell; who is not named owns none. None: nobody counts.

    Raises:
        ScenarioError: for a setting outside its range; it names the field.

    References:
        V. L. Smith, "An experimental study of competitive market behavior", Journal of Political Economy 70(2), 1962.
        D. Friedman and J. Rust (eds.), The Double Auction Market, 1993.
    """

    every_s: float = 1.0
    decide_within_s: float = 10.0
    open_until_s: float | None = None
    margin_s: float = 0.25
    clear_on_trade: bool = False
    endowments: Mapping[AgentId, int] | None = None

    protocol: ClassVar[str] = "x-continuous-double-auction"
    messages: ClassVar[tuple[type[Message], ...]] = (
        MarketOpen,
        Enter,
        Order,
        CancelOrder,
        Leave,
        Released,
        Trade,
        Top,
        MarketClosed,
    )

    def __post_init__(self) -> None:
        for field in ("every_s", "decide_within_s"):
            if not is_amount(getattr(self, field)) or getattr(self, field) == 0:
                raise ScenarioError(field, getattr(self, field), "a finite number of seconds above 0")
        for field in ("margin_s", "open_until_s"):
            value = getattr(self, field)
            if not is_amount(value) and (value is not None or field == "margin_s"):
                raise ScenarioError(field, value, "a finite number of seconds, 0 or more")
        if self.clear_on_trade not in (True, False):
            raise ScenarioError("clear_on_trade", self.clear_on_trade, "True or False")
        if self.endowments is not None and not _is_stock(self.endowments):
            raise ScenarioError("endowments", self.endowments, "whole numbers of 0 or more by agent, or None")

    def close_by(self, finish_by: float) -> float:
        """When a conversation that is over at `finish_by` closes its book."""
        return min(inf if self.open_until_s is None else self.open_until_s, finish_by - self.margin_s)

    def owned(self, agent: AgentId, bought: int, sold: int) -> int | None:
        """Units that an agent owns after so many trades; None: nobody counts."""
        return None if self.endowments is None else self.endowments.get(agent, 0) + bought - sold

    def opener(self, me: AgentId, items: tuple[Item, ...], participants: tuple[AgentId, ...]) -> Venue:
        """A `Venue`, for one lot that is on sale."""
        item = items[0] if len(items) == 1 else None
        if not isinstance(item, Lot) or item.procured or item.reserve is not None:
            expected = "one Lot on sale without a reserve: the good that is traded, for which sellers ask"
            raise ScenarioError("items", items, expected)
        return Venue(self, item.id, {agent: True for agent in participants if agent != me})

    def join(self, me: AgentId, invitation: Envelope | None) -> Trader | None:
        """A `Trader`, for who is told that there is trade, or comes by its own wish."""
        if invitation is not None and type(invitation.message) not in _INVITING:
            return None
        return Trader(self)

    def default_strategy(self, question: Question, agent: Agent) -> Any:
        """Truthful, see `auctions.traders`."""
        return truthful_trader(question, agent)


def _is_stock(value: object) -> bool:
    return isinstance(value, Mapping) and all(type(units) is int and units >= 0 for units in value.values())
