"""Sealed bids for agents who trust nobody: everybody commits to a bid first, and reveals it when all have committed.

Nobody, the auctioneer included, can read a bid before the bids are fixed, nor change one after it. The result comes with
all that was revealed, so every bidder computes it again and disputes one that is wrong.
"""

from hashlib import sha256
from typing import Any, ClassVar

import msgspec
from msgspec import field

from auctions.auction import Auction, check_reply, check_rule
from auctions.clearing import Cleared, ClearingRule, Offer, clear, rule_name, second_price
from auctions.house import Auctioneer, Bidder
from auctions.messages import (
    HOLD,
    Bid,
    BidSchedule,
    BidWanted,
    Closed,
    Pass,
    Rejected,
    WorkEnded,
    is_sound,
    steps_of,
)
from walras.allocation import Award, Outcome, units
from walras.amounts import check_seconds
from walras.errors import LocalProtocolError, ScenarioError
from walras.items import Item
from walras.messages import AgentId, ConversationId, Fact, Message
from walras.protocol import Protocol, on


class CallForCommitments(Message, frozen=True):
    """Who bids for this item? Commit until `commit_by`; you are then asked to reveal, until `reveal_by` at the latest."""

    item: Item
    commit_by: float
    reveal_by: float
    rule: str = ""
    bidders: int = 0


class Committed(Message, frozen=True):
    """I have bid; `digest` is that of my `Revealed`, see `digest_of`."""

    item: str
    digest: str


class RevealNow(Message, frozen=True):
    """These are all commitments, by bidder in ascending order. Reveal until `reveal_by`."""

    item: str
    commitments: tuple[tuple[AgentId, str], ...]
    reveal_by: float


class Revealed(Message, frozen=True):
    """What I have committed to. The nonce keeps others from finding the bid by trying all prices."""

    bid: Bid | BidSchedule
    nonce: str


class Opened(Message, frozen=True):
    """Bidding is over: the result, and all that was revealed, by bidder in ascending order."""

    result: Closed
    revealed: tuple[tuple[AgentId, Revealed], ...]


class NotRevealed(Fact, frozen=True):
    """These had committed to bids and did not reveal them, or revealed something else: they cannot win."""

    item: str
    bidders: tuple[AgentId, ...]


class Disputed(Fact, frozen=True):
    """The result that a bidder was told is not what follows from what was revealed."""

    item: str
    why: str


def digest_of(conversation: ConversationId, bidder: AgentId, revealed: Revealed) -> str:
    """The commitment to a bid: binds the bidder to it in this conversation, and hides it.

    SHA-256 over the JSON of all three; without the bidder's name anybody could copy somebody's commitment, and later
    what is revealed.
    """
    return sha256(msgspec.json.encode((conversation, bidder, revealed))).hexdigest()


def outcome_of(rule: ClearingRule, item: Item, revealed: dict[AgentId, Revealed]) -> list[Cleared]:
    """What each bidder gets and pays; a function of what was revealed alone, so that everybody can compute it.

    Ties go to the lowest digest of all nonces together with the bidder's name: nobody's dice, and nobody can know it
    before all have committed.
    """
    salt = ",".join(revealed[bidder].nonce for bidder in sorted(revealed))
    lot = {sha256(f"{salt},{bidder}".encode()).hexdigest(): bidder for bidder in revealed}
    offers = [
        Offer(alias, price, count)
        for alias, bidder in lot.items()
        for price, count in steps_of(revealed[bidder].bid)
    ]
    lines = clear(
        rule, offers, reserve=getattr(item, "reserve", None), units=units(item), reverse=item.procured
    )
    return [Cleared(lot[line.bidder], line.units, line.price) for line in lines]


class CommitRevealAuctioneer(Auctioneer):
    """Collects commitments, then what they hide, and applies the clearing rule::

        Auctioneer                              Bidders
           │ ── CallForCommitments(item) ────────▶ │ all
           │ ◀── Committed(digest) or Pass ─────── │ until commit_by, or all have answered
           │ ── RevealNow(commitments) ──────────▶ │ who has committed
           │ ◀── Revealed(bid, nonce) ──────────── │ until reveal_by, or all have revealed
           │ ── Opened(result, all bids) ────────▶ │ all

    Who does not reveal what it has committed to cannot win, and that is published.
    """

    rules: "CommitReveal"
    commit_by: float = 0.0
    reveal_by: float = 0.0
    phase: str = "committing"
    """committing, revealing."""
    commitments: dict[AgentId, str] = field(default_factory=dict)
    """What each bidder has committed to; nothing if it passed."""
    revealed: dict[AgentId, Revealed] = field(default_factory=dict)

    def open_bidding(self) -> None:
        rules = self.rules
        wanted = rules.reply_within_s + rules.reveal_within_s
        scale = min(1.0, (self.close_by - self.now) / wanted)
        self.commit_by = self.now + rules.reply_within_s * scale
        self.reveal_by = min(self.commit_by + rules.reveal_within_s * scale, self.close_by)
        self.set_timer("commit", self.commit_by)
        name = rule_name(rules.rule)
        self.broadcast(
            self.bidders,
            CallForCommitments(self.item, self.commit_by, self.reveal_by, name, len(self.bidders)),
        )

    @on(Committed, Pass)
    def take_commitment(self, sender: AgentId, message: Committed | Pass) -> None:
        """One more answer; after the last one all have to reveal."""
        if sender not in self.bidders or sender in self.commitments:
            self.ignore(message, "a second answer" if sender in self.commitments else "from a stranger")
        elif self.state != "bidding" or self.phase != "committing" or self.now > self.commit_by:
            self.ignore(message, "too late")
            self.send(sender, Rejected(self.item.id, "late" if self.now > self.commit_by else "closed"))
        elif message.item != self.item.id:
            self.ignore(message, "unknown-item")
            self.send(sender, Rejected(self.item.id, "unknown-item"))
        else:
            self.commitments[sender] = message.digest if isinstance(message, Committed) else ""
            if len(self.commitments) == len(self.bidders):
                self.ask_to_reveal()

    def ask_to_reveal(self) -> None:
        """No more commitments: now they are opened."""
        self.cancel_timer("commit")
        self.phase = "revealing"
        self.commitments = {bidder: digest for bidder, digest in sorted(self.commitments.items()) if digest}
        if not self.commitments:
            self.close_bidding()
            return
        self.set_timer("reveal", self.reveal_by)
        self.broadcast(
            tuple(self.commitments), RevealNow(self.item.id, tuple(self.commitments.items()), self.reveal_by)
        )

    @on(Revealed)
    def take_revealed(self, sender: AgentId, message: Revealed) -> None:
        """A bid, at last; it counts if it is what its bidder has committed to."""
        over = self.state != "bidding" or self.now > self.reveal_by
        if over or self.phase != "revealing" or sender in self.revealed:
            self.ignore(message, "not asked, or a double, or too late")
            self.tell_again(sender)
        elif self.commitments.get(sender) != digest_of(self.conversation, sender, message):
            self.ignore(message, "not what was committed to")
        elif message.bid.item != self.item.id or not is_sound(message.bid, self.item):
            self.ignore(message, "a sealed bid that makes no sense")
        else:
            self.revealed[sender] = message
            if len(self.revealed) == len(self.commitments):
                self.close_bidding()

    def time_is_up(self, name: Any) -> None:
        if name == "commit":
            self.ask_to_reveal()
        else:
            self.close_bidding()

    def close_bidding(self) -> None:
        self.cancel_timer("commit")
        self.cancel_timer("reveal")
        if self.phase == "committing":
            self.commitments = {}  # no time was left to reveal anything
        silent = tuple(bidder for bidder in self.commitments if bidder not in self.revealed)
        if silent:
            self.publish(NotRevealed(self.item.id, silent))
        self.sell(outcome_of(self.rules.rule, self.item, self.revealed))

    def tell_result(self, result_by: float) -> None:
        self.result_by = result_by
        for winner in self.contracts:
            self.set_timer(("result", winner), result_by)
        self.broadcast(self.bidders, self.result_for(""))

    def result_for(self, bidder: AgentId) -> Opened:
        result = Closed(self.item.id, tuple(self.awards), None, self.result_by)
        return Opened(result, tuple(sorted(self.revealed.items())))

    def on_late(self, sender: AgentId, message: Any) -> None:
        if isinstance(message, Revealed):
            self.take_revealed(sender, message)
        else:
            super().on_late(sender, message)


class CommitRevealBidder(Bidder):
    """Commits to what its mind bids, reveals it when all have committed, and checks the result."""

    rules: "CommitReveal"
    sealed: Revealed | None = None
    """What we have bid."""
    digest: str = ""
    commitments: tuple[tuple[AgentId, str], ...] = ()
    """All commitments, as we were told before we revealed ours."""

    @on(CallForCommitments)
    def consider(self, sender: AgentId, call: CallForCommitments) -> None:
        """Ask our mind; the bid binds until all bids have been revealed."""
        if self.item is not None or not self.concerns(sender, call.item):
            self.ignore(call, "a second call")
            return
        margin_s = self.rules.margin_s
        question = BidWanted(
            item=call.item,
            auctioneer=sender,
            binds_until=call.reveal_by + margin_s,
            bidders=call.bidders,
            rule=call.rule,
            decide_by=call.commit_by - margin_s,
        )
        self.decide(HOLD, question)

    def on_decision(self, name: str, answer: Bid | BidSchedule | Pass) -> None:
        if isinstance(answer, Pass):
            self.send(self.auctioneer, answer)
            return
        self.sealed = Revealed(answer, f"{self.rng.getrandbits(128):032x}")
        self.digest = digest_of(self.conversation, self.me, self.sealed)
        self.send(self.auctioneer, Committed(answer.item, self.digest))

    @on(RevealNow)
    def reveal(self, sender: AgentId, message: RevealNow) -> None:
        """Open our bid, if the commitments that bind the others are all there, ours among them."""
        if sender != self.auctioneer or self.sealed is None or self.commitments:
            self.ignore(message, "not our auctioneer's, or a double")
        elif (self.me, self.digest) not in message.commitments:
            self.ignore(message, "our commitment is missing")
        else:
            self.commitments = message.commitments
            self.answer(self.sealed)
            self.state = "bidding"

    @on(Opened)
    def verify(self, sender: AgentId, opened: Opened) -> None:
        """Compute the result again; for one that is wrong we do not work."""
        if sender != self.auctioneer or self.item is None or self.state == "working":
            self.ignore(opened, "not our auctioneer's, or a double")
            return
        why = self.objection(opened)
        if why:
            self.publish(Disputed(self.item.id, why))
            self.finish(Outcome("disputed", why=why))
        else:
            self.take_result(sender, opened.result)

    def objection(self, opened: Opened) -> str:
        """What is wrong with a result; empty: nothing that we can see."""
        assert self.item is not None
        if not self.commitments:
            return ""  # we have not revealed anything, and need not trust what others have
        digests = dict(self.commitments)
        for bidder, revealed in opened.revealed:
            if digests.get(bidder) != digest_of(self.conversation, bidder, revealed):
                return f"{bidder} had not committed to that bid"
        shown = dict(opened.revealed)
        if self.me not in shown:
            return "our bid is missing"
        try:
            lines = outcome_of(self.rules.rule, self.item, shown)
        except LocalProtocolError as error:
            return str(error)
        expected = tuple(Award(self.item.id, line.bidder, line.price, line.units) for line in lines)
        return "" if opened.result.awards in (expected, ()) else "the awards do not follow from the bids"


class CommitReveal(Auction, frozen=True):
    """Sealed bids under any clearing rule, with commitments: bids are fixed before anybody can read them.

    Args:
        rule: who gets what and who pays what, see `auctions.clearing`.
        reply_within_s: how long commitments are collected, seconds; less, if all have answered before.
        reveal_within_s: how long bidders have to reveal, seconds.

    Raises:
        ScenarioError: for a setting outside its range; it names the field. Nothing can be hidden here: neither the
            reserve, without which nobody could check the result, nor the awards.

    Notes:
        Nobody can be made to reveal. Who keeps a bid back cannot win with it, but changes what rules such as the second
        price charge others, and the order among equals: bidders who collude with an auctioneer that shows them the
        openings can choose between two results.

    References:
        M. Naor, Bit commitment using pseudorandomness, J. Cryptology 4(2), 1991 (commitments). H. Galal and A. Youssef,
        Verifiable sealed-bid auction on the Ethereum blockchain, Financial Cryptography Workshops 2018.
    """

    rule: ClearingRule = second_price
    reply_within_s: float = 2.0
    reveal_within_s: float = 2.0

    protocol: ClassVar[str] = "x-commit-reveal"
    messages: ClassVar[tuple[type[Message], ...]] = (
        CallForCommitments,
        Committed,
        Pass,
        RevealNow,
        Revealed,
        Opened,
        Closed,
        Rejected,
        WorkEnded,
    )
    calls: ClassVar[tuple[type[Message], ...]] = (CallForCommitments,)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_reply(self, self.reply_within_s)
        check_seconds(self, "reveal_within_s")
        check_rule(self.rule, "bids", "reserve", "units", example="auctions.second_price")
        if self.hidden_reserve:
            raise ScenarioError("hidden_reserve", True, "False: every bidder checks the result")
        if self.disclose != "all":
            raise ScenarioError("disclose", self.disclose, "'all': every bidder checks the result")

    def auctioneer(self, item: Item, bidders: tuple[AgentId, ...]) -> Protocol:
        return CommitRevealAuctioneer(self, item, bidders)

    def bidder(self, auctioneer: AgentId) -> Protocol:
        return CommitRevealBidder(self, auctioneer)
