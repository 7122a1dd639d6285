"""What is said, and asked, in open auctions besides what all auctions say.

Times are absolute, in seconds since the run's epoch; prices are per unit, on whichever side the money flows. To *better*
a price is to bid more for something on sale, and less in a procurement.
"""

from math import inf, isfinite
from typing import Any, ClassVar

from auctions.messages import AuctionQuestion, Bid, BidWanted, Pass, PriceOffered
from walras.items import Item
from walras.messages import AgentId, Message
from walras.questions import Commitment


# ------------------------------------------------------------------------------------------------- from the auctioneer
class StandingBid(Message, frozen=True):
    """What stands, and what would better it: `leaders` have the item, and whoever bids `ask` outbids (one of) them.

    `round` counts from 1. `price` is what has to be beaten; None: so far there is a unit for whoever bids. It is over at
    `idle_by` if nobody bids until then, and at `closes_at` even so. Where the end is drawn and kept secret it may come from
    `may_close_from` on, else that is `closes_at`; where late bids prolong the bidding, `closes_at` moves, up to `ends_by`.
    """

    item: Item
    round: int
    ask: float
    idle_by: float
    closes_at: float
    may_close_from: float
    ends_by: float
    leaders: tuple[AgentId, ...] = ()
    price: float | None = None
    bidders: int = 0


class Clinched(Message, frozen=True):
    """By the end of `round` a bidder has `units` for certain, which cost it `spent`, together."""

    item: str
    units: int
    spent: float
    round: int


# ------------------------------------------------------------------------------------------------------- from bidders
class Demand(Message, frozen=True):
    """At the price of this `round`: so many `units` are worth more than it to me, and `indifferent` more just that."""

    item: str
    units: int
    round: int
    indifferent: int = 0


class Later(Message, frozen=True):
    """An answer to one's own role, never sent: ask me again at `at`, or when something has changed."""

    item: str
    at: float
    round: int = 0


# ---------------------------------------------------------------------------------------------------------- questions
class NextBid(PriceOffered, frozen=True, kw_only=True):
    """Do you bid? At least `price`; a higher bid (in a procurement: a lower one) is a jump, if `jumps` are allowed.

    What you bid binds until you are outbid. To pass is to go home. To wait, answer with the time to be asked again.

    `standing` is what has to be beaten, of `leaders`; None: nobody has bid. It is `asked_at` now. It is over at `idle_by`
    if nobody bids until then, and at `closes_at` even so; where the end is kept secret, perhaps from `may_close_from` on.
    Who has not bid by `active_by` may not bid any more.
    """

    jumps: bool = True
    standing: float | None = None
    leaders: tuple[AgentId, ...] = ()
    opened_at: float = 0.0
    asked_at: float = 0.0
    idle_by: float = inf
    closes_at: float = inf
    may_close_from: float = inf
    active_by: float = inf

    answers: ClassVar[tuple[type, ...]] = (Bid, Pass, Later)

    def accepts(self, answer: Any) -> bool:
        if not AuctionQuestion.accepts(self, answer):
            return False
        if not isinstance(answer, Bid):
            return not isinstance(answer, Later) or is_later(answer.at, self.asked_at)
        if answer.units != 1 or not self.jumps:
            return answer.units == 1 and answer.price == self.price
        return answer.price <= self.price if self.item.procured else answer.price >= self.price


class MaximumWanted(BidWanted, frozen=True, kw_only=True):
    """How far do you go? Name the most that you would pay (in a procurement: the least that you would take) for one unit.

    Nobody is told. The auctioneer bids for you, no further than needed to lead. `mine` is what you have named before; only
    going further counts. Pass to leave it at that; to wait, answer with the time to be asked again.

    `standing` is the present price, `ask` one increment further, and the times are as in `NextBid`.
    """

    ask: float
    mine: float | None = None
    standing: float | None = None
    leaders: tuple[AgentId, ...] = ()
    opened_at: float = 0.0
    asked_at: float = 0.0
    idle_by: float = inf
    closes_at: float = inf
    may_close_from: float = inf
    active_by: float = inf

    answers: ClassVar[tuple[type, ...]] = (Bid, Pass, Later)

    def accepts(self, answer: Any) -> bool:
        if not super().accepts(answer):
            return False
        if isinstance(answer, Later):
            return is_later(answer.at, self.asked_at)
        return not isinstance(answer, Bid) or answer.units == 1


def is_later(at: object, now: float) -> bool:
    """Whether one can be asked again then: a finite time that is still to come."""
    return isinstance(at, int | float) and isfinite(at) and at > now


class StillIn(PriceOffered, frozen=True, kw_only=True):
    """Do you stay in at this price? Bid exactly it for one unit, or pass: who has left does not come back."""

    def accepts(self, answer: Any) -> bool:
        return super().accepts(answer) and (not isinstance(answer, Bid) or answer.units == 1)


class TakeAt(BidWanted, frozen=True, kw_only=True):
    """At which price do you take it? A clock falls (in a procurement it rises), and shows `shown` now.

    You take a unit at the first price on the clock that is not worse for you than the one you name, if it is still there,
    and pay what the clock shows: the same question as that for a sealed bid at a first price. The clock stops at `closes_at`.
    """

    shown: float
    asked_at: float = 0.0
    closes_at: float = inf


class DemandAt(AuctionQuestion, frozen=True, kw_only=True):
    """How many units do you want at this price? At most `quantity`, and `clinched` are yours already, at earlier prices.

    The price rises (in a procurement it falls) until all that is wanted is there. You have clinched a unit, and pay the
    price at that moment, when the others leave it to you. Units that are worth just the price are `indifferent`.
    """

    price: float
    quantity: int
    clinched: int = 0
    spent: float = 0
    """What the clinched units cost, together."""
    asked_at: float = 0.0

    answers: ClassVar[tuple[type, ...]] = (Demand, Pass)

    def accepts(self, answer: Any) -> bool:
        if not super().accepts(answer):
            return False
        return not isinstance(answer, Demand) or is_demand(answer, self.quantity)

    def commits(self, answer: Any) -> Commitment | None:
        if self.item.procured or not isinstance(answer, Demand):
            return None
        more = max(0, answer.units + answer.indifferent - self.clinched)
        return Commitment(self.spent + more * self.price, until=self.binds_until)


def is_demand(demand: Demand, most: int) -> bool:
    """Whether the numbers of a demand make sense."""
    numbers = (demand.units, demand.indifferent)
    return all(type(n) is int and n >= 0 for n in numbers) and sum(numbers) <= most
