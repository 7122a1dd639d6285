"""What every auction format shares: the auctioneer and the bidder that formats build on.

A format adds how the bids come about. What follows is the same for all and is here: the tie-break, the reserve, the
awards, the result that everybody is told, and, for tasks, the work, its payment, and another try if it fails.
"""

from collections.abc import Iterable, Set
from math import inf
from typing import TYPE_CHECKING, Any

from msgspec import field
from msgspec.structs import replace

from auctions.clearing import Cleared, ClearingRule, Offer, clear
from auctions.messages import (
    Bid,
    BidSchedule,
    Closed,
    Reason,
    Rejected,
    TieDecided,
    WorkEnded,
    is_sound,
)
from walras.allocation import Award, Outcome, Report, units
from walras.items import Item, Lot, Task
from walras.messages import AgentId, ConversationId, Message
from walras.protocol import Protocol, on

if TYPE_CHECKING:
    from auctions.auction import Auction

_CLOSE, _AGAIN = "close", "again"


class Auctioneer(Protocol):
    """Auctions one item; formats inherit from it and say how the bids come about::

        Auctioneer                              Bidders
           │        ... the format's own ...       │
           │ ── Closed(awards, result_by) ───────▶ │ all; the money moves, or lies in escrow for the work
           │ ◀── WorkEnded(report) ─────────────── │ winners of a task; done is paid, anything else is not
           │ ── Closed("cancelled") ─────────────▶ │ who is silent until result_by, or no longer wanted
           │ ◀── WorkEnded(report) ─────────────── │ until cancel_within_s later

    A format overrides `open_bidding`, handles its messages while ``state == "bidding"``, sets timers under names of its
    own, which come to `time_is_up`, and in the end calls `sell` with what the bidders get: perhaps nothing. Whatever it
    does, `on_start` makes sure that bidding ends in time, by calling `close_bidding` at `close_by` at the latest.
    """

    rules: "Auction"
    item: Item
    bidders: tuple[AgentId, ...]
    state: str = "new"
    """new, bidding, working, pausing, again, cancelling."""
    close_by: float = 0.0
    """When bidding is over at the latest."""
    awards: list[Award] = field(default_factory=list)
    """What we have awarded and stands, charges without units included, in order."""
    contracts: dict[AgentId, Award] = field(default_factory=dict)
    """Whose work is under way."""
    failed: list[AgentId] = field(default_factory=list)
    """Whose work has not come to a good end."""
    reports: list[Report] = field(default_factory=list)
    result_by: float = inf
    """Until when the winners' work is awaited."""
    again: ConversationId = ""
    """The conversation in which the item is put up again."""

    # ------------------------------------------------------------------ what a format says
    def open_bidding(self) -> None:
        """Tell the bidders that it begins."""
        raise TypeError(f"{type(self).__name__} does not say how bidding begins")

    def close_bidding(self) -> None:
        """No more time for bids: `sell` to whom it may concern."""
        raise TypeError(f"{type(self).__name__} does not say how bidding ends")

    def time_is_up(self, name: Any) -> None:
        """A timer of the format is due. Where it has only one, that ends the bidding."""
        self.close_bidding()

    # ------------------------------------------------------------------ what a format uses
    @property
    def shown(self) -> Item:
        """The item as bidders may see it."""
        if self.rules.hidden_reserve and isinstance(self.item, Lot | Task):
            return replace(self.item, reserve=None)
        return self.item

    @property
    def audience(self) -> tuple[AgentId, ...]:
        """Who is told how it ended: all bidders."""
        return self.bidders

    def unfit(self, bid: Bid | BidSchedule) -> Reason | None:
        """Why a bid cannot count, whatever the format; None: it can."""
        if bid.item != self.item.id:
            return "unknown-item"
        return None if is_sound(bid, self.item) else "unparsable"

    def reject(self, sender: AgentId, bid: Bid | BidSchedule, reason: Reason) -> None:
        """A bid that does not count: tell its sender, if it was asked to bid; a winner, once more that it has won."""
        self.ignore(bid, reason)
        if not self.tell_again(sender) and sender in self.bidders:
            self.send(sender, Rejected(self.item.id, reason, bid.round))

    def better(self, price: float, other: float) -> bool:
        """Whether a price is better for the auctioneer: higher on sale, lower in a procurement."""
        return price < other if self.item.procured else price > other

    def serves(self, price: float) -> bool:
        """Whether a price per unit meets the reserve, hidden or not; one of exactly the reserve does."""
        reserve = getattr(self.item, "reserve", None)
        return reserve is None or not self.better(reserve, price)

    def cleared(self, rule: ClearingRule, offers: list[Offer]) -> list[Cleared]:
        """Apply a clearing rule to offers in plain prices; equal prices are decided by our own dice."""
        tied = len({offer.price for offer in offers}) < len(offers)
        lines = clear(
            rule,
            offers,
            reserve=getattr(self.item, "reserve", None),
            units=units(self.item),
            reverse=self.item.procured,
            rng=self.rng if tied else None,
        )
        if tied:
            self.tell_tie(offers, {line.bidder for line in lines if line.units})
        return lines

    def tell_tie(self, offers: list[Offer], winners: Set[AgentId]) -> None:
        """Publish whether our dice had to decide who wins."""
        won = [offer.price for offer in offers if offer.bidder in winners]
        if won:
            last = max(won) if self.item.procured else min(won)
            level = sorted({offer.bidder for offer in offers if offer.price == last})
            if not winners >= set(level):
                self.publish(TieDecided(self.item.id, tuple(level), tuple(b for b in level if b in winners)))

    def give(self, line: Cleared) -> None:
        """Award units at once, while bidding may go on; a line without units only charges. `line.price` is for all."""
        award = Award(self.item.id, line.bidder, line.price, line.units)
        self.awards.append(award)
        self.award(award)
        if not self.item.escrowed:
            return
        if line.units:
            assert line.bidder not in self.contracts, "a worker is awarded one copy"
            self.contracts[line.bidder] = award
        else:
            self.settle(self.item.id, line.price, line.bidder)

    def sell(self, lines: Iterable[Cleared] = ()) -> None:
        """Bidding is over: award these lines, tell everybody, and await the work, if there is any."""
        assert self.state == "bidding"
        self.cancel_timer(_CLOSE)
        self.state = "working"
        result_by = self.rules.result_by(self.now, self.finish_by) if self.item.escrowed else inf
        if result_by is None:  # no time is left for the work
            lines, result_by = (), inf
        for line in lines:
            self.give(line)
        self.tell_result(result_by)
        if not self.contracts:
            self.conclude()

    def tell_result(self, result_by: float) -> None:
        """Tell everybody how the bidding ended, and set the winners' deadlines."""
        self.result_by = result_by
        for winner in self.contracts:
            self.set_timer(("result", winner), result_by)
        if self.rules.disclose == "all":
            self.broadcast(self.audience, self.result_for(""))
            return
        others = []
        for bidder in self.audience:
            if self.part_of(bidder):
                self.send(bidder, self.result_for(bidder))
            else:
                others.append(bidder)
        if others:
            self.broadcast(others, Closed(self.item.id))

    def part_of(self, bidder: AgentId) -> tuple[Award, ...]:
        """The awards in which a bidder gets, gives or pays something."""
        return tuple(award for award in self.awards if bidder in (award.winner, award.seller))

    def result_for(self, bidder: AgentId) -> Message:
        """How the bidding ended, as a bidder is told that has a part in it."""
        awards = tuple(self.awards) if self.rules.disclose == "all" else self.part_of(bidder)
        return Closed(self.item.id, awards, None, self.result_by)

    def tell_again(self, bidder: AgentId) -> bool:
        """Tell a winner the result once more if it still matters: whoever bids on may not have heard it."""
        won = bidder in self.contracts if self.item.escrowed else bool(self.part_of(bidder))
        matters = won and self.state == "working" and self.now <= self.result_by
        if matters:
            self.send(bidder, self.result_for(bidder))
        return matters

    # ------------------------------------------------------------------ bidding
    def on_start(self) -> None:
        self.close_by = self.rules.close_by(self.item, self.now, self.finish_by)
        if not self.bidders or self.close_by - self.now <= self.rules.margin_s:
            self.end("unassigned", "no time was left" if self.bidders else "there was nobody to ask")
            return
        self.state = "bidding"
        self.set_timer(_CLOSE, self.close_by)
        self.open_bidding()

    @on(Bid, BidSchedule)
    def take_answer(self, sender: AgentId, bid: Bid | BidSchedule) -> None:
        """A bid; a format overrides this. Here, and after our end, it comes too late."""
        self.reject(sender, bid, "closed" if self.now <= self.close_by else "late")

    # ------------------------------------------------------------------ work
    @on(WorkEnded)
    def take_report(self, sender: AgentId, message: WorkEnded) -> None:
        """A worker's last word: done is paid, anything else is not."""
        if sender in self.contracts and message.item == self.item.id:
            self.part_with(sender, message.report)
        else:
            self.ignore(message, "the sender has no such work")

    def part_with(self, worker: AgentId, report: Report | None = None) -> None:
        """A worker's part is over: settle it, and go on."""
        self.cancel_timer(("result", worker))
        self.cancel_timer(("stop", worker))
        award = self.contracts.pop(worker)
        if report is not None:
            self.reports.append(report)
        done = report is not None and report.status == "done"
        self.settle(self.item.id, award.price if done else 0.0, worker)
        if not done:
            self.failed.append(worker)
            self.awards.remove(award)
        if not self.contracts:
            self.conclude()

    def call_off(self, worker: AgentId) -> None:
        """Tell a worker to stop; its last word is awaited, for it may be done all the same."""
        self.cancel_timer(("result", worker))
        self.set_timer(("stop", worker), self.rules.cancel_by(self.now, self.finish_by))
        self.send(worker, Closed(self.item.id, reason="cancelled"))

    def on_timer(self, name: Any) -> None:
        if name == _CLOSE:
            self.close_bidding()
        elif name == _AGAIN:
            self.put_up_again()
        elif isinstance(name, tuple) and name[0] == "result":
            self.call_off(name[1])
        elif isinstance(name, tuple) and name[0] == "stop":
            self.part_with(name[1])
        else:
            self.time_is_up(name)

    # ------------------------------------------------------------------ the end
    @property
    def left(self) -> int:
        """How many units nobody has."""
        return units(self.item) - sum(line.quantity for line in self.awards)

    def conclude(self) -> None:
        """Nobody works: it is done, or put up again, or given up."""
        rules, again_at = self.rules, self.now + self.rules.pause_s
        time_left = rules.close_by(self.item, again_at, self.finish_by) - again_at
        if self.state == "cancelling":
            self.end("cancelled")
        elif self.left and self.item.escrowed and rules.attempts > 1 and time_left > rules.margin_s:
            self.state = "pausing"
            self.set_timer(_AGAIN, again_at)
        else:
            self.end()

    def put_up_again(self) -> None:
        """The same for whoever has not had it, in a conversation of its own."""
        assert isinstance(self.item, Task)
        had = [line.winner for line in self.awards if line.won] + self.failed
        others = [bidder for bidder in self.bidders if bidder not in had]
        self.state = "again"
        rules = replace(self.rules, attempts=self.rules.attempts - 1)
        item = replace(self.item, copies=self.left)
        self.again = self.open(rules, [item], others, self.finish_by - self.rules.margin_s)

    def on_outcome(self, conversation: ConversationId, outcome: Outcome) -> None:
        self.awards += outcome.awards
        self.reports += outcome.results
        self.end("cancelled" if outcome.status == "cancelled" else "", f"put up again: {outcome.why}")

    def on_cancel(self) -> None:
        if self.state == "again":
            self.cancel(self.again)
        elif self.state == "working":
            self.state = "cancelling"
            for worker in self.contracts:
                self.call_off(worker)
        elif self.state == "bidding":
            self.state, workers = "cancelling", tuple(self.contracts)
            self.broadcast(self.audience, Closed(self.item.id, reason="cancelled"))
            for worker in workers:
                self.part_with(worker)
            if not workers:
                self.conclude()
        elif self.state != "cancelling":
            self.end("cancelled")

    def end(self, status: str = "", note: str = "") -> None:
        """Finish; unless all is done, say why."""
        if not status:
            some = any(line.won for line in self.awards)
            status = "partial" if some else "failed" if self.failed else "unassigned"
            status = status if self.left else "done"
        why = "" if status == "done" else note or self.why_not()
        self.finish(Outcome(status, tuple(self.awards), tuple(self.reports), why))

    def why_not(self) -> str:
        """Why not all of it was awarded and delivered."""
        if self.failed:
            return f"not delivered by {', '.join(self.failed)}"
        return f"{self.left} of {units(self.item)} without an acceptable bid"

    def on_late(self, sender: AgentId, message: Any) -> None:
        if isinstance(message, Bid | BidSchedule):
            self.take_answer(sender, message)
        else:
            self.ignore(message, "after the end")

    def check(self) -> None:
        """Nothing is awarded twice; work is under way only after an award."""
        assert self.left >= 0
        assert self.state in ("working", "cancelling", "bidding") or not self.contracts
        assert all(line in self.awards for line in self.contracts.values())


class Bidder(Protocol):
    """Bids by a format's own rules, which inherits from it; takes the result, and does the work if it wins some::

        Auctioneer                              Bidder
           │        ... the format's own ...       │ asked ──▶ bidding, once it has said something
           │ ── Closed(awards) ──────────────────▶ │ bidding ──▶ working on the task, or ends
           │ ◀── WorkEnded(report) ─────────────── │ working ──▶ ends

    A format handles the auctioneer's calls, asks the mind under the name `auctions.messages.HOLD`, and says `answer`.
    """

    rules: "Auction"
    auctioneer: AgentId
    item: Item | None = None
    """What is on offer, as we were told first."""
    state: str = "asked"
    """asked, bidding (we have made a bid), working."""
    last_word: WorkEnded | None = None

    def answer(self, message: Any) -> None:
        """Say something to the auctioneer; from our first bid on we may win."""
        if isinstance(message, Bid | BidSchedule):
            self.state = "bidding"
        self.send(self.auctioneer, message)

    def concerns(self, sender: AgentId, item: Item) -> bool:
        """Whether a call is our auctioneer's, about the item that it began with, and we may still bid."""
        if self.item is None:
            self.item = item
        return sender == self.auctioneer and item.id == self.item.id and self.state != "working"

    @on(Closed)
    def take_result(self, sender: AgentId, closed: Closed) -> None:
        """Bidding is over, or our work is called off."""
        if sender != self.auctioneer or self.item is None or closed.item != self.item.id:
            self.ignore(closed, "not our auctioneer's")
        elif self.state == "working":
            if closed.awards:
                self.ignore(closed, "a double")
            else:
                self.stop(self.item.id)
        elif any(award.winner == self.me and award.won for award in closed.awards):
            self.win(closed)
        else:
            self.finish(Outcome("released"))

    def win(self, closed: Closed) -> None:
        """We have it: work on it, if it is work."""
        if self.state != "bidding":
            self.ignore(closed, "we have not bid for it")
            self.finish(Outcome("released"))
        elif isinstance(self.item, Task):
            self.state = "working"
            self.perform(self.item.id, self.item)
        else:
            self.finish(Outcome("won"))

    def on_performed(self, key: str, report: Report) -> None:
        assert self.item is not None
        self.last_word = WorkEnded(self.item.id, report)
        self.send(self.auctioneer, self.last_word)
        self.finish(Outcome(report.status, results=(report,)))

    @on(Rejected)
    def take_rejection(self, sender: AgentId, rejected: Rejected) -> None:
        """Our bid does not count; what else there is to do, a format says."""
        self.ignore(rejected, rejected.reason)

    def on_late(self, sender: AgentId, message: Any) -> None:
        """Say our last word again to who calls us off: it may have been lost."""
        if sender == self.auctioneer and self.last_word is not None and type(message) is Closed:
            self.send(sender, self.last_word)
        else:
            self.ignore(message, "after the end")
