"""Ausubel's ascending auction for several units: who is left with a unit for certain has clinched it, at that price."""

from typing import Any, ClassVar

from msgspec import field

from auctions.ascending_clock import AscendingClock
from auctions.clearing import Cleared, exact_sum
from auctions.house import Auctioneer, Bidder
from auctions.messages import (
    HOLD,
    Bid,
    BidSchedule,
    ClockPrice,
    Closed,
    Pass,
    Rejected,
    TieDecided,
    WorkEnded,
    most_units,
)
from auctions.open_messages import Clinched, Demand, DemandAt, is_demand
from walras.allocation import units
from walras.items import Item
from walras.messages import AgentId, Message
from walras.protocol import Protocol, on


class ClinchingAuctioneer(Auctioneer):
    """Calls one price after the other, and credits every bidder with the units that the others leave::

        Auctioneer                              Bidders
           │ ── ClockPrice(price, round) ────────▶ │ all who may still get more than they have clinched
           │ ◀── Demand(units, round) or Pass ──── │ until reply_by, or all have answered; never more than before
           │ ── Clinched(units, spent) ──────────▶ │ who has clinched some
           │ ── Closed(awards) ──────────────────▶ │ all, when all that is wanted is there

    Silence is a demand for no more than is clinched. What is left over at the end goes, at the last price, to those to whom
    a unit is worth just that; and then, at the price before, to those who have left in the last round. Dice choose among them.
    """

    rules: "Clinching"
    price: float = 0.0
    before: float | None = None
    """The price of the round before; None: this is the first."""
    round: int = 0
    reply_by: float = 0.0
    wanted: dict[AgentId, int] = field(default_factory=dict)
    """What each wanted at the price of the round before."""
    answers: dict[AgentId, Demand] = field(default_factory=dict)
    won: dict[AgentId, list[tuple[int, float]]] = field(default_factory=dict)
    """What each has clinched: (units, price), in order."""

    def open_bidding(self) -> None:
        self.price = self.rules.opening_price(self.item)
        self.wanted = dict.fromkeys(self.bidders, most_units(self.item))
        self.won = {bidder: [] for bidder in self.bidders}
        self.call()

    def clinched(self, bidder: AgentId) -> int:
        """How many units it has for certain."""
        return sum(count for count, _ in self.won[bidder])

    @property
    def asked(self) -> list[AgentId]:
        """Who may still get more."""
        return [bidder for bidder, demand in self.wanted.items() if demand > self.clinched(bidder)]

    def call(self) -> None:
        """Ask what is wanted at the present price."""
        self.round += 1
        self.answers = {}
        self.reply_by = min(self.now + self.rules.reply_within_s, self.close_by)
        self.set_timer("reply", self.reply_by)
        left = units(self.item) - sum(map(self.clinched, self.bidders))
        self.broadcast(
            self.asked,
            ClockPrice(self.shown, self.price, self.round, self.reply_by, len(self.bidders), left),
        )

    @on(Demand, Pass, Bid, BidSchedule)
    def take_answer(self, sender: AgentId, answer: Any) -> None:
        """One more demand."""
        if self.state != "bidding" or answer.round < self.round or self.now > self.reply_by:
            late = self.now > self.reply_by or self.state == "bidding"
            self.turn_down(sender, answer, "late" if late else "closed")
        elif sender not in self.asked or answer.round != self.round or sender in self.answers:
            self.ignore(answer, "a double, or from somebody who is not asked")
        elif isinstance(answer, Pass):
            self.take_demand(sender, Demand(self.item.id, 0, self.round))
        elif not isinstance(answer, Demand) or not is_demand(answer, self.wanted[sender]):
            self.turn_down(sender, answer, "unparsable")  # also more than it wanted at a better price
        elif answer.item != self.item.id:
            self.turn_down(sender, answer, "unknown-item")
        else:
            self.take_demand(sender, answer)

    def turn_down(self, sender: AgentId, answer: Any, why: Any) -> None:
        """An answer that does not count."""
        self.ignore(answer, why)
        if not self.tell_again(sender) and sender in self.bidders and not isinstance(answer, Pass):
            self.send(sender, Rejected(self.item.id, why, answer.round))

    def take_demand(self, sender: AgentId, demand: Demand) -> None:
        self.answers[sender] = demand
        if len(self.answers) == len(self.asked):
            self.end_round()

    # ------------------------------------------------------------------ clinching
    def end_round(self) -> None:
        """Credit what is clinched at this price, and go on if more is wanted than there is."""
        self.cancel_timer("reply")
        silent = Demand(self.item.id, 0, self.round)
        now = {b: max(self.answers.get(b, silent).units, self.clinched(b)) for b in self.wanted}
        supply, total = units(self.item), sum(now.values())
        further = self.rules.steps.after(self.price, down=self.item.procured)
        last = self.now >= self.close_by or not self.better(further, self.price)
        if not self.serves(self.price):
            if last or not total:
                self.sell_clinched()
            else:
                self.go_on(now, further)
            return
        if total <= supply or last:
            self.share_out(now, supply)
            self.sell_clinched()
            return
        for bidder, demand in now.items():
            self.clinch(bidder, supply - (total - demand) - self.clinched(bidder), self.price)
        self.go_on(now, further)

    def go_on(self, wanted: dict[AgentId, int], further: float) -> None:
        self.wanted, self.before, self.price = wanted, self.price, further
        self.call()

    def clinch(self, bidder: AgentId, count: int, price: float) -> None:
        """Credit so many units, if any."""
        if count > 0:
            self.won[bidder].append((count, price))
            if most_units(self.item) > 1:  # else the result tells it
                self.send(
                    bidder, Clinched(self.item.id, self.clinched(bidder), self.spent(bidder), self.round)
                )

    def spent(self, bidder: AgentId) -> float:
        """What its units cost, together."""
        return exact_sum(count * price for count, price in self.won[bidder])

    def share_out(self, now: dict[AgentId, int], supply: int) -> None:
        """The last round: everybody has what they want, by dice if it is too much; then those get what is left who have left."""
        self.ration(
            {bidder: demand - self.clinched(bidder) for bidder, demand in now.items()}, self.price, supply
        )
        indifferent = {
            b: min(a.indifferent, self.wanted[b] - now[b]) for b, a in sorted(self.answers.items())
        }
        self.ration(indifferent, self.price, supply)
        if self.before is not None and self.serves(self.before):
            left = {b: self.wanted[b] - now[b] - max(0, indifferent.get(b, 0)) for b in sorted(self.wanted)}
            self.ration(left, self.before, supply)

    def ration(self, claims: dict[AgentId, int], price: float, supply: int) -> None:
        """Give as much of these claims as there is; if it is not enough for all, our dice say who comes first."""
        left = supply - sum(map(self.clinched, self.bidders))
        names = [bidder for bidder, claim in claims.items() if claim > 0]
        if sum(claims[name] for name in names) > left > 0:
            names = sorted(names)
            self.rng.shuffle(names)
            served, room = [], left
            for name in names:
                if room > 0:
                    served.append(name)
                room -= claims[name]
            self.publish(TieDecided(self.item.id, tuple(sorted(names)), tuple(sorted(served))))
        for name in names:
            count = min(claims[name], left)
            left -= count
            self.clinch(name, count, price)

    def sell_clinched(self) -> None:
        """Everybody gets what they have clinched."""
        lines = [(b, self.clinched(b), self.spent(b)) for b in self.bidders]
        self.sell([Cleared(bidder, count, price) for bidder, count, price in lines if count])

    def time_is_up(self, name: Any) -> None:
        self.end_round()

    def close_bidding(self) -> None:
        self.end_round()


class ClinchingBidder(Bidder):
    """Asks its mind at every price how many units it wants; see `ClinchingAuctioneer`."""

    round: int = 0
    wanted: int | None = None
    """What we wanted at the price before; None: we have not been asked."""
    clinched: Clinched | None = None

    @on(ClockPrice)
    def consider(self, sender: AgentId, call: ClockPrice) -> None:
        """Ask our mind."""
        if not self.concerns(sender, call.item) or call.round <= self.round:
            self.ignore(call, "a double, or overtaken")
            return
        self.round = call.round
        margin_s, sure = self.rules.margin_s, self.clinched
        question = DemandAt(
            item=call.item,
            auctioneer=sender,
            bidders=call.bidders,
            round=call.round,
            price=call.price,
            quantity=most_units(call.item) if self.wanted is None else self.wanted,
            clinched=sure.units if sure is not None else 0,
            spent=sure.spent if sure is not None else 0,
            asked_at=self.now,
            decide_by=call.reply_by - margin_s,
        )
        self.decide(HOLD, question)

    def on_decision(self, name: str, answer: Demand | Pass) -> None:
        if self.state == "working":
            return
        if isinstance(answer, Demand):
            self.wanted, self.state = answer.units, "bidding"
        else:
            self.wanted = 0
        self.answer(answer)

    @on(Clinched)
    def note_clinched(self, sender: AgentId, clinched: Clinched) -> None:
        """Some are ours for certain."""
        if sender != self.auctioneer or (self.clinched is not None and clinched.units <= self.clinched.units):
            self.ignore(clinched, "not our auctioneer's, or a double")
        else:
            self.clinched = clinched


class Clinching(AscendingClock, frozen=True):
    """Ausubel's auction: the price rises, demand falls, and each unit costs what it did when nobody else wanted it any more.

    Procured, it falls. The outcome is Vickrey's for several units, without anybody having to name its values: to say what
    one wants is an equilibrium where marginal values do not rise. With prices on the grid of the increments it is exactly
    that of `auctions.multi_unit.ausubel`. The settings are those of `auctions.AscendingClock`.

    References:
        L. M. Ausubel, An efficient ascending-bid auction for multiple objects, American Economic Review 94(5), 2004.
    """

    protocol: ClassVar[str] = "x-auction-clinching"
    messages: ClassVar[tuple[type[Message], ...]] = (
        ClockPrice,
        Demand,
        Pass,
        Clinched,
        Closed,
        Rejected,
        WorkEnded,
    )

    def auctioneer(self, item: Item, bidders: tuple[AgentId, ...]) -> Protocol:
        self.opening_price(item)
        return ClinchingAuctioneer(self, item, bidders)

    def bidder(self, auctioneer: AgentId) -> Protocol:
        return ClinchingBidder(self, auctioneer)
