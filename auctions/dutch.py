"""The Dutch auction: a clock falls from a high price, and who takes the item first pays what the clock shows.

After FIPA's Dutch auction (XC00032), with its open points settled: whoever takes it at the same tick is equal, and dice
choose; who took it at a tick that is over when word arrives is served at that tick's price, if there is still any.
"""

from math import ceil
from typing import Any, ClassVar

from msgspec import field

from auctions.auction import Auction
from auctions.clearing import Offer, clear
from auctions.house import Auctioneer, Bidder
from auctions.increments import parse_share
from auctions.messages import (
    HOLD,
    Bid,
    BidSchedule,
    ClockPrice,
    Closed,
    Pass,
    Reason,
    Rejected,
    WorkEnded,
    is_price,
    most_units,
    steps_of,
)
from auctions.multi_unit import discriminatory
from auctions.open_messages import TakeAt
from walras.amounts import check_seconds
from walras.errors import ScenarioError
from walras.items import Item
from walras.messages import AgentId, Frozen, Message
from walras.protocol import Protocol, on

MOST_TICKS = 100_000


class Ladder(Frozen, frozen=True):
    """The prices on the clock: from `start` to `stop`, `tick` apart, the last step perhaps a smaller one.

    >>> ladder = Ladder(10, 3, 2)
    >>> [ladder.price(k) for k in range(1, ladder.calls + 1)]
    [10, 8, 6, 4, 3]
    """

    start: float
    stop: float
    tick: float

    @property
    def calls(self) -> int:
        """How many prices there are."""
        return ceil(abs(self.start - self.stop) / self.tick - 1e-9) + 1

    def price(self, call: int) -> float:
        """The price of a call, counted from 1."""
        if call >= self.calls:
            return self.stop
        way = (call - 1) * self.tick
        return self.start - way if self.start > self.stop else self.start + way


class DutchAuctioneer(Auctioneer):
    """Lets the clock fall, and serves who takes it::

        Auctioneer                              Bidders
           │ ── ClockPrice(price, round) ────────▶ │ all who are interested, every interval_s
           │ ◀── Bid(price, units, round) ──────── │ who takes it: silence is no
           │ ◀── Pass ──────────────────────────── │ who will not take it at any price on this clock
           │ ── Closed(awards) ──────────────────▶ │ all, when nothing is left, or the clock has stopped

    At the end of each tick those are served who have taken it, the best price first, and of equal ones whom the dice choose.
    """

    rules: "Dutch"
    ladder: Ladder = Ladder(0, 0, 1)
    round: int = 0
    opened_at: float = 0.0
    interval_s: float = 0.0
    over_at: float = 0.0
    """When the clock stops, or has stopped; what is heard later is late, even if we stood still then."""
    arrived: dict[AgentId, Bid] = field(default_factory=dict)
    """What has been taken in this tick, and is not yet served."""
    heard: dict[AgentId, int] = field(default_factory=dict)
    """The round of each bidder's latest bid that counts."""
    gone: list[AgentId] = field(default_factory=list)

    def open_bidding(self) -> None:
        self.opened_at = self.now
        self.interval_s = min(self.rules.interval_s, (self.close_by - self.now) / self.ladder.calls)
        self.over_at = self.opened_at + self.ladder.calls * self.interval_s
        self.call()

    def call(self) -> None:
        """Show the next price."""
        self.round += 1
        reply_by = self.opened_at + self.round * self.interval_s
        self.set_timer("tick", reply_by)
        call = ClockPrice(
            self.shown,
            self.ladder.price(self.round),
            self.round,
            reply_by,
            len(self.bidders),
            self.left,
            self.close_by if self.rules.hidden_reserve else self.over_at,
        )
        self.broadcast([bidder for bidder in self.bidders if bidder not in self.gone], call)

    @on(Bid, BidSchedule)
    def take_answer(self, sender: AgentId, bid: Bid | BidSchedule) -> None:
        """Somebody takes it, at this tick or at an earlier one."""
        if bid.round <= self.heard.get(sender, 0):
            self.ignore(bid, "a double, or overtaken")
            self.tell_again(sender)
            return
        why = self.objection(sender, bid)
        if why is not None:
            self.reject(sender, bid, why)
            return
        assert isinstance(bid, Bid)
        self.heard[sender] = bid.round
        self.arrived[sender] = bid

    def objection(self, sender: AgentId, bid: Bid | BidSchedule) -> Reason | None:
        """Why a bid does not count; None: it does."""
        if self.now > self.over_at:
            return "late"
        if self.state != "bidding":
            return "closed"
        if sender not in self.bidders:
            return "ineligible"
        if self.unfit(bid) is not None or not isinstance(bid, Bid):
            return self.unfit(bid) or "unparsable"
        if not 1 <= bid.round <= self.round or bid.price != self.ladder.price(bid.round):
            return "too-low"
        had = sum(line.quantity for line in self.awards if line.winner == sender)
        return "closed" if sender in self.arrived or bid.units > most_units(self.item) - had else None

    @on(Pass)
    def let_go(self, sender: AgentId, message: Pass) -> None:
        """Who is not interested need not hear of every tick."""
        if self.state != "bidding" or sender not in self.bidders or sender in self.gone:
            self.ignore(message, "too late, a double, or from a stranger")
            return
        self.gone.append(sender)
        if len(self.gone) == len(self.bidders) and not self.arrived:
            self.close_bidding()

    def serve(self) -> None:
        """Award what has been taken, the best price first."""
        if not self.arrived or not self.left:
            return
        offers = [Offer(bidder, bid.price, bid.units) for bidder, bid in sorted(self.arrived.items())]
        self.arrived = {}
        tied = len({offer.price for offer in offers}) < len(offers)
        lines = clear(
            discriminatory,
            offers,
            units=self.left,
            reverse=self.item.procured,
            rng=self.rng if tied else None,
        )
        if tied:
            self.tell_tie(offers, {line.bidder for line in lines})
        for line in lines:
            self.give(line)

    def time_is_up(self, name: Any) -> None:
        self.serve()
        clock_runs = self.round < self.ladder.calls and self.now < self.close_by
        if self.left and clock_runs and len(self.gone) < len(self.bidders):
            self.call()
            return
        self.over_at = self.now
        self.close_bidding()

    def close_bidding(self) -> None:
        self.cancel_timer("tick")
        self.over_at = min(self.over_at, self.close_by)
        self.serve()
        self.sell()


class DutchBidder(Bidder):
    """Asks its mind once at which price it would take it, watches the clock, and takes it then; see `DutchAuctioneer`."""

    call: ClockPrice | None = None
    plan: tuple[tuple[float, int], ...] | None = None
    """At which price how many units, best price first; None: our mind is still thinking."""
    taken: int = 0

    @on(ClockPrice)
    def watch(self, sender: AgentId, call: ClockPrice) -> None:
        """The clock shows another price."""
        first = self.call is None
        if not self.concerns(sender, call.item) or (self.call is not None and call.round <= self.call.round):
            self.ignore(call, "a double, or overtaken")
            return
        self.call = call
        if self.plan is not None:
            self.take()
        elif first:
            margin_s = self.rules.margin_s
            question = TakeAt(
                item=call.item,
                auctioneer=sender,
                binds_until=call.ends_by + margin_s,
                bidders=call.bidders,
                rule="first_price" if most_units(call.item) == 1 else "discriminatory",
                shown=call.price,
                asked_at=self.now,
                closes_at=call.ends_by,
                decide_by=call.ends_by - margin_s,
            )
            self.decide(HOLD, question)

    def on_decision(self, name: str, answer: Bid | BidSchedule | Pass) -> None:
        assert self.call is not None
        if isinstance(answer, Pass):
            self.plan = ()
            self.answer(Pass(answer.item, answer.reason, self.call.round))
        elif self.state != "working":
            self.plan = steps_of(answer)
            self.take()

    def take(self) -> None:
        """Take what our plan says for the price on the clock."""
        assert self.call is not None
        assert self.plan is not None
        price, procured = self.call.price, self.call.item.procured
        wanted = sum(count for own, count in self.plan if (own <= price if procured else own >= price))
        more = min(wanted - self.taken, self.call.quantity)
        if more > 0:
            self.taken += more
            self.answer(Bid(self.call.item.id, price, more, self.call.round))


class Dutch(Auction, frozen=True):
    """A Dutch auction: the price falls from tick to tick until somebody takes the item, and pays what the clock shows.

    Procured, it rises. With several units the clock goes on until all are taken, and everybody pays their own price.
    Bidders are asked once at which price they would take it: they learn nothing from the clock before it is too late.
    Equilibrium bids are those of a first price, on the grid of the ticks.

    Args:
        start: the first price; None: 0 in a procurement. A sale has to begin somewhere.
        stop: the last price; None: the reserve, and else 0 on sale. It stops at the reserve in any case.
        tick: from one price to the next: an amount, or a share of the whole way, such as ``"2%"``.
        interval_s: how long each price is shown, seconds; less, if time is short.

    Raises:
        ScenarioError: for a setting outside its range, for a start from which no tick leads to the reserve, and for more
            than 100,000 ticks.

    References:
        FIPA, Dutch auction interaction protocol, XC00032F, 2001. W. Vickrey, J. Finance 16(1), 1961.

    Examples:
        >>> from walras.items import Lot
        >>> Dutch(start=100, tick=5).ladder(Lot("vase", reserve=40))
        Ladder(start=100, stop=40, tick=5)
    """

    start: float | None = None
    stop: float | None = None
    tick: float | str = "2%"
    interval_s: float = 0.5

    protocol: ClassVar[str] = "x-auction-dutch"
    messages: ClassVar[tuple[type[Message], ...]] = (ClockPrice, Bid, Pass, Closed, Rejected, WorkEnded)
    calls: ClassVar[tuple[type[Message], ...]] = (ClockPrice,)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seconds(self, "interval_s")
        for name in ("start", "stop"):
            if getattr(self, name) is not None and not is_price(getattr(self, name)):
                raise ScenarioError(name, getattr(self, name), "a finite number of 0 or more, or None")
        share = parse_share(self.tick) if isinstance(self.tick, str) else None
        if isinstance(self.tick, str):
            if share is None or not 1 / MOST_TICKS <= share <= 1:
                raise ScenarioError("tick", self.tick, 'a share such as "2%", above 0 and up to 100')
        elif not is_price(self.tick) or not self.tick:
            raise ScenarioError("tick", self.tick, 'a number above 0, or a share such as "2%"')

    def ladder(self, item: Item) -> Ladder:
        """The prices on the clock for this item.

        Raises:
            ScenarioError: if there is none, or if it would never reach its end.
        """
        down, reserve = not item.procured, getattr(item, "reserve", None)
        start = 0 if self.start is None and not down else self.start
        if start is None:
            raise ScenarioError(
                "start", start, f"a price that is more than anybody would pay, since {item.id} is on sale"
            )
        ends = [price for price in (self.stop, reserve) if price is not None and is_price(price)]
        if not ends and not down:
            raise ScenarioError(
                "stop",
                self.stop,
                f"a price to end with, or a finite reserve of {item.id}: the most to be paid for it",
            )
        stop = max(ends, default=0) if down else min(ends)
        if start < stop if down else start > stop:
            side = f"at least {stop}" if down else f"at most {stop}"
            raise ScenarioError("start", start, f"{side}, or no tick ever reaches the reserve of {item.id}")
        span = abs(start - stop)
        tick = span * (parse_share(self.tick) or 1) if isinstance(self.tick, str) else self.tick
        if span > tick * MOST_TICKS:
            raise ScenarioError("tick", self.tick, f"at most {MOST_TICKS:,} ticks from {start} to {stop}")
        return Ladder(start, stop, tick or 1)

    def auctioneer(self, item: Item, bidders: tuple[AgentId, ...]) -> Protocol:
        return DutchAuctioneer(self, item, bidders, ladder=self.ladder(item))

    def bidder(self, auctioneer: AgentId) -> Protocol:
        return DutchBidder(self, auctioneer)
