"""The speech acts that all auctions share, and the questions that bidders ask their minds.

All times are absolute, in seconds since the run's epoch; prices are per unit, in the run's currency, on whichever side
the money flows: who bids for something on sale would pay them, who bids for a procurement would be paid them. One
conversation is about one item. What makes a message idempotent, its round, is in the message.
"""

from math import inf
from typing import Any, ClassVar, Literal

from walras.allocation import Award, Report, units
from walras.amounts import MOST, is_number, is_whole
from walras.items import Item, Task
from walras.messages import AgentId, Fact, Message
from walras.questions import Commitment, Question

HOLD = "bid"
"""The name under which every bidder asks its mind, so that what an earlier bid holds counts towards a higher one."""

Reason = Literal[
    "late",  # it came after its deadline
    "closed",  # it came before the deadline, but bidding was over
    "unparsable",  # the numbers make no sense
    "unknown-item",  # it is about something that is not on offer here
    "too-low",  # it does not better what stands (in a procurement: it is too high)
    "jump",  # it is not exactly the price that was asked for, and jumps are not allowed
    "inactive",  # its bidder has not bid for too long
    "over-reserve",  # to serve for the reserve price would not pay
    "no-interest",  # it is not worth the price
    "ineligible",  # it cannot do this task
    "no-capacity",  # it could, but has no capacity
    "no-answer",  # its mind gave no answer in time, or none that is legal and covered by its account
    "not-revealed",  # it committed to a bid, and did not say which
    "cancelled",  # the auctioneer no longer wants it
]
"""Why somebody said no: a code for machines."""


# ------------------------------------------------------------------------------------------------- from the auctioneer
class CallForBids(Message, frozen=True):
    """Who bids for this item? Every bid counts that arrives at `reply_by` or before.

    `rule` names the clearing rule, `bidders` says how many are asked. A reserve that is kept hidden is missing in `item`.
    `value_of_quality` is what quality is worth to the auctioneer, see `BidWanted`.
    """

    item: Item
    reply_by: float
    rule: str = ""
    bidders: int = 0
    value_of_quality: float = 0


class ClockPrice(Message, frozen=True):
    """A price is called out: who takes the item at it, per unit? Answers count until `reply_by`.

    `round` counts the calls from 1; `bidders` says how many are asked, `quantity` how many units are still to be had;
    at `ends_by` the last call has ended, at the latest.
    """

    item: Item
    price: float
    round: int
    reply_by: float
    bidders: int = 0
    quantity: int = 1
    ends_by: float = inf


class Closed(Message, frozen=True):
    """Bidding is over: the awards say who gets what and who pays what; no awards, nobody.

    A winner of work begins with it now, and reports until `result_by`. Sent to somebody who works, without an award to
    it, it ends the work.
    """

    item: str
    awards: tuple[Award, ...] = ()
    reason: Reason | None = None
    result_by: float = inf


class Rejected(Message, frozen=True):
    """This bid does not count; what was bid before stands."""

    item: str
    reason: Reason
    round: int = 0


# ------------------------------------------------------------------------------------------------------- from bidders
class Bid(Message, frozen=True):
    """A binding bid: `price` for each of up to `units` units, at `quality` in [0, 1].

    `round` is that of the call that it answers.
    """

    item: str
    price: float
    units: int = 1
    round: int = 0
    quality: float = 1


class BidSchedule(Message, frozen=True):
    """A binding bid for several units: steps of (price per unit, units), each binding for itself, best price first.

    On sale prices do not rise from step to step (marginal values fall), in a procurement they do not fall.
    """

    item: str
    steps: tuple[tuple[float, int], ...]
    round: int = 0


class Pass(Message, frozen=True):
    """No bid."""

    item: str
    reason: Reason = "no-interest"
    round: int = 0


class WorkEnded(Message, frozen=True):
    """The work has ended, well or not."""

    item: str
    report: Report


# -------------------------------------------------------------------------------------------------------------- facts
class TieDecided(Fact, frozen=True):
    """`tied` bid the same (listed by id) and could not all win: the auctioneer's own dice chose `chosen`."""

    item: str
    tied: tuple[AgentId, ...]
    chosen: tuple[AgentId, ...]


# ---------------------------------------------------------------------------------------------------------- questions
def is_price(value: object) -> bool:
    """Whether it is a plain number that can be a price: 0 or more, at most `MOST`, not NaN."""
    return is_number(value, 0, MOST)


def is_count(value: object, most: int) -> bool:
    """Whether it is a whole number from 1 to `most`."""
    return is_whole(value, 1, most)


def most_units(item: Item) -> int:
    """How many units one bidder can win: of a task one copy, since copies are for results to be compared."""
    return 1 if isinstance(item, Task) else units(item)


def steps_of(bid: Bid | BidSchedule) -> tuple[tuple[float, int], ...]:
    """What a bid offers, as (price per unit, units)."""
    return bid.steps if isinstance(bid, BidSchedule) else ((bid.price, bid.units),)


def is_sound(bid: Bid | BidSchedule, item: Item) -> bool:
    """Whether the numbers of a bid make sense for this item, whoever made it."""
    steps = steps_of(bid)
    if not _are_pairs(steps):
        return False
    most = most_units(item)
    if not all(is_price(price) and is_count(count, most) for price, count in steps):
        return False
    if isinstance(bid, Bid) and not (is_price(bid.quality) and bid.quality <= 1):
        return False
    prices = [price for price, _ in steps]
    return sum(count for _, count in steps) <= most and prices == sorted(prices, reverse=not item.procured)


def _are_pairs(steps: object) -> bool:
    if not isinstance(steps, tuple) or not steps:
        return False
    return all(isinstance(step, tuple) and len(step) == 2 for step in steps)


class AuctionQuestion(Question, frozen=True, kw_only=True):
    """What all questions of bidders have: the item, who auctions it, and until when an answer would bind.

    A bid for something on sale holds the most that it can cost, until then.
    """

    item: Item
    auctioneer: AgentId
    binds_until: float = inf
    bidders: int = 0
    """How many are asked, us included."""
    round: int = 0

    answers: ClassVar[tuple[type, ...]] = (Bid, Pass)

    @property
    def otherwise(self) -> Any:
        return Pass(self.item.id, "no-answer", self.round)

    def accepts(self, answer: Any) -> bool:
        if not super().accepts(answer) or (answer.item, answer.round) != (self.item.id, self.round):
            return False
        return is_sound(answer, self.item) if isinstance(answer, Bid | BidSchedule) else True

    def commits(self, answer: Any) -> Commitment | None:
        if self.item.procured or not isinstance(answer, Bid | BidSchedule):
            return None
        money = sum(price * count for price, count in steps_of(answer))
        return Commitment(money, until=self.binds_until)


class BidWanted(AuctionQuestion, frozen=True, kw_only=True):
    """What do you bid for this item?

    Name a price per unit: what you would pay for it if it is on sale, what you would have to be paid if it is procured.
    Bid for several units with a schedule of (price, units), best price first. Or pass. `rule` says what winners pay.
    If `value_of_quality` is above 0, quality counts: each hundredth of quality below 1 that you offer makes your price
    appear higher by a hundredth of it.
    """

    rule: str = ""
    value_of_quality: float = 0

    answers: ClassVar[tuple[type, ...]] = (Bid, BidSchedule, Pass)


class PriceOffered(AuctionQuestion, frozen=True, kw_only=True):
    """Do you take this item at this price per unit? Bid exactly this price, or pass.

    If it is on sale you would pay the price, if it is procured you would be paid it. `quantity` units are to be had.
    """

    price: float
    quantity: int = 1

    def accepts(self, answer: Any) -> bool:
        return super().accepts(answer) and (not isinstance(answer, Bid) or answer.price == self.price)
