"""What would a rational bidder do? Expected utility of each bid on a grid, against known bid functions of the others.

Exact for finite value distributions, by going through all combinations of what the others may bid; a continuous
distribution is replaced by equally likely points. For small cases: rivals are few, or all alike.
"""

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from auctions.bulk import clear_rounds
from auctions.clearing import ClearingRule
from auctions.distributions import Distribution, Floats
from auctions.values import Risk, Utility
from walras.errors import ScenarioError

MOST = 2_000_000
"""More combinations of the others' bids than this are not gone through."""

NEUTRAL = Risk()


class Rival(NamedTuple):
    """What another bidder may bid, and how likely that is: shapes (points,); nan: no bid."""

    bids: Floats
    chances: Floats


class Best(NamedTuple):
    """The best bid of a grid, and its expected utility."""

    bid: float
    utility: float


def rival(distribution: Distribution, bid: Callable[[Floats], Floats], points: int = 100) -> Rival:
    """A rival with values drawn from a distribution, at so many equally likely points, and a bid function.

    >>> from auctions.distributions import Uniform
    >>> rival(Uniform(), lambda v: v / 2, points=2).bids.tolist()
    [0.125, 0.375]
    """
    return Rival(np.asarray(bid(distribution.grid(points)), dtype=float), np.full(points, 1.0 / points))


def expected_utilities(
    bids: Floats,
    value: float,
    rivals: Sequence[Rival],
    rule: ClearingRule,
    *,
    reserve: float | None = None,
    utility: Utility = NEUTRAL,
) -> Floats:
    """What each bid gains on average, for somebody with this value.

    Parameters
    ----------
    bids : own bids to try, shape (bids,), in currency; nan: no bid
    value : own value, currency
    rivals : what each of the others may bid, independently
    rule : a single-item clearing rule, see `auctions.clearing`
    reserve : as in `auctions.clearing.clear`
    utility : of gains; by default the gain itself

    Returns
    -------
    array, shape (bids,) : with fair dice for ties

    Raises
    ------
    ScenarioError : for more than `MOST` combinations

    Examples
    --------
    >>> from auctions.clearing import first_price
    >>> coin = Rival(np.array([1.0, 3.0]), np.array([0.5, 0.5]))
    >>> expected_utilities(np.array([1.0, 2.0, 3.0]), 5.0, [coin], first_price).tolist()
    [1.0, 1.5, 1.5]
    """
    combinations = math.prod(len(other.bids) for other in rivals)
    if not rivals or combinations > MOST:
        raise ScenarioError(
            "rivals", f"{len(rivals)} with {combinations:,} combinations", f"1 or more, with {MOST:,} at most"
        )
    others = np.stack([part.ravel() for part in np.meshgrid(*(r.bids for r in rivals), indexing="ij")], 1)
    chances = reduce(np.multiply.outer, [r.chances for r in rivals]).ravel()
    ids = [f"b{k}" for k in range(len(rivals))]
    found = np.empty(len(bids))
    for number, own in enumerate(bids.tolist()):
        table = np.column_stack([np.full(len(others), own), others])
        lucky, unlucky = (
            clear_rounds(rule, table, reserve=reserve, names=["a", *ids]),
            clear_rounds(rule, table, reserve=reserve, names=["c", *ids]),
        )
        # If t rivals bid the same, one of t + 1 is lucky, and ids decide who; where we do not tie at the top, ids change nothing.
        share = 1.0 / (1 + (others == own).sum(axis=1))
        gains = [utility(value * (way.winners == 0) - way.payments[:, 0]) for way in (lucky, unlucky)]
        found[number] = chances @ (share * gains[0] + (1.0 - share) * gains[1])
    return found


def best_response(
    grid: Floats,
    value: float,
    rivals: Sequence[Rival],
    rule: ClearingRule,
    *,
    reserve: float | None = None,
    utility: Utility = NEUTRAL,
) -> Best:
    """The bid of a grid with the highest expected utility; of equals the lowest. See `expected_utilities`.

    >>> from auctions.clearing import first_price
    >>> from auctions.distributions import Uniform
    >>> other = rival(Uniform(), lambda v: v / 2, points=1000)
    >>> best_response(np.linspace(0.0, 1.0, 101), 0.6, [other], first_price).bid
    0.3
    """
    utilities = expected_utilities(grid, value, rivals, rule, reserve=reserve, utility=utility)
    best = int(np.argmax(utilities))
    return Best(float(grid[best]), float(utilities[best]))
