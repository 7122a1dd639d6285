"""The Japanese auction: a clock shows a rising price, and bidders leave until only so many stay as there are units."""

from typing import Any, ClassVar

from msgspec import field

from auctions.auction import Auction, check_reply
from auctions.clearing import Cleared
from auctions.house import Auctioneer, Bidder
from auctions.increments import Increment, opening_of, read_increment
from auctions.messages import (
    HOLD,
    Bid,
    BidSchedule,
    ClockPrice,
    Closed,
    Pass,
    Reason,
    Rejected,
    TieDecided,
    WorkEnded,
    is_price,
)
from auctions.open_messages import StillIn
from walras.allocation import units
from walras.errors import ScenarioError
from walras.items import Item
from walras.messages import AgentId, Message
from walras.protocol import Protocol, on


class ClockAuctioneer(Auctioneer):
    """Calls one price after the other to those who are still in; silence means to leave::

        Auctioneer                              Bidders
           │ ── ClockPrice(price, round) ────────▶ │ all who are in
           │ ◀── Bid(price, round) or Pass ─────── │ until reply_by, or all have answered
           │ ── ClockPrice(price, round + 1) ────▶ │ those who have bid, while they are more than there are units
           │ ── Closed(awards) ──────────────────▶ │ all

    Everybody pays the last price at which there was a bidder for every unit. Where more had stayed in for it than there are
    units, those who stay longest get one, and of those who left together the dice choose.
    """

    rules: "AscendingClock"
    price: float = 0.0
    before: float = 0.0
    """The price of the round before."""
    round: int = 0
    reply_by: float = 0.0
    inside: tuple[AgentId, ...] = ()
    """Who is in at the price of the round before."""
    answers: dict[AgentId, bool] = field(default_factory=dict)
    """Who stays in at the present price."""

    def open_bidding(self) -> None:
        self.price = self.before = self.rules.opening_price(self.item)
        self.inside = self.bidders
        self.call()

    def call(self) -> None:
        """Ask who stays in at the present price."""
        self.round += 1
        self.answers = {}
        self.reply_by = min(self.now + self.rules.reply_within_s, self.close_by)
        self.set_timer("reply", self.reply_by)
        self.broadcast(
            self.inside,
            ClockPrice(self.shown, self.price, self.round, self.reply_by, len(self.inside), units(self.item)),
        )

    @on(Bid, BidSchedule, Pass)
    def take_answer(self, sender: AgentId, answer: Bid | BidSchedule | Pass) -> None:
        """One more stays or leaves."""
        why = self.objection(sender, answer)
        if why is None:
            self.answers[sender] = isinstance(answer, Bid)
            if len(self.answers) == len(self.inside):
                self.end_round()
        elif isinstance(answer, Pass) or why == "double":
            self.ignore(answer, why)
        else:
            self.reject(sender, answer, why)  # type: ignore[arg-type]

    def objection(self, sender: AgentId, answer: Bid | BidSchedule | Pass) -> Reason | str | None:
        """Why an answer does not count; None: it does."""
        if self.state != "bidding" or self.now > self.reply_by:
            return "late" if self.now > self.reply_by else "closed"
        if sender not in self.bidders:
            return "ineligible"
        if answer.round < self.round:
            return "late"
        if sender not in self.inside:
            return "closed"
        if isinstance(answer, Pass):
            return "double" if sender in self.answers else None
        if self.unfit(answer) is not None:
            return self.unfit(answer)
        if not isinstance(answer, Bid) or answer.units != 1 or answer.round != self.round:
            return "unparsable"
        if answer.price != self.price:
            return "too-low"
        return "double" if sender in self.answers else None

    def end_round(self) -> None:
        """Go on while more stay in than there are units, or while the price does not meet a hidden reserve."""
        self.cancel_timer("reply")
        stay = tuple(bidder for bidder in self.inside if self.answers.get(bidder))
        further = self.rules.steps.after(self.price, down=self.item.procured)
        wanted = len(stay) > units(self.item) or (stay and not self.serves(self.price))
        if wanted and self.better(further, self.price) and self.now < self.close_by:
            self.inside, self.before, self.price = stay, self.price, further
            self.call()
        else:
            self.conclude_at(stay)

    def conclude_at(self, stay: tuple[AgentId, ...]) -> None:
        """Sell to those who stay.

        What they leave goes to those who have just left, and then all pay the price before.
        """
        supply, left = units(self.item), [bidder for bidder in self.inside if bidder not in stay]
        if len(stay) >= supply or self.round == 1:
            winners, price = self.chosen(stay, supply), self.price
        else:
            winners, price = stay + self.chosen(tuple(left), supply - len(stay)), self.before
        self.sell([Cleared(bidder, 1, price) for bidder in winners] if self.serves(price) else [])

    def chosen(self, level: tuple[AgentId, ...], count: int) -> tuple[AgentId, ...]:
        """So many of them, by our dice if they are more."""
        if len(level) <= count:
            return level
        names = sorted(level)
        chosen = tuple(sorted(self.rng.sample(names, count)))
        self.publish(TieDecided(self.item.id, tuple(names), chosen))
        return chosen

    def time_is_up(self, name: Any) -> None:
        self.end_round()

    def close_bidding(self) -> None:
        self.end_round()


class ClockBidder(Bidder):
    """Asks its mind at every price; see `ClockAuctioneer`."""

    round: int = 0

    @on(ClockPrice)
    def consider(self, sender: AgentId, call: ClockPrice) -> None:
        """Ask our mind. What an earlier bid holds counts towards this one; it binds until the auction is over."""
        if not self.concerns(sender, call.item) or call.round <= self.round:
            self.ignore(call, "a double, or overtaken")
            return
        self.round = call.round
        margin_s = self.rules.margin_s
        question = StillIn(
            item=call.item,
            auctioneer=sender,
            bidders=call.bidders,
            round=call.round,
            price=call.price,
            quantity=call.quantity,
            decide_by=call.reply_by - margin_s,
        )
        self.decide(HOLD, question)

    def on_decision(self, name: str, answer: Bid | Pass) -> None:
        if self.state != "working":
            self.answer(answer)


class AscendingClock(Auction, frozen=True):
    """The Japanese auction: the price rises step by step, and who leaves does not come back.

    Procured, it falls. It ends when as many are in as there are units, at a price that is at most one increment from the
    value of the last one to leave: the outcome of a second price. Nobody learns who else is in, only how many.

    Args:
        increment: from one price to the next: an amount, or a share of it, such as ``"5%"``.
        opening: the first price; None: the reserve, if it is public, and else 0 on sale. A procurement has to begin somewhere.
        reply_within_s: how long each price is called, seconds; less, if all have answered before.
        from_zero: the increment where it is a share and the price is 0, currency.

    Raises:
        ScenarioError: for a setting outside its range; it names the field.

    References:
        P. Milgrom and R. Weber, A theory of auctions and competitive bidding, Econometrica 50, 1982, section 4.
    """

    increment: float | str = "5%"
    opening: float | None = None
    reply_within_s: float = 2.0
    from_zero: float = 0.01

    protocol: ClassVar[str] = "x-auction-japanese"
    messages: ClassVar[tuple[type[Message], ...]] = (ClockPrice, Bid, Pass, Closed, Rejected, WorkEnded)
    calls: ClassVar[tuple[type[Message], ...]] = (ClockPrice,)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_reply(self, self.reply_within_s)
        if self.opening is not None and not is_price(self.opening):
            raise ScenarioError("opening", self.opening, "a finite number of 0 or more, or None")
        if not is_price(self.from_zero) or not self.from_zero:
            raise ScenarioError("from_zero", self.from_zero, "a finite number above 0")
        read_increment("increment", self.increment)

    @property
    def steps(self) -> Increment:
        """The increment."""
        return read_increment("increment", self.increment, self.from_zero)

    def opening_price(self, item: Item) -> float:
        """The first price."""
        return opening_of(item, self.opening, hidden=self.hidden_reserve)

    def auctioneer(self, item: Item, bidders: tuple[AgentId, ...]) -> Protocol:
        self.opening_price(item)
        return ClockAuctioneer(self, item, bidders)

    def bidder(self, auctioneer: AgentId) -> Protocol:
        return ClockBidder(self, auctioneer)
