"""Proxy bidding: bidders name how far they would go, and the auctioneer bids for them, no further than needed."""

from typing import ClassVar

from auctions.english import English
from auctions.open_messages import MaximumWanted, StandingBid
from auctions.outcry import OutcryBidder
from walras.allocation import units
from walras.items import Item
from walras.questions import Question


class Proxy(English, frozen=True):
    """An English auction with proxies: a bid is a maximum, which nobody is told, and may be raised while bidding goes on.

    The bidder with the highest maximum leads and pays one increment more than the second maximum, but not more than its own,
    and at least the opening price, and a reserve, hidden or not, that its maximum meets. Maxima count whenever they arrive
    in time, so the order in which they do decides nothing, except among equals with ``ties="arrival"``, which is the rule
    of the large auction houses on the web. Of several units each costs the same: an increment more than the best maximum
    that gets none.

    Args:
        increment: how far the price lies beyond the second maximum: an amount, or a share of it, such as ``"5%"``.

    All other settings are those of `auctions.English`.

    References:
        D. Lucking-Reiley, Auctions on the Internet: what's being auctioned, and how?, J. Industrial Economics 48(3), 2000.
        A. Roth and A. Ockenfels, American Economic Review 92(4), 2002.
    """

    protocol: ClassVar[str] = "x-auction-proxy"
    leaders_may_raise: ClassVar[bool] = True

    def priced(self, item: Item, ranked: list[float]) -> tuple[tuple[float, ...], float]:
        supply, down = units(item), item.procured
        opening = self.opening_price(item)  # all maxima are beyond it
        lead = ranked[:supply]
        if len(ranked) > supply:
            within = max if down else min
            price = within(lead[-1], self.steps.after(ranked[supply], down=down))
        else:
            price = opening
        prices = tuple(_up_to_reserve(item, price, own) for own in lead)
        ask = opening if len(lead) < supply else self.steps.after(prices[-1], down=down)
        return prices, ask

    def can_go_on(self, item: Item, standing: float | None, ask: float) -> bool:
        return standing is None or not item.procured or standing > 0

    def counts(self, item: Item, price: float, ask: float, mine: float | None) -> bool:
        """Maxima below the present price count, too, for who comes first must not matter; they just do not win."""
        return super().counts(item, price, self.opening_price(item), mine)

    def may_lead(self, call: StandingBid, mine: float) -> bool:
        return call.price is None or (mine < call.price if call.item.procured else mine > call.price)

    def useful(self, call: StandingBid, price: float, mine: float | None) -> bool:
        if mine is not None and (price >= mine if call.item.procured else price <= mine):
            return False
        return self.may_lead(call, price)

    def question(self, call: StandingBid, bidder: OutcryBidder) -> Question:
        return MaximumWanted(ask=call.ask, mine=bidder.mine, rule="second_price", **self.told(call, bidder))


def _up_to_reserve(item: Item, price: float, maximum: float) -> float:
    """Where a price does not meet a hidden reserve, and the maximum does, that far is needed."""
    reserve: float | None = getattr(item, "reserve", None)
    if reserve is None or (maximum > reserve if item.procured else maximum < reserve):
        return price
    return min(price, reserve) if item.procured else max(price, reserve)
