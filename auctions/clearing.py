"""Clearing rules for sealed bids on one lot: pure functions from ranked bids to who gets what and who pays what.

A rule is anything that can be called as ``rule(bids, reserve, units)`` and returns `Cleared` lines. The bids that it is
given are those that meet the reserve, best first, with ties already decided; there is at least one. So a rule of one's
own takes a line or two::

    def half_price(bids, reserve, units):
        best = bids[0]
        return [Cleared(best.bidder, 1, max(best.price / 2, reserve))]

Rules are written for a seller, to whom more is better. For a procurement the auctioneer turns the signs of all prices
around, before and after: the best bid is then the lowest price, and the same rule serves both sides exactly.

The rules here are for single items. Of several units they sell one after the other down the ranking, which is how their
price generalises if every bidder wants one (`auctions.multi_unit` has the rules for those who want more). Prices that
are only compared and picked stay exactly the numbers that were bid.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from math import fsum, inf
from numbers import Real
from random import Random
from typing import cast

import msgspec

from walras.amounts import is_whole
from walras.errors import LocalProtocolError, ScenarioError
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


# ------------------------------------------------------------------------------------------------------------ the rules
def first_price(bids: Sequence[Offer], reserve: float, units: int) -> list[Cleared]:
    """The highest bid wins and pays itself; of several units, the highest bids do.

    References:
        W. Vickrey, Counterspeculation, auctions, and competitive sealed tenders, J. Finance 16(1), 1961.

    Examples:
        >>> first_price([Offer("ada", 9), Offer("bob", 7)], reserve=0, units=1)
        [Cleared(bidder='ada', units=1, price=9)]
    """
    return [Cleared(bid.bidder, won, bid.price * won) for bid, won in filled(bids, units)]


class KthPrice(msgspec.Struct, frozen=True):
    """The highest bid wins and pays the k-th highest, or the reserve where that is more; see `kth_price`."""

    k: int

    def __post_init__(self) -> None:
        if type(self.k) is not int or self.k < 1:
            raise ScenarioError("k", self.k, "a whole number of 1 or more")

    def __call__(self, bids: Sequence[Offer], reserve: float, units: int) -> list[Cleared]:
        winners = filled(bids, units)
        supply = sum(won for _, won in winners)
        rank = supply + self.k - 1
        price = max(nth_price(bids, rank), reserve)
        if price == -inf:  # fewer bids than k, and no reserve: what the last of them bid
            price = bids[-1].price
        return [Cleared(bid.bidder, won, min(price, bid.price) * won) for bid, won in winners]


def kth_price(k: int) -> KthPrice:
    """A rule: the highest bid wins and pays the k-th highest bid, or the reserve where that is more.

    1 is the first-price rule, 2 Vickrey's, 3 the third-price rule, under which bidders bid more than their values. Of
    several units each costs the (units + k - 1)-th highest unit bid. Where there are fewer bids than that, the reserve
    is paid, and where there is none, the lowest bid. The reserve of something on sale without one is 0.

    Raises:
        ScenarioError: for a k that is not a whole number of 1 or more.

    References:
        W. Vickrey, J. Finance 16(1), 1961. J. Kagel and D. Levin, Independent private value auctions: bidder behaviour
        in first-, second- and third-price auctions with varying numbers of bidders, Economic Journal 103, 1993.

    Examples:
        >>> bids = [Offer("ada", 9), Offer("bob", 7), Offer("cyd", 4)]
        >>> kth_price(3)(bids, reserve=0, units=1), kth_price(3)(bids, reserve=5, units=1)
        ([Cleared(bidder='ada', units=1, price=4)], [Cleared(bidder='ada', units=1, price=5)])
    """
    return KthPrice(k)


second_price = KthPrice(2)
"""Vickrey's rule: the highest bid wins and pays the second highest, or the reserve where that is more."""
third_price = KthPrice(3)
"""The highest bid wins and pays the third highest, or the reserve where that is more."""


def all_pay(bids: Sequence[Offer], reserve: float, units: int) -> list[Cleared]:
    """The highest bid wins, and everybody pays what they bid, whether they win or not.

    Losers are lines without units. A bid below the reserve is not admitted, and costs nothing.

    References:
        M. Baye, D. Kovenock and C. de Vries, The all-pay auction with complete information, Economic Theory 8, 1996.

    Examples:
        >>> all_pay([Offer("ada", 9), Offer("bob", 7)], reserve=0, units=1)
        [Cleared(bidder='ada', units=1, price=9), Cleared(bidder='bob', units=0, price=7)]
    """
    lines, left = [], units
    for bid in bids:
        won = min(bid.units, left)
        left -= won
        if won:
            lines.append(Cleared(bid.bidder, won, bid.price * won))
        if won < bid.units:
            lines.append(Cleared(bid.bidder, 0, bid.price * (bid.units - won)))
    return lines


# ------------------------------------------------------------------------------------------------- what rules are made of
def filled(bids: Sequence[Offer], units: int) -> list[tuple[Offer, int]]:
    """The winning bids and how many units each gets, if the units are handed out from the best bid down.

    >>> filled([Offer("ada", 9, 2), Offer("bob", 7, 2)], units=3)
    [(Offer(bidder='ada', price=9, units=2), 2), (Offer(bidder='bob', price=7, units=2), 1)]
    """
    winners = []
    for bid in bids:
        if units <= 0:
            break
        winners.append((bid, min(bid.units, units)))
        units -= bid.units
    return winners


def nth_price(bids: Sequence[Offer], n: int) -> float:
    """The n-th highest price of a single unit, n counting from 1; ``-inf`` if fewer units are asked for."""
    for bid in bids:
        n -= bid.units
        if n <= 0:
            return bid.price
    return -inf


def exact_sum(amounts: Iterable[float]) -> float:
    """The sum: of whole numbers a whole number, else correctly rounded.

    >>> exact_sum([1, 2]), exact_sum([0.1] * 10)
    (3, 1.0)
    """
    amounts = list(amounts)
    return fsum(amounts) if any(isinstance(amount, float) for amount in amounts) else sum(amounts)


# ----------------------------------------------------------------------------------------------------- before and after
def ranked(offers: Iterable[Offer], reserve: float = -inf, rng: Random | None = None) -> list[Offer]:
    """The bids that meet the reserve, best first.

    Equal prices are listed by bidder, and then `rng` shuffles the bidders that are equal: so the order of arrival
    decides nothing. A bidder's own equal bids stay together.

    Args:
        offers: in any order; a bidder may have several.
        reserve: per unit; a bid of exactly the reserve is admitted.
        rng: decides ties; None: the lowest id comes first.

    Examples:
        >>> [
        ...     o.bidder
        ...     for o in ranked([Offer("cyd", 5), Offer("bob", 8), Offer("ada", 5), Offer("dan", 1)], 2)
        ... ]
        ['bob', 'ada', 'cyd']
    """
    admitted = sorted(
        (offer for offer in offers if offer.price >= reserve), key=lambda o: (-o.price, o.bidder, -o.units)
    )
    if rng is None:
        return admitted
    order = []
    for _, level in groupby(admitted, key=lambda o: o.price):
        by_bidder: dict[AgentId, list[Offer]] = {}
        for offer in level:
            by_bidder.setdefault(offer.bidder, []).append(offer)
        equals = list(by_bidder)
        if len(equals) > 1:
            rng.shuffle(equals)
        order += [offer for bidder in equals for offer in by_bidder[bidder]]
    return order


def clear(
    rule: ClearingRule,
    offers: Iterable[Offer],
    *,
    reserve: float | None = None,
    units: int = 1,
    reverse: bool = False,
    rng: Random | None = None,
) -> list[Cleared]:
    """Apply a clearing rule to bids in plain prices, on either side of the market.

    Args:
        rule: see `ClearingRule`.
        offers: in any order, prices of 0 or more. Under the rules of `auctions.multi_unit` a bidder may have several, its
            marginal values; the rules for single items take each for another bidder's.
        reserve: per unit: the least that is accepted on sale, the most in a procurement; None: any price.
        units: how many there are.
        reverse: whether this is a procurement, in which bidders are paid and the lowest price is the best.
        rng: decides ties; None: the lowest id wins.

    Returns:
        The rule's lines, checked, prices of 0 or more again: for each bidder at most one line with units and one
        without.

    Raises:
        ScenarioError: for an offer, a reserve or a number of units that makes no sense; it names the field.
        LocalProtocolError: if the rule returns nonsense, see `checked`.

    Examples:
        >>> clear(second_price, [Offer("ada", 9), Offer("bob", 7)], reserve=8)
        [Cleared(bidder='ada', units=1, price=8)]
        >>> clear(second_price, [Offer("ada", 9), Offer("bob", 7)], reverse=True)
        [Cleared(bidder='bob', units=1, price=9)]
    """
    offers = check_offers(offers)
    _check_given(rule, reserve, units)
    if reverse:
        offers = [Offer(offer.bidder, 0 - offer.price, offer.units) for offer in offers]
        limit = -inf if reserve is None else 0 - reserve
    else:
        limit = 0 if reserve is None else reserve
    bids = ranked(offers, limit, rng)
    if not bids:
        return []
    lines = checked(rule, rule(bids, limit, units), bids, units)
    found = [Cleared(line.bidder, line.units, 0 - line.price) for line in lines] if reverse else lines
    for line in found:
        if not 0 <= line.price < inf:
            raise _nonsense(rule, f"lets {line.bidder} pay {line.price}", "a finite price of 0 or more")
    return found


def check_offers(offers: Iterable[object]) -> list[Offer]:
    """The same offers, if somebody can have made them.

    Raises:
        ScenarioError: for what is no offer, a price that is not finite and 0 or more, and units that are not whole.
    """
    found = []
    for place, offer in enumerate(offers):
        if not isinstance(offer, Offer):
            raise ScenarioError(f"offers[{place}]", offer, "an Offer, such as Offer('ada', 9)")
        if not _is_amount(offer.price) or offer.price == inf:
            raise ScenarioError(f"price of {offer.bidder}", offer.price, "a finite number of 0 or more")
        if not is_whole(offer.units, 1):
            raise ScenarioError(f"units of {offer.bidder}", offer.units, "a whole number of 1 or more")
        found.append(offer)
    return found


def _check_given(rule: object, reserve: object, units: object) -> None:
    """Raise `ScenarioError` for what is no rule, no reserve or nothing to sell."""
    if not callable(rule):
        raise ScenarioError("rule", rule, "a clearing rule, such as auctions.second_price")
    if reserve is not None and not _is_amount(reserve):
        raise ScenarioError("reserve", reserve, "a number of 0 or more, or None for any price")
    if not is_whole(units, 1):
        raise ScenarioError("units", units, "a whole number of 1 or more")


def checked(rule: ClearingRule, lines: object, bids: Sequence[Offer], units: int) -> list[Cleared]:
    """A rule's lines, added up for each bidder, if they make sense for these ranked bids.

    Raises:
        LocalProtocolError: naming the rule and its line, for somebody who has not bid, more units than there are or
            than were bid for, and for a price above the bidder's own bids for so many units, or (without units) for
            the rest of what it bid for.
    """
    own: dict[AgentId, list[Offer]] = {}
    for bid in bids:
        own.setdefault(bid.bidder, []).append(bid)
    won: dict[AgentId, list[Cleared]] = {}
    lost: dict[AgentId, list[Cleared]] = {}
    if not isinstance(lines, Iterable):
        raise _nonsense(rule, f"returns {lines!r}", "Cleared lines")
    for line in lines:
        if not isinstance(line, Cleared) or not is_whole(line.units) or not _is_number(line.price):
            raise _nonsense(
                rule, f"returns {line!r}", "Cleared lines, with whole units and a number as price"
            )
        if line.bidder not in own:
            raise _nonsense(rule, f"awards to {line.bidder}", f"one of {', '.join(own)}")
        (won if line.units else lost).setdefault(line.bidder, []).append(line)
    found = [_added(bidder, mine) for bidder, mine in won.items()]
    if sum(line.units for line in found) > units:
        raise _nonsense(rule, f"awards {sum(line.units for line in found)} units", f"at most {units}")
    limits = {line.bidder: (line.units, _bid_for(own[line.bidder], line.units)) for line in found}
    for line in found:
        _check_price(rule, line, limits[line.bidder][1], own[line.bidder])
    for bidder, mine in lost.items():
        line, taken = _added(bidder, mine), limits.get(bidder, (0, 0))[0]
        everything = _bid_for(own[bidder], sum(bid.units for bid in own[bidder]))
        if line.price:
            _check_price(rule, line, everything - _bid_for(own[bidder], taken), own[bidder])
            found.append(line)
    return found


def _is_amount(value: object) -> bool:
    """Whether it is a number of 0 or more, of whatever kind; infinity is one, NaN is none."""
    return isinstance(value, Real) and cast(float, value) >= 0


def _is_number(price: object) -> bool:
    return isinstance(price, int | float)


def _added(bidder: AgentId, lines: Sequence[Cleared]) -> Cleared:
    return Cleared(bidder, sum(line.units for line in lines), exact_sum(line.price for line in lines))


def _bid_for(bids: Sequence[Offer], units: int) -> float:
    """What a bidder has bid for so many units; -inf if it has not bid for so many."""
    taken = filled(bids, units)
    if sum(count for _, count in taken) < units:
        return -inf
    return exact_sum(bid.price * count for bid, count in taken)


def _check_price(rule: ClearingRule, line: Cleared, limit: float, own: Sequence[Offer]) -> None:
    if limit == -inf:
        raise _nonsense(rule, f"awards {line.units} units to {line.bidder}", "no more than were bid for")
    slack = 1e-9 * abs(limit)  # a rule may add floats up in another order
    if not line.price <= limit + slack:
        bid = ", ".join(f"{offer.price} for {offer.units}" for offer in own)
        raise _nonsense(rule, f"charges {line.bidder} {line.price}", f"at most {limit}, since it bid {bid}")


def _nonsense(rule: ClearingRule, does: str, expected: str) -> LocalProtocolError:
    return LocalProtocolError(f"the clearing rule {rule_name(rule)} {does}; expected {expected}")


_NAMES: Mapping[int, str] = {1: "first_price", 2: "second_price", 3: "third_price"}


def rule_name(rule: ClearingRule) -> str:
    """What a rule is called where bidders and readers are told which it is.

    >>> rule_name(first_price), rule_name(second_price), rule_name(kth_price(5))
    ('first_price', 'second_price', 'KthPrice(k=5)')
    """
    if isinstance(rule, KthPrice) and rule.k in _NAMES:
        return _NAMES[rule.k]
    return str(getattr(rule, "__name__", None) or repr(rule))
