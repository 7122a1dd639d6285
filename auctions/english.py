"""English auctions: open outcry, in which everybody hears what stands, and whoever bids more outbids it.

After FIPA's English auction (XC00031, an experimental specification of 2001), with its open points settled: who leads does
not outbid itself, a price of exactly the reserve sells, and of equal bids the auctioneer's dice choose.
"""

from math import inf
from typing import Any, ClassVar, Literal

from auctions.auction import Auction
from auctions.increments import Increment, opening_of, read_increment
from auctions.messages import Bid, Closed, Pass, Rejected, WorkEnded, is_price
from auctions.open_messages import NextBid, StandingBid
from auctions.outcry import OutcryAuctioneer, OutcryBidder
from walras.allocation import units
from walras.amounts import check_seconds
from walras.errors import ScenarioError
from walras.items import Item
from walras.messages import AgentId, Message
from walras.protocol import Protocol
from walras.questions import Question


class English(Auction, frozen=True):
    """An English auction by open outcry: what stands is told to all, and whoever betters it leads, until nobody does.

    Sold it ascends, procured it descends. Each bidder can have one unit, and pays what it has bid; of several units each
    goes to one of the best bidders. It is over `idle_s` after the last bid, at the close, or as soon as all but the leaders
    have gone home.

    Args:
        increment: by how much a bid has to better what stands: an amount, or a share of it, such as ``"5%"``.
        opening: the first price; None: the reserve, if it is public, and else 0 on sale. A procurement has to begin somewhere.
        lasts_s: how long after its opening the close is, seconds; `idle_s` may end it before, a soft close moves it.
        idle_s: how long after the last bid it ends, seconds, or twice as long as the first bid took to come if that is more,
            for where minds or messages are slow nobody else could answer; None: only at the close.
        close: ``hard`` (at a fixed time), ``soft`` (a late bid moves the close) or ``candle`` (at a time that is drawn and
            not told).
        extend_s: with a soft close, how long before it a bid moves it, and to how long after that bid, seconds.
        candle_from: with a candle, from which share of `lasts_s` on it may go out.
        jump_bids: whether bids may be better than asked for.
        active_within_s: who neither bids nor leads for so many seconds may not bid any more; None: any bidder may wait.
        gather_s: bids that arrive within so many seconds are taken together; 0: only those of the same instant.
        ties: of equal bids, ``seeded`` (the auctioneer's dice choose) or ``arrival`` (the first one wins).
        from_zero: the increment where it is a share and the price is 0, currency.

    Raises:
        ScenarioError: for a setting outside its range; it names the field. A procurement without a public reserve and
            without an opening price cannot begin.

    References:
        FIPA, English auction interaction protocol, XC00031F, 2001. A. Roth and A. Ockenfels, Last-minute bidding and the
        rules for ending second-price auctions, American Economic Review 92(4), 2002 (hard and soft close).

    Examples:
        >>> English(increment="5%", close="soft", extend_s=10.0).steps.step(200)
        10.0
    """

    increment: float | str = "5%"
    opening: float | None = None
    lasts_s: float = 60.0
    idle_s: float | None = 2.0
    close: Literal["hard", "soft", "candle"] = "hard"
    extend_s: float = 5.0
    candle_from: float = 0.5
    jump_bids: bool = True
    active_within_s: float | None = None
    gather_s: float = 0.1
    ties: Literal["seeded", "arrival"] = "seeded"
    from_zero: float = 0.01

    protocol: ClassVar[str] = "x-auction-english"
    messages: ClassVar[tuple[type[Message], ...]] = (StandingBid, Bid, Pass, Closed, Rejected, WorkEnded)
    calls: ClassVar[tuple[type[Message], ...]] = (StandingBid,)
    leaders_may_raise: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seconds(self, "lasts_s", "extend_s")
        check_seconds(self, "gather_s", zero=True)
        for name in ("idle_s", "active_within_s"):
            if getattr(self, name) is not None:
                check_seconds(self, name)
        for name, least in (("lasts_s", self.margin_s), ("idle_s", self.margin_s + self.gather_s)):
            value = getattr(self, name)
            if value is not None and value <= least:
                raise ScenarioError(
                    name, value, f"more than margin_s and gather_s leave time for ({least:g})"
                )
        if self.opening is not None and not is_price(self.opening):
            raise ScenarioError("opening", self.opening, "a finite number of 0 or more, or None")
        if not is_price(self.from_zero) or not self.from_zero:
            raise ScenarioError("from_zero", self.from_zero, "a finite number above 0")
        if not is_price(self.candle_from) or self.candle_from >= 1:
            raise ScenarioError("candle_from", self.candle_from, "a share of the time, from 0 to below 1")
        for name, known in (("close", ("hard", "soft", "candle")), ("ties", ("seeded", "arrival"))):
            if getattr(self, name) not in known:
                raise ScenarioError(name, getattr(self, name), f"one of {', '.join(known)}")
        read_increment("increment", self.increment)

    @property
    def steps(self) -> Increment:
        """The increment."""
        return read_increment("increment", self.increment, self.from_zero)

    # ------------------------------------------------------------------ times
    def earliest_close(self, opened_at: float, closes_at: float) -> float:
        """From when on it may be over although somebody bids."""
        return opened_at + self.candle_from * (closes_at - opened_at) if self.close == "candle" else closes_at

    # ------------------------------------------------------------------ prices
    def opening_price(self, item: Item) -> float:
        """Where bidding begins."""
        return opening_of(item, self.opening, hidden=self.hidden_reserve)

    def priced(self, item: Item, ranked: list[float]) -> tuple[tuple[float, ...], float]:
        """From the ranked best bids of all: what the leaders would pay, and what the next bid has to be."""
        prices = tuple(ranked[: units(item)])
        if len(prices) < units(item):
            return prices, self.opening_price(item)
        return prices, self.steps.after(prices[-1], down=item.procured)

    def can_go_on(self, item: Item, standing: float | None, ask: float) -> bool:
        """Whether what is asked for betters what stands."""
        return standing is None or (ask < standing if item.procured else ask > standing)

    def counts(self, item: Item, price: float, ask: float, mine: float | None) -> bool:
        """Whether a bid is good enough; `mine` is its bidder's best so far."""
        return _meets(item, price, ask) and (
            mine is None or (price < mine if item.procured else price > mine)
        )

    # ------------------------------------------------------------------ for bidders
    def may_lead(self, call: StandingBid, mine: float) -> bool:
        """Whether a bid of ours that does not lead may still come to."""
        return _meets(call.item, mine, call.ask)

    def useful(self, call: StandingBid, price: float, mine: float | None) -> bool:
        """Whether it makes sense to send this bid."""
        return _meets(call.item, price, call.ask) if self.jump_bids else price == call.ask

    def question(self, call: StandingBid, bidder: OutcryBidder) -> Question:
        """What a bidder asks its mind."""
        return NextBid(price=call.ask, jumps=self.jump_bids, **self.told(call, bidder))

    def told(self, call: StandingBid, bidder: OutcryBidder) -> dict[str, Any]:
        """What questions have in common."""
        return {
            "item": call.item,
            "auctioneer": bidder.auctioneer,
            "binds_until": call.ends_by + self.margin_s,
            "bidders": call.bidders,
            "round": call.round,
            "decide_by": bidder.deadline,
            "standing": call.price,
            "leaders": call.leaders,
            "opened_at": bidder.opened_at,
            "asked_at": bidder.now,
            "idle_by": call.idle_by,
            "closes_at": call.closes_at,
            "may_close_from": call.may_close_from,
            "active_by": bidder.active_at + (self.active_within_s or inf),
        }

    # ------------------------------------------------------------------ roles
    def auctioneer(self, item: Item, bidders: tuple[AgentId, ...]) -> Protocol:
        self.opening_price(item)
        return OutcryAuctioneer(self, item, bidders)

    def bidder(self, auctioneer: AgentId) -> Protocol:
        return OutcryBidder(self, auctioneer)


def _meets(item: Item, price: float, ask: float) -> bool:
    return price <= ask if item.procured else price >= ask
