"""What is said in a continuous double auction, and what a trader asks its mind.

A trader has at most one order in the book: a new one takes the place of the old one. So the number of an order says all
that a message needs to be idempotent: whatever carries a number that is not above the last one is a double, or was
overtaken.
"""

from math import inf
from types import NoneType
from typing import Any, ClassVar

from auctions.order_book import Order, flaw
from walras.messages import ConversationId, Message
from walras.questions import Commitment, Question


# ---------------------------------------------------------------------------------------------------- from the venue
class MarketOpen(Message, frozen=True):
    """This good is traded here, until `close_by`: to who was invited, and in answer to `Enter`."""

    good: str
    close_by: float = inf


class Released(Message, frozen=True):
    """How you stand: your orders up to number `through` bind no longer; the next one rests, with `left` units.

    `bought` and `sold` are all units that you have traded so far, so that a lost message is made up for by the next.
    """

    through: int
    bought: int = 0
    sold: int = 0
    left: int = 0
    why: str = ""
    """Why your last order was not taken, if it was not."""


class Top(Message, frozen=True):
    """The best bid and the best ask, per unit, and how many units rest at each; None: nobody is there.

    `serial` counts what the venue tells everybody: what comes with a lower one is old.
    """

    serial: int
    bid: float | None = None
    bid_units: int = 0
    ask: float | None = None
    ask_units: int = 0


class Trade(Message, frozen=True):
    """So many units have changed hands at this price each. `side` is the taker's: whether the newer order was to buy."""

    serial: int
    price: float
    units: int
    side: str


class MarketClosed(Message, frozen=True):
    """Trading is over, and nothing binds any more."""


# --------------------------------------------------------------------------------------------------- from the traders
class Enter(Message, frozen=True):
    """I should like to trade here; let me hear what happens."""


class CancelOrder(Message, frozen=True):
    """Take my order out of the book. It has a number of its own, above that of the order."""

    number: int = 0


class Leave(Message, frozen=True):
    """As `CancelOrder`, and I shall not come back."""

    number: int = 0


# ----------------------------------------------------------------------------------------------------------- question
class OrderWanted(Question, frozen=True, kw_only=True):
    """What do you want to do in this market?

    Give an `Order` to buy or to sell so many units, each at a price or better; it takes the place of the one that you
    have in the book (`resting`), and what is not traded at once rests there. With `only_now` it lapses instead. `Leave` the
    market, take your order out of the book (`CancelOrder`), or do nothing (None). A buyer's account holds the price of its
    order, so a bid needs a price; a seller cannot offer more than it owns.
    """

    good: str
    market: ConversationId
    close_by: float = inf
    """When trading ends, seconds since the run's epoch."""
    number: int
    """Of this question; an order that answers it gets this number."""
    owned: int | None = None
    """Units that we may sell; None: nobody counts them here."""
    bought: int = 0
    sold: int = 0
    """Units that we have traded so far in this market, as far as we know."""
    resting: Order | None = None
    """Our order in the book, with the units that are left of it, as far as we know."""
    top: Top | None = None
    tape: tuple[Trade | Top, ...] = ()
    """What we have heard since the last question, oldest first."""

    answers: ClassVar[tuple[type, ...]] = (Order, CancelOrder, Leave, NoneType)

    def accepts(self, answer: Any) -> bool:
        if not isinstance(answer, Order):
            return super().accepts(answer)
        if unfit(answer) is not None:
            return False
        return answer.side == "buy" or self.owned is None or answer.units <= self.owned

    def commits(self, answer: Any) -> Commitment | None:
        if not isinstance(answer, Order) or answer.side != "buy" or answer.price is None:
            return None
        return Commitment(answer.price * answer.units)


def unfit(order: Order) -> str | None:
    """Why a venue cannot take this order, whoever gives it; None: it can."""
    wrong = flaw(order)
    if wrong is not None:
        return wrong
    if not isinstance(order.units, int):
        return f"units is {order.units!r}; expected a whole number"
    if order.price is None and order.side == "buy":
        return "price is None; expected a number: no account can hold what a market order to buy may cost"
    if order.price is not None and not order.price * order.units < inf:
        return f"it comes to {order.price * order.units!r}; expected a sum that somebody can pay"
    return None
