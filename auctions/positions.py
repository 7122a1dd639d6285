"""Clearing rules for positions: slots on a page, of which the upper ones are clicked more often.

`Positions` is a clearing rule with the click rates as its setting and one of two functions as its price: `gsp` or
`vcg_positions`. A bid is a price per click; each bidder gets at most one slot.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from math import inf

import msgspec

from auctions.clearing import Cleared, Offer, exact_sum
from auctions.multi_unit import least_price
from walras.errors import ScenarioError
from walras.messages import AgentId

SlotPrice = Callable[[Sequence[float], Sequence[float], float], float]
"""From the scores ranked below a bidder, the clicks of its slot and of those below, and the least score that is paid
for, to what its slot costs: scores and clicks best first, at least one number of clicks."""


def gsp(below: Sequence[float], clicks: Sequence[float], least: float = 0) -> float:
    """The generalised second price: each click costs the score that comes next.

    Not truthful: a lower slot at its lower price can be the better deal.

    Args:
        below: scores of the bidders ranked below, best first. A score is price times quality.
        clicks: clicks of the bidder's slot and of the slots below it, best first.
        least: the score that a click costs at least.

    Returns:
        The price of all clicks of the slot together.

    References:
        B. Edelman, M. Ostrovsky and M. Schwarz, Internet advertising and the generalized second-price auction,
        American Economic Review 97, 2007.

    Examples:
        >>> gsp([4, 2], [200, 100]), gsp([2], [100])
        (800, 200)
    """
    return clicks[0] * max([least, *below[:1]])


def vcg_positions(below: Sequence[float], clicks: Sequence[float], least: float = 0) -> float:
    """The Vickrey-Clarke-Groves price: what those below lose in clicks, since each of them could be one slot higher.

    Truthful, and never above `gsp` for the same bids. Arguments and result are those of `gsp`.

    Examples:
        >>> vcg_positions([4, 2], [200, 100]), vcg_positions([2], [100])
        (600, 200)
    """
    scores = [max(score, least) for score in below[: len(clicks)]]
    lost = [here - next_below for here, next_below in zip(clicks, [*clicks[1:], 0], strict=True)]
    return exact_sum(more * score for more, score in zip_longest(lost, scores, fillvalue=least))


class Positions(msgspec.Struct, frozen=True):
    """The k-th best bidder gets the k-th slot; the lot is the slots, one unit each.

    Bidders are ranked by their scores, price times quality, where a bidder of quality *q* gets *q* times the clicks of
    its slot. Equal scores stand in the order in which the bids were ranked. The reserve is per click, whatever the
    quality. Only a bidder's best offer counts, and of that one unit.

    Args:
        price: `gsp`, `vcg_positions`, or a function of one's own.
        clicks: of the slots, best first, for quality 1. They are as many as there are slots; of fewer units on sale the
            first ones are sold.
        quality: by bidder; who is not in it has 1.

    Returns (as a rule):
        A line for each slot sold, first slot first, with the price of all clicks of the slot.

    Notes:
        In an auction with messages nobody may pay more than it bid for a unit, and its money is held for that. So there
        a unit is a slot that is clicked once at most: give click-through rates of at most 1, quality included.

    Raises:
        ScenarioError: for clicks that are negative, increase or are missing, for a quality that is not above 0, and (as
            a rule) in a procurement: nobody is paid for being shown.

    Examples:
        >>> Positions(gsp, clicks=(200, 100))(
        ...     [Offer("a", 10), Offer("b", 4), Offer("c", 2)], reserve=0, units=2
        ... )
        [Cleared(bidder='a', units=1, price=800), Cleared(bidder='b', units=1, price=200)]
    """

    price: SlotPrice
    clicks: tuple[float, ...]
    quality: Mapping[AgentId, float] = {}

    def __post_init__(self) -> None:
        falling = all(above >= below for above, below in zip(self.clicks, self.clicks[1:], strict=False))
        if not (self.clicks and falling and all(0 <= rate < inf for rate in self.clicks)):
            raise ScenarioError(
                "clicks", self.clicks, "finite numbers of 0 or more for each slot, best first"
            )
        for bidder, quality in self.quality.items():
            if not 0 < quality < inf:
                raise ScenarioError(f"quality of {bidder}", quality, "a finite number above 0")

    @property
    def most_clicks(self) -> float:
        """The clicks of the best slot, for whom they are the most."""
        return self.clicks[0] * max([1, *self.quality.values()])

    def __call__(self, bids: Sequence[Offer], reserve: float, units: int) -> list[Cleared]:
        if reserve < 0:
            raise ScenarioError(
                "rule", "Positions in a procurement", "something on sale, which has a reserve of 0 or more"
            )
        best: dict[AgentId, float] = {}
        for bid in bids:
            best.setdefault(bid.bidder, bid.price * self.quality.get(bid.bidder, 1))
        ranking = sorted(best, key=best.__getitem__, reverse=True)  # stable: equals stay as they were ranked
        scores = [best[bidder] for bidder in ranking]
        clicks = self.clicks[:units]
        least = least_price(bids, reserve)
        return [
            Cleared(bidder, 1, self.price(scores[k + 1 :], clicks[k:], least * self.quality.get(bidder, 1)))
            for k, bidder in enumerate(ranking[: len(clicks)])
        ]
