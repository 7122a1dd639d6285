"""Posted prices, the baseline of every auction: take it or leave it, one bidder after the other."""

from typing import Any, ClassVar

from msgspec import field

from auctions.auction import Auction, check_reply
from auctions.clearing import Cleared
from auctions.house import Auctioneer, Bidder
from auctions.messages import (
    HOLD,
    Bid,
    ClockPrice,
    Closed,
    Pass,
    PriceOffered,
    Rejected,
    WorkEnded,
    is_price,
    most_units,
)
from walras.errors import ScenarioError
from walras.items import Item
from walras.messages import AgentId, Message
from walras.protocol import Protocol, on


class PriceSetter(Auctioneer):
    """Offers the item at one price to one bidder after the other, in an order that its own dice decide::

        PriceSetter                             PriceTakers
           │ ── ClockPrice(price, round) ────────▶ │ the next one
           │ ◀── Bid(price) or Pass ────────────── │ until reply_by
           │ ── Closed(awards) ──────────────────▶ │ all, when there is no more to be had, or everybody has been asked

    In a procurement the price is what it pays.
    """

    rules: "PostedPrice"
    price: float = 0.0
    queue: list[AgentId] = field(default_factory=list)
    """Who has yet to be asked, in this order."""
    asked: AgentId = ""
    reply_by: float = 0.0
    round: int = 0

    def open_bidding(self) -> None:
        self.queue = sorted(self.bidders) if self.serves(self.price) else []
        self.rng.shuffle(self.queue)
        self.ask_next()

    @property
    def audience(self) -> tuple[AgentId, ...]:
        """Who has been asked; the others know nothing of it."""
        return tuple(bidder for bidder in self.bidders if bidder not in self.queue)

    def ask_next(self) -> None:
        """Offer what is left to the next one, if there is time."""
        if not self.queue or not self.left or self.close_by - self.now <= self.rules.margin_s:
            self.close_bidding()
            return
        self.asked = self.queue.pop(0)
        self.round += 1
        self.reply_by = min(self.now + self.rules.reply_within_s, self.close_by)
        self.set_timer("reply", self.reply_by)
        call = ClockPrice(self.shown, self.price, self.round, self.reply_by, len(self.bidders), self.left)
        self.send(self.asked, call)

    @on(Bid, Pass)
    def take_answer(self, sender: AgentId, answer: Any) -> None:
        """The one who is asked takes it, or leaves it."""
        in_time = self.state == "bidding" and self.now <= self.reply_by
        if sender == self.asked and answer.round == self.round and in_time:
            if isinstance(answer, Bid):
                reason = self.unfit(answer) or (None if answer.price == self.price else "too-low")
                if reason is not None:
                    self.reject(sender, answer, reason)
                    return
                taken = min(answer.units, self.left)
                self.give(Cleared(sender, taken, self.price * taken))
            self.asked = ""
            self.cancel_timer("reply")
            self.ask_next()
        elif isinstance(answer, Pass) or any(line.winner == sender for line in self.awards):
            self.ignore(answer, "too late, or a double")
            self.tell_again(sender)
        else:
            self.reject(sender, answer, "late")

    def time_is_up(self, name: Any) -> None:
        self.ask_next()

    def close_bidding(self) -> None:
        self.cancel_timer("reply")
        self.sell()


class PriceTaker(Bidder):
    """Is asked once whether it takes the item at a price; see `PriceSetter`."""

    @on(ClockPrice)
    def consider(self, sender: AgentId, call: ClockPrice) -> None:
        """Ask our mind."""
        if self.item is not None or not self.concerns(sender, call.item):
            self.ignore(call, "a second call")
            return
        margin_s = self.rules.margin_s
        question = PriceOffered(
            item=call.item,
            auctioneer=sender,
            binds_until=call.reply_by + margin_s,
            bidders=call.bidders,
            round=call.round,
            price=call.price,
            quantity=min(call.quantity, most_units(call.item)),
            decide_by=call.reply_by - margin_s,
        )
        self.decide(HOLD, question)

    def on_decision(self, name: str, answer: Bid | Pass) -> None:
        self.answer(answer)


class PostedPrice(Auction, frozen=True):
    """A posted price: take it or leave it. Bidders are asked one after the other, in an order drawn by the seed.

    Not an auction, but what every auction has to beat: nobody competes, and the price is whatever it was thought to be.

    Args:
        price: per unit, in the run's currency; None: the item's reserve. A price that the reserve forbids sells nothing.
        reply_within_s: how long each bidder may think, seconds.

    Raises:
        ScenarioError: for a setting outside its range, and for an item without a reserve if there is no price.

    References:
        R. Wang, Auctions versus posted-price selling, American Economic Review 83(4), 1993.
    """

    price: float | None = None
    reply_within_s: float = 2.0

    protocol: ClassVar[str] = "x-posted-price"
    messages: ClassVar[tuple[type[Message], ...]] = (ClockPrice, Bid, Pass, Closed, Rejected, WorkEnded)
    calls: ClassVar[tuple[type[Message], ...]] = (ClockPrice,)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_reply(self, self.reply_within_s)
        if self.price is not None and not is_price(self.price):
            raise ScenarioError("price", self.price, "a finite number of 0 or more, or None")

    def auctioneer(self, item: Item, bidders: tuple[AgentId, ...]) -> Protocol:
        price = self.price if self.price is not None else getattr(item, "reserve", None)
        if price is None or not is_price(price):
            raise ScenarioError("price", self.price, f"a number, or a finite reserve of {item.id} to ask for")
        return PriceSetter(self, item, bidders, price=price)

    def bidder(self, auctioneer: AgentId) -> Protocol:
        return PriceTaker(self, auctioneer)
