"""Several items: an auction for each, all together or one after the other."""

from typing import TYPE_CHECKING

from msgspec import field

from walras.allocation import Outcome
from walras.items import Item
from walras.messages import AgentId, ConversationId
from walras.protocol import Protocol

if TYPE_CHECKING:
    from auctions.auction import Auction


class Lots(Protocol):
    """Opens an auction for each item, waits for all of them, and ends with what they came to::

        Lots ── open(item 1) ──▶ Auctioneer … ── outcome ──┐
             ── open(item 2) ──▶ Auctioneer … ── outcome ──┼──▶ done, partial, failed, unassigned or cancelled

    In sequence the next one opens when the last one has ended and everybody can have heard of it (`margin_s` later), in
    the order in which the items were given; each has an equal share of the time that is left. A bidder's purse is the
    same for all: what it has bid or paid in one auction it cannot bid in another.
    """

    rules: "Auction"
    items: tuple[Item, ...]
    bidders: tuple[AgentId, ...]
    waiting: list[Item] = field(default_factory=list)
    running: dict[ConversationId, str] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    cancelled: bool = False

    def on_start(self) -> None:
        """Open the first, or all."""
        self.waiting = list(self.items)
        self.open_next()
        while self.waiting and self.rules.order == "simultaneous":
            self.open_next()

    def open_next(self) -> None:
        """Open the auction of the item that is next."""
        share = 1 if self.rules.order == "simultaneous" else len(self.waiting)
        finish_by = self.now + (self.finish_by - self.rules.margin_s - self.now) / share
        item = self.waiting.pop(0)
        self.running[self.open(self.rules, [item], self.bidders, finish_by)] = item.id

    def on_outcome(self, conversation: ConversationId, outcome: Outcome) -> None:
        """One auction has ended."""
        self.outcomes[self.running.pop(conversation)] = outcome
        if self.waiting and not self.cancelled:
            self.set_timer("next", self.now + self.rules.margin_s)
        elif not self.running:
            self.finish(self.total())

    def on_timer(self, name: str) -> None:
        """Everybody can have heard how the last auction ended."""
        self.open_next()

    def on_cancel(self) -> None:
        """Cancel what runs, and open no more; we end when all of it has ended."""
        self.cancelled = True
        self.cancel_timer("next")
        if not self.running:
            self.finish(self.total())
        for child in self.running:
            self.cancel(child)

    def total(self) -> Outcome:
        """The outcomes as one."""
        ends = [(item.id, self.outcomes[item.id]) for item in self.items if item.id in self.outcomes]
        statuses = [end.status for _, end in ends]
        awards = tuple(line for _, end in ends for line in end.awards)
        if self.cancelled and statuses != ["done"] * len(self.items):
            status = "cancelled"
        elif len(set(statuses)) == 1:
            status = statuses[0]
        else:
            failed = "failed" in statuses or "overdue" in statuses
            status = (
                "partial" if any(line.quantity for line in awards) else "failed" if failed else "unassigned"
            )
        why = "; ".join(f"{item}: {end.why}" for item, end in ends if end.why)
        return Outcome(status, awards, tuple(report for _, end in ends for report in end.results), why)

    def check(self) -> None:
        """Every item waits, or is on, or has ended."""
        started = len(self.waiting) + len(self.running) + len(self.outcomes)
        assert started in (0, len(self.items))
