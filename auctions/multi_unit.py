"""Clearing rules for several identical units: discriminatory, uniform price, Vickrey's, and Ausubel's clinching.

All of them give the units to the highest offers; they differ in what the winners pay. A bidder may make several
offers: together they are its marginal values, first unit first. An offer for several units may get some of them.

Rules get their bids as every clearing rule does: those that meet the reserve, best first, with ties decided, so that
of equal offers on the border the one that is ranked first wins. Each winner has one line, best winner first, and the
price in it is for all its units together. With integer prices all results are integers. What nobody else wants costs
the reserve (see `least_price`).
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from math import inf
from typing import Literal

import msgspec

from auctions.clearing import Cleared, Offer, exact_sum
from walras.errors import ScenarioError
from walras.messages import AgentId, Frozen


def discriminatory(bids: Sequence[Offer], reserve: float, units: int) -> list[Cleared]:
    """Every winning offer pays itself, as a first price does for one unit. Also called pay-as-bid.

    Examples:
        >>> discriminatory([Offer("a", 9, 2), Offer("b", 7), Offer("a", 5)], reserve=0, units=4)
        [Cleared(bidder='a', units=3, price=23), Cleared(bidder='b', units=1, price=7)]
    """
    won, _ = split(bids, units)
    return [
        Cleared(bidder, count(offers), exact_sum(offer.price * offer.units for offer in offers))
        for bidder, offers in by_bidder(won).items()
    ]


class UniformPrice(msgspec.Struct, frozen=True):
    """Every unit costs the same.

    Args:
        price: ``highest-losing`` (the best offer for a unit that got none, or the reserve if all got theirs) or
            ``lowest-winning`` (the worst offer that got a unit). With one unit these are Vickrey's and the first price.

    Notes:
        With several units wanted by one bidder neither is truthful: asking for less lowers the price of what one gets
        (Ausubel, Cramton, Pycia, Rostek and Weretka, Demand reduction and inefficiency in multi-unit auctions, 2014).

    Raises:
        ScenarioError: for any other `price`.

    Examples:
        >>> uniform_price([Offer("a", 9, 2), Offer("b", 7), Offer("a", 5)], reserve=0, units=2)
        [Cleared(bidder='a', units=2, price=14)]
        >>> UniformPrice("lowest-winning")([Offer("a", 9, 2), Offer("b", 7)], reserve=0, units=2)
        [Cleared(bidder='a', units=2, price=18)]
    """

    price: Literal["highest-losing", "lowest-winning"] = "highest-losing"

    def __post_init__(self) -> None:
        if self.price not in ("highest-losing", "lowest-winning"):
            raise ScenarioError("price", self.price, "'highest-losing' or 'lowest-winning'")

    def __call__(self, bids: Sequence[Offer], reserve: float, units: int) -> list[Cleared]:
        won, lost = split(bids, units)
        if not won:
            return []
        if self.price == "lowest-winning":
            price = won[-1].price
        else:
            price = lost[0].price if lost else least_price(bids, reserve)
        return [
            Cleared(bidder, count(offers), price * count(offers)) for bidder, offers in by_bidder(won).items()
        ]


uniform_price = UniformPrice()


def vickrey_multi_unit(bids: Sequence[Offer], reserve: float, units: int) -> list[Cleared]:
    """Who gets *k* units pays for those that it displaces: the *k* highest offers of others that got nothing.

    This is what the others lose by its presence (Vickrey, Clarke, Groves), so truth is a dominant strategy where
    marginal values do not increase; units that nobody else wants cost the reserve.

    Raises:
        ScenarioError: if the offers of a bidder increase.

    References:
        W. Vickrey, Counterspeculation, auctions, and competitive sealed tenders, Journal of Finance 16, 1961.

    Examples:
        >>> vickrey_multi_unit(
        ...     [Offer("a", 9, 2), Offer("b", 7), Offer("a", 5), Offer("c", 3)], reserve=0, units=3
        ... )
        [Cleared(bidder='a', units=2, price=3), Cleared(bidder='b', units=1, price=5)]
    """
    check_marginal_values(bids)
    won, lost = split(bids, units)
    least = least_price(bids, reserve)
    lines = []
    for bidder, offers in by_bidder(won).items():
        wanted = count(offers)
        displaced, units_displaced = price_of(wanted, lost, without=bidder)
        paid = exact_sum([displaced, least * (wanted - units_displaced)])
        lines.append(Cleared(bidder, wanted, paid))
    return lines


def ausubel(bids: Sequence[Offer], reserve: float, units: int) -> list[Cleared]:
    """The outcome of Ausubel's ascending auction: every unit costs the price at which it was clinched.

    The same winners and payments as `vickrey_multi_unit`, found on the other way; `clinches` tells the story.

    Raises:
        ScenarioError: if the offers of a bidder increase.

    References:
        L. M. Ausubel, An efficient ascending-bid auction for multiple objects, American Economic Review 94, 2004.
    """
    won: dict[AgentId, list[Clinch]] = {bid.bidder: [] for bid in bids}
    for clinch in clinches(bids, reserve, units):
        won[clinch.bidder].append(clinch)
    return [
        Cleared(bidder, count(of_one), exact_sum(clinch.price * clinch.units for clinch in of_one))
        for bidder, of_one in won.items()
        if of_one
    ]


class Clinch(Frozen, frozen=True):
    """At the clock price `price` the bidder has so many more units for certain, and pays that price for each."""

    bidder: AgentId
    units: int
    price: float


def clinches(bids: Sequence[Offer], reserve: float, units: int) -> list[Clinch]:
    """Who clinches how many units at which price, as the clock rises continuously from the reserve.

    At a price *p* bidders demand the units for which they offer more than *p*. Bidder *i* has clinched what the others
    leave: ``max(0, units - demand of the others)``. The clock stops at the first price at which demand is at most
    supply. What is then left over goes, at that price, to those who dropped out right there, in their ranking.

    Raises:
        ScenarioError: if the offers of a bidder increase.

    Examples:
        >>> bids = [Offer("a", 9, 2), Offer("b", 7), Offer("a", 5), Offer("c", 3)]
        >>> [(at.price, at.bidder, at.units) for at in clinches(bids, reserve=0, units=3)]
        [(0, 'a', 1), (3, 'a', 1), (5, 'b', 1)]
    """
    check_marginal_values(bids)
    start = least_price(bids, reserve)
    demand = {bidder: count(offers) for bidder, offers in by_bidder(bids).items()}
    clinched = dict.fromkeys(demand, 0)
    found: list[Clinch] = []

    largest, demanded = max(demand.values(), default=0), sum(demand.values())
    for price, dropping in _levels(bids, start):
        for offer in dropping:
            demand[offer.bidder] -= offer.units
            demanded -= offer.units
        settled = demanded <= units
        if settled:  # nobody drops any more: all of them have what they demand, the leavers what is left
            for offer in split(dropping, units - demanded)[0]:
                demand[offer.bidder] += offer.units
        elif demanded - largest >= units:  # whoever is left out, the others still want all there is
            continue
        for bidder, own in demand.items():
            more = (own if settled else units - (demanded - own)) - clinched[bidder]
            if more > 0:
                clinched[bidder] += more
                found.append(Clinch(bidder, more, price))
        if settled:
            break
    return found


def _levels(bids: Sequence[Offer], start: float) -> Iterable[tuple[float, list[Offer]]]:
    """The prices at which demand falls, rising from the start, and who drops out there, in their ranking."""
    if not bids or bids[-1].price > start:
        yield start, []
    for price, level in groupby(reversed(bids), key=lambda bid: bid.price):
        yield price, list(level)[::-1]


def split(offers: Iterable[Offer], units: int) -> tuple[list[Offer], list[Offer]]:
    """What gets the first `units` units, and what gets none; an offer on the border is cut in two.

    >>> split([Offer("a", 9, 2), Offer("b", 7)], 1)
    ([Offer(bidder='a', price=9)], [Offer(bidder='a', price=9), Offer(bidder='b', price=7)])
    """
    won: list[Offer] = []
    lost: list[Offer] = []
    for offer in offers:
        got = min(offer.units, units)
        units -= got
        if got:
            won.append(offer if got == offer.units else Offer(offer.bidder, offer.price, got))
        if got < offer.units:
            lost.append(offer if not got else Offer(offer.bidder, offer.price, offer.units - got))
    return won, lost


def price_of(units: int, offers: Iterable[Offer], without: AgentId) -> tuple[float, int]:
    """What the first so many units cost that are not this bidder's own, and how many of them there are."""
    amounts, left = [], units
    for offer in offers:
        if offer.bidder != without and left:
            got = min(offer.units, left)
            amounts.append(offer.price * got)
            left -= got
        if not left:
            break
    return exact_sum(amounts), units - left


def least_price(bids: Sequence[Offer], reserve: float) -> float:
    """What a unit costs that nobody else wants: the reserve, and where there is none, the lowest bid.

    Only a procurement can be without one: what is on sale without a reserve has the reserve 0.
    """
    return reserve if reserve > -inf else min((bid.price for bid in bids), default=0)


def by_bidder(offers: Iterable[Offer]) -> dict[AgentId, list[Offer]]:
    """The offers of each bidder, in the order of their first ones."""
    found: dict[AgentId, list[Offer]] = {}
    for offer in offers:
        found.setdefault(offer.bidder, []).append(offer)
    return found


def count(offers: Iterable[Offer | Clinch | Cleared]) -> int:
    """How many units these are for."""
    return sum(offer.units for offer in offers)


def check_marginal_values(bids: Iterable[Offer], *, asked: bool = False) -> None:
    """Raise `ScenarioError` if somebody bids more for a later unit than for an earlier one, or (`asked`) asks less."""
    before: dict[AgentId, float] = {}
    limit, change = ("at least", "costs") if asked else ("at most", "values")
    for bid in bids:
        last = before.get(bid.bidder, bid.price)
        if bid.price < last if asked else bid.price > last:
            verb = "decrease" if asked else "increase"
            expected = (
                f"{limit} the {last} of its unit before: marginal {change}, first unit first, must not {verb}"
            )
            raise ScenarioError(f"price of {bid.bidder}", bid.price, expected)
        before[bid.bidder] = bid.price
