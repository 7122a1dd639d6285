"""Clearing rules for sealed bids on one lot: pure functions from ranked bids to who gets what and who pays what.

A rule is anything that can be called as ``rule(bids, reserve, units)`` and returns `Cleared` lines. The bids that it is
given are those that meet the reserve, best first, with ties already decided; there is at least one. So a rule of one's
own takes a line or two::

    def half_price(bids, reserve, units):
        best = bids[0]
        return [Cleared(best.bidder, 1, best.price / 2)]

Rules are written for a seller, to whom more is better. For a procurement the auctioneer turns the signs of all prices
around, before and after: the best bid is then the lowest price, and the same rule serves both sides exactly.
"""

from collections.abc import Callable, Iterable, Sequence

from walras.messages import AgentId, Frozen


class Offer(Frozen, frozen=True):
    """One bid as a clearing rule sees it: a price per unit, for up to so many units, in the run's currency."""

    bidder: AgentId
    price: float
    units: int = 1


class Cleared(Frozen, frozen=True):
    """What a bidder gets and pays: `price` is for all its `units` together; with no units it pays for nothing."""

    bidder: AgentId
    units: int
    price: float


ClearingRule = Callable[[Sequence[Offer], float, int], Iterable[Cleared]]
"""From ranked bids, the reserve per unit (``-inf``: none) and the units on sale to what each bidder gets and pays."""
