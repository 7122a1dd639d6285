"""Sealed bids: everybody names a price without knowing the others', and a clearing rule does the rest."""

from typing import ClassVar

from msgspec import field

from auctions.auction import Auction, check_reply, check_rule
from auctions.clearing import Cleared, ClearingRule, Offer, all_pay, first_price, rule_name, second_price
from auctions.house import Auctioneer, Bidder
from auctions.messages import (
    HOLD,
    Bid,
    BidSchedule,
    BidWanted,
    CallForBids,
    Closed,
    Pass,
    Reason,
    Rejected,
    WorkEnded,
    steps_of,
)
from walras.items import Item
from walras.messages import AgentId, Message
from walras.protocol import Protocol, on


class SealedAuctioneer(Auctioneer):
    """Calls for bids once, collects them blind, and applies the clearing rule::

        Auctioneer                              Bidders
           │ ── CallForBids(item, reply_by) ─────▶ │ all
           │ ◀── Bid, BidSchedule or Pass ──────── │ until reply_by, or all have answered
           │ ── Closed(awards) ──────────────────▶ │ all

    The first answer of each bidder counts. Nothing depends on the order in which they arrive.
    """

    rules: "SealedBid"
    reply_by: float = 0.0
    sealed: dict[AgentId, Bid | BidSchedule | Pass] = field(default_factory=dict)
    """What each bidder has answered."""

    def open_bidding(self) -> None:
        rules = self.rules
        self.reply_by = min(self.now + rules.reply_within_s, self.close_by)
        self.set_timer("reply", self.reply_by)
        value_of_quality = rules.quality_value(self.item)
        self.broadcast(
            self.bidders,
            CallForBids(
                self.shown, self.reply_by, rule_name(rules.rule), len(self.bidders), value_of_quality
            ),
        )

    @on(Bid, BidSchedule, Pass)
    def take_answer(self, sender: AgentId, answer: Bid | BidSchedule | Pass) -> None:
        """One more answer; the last one closes the bidding."""
        if sender not in self.bidders or sender in self.sealed:
            self.ignore(answer, "a second answer" if sender in self.sealed else "from a stranger")
            self.tell_again(sender)
        elif isinstance(answer, Pass) and (self.state != "bidding" or self.now > self.reply_by):
            self.ignore(answer, "too late")
        elif isinstance(answer, Pass) or (reason := self.unfit(answer)) is None:
            self.sealed[sender] = answer
            if len(self.sealed) == len(self.bidders):
                self.close_bidding()
        else:
            self.reject(sender, answer, reason)

    def unfit(self, bid: Bid | BidSchedule) -> Reason | None:
        """Late, or closed, or nonsense."""
        if self.now > self.reply_by:  # even if we stood still, and could not close in time
            return "late"
        if self.state != "bidding":
            return "closed"
        return super().unfit(bid)

    def close_bidding(self) -> None:
        self.cancel_timer("reply")
        rules, item = self.rules, self.item
        bids = {bidder: bid for bidder, bid in sorted(self.sealed.items()) if not isinstance(bid, Pass)}
        offers = [
            Offer(bidder, rules.compared(item, bid, price), count)
            for bidder, bid in bids.items()
            for price, count in steps_of(bid)
        ]
        lines = self.cleared(rules.rule, offers)
        self.sell([rules.payable(item, bids[line.bidder], line) for line in lines])


class SealedBidder(Bidder):
    """Asks its mind once, and bids; see `SealedAuctioneer`."""

    @on(CallForBids)
    def consider(self, sender: AgentId, call: CallForBids) -> None:
        """Ask our mind. Its deadline leaves time for the answer to travel."""
        if self.item is not None or not self.concerns(sender, call.item):
            self.ignore(call, "a second call")
            return
        margin_s = self.rules.margin_s
        question = BidWanted(
            item=call.item,
            auctioneer=sender,
            binds_until=call.reply_by + margin_s,
            bidders=call.bidders,
            rule=call.rule,
            value_of_quality=call.value_of_quality,
            decide_by=call.reply_by - margin_s,
        )
        self.decide(HOLD, question)

    def on_decision(self, name: str, answer: Bid | BidSchedule | Pass) -> None:
        self.answer(answer)


class SealedBid(Auction, frozen=True):
    """Sealed bids under any clearing rule: blind until the deadline, whatever the order of arrival.

    Every item is sold or procured in a conversation of its own, see `Auction` for the settings that all formats share.
    A bid holds the money that it may cost until the deadline; one that its bidder cannot pay is not made.

    Args:
        rule: who gets what and who pays what, see `auctions.clearing`; also those for several units.
        reply_within_s: how long bids are collected, seconds; less, if all have answered before.

    Raises:
        ScenarioError: for a setting outside its range; it names the field.

    References:
        W. Vickrey, Counterspeculation, auctions, and competitive sealed tenders, J. Finance 16(1), 1961.

    Examples:
        >>> from auctions import SealedBid, second_price
        >>> SealedBid(second_price, reply_within_s=5.0).reply_within_s
        5.0
    """

    rule: ClearingRule = second_price
    reply_within_s: float = 2.0

    protocol: ClassVar[str] = "x-sealed-bid"
    messages: ClassVar[tuple[type[Message], ...]] = (
        CallForBids,
        Bid,
        BidSchedule,
        Pass,
        Closed,
        Rejected,
        WorkEnded,
    )
    calls: ClassVar[tuple[type[Message], ...]] = (CallForBids,)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_reply(self, self.reply_within_s)
        check_rule(self.rule, "bids", "reserve", "units", example="auctions.second_price")

    # ------------------------------------------------------------------ what bids are compared by
    def quality_value(self, item: Item) -> float:
        """What bidders are told that quality is worth; 0: only prices count."""
        return 0

    def compared(self, item: Item, bid: Bid | BidSchedule, price: float) -> float:
        """The price per unit that a bid is taken for when bids are compared: its own."""
        return price

    def payable(self, item: Item, bid: Bid | BidSchedule, line: Cleared) -> Cleared:
        """A line in prices as they are paid, from one in prices as they were compared: the same."""
        return line

    # ------------------------------------------------------------------ roles
    def auctioneer(self, item: Item, bidders: tuple[AgentId, ...]) -> Protocol:
        return SealedAuctioneer(self, item, bidders)

    def bidder(self, auctioneer: AgentId) -> Protocol:
        return SealedBidder(self, auctioneer)


class FirstPrice(SealedBid, frozen=True):
    """Sealed bids; the best bid wins and pays, or is paid, what it says."""

    # msgspec's JSON schema refuses a function here
    rule: ClearingRule = field(default_factory=lambda: first_price)
    protocol: ClassVar[str] = "x-sealed-first-price"


class Vickrey(SealedBid, frozen=True):
    """Sealed bids; the best bid wins and pays, or is paid, what the second best says."""

    rule: ClearingRule = second_price
    protocol: ClassVar[str] = "x-sealed-second-price"


class AllPay(SealedBid, frozen=True):
    """Sealed bids; the best bid wins, and everybody pays what they bid. Procured, everybody is paid what they ask."""

    rule: ClearingRule = field(default_factory=lambda: all_pay)
    protocol: ClassVar[str] = "x-sealed-all-pay"
