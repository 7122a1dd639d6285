"""What rational bidders bid, in closed form: symmetric Bayes-Nash equilibria of single-item auctions.

Pure functions of a value or signal, or of an array of them, and of the number of bidders n, oneself included. Values
are written for a sale; a seller's cost c in a procurement is the value -c under the `mirrored` distribution, and its
price is minus the bid. Who has less than the reserve stays away: its bid is nan.

References: Krishna, Auction Theory, 2nd edition, 2010 (chapters 2 to 6); Myerson, Optimal auction design, Mathematics of
Operations Research 6 (1981); Milgrom and Weber, A theory of auctions and competitive bidding, Econometrica 50 (1982).
"""

import math
from collections.abc import Callable

import numpy as np

from auctions.distributions import LAST, Distribution, Real, plain
from auctions.values import Affiliated, Wallet
from walras.errors import ScenarioError

NONE = -math.inf
"""A reserve that keeps nobody away."""


def second_price(v: Real, reserve: float = NONE) -> Real:
    """One's value: bidding it is never worse than anything else, whatever the others do (Vickrey 1961).

    The same holds for how far to go in an English auction.
    """
    return plain(v, np.where(np.less(v, reserve), math.nan, v))


def first_price(
    v: Real, n: int, distribution: Distribution, reserve: float = NONE, *, crra: float = 0.0
) -> Real:
    """What the highest rival's value is on average, given that it is below one's own; in a Dutch auction, too.

    Parameters
    ----------
    v : value, currency
    n : bidders; one alone needs a reserve, which it bids
    distribution : of each value
    reserve : currency
    crra : relative risk aversion of all bidders; the same as (n - 1) / (1 - crra) rivals instead of n - 1

    Returns
    -------
    number or array : b(v) = v - integral of (F(x) / F(v))^(n - 1) from the reserve to v; nan below the reserve

    References
    ----------
    Krishna, sections 2.3, 2.5 and 4.1.

    Examples
    --------
    >>> from auctions.distributions import Uniform
    >>> first_price(0.75, 3, Uniform()), first_price(0.5, 2, Uniform(), reserve=0.5)
    (0.5, 0.5)
    >>> round(first_price(0.75, 3, Uniform(), crra=0.5), 9)
    0.6
    """
    _check_bidders(n, 1)
    if n == 1:
        if reserve == NONE:
            raise ScenarioError("n", n, "2 or more, or a reserve: nothing else keeps a single bid up")
        return plain(v, np.where(np.less(v, reserve), math.nan, reserve))
    m = (n - 1) / (1.0 - crra)
    bid = np.asarray(v - distribution.area(v, m))
    if reserve > distribution.support[0]:
        above = np.maximum(v, reserve)  # below it nobody bids, and F may be 0
        share = distribution.cdf(reserve) / distribution.cdf(np.asarray(above))
        bid = bid + share**m * distribution.area(reserve, m)
    return plain(v, np.where(np.less(v, reserve), math.nan, bid))


def all_pay(v: Real, n: int, distribution: Distribution, reserve: float = NONE) -> Real:
    """What a first-price bid would cost on average: the bid times the chance to win with it (Krishna, section 3.2).

    A least bid, `reserve`, keeps away those for whom it is more than their value times their chance to be the highest:
    whoever just bids it wins only if nobody else bids.

    >>> from auctions.distributions import Uniform
    >>> all_pay(0.5, 2, Uniform()), all_pay(0.5, 2, Uniform(), reserve=0.25)
    (0.125, 0.25)
    """
    _check_bidders(n, 2)
    least = NONE
    if reserve > 0.0:
        low, high = _bounds(distribution)
        least = _first(lambda x: x * distribution.cdf(x) ** (n - 1) >= reserve, max(low, 0.0), high)
    return plain(v, distribution.cdf(v) ** (n - 1) * np.asarray(first_price(v, n, distribution, least)))


def third_price(v: Real, n: int, distribution: Distribution, reserve: float = NONE) -> Real:
    """More than the value, v + F(v) / ((n - 2) f(v)), since the price is two places below (Krishna, section 3.2).

    It holds where log F is concave, as in all distributions here, and for three bidders or more. A reserve changes nothing
    for those who have that much; the others stay away, although they would bid more than it.

    >>> from auctions.distributions import Uniform
    >>> third_price(0.5, 3, Uniform()), third_price(0.5, 3, Uniform(), reserve=0.6)
    (1.0, nan)
    """
    _check_bidders(n, 3)
    F, f = np.asarray(distribution.cdf(v)), distribution.pdf(v)
    with np.errstate(invalid="ignore", divide="ignore"):
        bid = v + np.where(F > 0.0, F / f, 0.0) / (n - 2)
    return plain(v, np.where(np.less(v, reserve), math.nan, bid))


def affiliated_first_price(x: Real, n: int, model: Affiliated) -> Real:
    """First-price equilibrium with affiliated or common values, for signals up to ``high - error``.

    Parameters
    ----------
    x : signal, currency
    n : bidders, at least 2
    model : affiliated values

    Returns
    -------
    number or array : with a common value x - error + Y, with private ones x - 2 error / n + Y / n, and the mixture in
        between, where Y = 2 error / (n + 1) exp(-n (x - low - error) / (2 error)); nearer to the low end both are linear

    References
    ----------
    Kagel and Levin, American Economic Review 76 (1986), appendix; Kagel, Harstad and Levin, Econometrica 55 (1987).

    Notes
    -----
    The equilibrium solves b' = (v(x, x) - b) n / (2 error), which is linear in v; so bids mix as values do.
    """
    _check_bidders(n, 2)
    low, e, w = model.low, model.error, model.private
    z = np.asarray(x - low + e)  # how far above the least signal
    Y = 2 * e / (n + 1) * np.exp(-n * np.maximum(z - 2 * e, 0.0) / (2 * e))
    common = np.where(z < 2 * e, low + z / (n + 1), x - e + Y)
    private = np.where(z < 2 * e, low - e + z * n / (n + 1), x - 2 * e / n + Y / n)
    return plain(x, w * private + (1.0 - w) * common)


def affiliated_second_price(x: Real, n: int, model: Affiliated) -> Real:
    """What the item is worth if the highest rival has the same signal: in the middle ``x - (1 - private) error (n - 2) / n``.

    >>> from auctions.values import common_value
    >>> affiliated_second_price(50.0, 4, common_value(0.0, 100.0, 10.0))
    45.0

    References: Milgrom and Weber (1982), theorem 6; Kagel, Levin and Harstad, International Journal of Game Theory 24 (1995).
    """
    _check_bidders(n, 2)
    e = model.error
    # (x - V + e) / 2e has the density t^(n - 2) between these
    most = np.minimum(1.0, (x - model.low + e) / (2 * e))
    least = np.maximum(0.0, (x - model.high + e) / (2 * e))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (n - 1) / n * (most**n - least**n) / (most ** (n - 1) - least ** (n - 1))
    V = x + e - 2 * e * np.where(most > least, mean, most)
    return plain(x, model.private * x + (1.0 - model.private) * V)


def naive(x: Real, model: Affiliated) -> Real:
    """What the item seems to be worth by one's own signal alone: forgets that to win is to have had the highest signal.

    Naive bidders bid this in second-price auctions; in first-price ones they shade it as if values were private.
    """
    return plain(x, model.private * x + (1.0 - model.private) * model.estimate(x))


def wallet_second_price(x: Real, n: int, model: Wallet) -> Real:
    """Twice one's own wallet, and for each further rival what a smaller wallet holds on average.

    >>> wallet_second_price(0.3, 2, Wallet())
    0.6
    """
    _check_bidders(n, 2)
    return plain(x, 2.0 * x + (n - 2) * (x - model.distribution.area(x, 1)))


def virtual_value(v: Real, distribution: Distribution) -> Real:
    """What a seller can get out of a bidder with this value, v - (1 - F(v)) / f(v) (Myerson 1981)."""
    with np.errstate(divide="ignore", over="ignore"):
        return plain(v, v - (1.0 - np.asarray(distribution.cdf(v))) / distribution.pdf(v))


def optimal_reserve(distribution: Distribution, own_value: float = 0.0) -> float:
    """The reserve at which the virtual value is what the seller would keep the item for; whatever the number of bidders.

    Parameters
    ----------
    distribution : with a virtual value that crosses `own_value` once
    own_value : what the item is worth to the seller, currency

    Returns
    -------
    float : the reserve, to the last bit but two

    References
    ----------
    Myerson (1981).

    Examples
    --------
    >>> from auctions.distributions import Exponential, Uniform
    >>> (
    ...     optimal_reserve(Uniform()),
    ...     optimal_reserve(Uniform(2.0, 3.0)),
    ...     round(optimal_reserve(Exponential(4.0)), 9),
    ... )
    (0.5, 2.0, 4.0)
    """
    low, high = _bounds(distribution)
    if virtual_value(math.nextafter(low, high), distribution) >= own_value:
        return max(low, own_value)
    return _first(lambda v: virtual_value(v, distribution) >= own_value, low, high)


def expected_revenue(n: int, distribution: Distribution, reserve: float = NONE) -> float:
    """What the seller gets on average in every standard auction with private values: revenue equivalence.

    Parameters
    ----------
    n : bidders; one alone needs a reserve
    distribution : of each value
    reserve : currency

    Returns
    -------
    float : the mean of max(reserve, second highest value) where the highest value is at least the reserve, else of 0

    References
    ----------
    Krishna, sections 2.4 and 3.1; Myerson (1981), lemma 3.

    Examples
    --------
    >>> from auctions.distributions import Exponential, Uniform
    >>> round(expected_revenue(3, Uniform()), 9), round(expected_revenue(2, Uniform(), reserve=0.5), 9)
    (0.5, 0.416666667)
    >>> round(expected_revenue(2, Exponential()), 9)
    0.5
    """
    _check_bidders(n, 1 if reserve > NONE else 2)
    low, top = _bounds(distribution)
    F = distribution.cdf(reserve) if reserve > low else 0.0

    def below(m: int) -> float:
        """The integral of F^m from the reserve to the top."""
        all_of_it = distribution.cdf(top) ** m * distribution.area(top, m)
        if reserve <= low:
            return all_of_it - (reserve - low if m == 0 else 0.0)
        return all_of_it - F**m * distribution.area(reserve, m)

    kept = reserve * F**n if F else 0.0
    return top - kept - n * below(n - 1) + (n - 1) * below(n)


def _first(is_enough: Callable[[float], bool], low: float, high: float) -> float:
    """Where it becomes enough, between a bound at which it is not and one at which it is, by halving."""
    while low < (middle := (low + high) / 2) < high:
        if is_enough(middle):
            high = middle
        else:
            low = middle
    return high


def _bounds(distribution: Distribution) -> tuple[float, float]:
    low, top = distribution.support
    return (
        low if low > -math.inf else distribution.quantile(1.0 - LAST),
        top if top < math.inf else distribution.quantile(LAST),
    )


def _check_bidders(n: int, least: int) -> None:
    if n < least:
        raise ScenarioError("n", n, f"a whole number of bidders, {least} or more")
