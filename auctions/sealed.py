"""Sealed bids: everybody names a price without knowing the others', and a clearing rule does the rest."""

from typing import Any, ClassVar

from msgspec import field

from auctions.auction import Auction, check_seconds
from auctions.clearing import ClearingRule, Offer, all_pay, first_price, rule_name, second_price
from auctions.house import Auctioneer, Bidder
from auctions.messages import (
    HOLD,
    Bid,
    BidSchedule,
    BidWanted,
    CallForBids,
    Closed,
    Pass,
    Rejected,
    WorkEnded,
    steps_of,
)
from walras.errors import ScenarioError
from walras.items import Item
from walras.messages import AgentId, Message
from walras.protocol import on


class SealedAuctioneer(Auctioneer):
    """Calls for bids once, collects them blind, and applies the clearing rule::

        Auctioneer                              Bidders
           │ ── CallForBids(item, reply_by) ─────▶ │ all
           │ ◀── Bid, BidSchedule or Pass ──────── │ until reply_by, or all have answered
           │ ── Closed(awards) ──────────────────▶ │ all

    The first bid of each bidder counts. Nothing depends on the order in which they arrive.
    """

    rules: "SealedBid"
    reply_by: float = 0.0
    sealed: dict[AgentId, tuple[tuple[float, int], ...]] = field(default_factory=dict)
    """What each bidder has answered, as (price, units); nothing if it passed."""

    def open_bidding(self) -> None:
        rules = self.rules
        self.reply_by = min(self.now + rules.reply_within_s, self.close_by)
        self.set_timer("reply", self.reply_by)
        call = CallForBids(self.shown, self.reply_by, rule_name(rules.rule), len(self.bidders))
        self.broadcast(self.bidders, call)

    @on(Bid, BidSchedule)
    def take_bid(self, sender: AgentId, bid: Bid | BidSchedule) -> None:
        """One more bid."""
        if self.state != "bidding":
            self.take_late_bid(sender, bid)
        elif sender not in self.bidders or sender in self.sealed:
            self.ignore(bid, "a second answer" if sender in self.sealed else "from a stranger")
        elif (reason := self.unfit(sender, bid)) is not None:
            self.reject(sender, bid, reason)
        else:
            self.note(sender, steps_of(bid))

    @on(Pass)
    def take_pass(self, sender: AgentId, message: Pass) -> None:
        """No bid."""
        if self.state != "bidding" or sender not in self.bidders or sender in self.sealed:
            self.ignore(message, "not asked, or a second answer, or too late")
        else:
            self.note(sender, ())

    def note(self, sender: AgentId, steps: tuple[tuple[float, int], ...]) -> None:
        """An answer that counts; the last one closes the bidding."""
        self.sealed[sender] = steps
        if len(self.sealed) == len(self.bidders):
            self.close_bidding()

    def time_is_up(self, name: Any) -> None:
        self.close_bidding()

    def close_bidding(self) -> None:
        self.cancel_timer("reply")
        offers = [Offer(bidder, *step) for bidder in sorted(self.sealed) for step in self.sealed[bidder]]
        self.sell(self.cleared(self.rules.rule, offers))

    def take_late_bid(self, sender: AgentId, bid: Bid | BidSchedule) -> None:
        """Rejected, if its sender had not answered; else a double."""
        if sender in self.sealed:
            self.ignore(bid, "a second answer")
        else:
            self.reject(sender, bid, "closed" if self.now <= self.reply_by else "late")


class SealedBidder(Bidder):
    """Asks its mind once, and bids; see `SealedAuctioneer`."""

    @on(CallForBids)
    def consider(self, sender: AgentId, call: CallForBids) -> None:
        """Ask our mind. Its deadline leaves time for the answer to travel."""
        if self.item is not None or not self.note(sender, call.item):
            self.ignore(call, "a second call")
            return
        margin_s = self.rules.margin_s
        question = BidWanted(
            item=call.item,
            auctioneer=sender,
            binds_until=call.reply_by + margin_s,
            bidders=call.bidders,
            rule=call.rule,
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
        check_seconds(self, "reply_within_s")
        if self.margin_s >= self.reply_within_s:
            raise ScenarioError(
                "margin_s", self.margin_s, f"less than reply_within_s ({self.reply_within_s})"
            )
        if not callable(self.rule):
            raise ScenarioError("rule", self.rule, "a function such as auctions.second_price")

    def auctioneer(self, item: Item, bidders: tuple[AgentId, ...]) -> SealedAuctioneer:
        return SealedAuctioneer(self, item, bidders)

    def bidder(self, auctioneer: AgentId) -> SealedBidder:
        return SealedBidder(self, auctioneer)


class FirstPrice(SealedBid, frozen=True):
    """Sealed bids; the best bid wins and pays, or is paid, what it says."""

    rule: ClearingRule = first_price
    protocol: ClassVar[str] = "x-sealed-first-price"


class Vickrey(SealedBid, frozen=True):
    """Sealed bids; the best bid wins and pays, or is paid, what the second best says."""

    rule: ClearingRule = second_price
    protocol: ClassVar[str] = "x-sealed-second-price"


class AllPay(SealedBid, frozen=True):
    """Sealed bids; the best bid wins, and everybody pays what they bid. Procured, everybody is paid what they ask."""

    rule: ClearingRule = all_pay
    protocol: ClassVar[str] = "x-sealed-all-pay"
