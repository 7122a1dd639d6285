"""Clearing rules for double auctions: buyers bid and sellers ask at the same time, and the house matches them.

A double rule is called as ``rule(buys, sells)`` and returns an `Exchange`. It lets the highest bids trade with the lowest
asks; of equal ones on the border those that are listed first trade, so whoever calls it decides ties by the order.
With *q* as the number of units that can be traded without loss (the largest with b_q >= s_q, where b_k is the k-th highest
price that is bid for a unit, and s_k the k-th lowest that is asked), rules differ in how many units change hands, and at
what prices:

=================  ========  ==============================================  ==========  ======================
rule               units     price                                           truthful    money of the house
=================  ========  ==============================================  ==========  ======================
`k_double`         q         one, between s_q and b_q                        no          0
`mcafee`           q, q - 1  one, or b_q to buyers and s_q to sellers        yes         0 or more
`trade_reduction`  q - 1     b_q to buyers, s_q to sellers                   yes         0 or more
`vcg_double`       q         what the others lose or gain by one's presence  yes         0 or less
=================  ========  ==============================================  ==========  ======================

No rule can be efficient, truthful, voluntary and free of deficits at once (Myerson and Satterthwaite, Journal of Economic
Theory 29, 1983). Truthful means: for traders that want or have one unit; with more, only `vcg_double` is. An
offer for several units may trade some of them. Nobody can be on both sides. With integer prices all results are exact.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from numbers import Real
from typing import cast

import msgspec

from auctions.clearing import Cleared, Offer, check_offers, exact_sum, nth_price
from auctions.multi_unit import by_bidder, count, price_of, split
from walras.errors import LocalProtocolError, ScenarioError
from walras.messages import Frozen


class Exchange(Frozen, frozen=True):
    """Who buys and who sells: each trader has one line, with what it pays or gets for all its units together."""

    bought: tuple[Cleared, ...] = ()
    sold: tuple[Cleared, ...] = ()

    @property
    def revenue(self) -> float:
        """What the house keeps: paid by buyers less paid to sellers. Negative is a deficit: the house pays in."""
        return exact_sum([*(line.price for line in self.bought), *(-line.price for line in self.sold)])


DoubleRule = Callable[[Sequence[Offer], Sequence[Offer]], Exchange]
"""From what is bid and what is asked, in any order, to who trades at which price."""


class KDouble(msgspec.Struct, frozen=True):
    """The k-double auction: all units that can trade do so at one price between the last ask and the last bid.

    Args:
        k: where the price lies: ``k * b_q + (1 - k) * s_q``, in [0, 1]; 1/2 is the midpoint.

    Raises:
        ScenarioError: for a `k` outside [0, 1].

    References:
        M. Satterthwaite and S. Williams, Bilateral trade with the sealed bid k-double auction: existence and efficiency,
        Journal of Economic Theory 48, 1989.

    Examples:
        >>> k_double([Offer("a", 10), Offer("b", 6)], [Offer("x", 5), Offer("y", 8)])
        Exchange(bought=(Cleared(bidder='a', units=1, price=7.5),), sold=(Cleared(bidder='x', units=1, price=7.5),))
    """

    k: float = 0.5

    def __post_init__(self) -> None:
        if not isinstance(self.k, Real) or not 0 <= self.k <= 1:
            raise ScenarioError("k", self.k, "a number from 0 (the last ask) to 1 (the last bid)")

    def __call__(self, buys: Sequence[Offer], sells: Sequence[Offer]) -> Exchange:
        buys, sells, q = crossed(buys, sells)
        if not q:
            return Exchange()
        price = between(nth_price(sells, q), nth_price(buys, q), self.k)
        return at_prices(buys, sells, q, price, price)


k_double = KDouble()


def mcafee(buys: Sequence[Offer], sells: Sequence[Offer]) -> Exchange:
    """McAfee's auction: the first traders left out set the price, or else the last trade is given up.

    If p = (b_(q+1) + s_(q+1)) / 2 exists and s_q <= p <= b_q, all q units trade at p. Otherwise q - 1 trade: buyers pay
    b_q, sellers get s_q, and the house keeps the difference.

    References:
        R. P. McAfee, A dominant strategy double auction, Journal of Economic Theory 56, 1992.

    Examples:
        >>> mcafee([Offer("a", 10), Offer("b", 6)], [Offer("x", 5), Offer("y", 8)])
        Exchange(bought=(Cleared(bidder='a', units=1, price=7),), sold=(Cleared(bidder='x', units=1, price=7),))
    """
    buys, sells, q = crossed(buys, sells)
    if 0 < q < min(count(buys), count(sells)):
        price = between(nth_price(sells, q + 1), nth_price(buys, q + 1), 0.5)
        if nth_price(sells, q) <= price <= nth_price(buys, q):
            return at_prices(buys, sells, q, price, price)
    return trade_reduction(buys, sells)


def trade_reduction(buys: Sequence[Offer], sells: Sequence[Offer]) -> Exchange:
    """The last trade is always given up and sets both prices: q - 1 units, buyers pay b_q, sellers get s_q.

    References:
        R. P. McAfee, Journal of Economic Theory 56, 1992, whose auction does this where it finds no price for all.

    Examples:
        >>> trade_reduction([Offer("a", 10), Offer("b", 6)], [Offer("x", 4), Offer("y", 5)])
        Exchange(bought=(Cleared(bidder='a', units=1, price=6),), sold=(Cleared(bidder='x', units=1, price=5),))
    """
    buys, sells, q = crossed(buys, sells)
    if q < 2:
        return Exchange()
    return at_prices(buys, sells, q - 1, nth_price(buys, q), nth_price(sells, q))


def vcg_double(buys: Sequence[Offer], sells: Sequence[Offer]) -> Exchange:
    """Vickrey, Clarke and Groves for both sides: efficient and truthful, and paid for by the house.

    Who buys *k* units pays what the others lose by it: the *k* highest prices among the sellers that sell and the other
    buyers left out. Who sells *k* units gets what the others gain by it: the *k* lowest prices among the buyers that buy
    and the other sellers left out. With one unit each all buyers pay max(b_(q+1), s_q) and all sellers get
    min(s_(q+1), b_q).

    References:
        R. Myerson and M. Satterthwaite, Efficient mechanisms for bilateral trading, Journal of Economic Theory 29, 1983,
        for why there is a deficit.

    Examples:
        >>> exchange = vcg_double([Offer("a", 10), Offer("b", 6)], [Offer("x", 5), Offer("y", 8)])
        >>> exchange
        Exchange(bought=(Cleared(bidder='a', units=1, price=6),), sold=(Cleared(bidder='x', units=1, price=8),))
        >>> exchange.revenue
        -2
    """
    buys, sells, q = crossed(buys, sells)
    buying, outbid = split(buys, q)
    selling, unsold = split(sells, q)
    displaced = _by_price([*outbid, *selling])[::-1]
    enabled = _by_price([*buying, *unsold])
    return Exchange(
        tuple(
            Cleared(buyer, count(own), price_of(count(own), displaced, without=buyer)[0])
            for buyer, own in by_bidder(buying).items()
        ),
        tuple(
            Cleared(seller, count(own), price_of(count(own), enabled, without=seller)[0])
            for seller, own in by_bidder(selling).items()
        ),
    )


def _by_price(offers: Iterable[Offer]) -> list[Offer]:
    return sorted(offers, key=lambda offer: offer.price)


# ------------------------------------------------------------------------------------------------- what rules are made of
def crossed(buys: Sequence[Offer], sells: Sequence[Offer]) -> tuple[list[Offer], list[Offer], int]:
    """Both sides best first, equals as they came, and *q*: how many units can be traded without loss.

    Raises:
        ScenarioError: for an order that nobody can have made, and if somebody is on both sides.

    >>> crossed([Offer("b", 6), Offer("a", 10, 2)], [Offer("x", 5, 2), Offer("y", 8)])[2]
    2
    """
    buys, sells = check_offers(buys), check_offers(sells)
    for trader in sorted(by_bidder(buys).keys() & by_bidder(sells).keys()):
        raise ScenarioError(
            f"side of {trader}", "buy and sell", "one of them: a trader cannot trade with itself"
        )
    buys = sorted(buys, key=lambda offer: offer.price, reverse=True)
    sells = _by_price(sells)
    q = next_sell = used = 0
    for buy in buys:
        wanted = buy.units
        while wanted and next_sell < len(sells) and sells[next_sell].price <= buy.price:
            traded = min(wanted, sells[next_sell].units - used)
            q, wanted, used = q + traded, wanted - traded, used + traded
            if used == sells[next_sell].units:
                next_sell, used = next_sell + 1, 0
        if wanted:  # nobody asks so little, and the next buyers bid no more
            break
    return buys, sells, q


def at_prices(
    buys: Sequence[Offer], sells: Sequence[Offer], units: int, pays: float, gets: float
) -> Exchange:
    """The best so many units change hands: each costs its buyer `pays` and brings its seller `gets`."""
    bought, sold = (by_bidder(split(side, units)[0]) for side in (buys, sells))
    return Exchange(
        tuple(Cleared(buyer, count(own), pays * count(own)) for buyer, own in bought.items()),
        tuple(Cleared(seller, count(own), gets * count(own)) for seller, own in sold.items()),
    )


def checked(exchange: Exchange, buys: Sequence[Offer], sells: Sequence[Offer]) -> Exchange:
    """What a rule returned for these orders, if it makes sense.

    Raises:
        LocalProtocolError: if more or less is bought than sold, somebody trades more than it wants, a buyer pays more than
            it bid, or a seller gets less than it asked.
    """
    if count(exchange.bought) != count(exchange.sold):
        raise LocalProtocolError(
            f"a double rule has {count(exchange.bought)} units bought; expected as many as sold, {count(exchange.sold)}"
        )
    for lines, side in ((exchange.bought, _by_price(buys)[::-1]), (exchange.sold, _by_price(sells))):
        own = by_bidder(side)
        for line in lines:
            offers, _ = split(own.get(line.bidder, []), line.units)
            limit = exact_sum(offer.price * offer.units for offer in offers)
            slack = 1e-9 * limit  # a rule may add floats up in another order
            low, high = (
                (0, limit + slack) if lines is exchange.bought else (limit - slack, sys.float_info.max)
            )
            if not 1 <= line.units == count(offers) or not low <= line.price <= high:
                raise LocalProtocolError(
                    f"a double rule returns {line}; expected what its trader ordered, {offers}"
                )
    return exchange


def between(low: float, high: float, share: float) -> float:
    """The price that lies `share` of the way from `low` to `high`, exact until it has to be a float.

    Of integers an integer where there is one, of fractions a fraction.

    >>> between(4, 5, 0.5), between(4, 6, 0.5)
    (4.5, 5)
    """
    exact = Fraction(low) + Fraction(share) * (Fraction(high) - Fraction(low))
    if isinstance(low, float) or isinstance(high, float):
        return float(exact)
    if exact.denominator == 1:
        return exact.numerator
    fractions = any(isinstance(number, Fraction) for number in (low, high, share))
    return cast(float, exact) if fractions else float(exact)
