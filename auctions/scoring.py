"""Procurement by price and quality: a scoring rule says what quality is worth, and the best score wins.

With a linear score ``v q - p`` a scoring auction is a sealed bid in which every price is taken for the price at full
quality that the buyer likes as much: ``p + v (1 - q)``. So every clearing rule serves, exactly as it is: the first price
makes it the first-score auction, the second price the second-score auction.
"""

from typing import ClassVar

from auctions.clearing import Cleared
from auctions.messages import Bid, BidSchedule, is_price
from auctions.sealed import SealedBid
from walras.errors import ScenarioError
from walras.items import Item
from walras.messages import AgentId
from walras.protocol import Protocol


def score(price: float, quality: float, value_of_quality: float) -> float:
    """What is left to the buyer: ``v q - p``; the best score is the highest.

    >>> score(price=3.0, quality=0.5, value_of_quality=10.0)
    2.0
    """
    return value_of_quality * quality - price


def price_at_full_quality(price: float, quality: float, value_of_quality: float) -> float:
    """The price at quality 1 with the same score: ``p + v (1 - q)``.

    >>> price_at_full_quality(price=3.0, quality=0.5, value_of_quality=10.0)
    8.0
    """
    return price + value_of_quality * (1 - quality)


class ScoringAuction(SealedBid, frozen=True, kw_only=True):
    """Sealed bids of a price and a quality, compared by the score ``v q - p``; for what is procured only.

    ``ScoringAuction(first_price)`` is the first-score auction: the winner delivers its quality and is paid its price.
    ``ScoringAuction(second_price)``, the default, is the second-score auction: the winner keeps its quality and is paid
    the price with which its score would equal the best rejected one; to bid its true cost is then dominant. The quality
    that is best for a bidder does not depend on the rule: it maximises ``v q - c(q)``.

    The item's reserve is the most that the buyer pays at full quality, ``v`` less for each unit of quality that is
    missing. A quality is a promise: the price is due when the work is done.

    Args:
        value_of_quality: *v*, what full quality is worth to the buyer, in the run's currency; None: the item's reserve,
            since that is the most it would pay (0 without a reserve: then only prices count).

    Raises:
        ScenarioError: for a setting outside its range; it names the field.

    References:
        Y.-K. Che, Design competition through multidimensional auctions, RAND Journal of Economics 24(4), 1993: section
        2 and proposition 2.
    """

    value_of_quality: float | None = None

    protocol: ClassVar[str] = "x-scoring-auction"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.value_of_quality is not None and not is_price(self.value_of_quality):
            raise ScenarioError(
                "value_of_quality", self.value_of_quality, "a finite number of 0 or more, or None"
            )

    def auctioneer(self, item: Item, bidders: tuple[AgentId, ...]) -> Protocol:
        if not item.procured:
            raise ScenarioError("items", item, "what is procured, a Task or Lot(wanted=True)")
        return super().auctioneer(item, bidders)

    def quality_value(self, item: Item) -> float:
        value = self.value_of_quality
        if value is None:
            value = getattr(item, "reserve", None) or 0.0
        return value

    def compared(self, item: Item, bid: Bid | BidSchedule, price: float) -> float:
        return price_at_full_quality(price, _quality(bid), self.quality_value(item))

    def payable(self, item: Item, bid: Bid | BidSchedule, line: Cleared) -> Cleared:
        if isinstance(bid, BidSchedule):
            return line
        paid_units = line.units or bid.units
        own = self.compared(item, bid, bid.price)
        if line.price == own * paid_units:  # what was bid is paid to the last bit
            return Cleared(line.bidder, line.units, bid.price * paid_units)
        added = self.quality_value(item) * (1 - bid.quality)
        return Cleared(line.bidder, line.units, max(0.0, line.price - added * paid_units))


def _quality(bid: Bid | BidSchedule) -> float:
    return bid.quality if isinstance(bid, Bid) else 1.0
