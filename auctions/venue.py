"""The two roles of a continuous double auction, read as a dialogue: the venue that keeps the book, and its traders."""

from math import inf
from typing import TYPE_CHECKING, Any

import msgspec

from auctions.order_book import Match, Order, OrderBook
from auctions.order_messages import (
    CancelOrder,
    Enter,
    Leave,
    MarketClosed,
    MarketOpen,
    OrderWanted,
    Released,
    Top,
    Trade,
    unfit,
)
from walras.allocation import Award, Outcome
from walras.messages import AgentId
from walras.protocol import Protocol, on

if TYPE_CHECKING:
    from auctions.continuous import ContinuousDouble

MOST_HEARD = 256
"""What a trader keeps of what it has heard since its last question."""


class Position(msgspec.Struct):
    """What a venue remembers of a trader, however long it trades: its last number, and units bought and sold."""

    last: int = 0
    bought: int = 0
    sold: int = 0


class Venue(Protocol):
    """Keeps the book, awards every trade, and tells each trader what binds it no longer::

        Traders                                 Venue
          │ ◀── MarketOpen(good) ──────────────── │ all who are invited; others Enter by their own wish
          │ ── Order(number, side, price) ──────▶ │ takes the place of the trader's earlier one
          │ ── CancelOrder, Leave ──────────────▶ │
          │ ◀── Released(through, bought, sold) ─ │ to whom it concerns
          │ ◀── Trade, Top ────────────────────── │ all
          │ ◀── MarketClosed ──────────────────── │ all, if it ever closes

    A unit is never sold twice, however messages are lost, doubled or reordered: an order counts only if its trader knew
    of all its trades when it gave it (`seen`), and nobody sells more than it owns. What is kept of a trader does not grow
    with what it says.
    """

    rules: "ContinuousDouble"
    good: str
    audience: dict[AgentId, bool]
    """Who hears of trades and prices; a dict, for its order."""
    book: OrderBook = msgspec.field(default_factory=OrderBook)
    positions: dict[AgentId, Position] = msgspec.field(default_factory=dict)
    shown: Top = Top(0)
    """What everybody was told last of the best bid and ask."""
    serial: int = 0
    trades: int = 0

    @property
    def close_by(self) -> float:
        """When trading ends; infinite: never."""
        return self.rules.close_by(self.finish_by)

    def on_start(self) -> None:
        if self.close_by < inf:
            self.set_timer("close", self.close_by)
        self.broadcast(self.audience, MarketOpen(self.good, self.close_by))

    # ------------------------------------------------------------------ traders
    @on(Enter)
    def welcome(self, sender: AgentId, message: Enter) -> None:
        self.audience[sender] = True
        self.send(sender, MarketOpen(self.good, self.close_by))
        self.tell_standing(sender)
        self.send(sender, self.shown)

    @on(Order)
    def take(self, sender: AgentId, message: Order) -> None:
        """Take the order into the book in the place of the trader's earlier one, unless something is wrong with it."""
        if not self.is_new(sender, message):
            return
        self.audience[sender] = True
        why = self.refusal(sender, message)
        if why is not None:
            self.ignore(message, why)
            self.tell_standing(sender, why)
        else:
            placed = self.book.place(sender, message)
            for match in placed.matches:
                self.trade(match)
            self.tell_standing(sender)
            if placed.matches and self.rules.clear_on_trade:
                for owner, _ in self.book.clear():
                    self.tell_standing(owner, "the book is cleared after every trade")
        self.tell_top()

    @on(CancelOrder)
    def drop(self, sender: AgentId, message: CancelOrder) -> None:
        if self.is_new(sender, message):
            self.tell_standing(sender)
            self.tell_top()

    @on(Leave)
    def let_go(self, sender: AgentId, message: Leave) -> None:
        """Answered every time, since the leaver asks until it is."""
        position = self.positions.get(sender)
        again = position is not None and message.number == position.last
        if not again and not self.is_new(sender, message):
            return
        self.audience.pop(sender, None)
        self.tell_standing(sender)
        self.tell_top()

    def is_new(self, sender: AgentId, message: Order | CancelOrder | Leave) -> bool:
        """Whether this is the latest that the trader has said; then its earlier order is out of the book."""
        number = message.number
        if type(number) is not int or number < 1:
            self.ignore(message, f"number is {number!r}; expected a whole number of 1 or more")
            return False
        position = self.positions.setdefault(sender, Position())
        if number <= position.last:
            self.ignore(message, "double, or overtaken")
            return False
        self.book.cancel(sender, position.last)
        position.last = number
        return True

    def refusal(self, sender: AgentId, order: Order) -> str | None:
        """Why this order cannot be taken; None: it can."""
        wrong = unfit(order)
        if wrong is not None:
            return wrong
        position = self.positions[sender]
        if order.seen != position.bought + position.sold:
            return "it was given before its trader knew of its last trade"
        owned = self.rules.owned(sender, position.bought, position.sold)
        if order.side == "sell" and owned is not None and order.units > owned:
            return f"{order.units} units are offered, {owned} are owned"
        return None

    # ------------------------------------------------------------------ trading
    def trade(self, match: Match) -> None:
        """Award the trade, which binds and is paid at once, and tell everybody."""
        units = int(match.units)  # whole, since `unfit` orders are not taken
        self.trades += 1
        self.serial += 1
        self.positions[match.buyer].bought += units
        self.positions[match.seller].sold += units
        self.award(Award(self.good, match.buyer, match.price * units, units, match.seller))
        self.tell_standing(match.maker)
        self.broadcast(self.audience, Trade(self.serial, match.price, units, match.side))

    def tell_standing(self, trader: AgentId, why: str = "") -> None:
        """What binds a trader no longer, and what it has traded: the whole truth in one message."""
        position = self.positions.get(trader, Position())
        resting = self.book.orders.get((trader, position.last))
        through, left = (position.last, 0) if resting is None else (position.last - 1, int(resting.units))
        self.send(trader, Released(through, position.bought, position.sold, left, why))

    def tell_top(self) -> None:
        """Tell everybody the best bid and ask, if they have changed."""
        bid, ask, shown = self.book.top("buy"), self.book.top("sell"), self.shown
        bid_price, bid_units = (bid.price, int(bid.units)) if bid is not None else (None, 0)
        ask_price, ask_units = (ask.price, int(ask.units)) if ask is not None else (None, 0)
        if (shown.bid, shown.bid_units, shown.ask, shown.ask_units) != (
            bid_price, bid_units, ask_price, ask_units,
        ):  # fmt: skip
            self.serial += 1
            self.shown = Top(self.serial, bid_price, bid_units, ask_price, ask_units)
            self.broadcast(self.audience, self.shown)

    # ------------------------------------------------------------------ the end, if there is one
    def on_timer(self, name: str) -> None:
        self.close("done")

    def on_cancel(self) -> None:
        self.close("cancelled")

    def close(self, status: str) -> None:
        self.broadcast(self.audience, MarketClosed())
        self.finish(Outcome(status))

    def on_late(self, sender: AgentId, message: Any) -> None:
        self.ignore(message, "closed")
        if isinstance(message, Order | Enter | CancelOrder | Leave):
            self.send(sender, MarketClosed())

    def check(self) -> None:
        self.book.check()
        positions = self.positions
        assert sum(p.bought for p in positions.values()) == sum(p.sold for p in positions.values())
        for (trader, number), resting in self.book.orders.items():
            position = positions[trader]
            assert number == position.last, f"{trader} has two orders in the book"
            owned = self.rules.owned(trader, position.bought, position.sold)
            assert resting.side == "buy" or owned is None or resting.units <= owned, f"{trader} oversells"


class Trader(Protocol):
    """Asks its mind for an order every now and then, and frees what it binds when the venue has said so; see `Venue`.

    When it asks next is random (exponential times), so that who comes first has nothing to do with names.
    """

    rules: "ContinuousDouble"
    good: str = ""
    """Empty until the venue has told."""
    close_by: float = inf
    number: int = 0
    known: int = 0
    """Units that we knew to have traded when we asked."""
    bound: list[int] = msgspec.field(default_factory=list)
    """Numbers of orders that may still cost us something."""
    resting: Order | None = None
    standing: Released = Released(0)
    top: Top | None = None
    tape: list[Trade | Top] = msgspec.field(default_factory=list)
    heard: int = 0
    """The serial of what we have heard last."""
    leaving: bool = False

    @property
    def venue(self) -> AgentId:
        """Who opened this conversation: its id ends with its opener and a counter."""
        return self.conversation.rsplit("/", 2)[-2]

    def on_start(self) -> None:
        self.wait()

    def wait(self) -> None:
        """Until the next question, or the next attempt to be heard."""
        self.set_timer("next", self.now + self.rng.expovariate(1.0 / self.rules.every_s))

    def on_timer(self, name: str) -> None:
        if self.leaving:
            self.send(self.venue, Leave(self.number))
            self.wait()
        elif not self.good:
            self.send(self.venue, Enter())
            self.wait()
        else:
            self.ask()

    def ask(self) -> None:
        """Ask our mind what it wants; it is told all that we know."""
        self.number += 1
        standing = self.standing
        self.known = standing.bought + standing.sold
        question = OrderWanted(
            good=self.good,
            market=self.conversation,
            close_by=self.close_by,
            number=self.number,
            owned=self.rules.owned(self.me, standing.bought, standing.sold),
            bought=standing.bought,
            sold=standing.sold,
            resting=self.resting,
            top=self.top,
            tape=tuple(self.tape),
            decide_by=min(self.now + self.rules.decide_within_s, self.finish_by - self.rules.margin_s),
        )
        self.tape.clear()
        self.decide(f"order {self.number}", question)

    def on_decision(self, name: str, answer: Order | CancelOrder | Leave | None) -> None:
        if isinstance(answer, Order):
            self.resting = msgspec.structs.replace(answer, number=self.number, seen=self.known)
            self.bound.append(self.number)
            self.send(self.venue, self.resting)
        elif answer is not None:
            self.leaving = isinstance(answer, Leave)
            self.send(self.venue, type(answer)(self.number))
        self.wait()

    # ------------------------------------------------------------------ what the venue says
    @on(MarketOpen)
    def learn(self, sender: AgentId, message: MarketOpen) -> None:
        if sender != self.venue or self.good:
            self.ignore(message, "double, or not from the venue")
            return
        self.good, self.close_by = message.good, message.close_by

    @on(Released)
    def release(self, sender: AgentId, message: Released) -> None:
        """Free what no longer binds; an older message than the last one has nothing to add."""
        standing = self.standing
        if sender != self.venue or message.through > self.number:
            self.ignore(message, "not from the venue, or about orders that we have not given")
            return
        if (message.through, message.bought + message.sold) < (
            standing.through,
            standing.bought + standing.sold,
        ):
            self.ignore(message, "overtaken")
            return
        self.standing = message
        for number in [number for number in self.bound if number <= message.through]:
            self.bound.remove(number)
            self.withdraw(f"order {number}")
        if self.resting is not None:
            if self.resting.number <= message.through:
                self.resting = None
            elif self.resting.number == message.through + 1 and message.left:
                self.resting = msgspec.structs.replace(self.resting, units=message.left)
        if self.leaving and message.through >= self.number:
            self.finish(Outcome("left"))

    @on(Trade, Top)
    def hear(self, sender: AgentId, message: Trade | Top) -> None:
        if sender != self.venue or message.serial <= self.heard:
            self.ignore(message, "double, overtaken, or not from the venue")
            return
        self.heard = message.serial
        self.tape.append(message)
        del self.tape[:-MOST_HEARD]
        if isinstance(message, Top):
            self.top = message

    @on(MarketClosed)
    def go_home(self, sender: AgentId, message: MarketClosed) -> None:
        if sender == self.venue:
            self.finish(Outcome("closed"))
        else:
            self.ignore(message, "not from the venue")
