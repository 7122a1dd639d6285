"""Sealed bids by the thousand, without messages: the vectorised twin of `auctions.SealedBid`.

`clear_rounds` clears many independent auctions at once, `assign` gives out many tasks one after the other among agents
whose prices rise with their load. Both give the winners and payments that the messages would, ties included.
"""

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from auctions.clearing import ClearingRule, KthPrice, Offer, all_pay, clear, first_price, ranked
from auctions.distributions import Floats
from walras.errors import ScenarioError

Ints = NDArray[np.int64]
Dice = Callable[[int], Random]
"""From the number of an auction to its auctioneer's dice; the simulator's are ``stream(seed, "role", conversation, me)``."""

CHUNK = 131_072
"""How many bids `assign` looks at together, so that they stay in the cache."""


class Rounds(NamedTuple):
    """How auctions ended: `winners` (rounds,) are columns, -1 nobody; `payments` (rounds, bidders) are in the run's currency."""

    winners: Ints
    payments: Floats

    @property
    def revenue(self) -> Floats:
        """What all bidders of a round pay together (in a procurement: are paid), shape (rounds,)."""
        total: Floats = self.payments.sum(axis=1)
        return total


def clear_rounds(
    rule: ClearingRule,
    bids: Floats,
    *,
    reserve: ArrayLike | None = None,
    reverse: bool = False,
    names: Sequence[str] | None = None,
    dice: Dice | None = None,
) -> Rounds:
    """Clear independent auctions of one item each, a row of bids for each.

    Parameters
    ----------
    rule : `first_price`, any `kth_price` or `all_pay`, at the speed of NumPy; every other rule round by round
    bids : prices of 0 or more, finite, shape (rounds, bidders); nan: no bid
    reserve : the least that is accepted on sale, the most in a procurement, one for all rounds or shape (rounds,);
        None: any price
    reverse : whether these are procurements: bidders are paid, the lowest price is the best
    names : the bidders' ids, which order those who bid the same; None: column by column
    dice : what decides ties in each round; None: the lowest id wins

    Returns
    -------
    Rounds : as `auctions.clearing.clear` would clear each row

    Raises
    ------
    ScenarioError : if bids are no table of prices, a reserve is none, or a name is missing

    Examples
    --------
    >>> from auctions.clearing import second_price
    >>> clear_rounds(second_price, np.array([[9.0, 7.0], [3.0, 4.0]]), reserve=3.5)
    Rounds(winners=array([0, 1]), payments=array([[7. , 0. ],
           [0. , 3.5]]))
    """
    bids = _table(bids)
    if reserve is not None and not (np.asarray(reserve) >= 0.0).all():
        raise ScenarioError("reserve", reserve, "0 or more, one for all rounds or one for each")
    ids = _names(names, bids.shape[1])
    if not (isinstance(rule, KthPrice) or rule in (first_price, all_pay)):
        return _one_by_one(rule, bids, reserve, reverse, ids, dice)
    limit = np.full(len(bids), -math.inf if reverse else 0.0)
    if reserve is not None:
        limit[:] = 0.0 - np.asarray(reserve, float) if reverse else reserve
    offers = 0.0 - bids if reverse else bids
    offers = np.where(offers >= limit[:, None], offers, -math.inf)
    winners, best = _winners(offers, ids, dice)
    sold, rows = winners >= 0, np.arange(len(bids))
    if rule is all_pay:
        paid = np.where(offers > -math.inf, offers, 0.0)
    else:
        k = rule.k if isinstance(rule, KthPrice) else 1
        paid = np.zeros_like(offers)
        paid[rows[sold], winners[sold]] = _prices(offers, best, limit, k)[sold]
    return Rounds(winners, 0.0 - paid if reverse else paid)


def _table(bids: ArrayLike) -> Floats:
    """Bids as an array, if somebody can have made them."""
    try:
        table = np.asarray(bids, dtype=float)
    except (TypeError, ValueError):
        raise ScenarioError("bids", bids, "an array of numbers, of shape (rounds, bidders)") from None
    if table.ndim != 2 or not table.shape[1]:
        raise ScenarioError("bids", table.shape, "an array of shape (rounds, bidders)")
    wrong = np.argwhere((table < 0.0) | np.isinf(table))
    if len(wrong):
        row, column = wrong[0].tolist()
        expected = "a finite price of 0 or more, or nan for no bid"
        raise ScenarioError(f"bids[{row}, {column}]", float(table[row, column]), expected)
    return table


def _names(names: Sequence[str] | None, bidders: int) -> list[str]:
    if names is None:
        return [f"{k:09}" for k in range(bidders)]  # in the order of the columns
    if len(names) != bidders or len({*names}) != bidders:
        raise ScenarioError("names", names, f"a name of its own for each of {bidders} bidders")
    return list(names)


def _winners(offers: Floats, ids: list[str], dice: Dice | None) -> tuple[Ints, Floats]:
    """Who ranks first in each row, -1 where nobody may, and with what offer."""
    by_id = np.array(sorted(range(len(ids)), key=ids.__getitem__))
    winners = by_id[offers[:, by_id].argmax(axis=1)]  # of equals the lowest id
    best: Floats = np.take_along_axis(offers, winners[:, None], axis=1)[:, 0]
    winners[best == -math.inf] = -1
    if dice is not None:
        equal = offers == best[:, None]
        for row in np.flatnonzero((equal.sum(axis=1) > 1) & (winners >= 0)).tolist():
            winners[row] = _decided(equal[row], ids, dice(row))
    return winners, best


def _decided(equal: NDArray[np.bool_], ids: list[str], rng: Random) -> int:
    """Which of several equal bids wins: as the auctioneer decides."""
    columns = {ids[column]: column for column in np.flatnonzero(equal).tolist()}
    return columns[ranked([Offer(id_, 0) for id_ in columns], rng=rng)[0].bidder]


def _prices(offers: Floats, best: Floats, limit: Floats, k: int) -> Floats:
    """The k-th highest offer of each row, at least the reserve, where somebody meets that."""
    if k == 1:
        return best
    if k <= offers.shape[1]:
        kth = -np.partition(-offers, k - 1, axis=1)[:, k - 1]
    else:
        kth = np.full(len(offers), -math.inf)
    price = np.maximum(kth, limit)
    lowest = np.where(offers > -math.inf, offers, math.inf).min(axis=1)
    found: Floats = np.where(price == -math.inf, lowest, price)
    return found


def _one_by_one(
    rule: ClearingRule,
    bids: Floats,
    reserve: ArrayLike | None,
    reverse: bool,
    ids: list[str],
    dice: Dice | None,
) -> Rounds:
    limits = [None] * len(bids) if reserve is None else np.broadcast_to(reserve, len(bids)).tolist()
    column = {id_: k for k, id_ in enumerate(ids)}
    winners, payments = np.full(len(bids), -1), np.zeros(bids.shape)
    for row, prices in enumerate(bids.tolist()):
        offers = [Offer(id_, price) for id_, price in zip(ids, prices, strict=True) if price == price]
        rng = dice(row) if dice is not None else None
        for line in clear(rule, offers, reserve=limits[row], reverse=reverse, rng=rng):
            payments[row, column[line.bidder]] += line.price
            if line.units:
                winners[row] = column[line.bidder]
    return Rounds(winners, payments)


# ------------------------------------------------------------------------------------------------- many tasks, one by one
class Rates(msgspec.Struct, frozen=True):
    """Costs of agents who are faster at some kinds of work than at others: ``per_size[kind, agent] * size``.

    As `walras.agents.CostTable` with `per_size` has it, so that agents in a simulation bid the same.

    Args:
        per_size: shape (kinds, agents), in currency per unit of size.
        kinds: of each task, as a row of `per_size`, shape (tasks,).
        sizes: of each task, shape (tasks,).

    Raises:
        ScenarioError: for arrays that do not fit together.
    """

    per_size: Floats
    kinds: Ints
    sizes: Floats

    def __post_init__(self) -> None:
        if self.per_size.ndim != 2 or not self.per_size.size:
            raise ScenarioError("per_size", self.per_size.shape, "an array of shape (kinds, agents)")
        if self.kinds.ndim != 1 or self.sizes.shape != self.kinds.shape:
            raise ScenarioError("sizes", self.sizes.shape, f"one for each of the kinds, {self.kinds.shape}")
        known = len(self.per_size)
        if not ((self.kinds >= 0) & (self.kinds < known)).all():
            raise ScenarioError("kinds", self.kinds, f"rows of per_size, 0 to {known - 1}")

    def __call__(self, start: int, stop: int) -> Floats:
        """What the tasks of this slice would cost each agent, shape (stop - start, agents)."""
        costs: Floats = self.per_size[self.kinds[start:stop]]
        costs *= self.sizes[start:stop, None]
        return costs


class Assigned(NamedTuple):
    """Who got each task (-1: nobody), at what price, and with how many tasks each agent ends."""

    winners: Ints
    prices: Floats
    loads: Ints


def assign(
    costs: Callable[[int, int], Floats],
    tasks: int,
    agents: int,
    *,
    surcharge: float = 0.0,
    second: bool = False,
    reserve: float | None = None,
    dice: Dice | None = None,
) -> Assigned:
    """Procure tasks one after the other by sealed bids, each asking all agents, whose prices rise with their load.

    An agent bids its cost of the task plus `surcharge` for every task that it has won before; the lowest bid wins. So
    the work spreads, the more so the higher the surcharge. This is what `auctions.SealedBid` does with tasks that come
    one by one and agents that bid by `auctions.shading.LoadPriced` while they work.

    Parameters
    ----------
    costs : 0 or more, from the first and the last task (exclusive) of a slice to what they cost, shape (stop - start, agents), in
        a fresh array; inf: it cannot do it; `Rates` is one
    tasks, agents : how many
    surcharge : currency for each task already won
    second : whether the winner is paid the second lowest bid (and if there is none, the reserve) instead of its own
    reserve : the most that is paid for a task; None: any price
    dice : what decides ties, by task; None: the lowest column wins. Columns stand for ids in ascending order

    Returns
    -------
    Assigned : exact, task by task; nothing is approximated

    Raises
    ------
    ScenarioError : for numbers that make no sense, such as costs that are negative or nan

    Notes
    -----
    Four passes over the agents for each task. Memory is that of a slice of `CHUNK` bids, whatever the number of tasks.

    Examples
    --------
    >>> rates = Rates(np.array([[1.0, 1.5]]), np.zeros(4, int), np.ones(4))
    >>> assign(rates, tasks=4, agents=2, surcharge=0.3)
    Assigned(winners=array([0, 0, 1, 0]), prices=array([1. , 1.3, 1.5, 1.6]), loads=array([3, 1]))
    """
    if tasks < 1 or agents < 1 or not 0 <= surcharge < math.inf:
        raise ScenarioError("tasks, agents and surcharge", (tasks, agents, surcharge), "1, 1 and 0, or more")
    limit = math.inf if reserve is None else reserve
    winners, prices = np.full(tasks, -1), np.zeros(tasks)
    loads, extra = np.zeros(agents, dtype=np.int64), np.zeros(agents)
    step = max(1, CHUNK // agents)
    for start in range(0, tasks, step):
        for task, bids in enumerate(_slice(costs, start, min(start + step, tasks), agents), start):
            bids += extra
            winner, rival = _two_lowest(bids, task, second, dice)
            price = float(bids[winner])
            if price <= limit and price < math.inf:
                winners[task], prices[task] = winner, _at_most(limit, rival, price) if second else price
                loads[winner] += 1
                extra[winner] = surcharge * loads[winner]
    return Assigned(winners, prices, loads)


def _slice(costs: Callable[[int, int], Floats], start: int, stop: int, agents: int) -> Floats:
    """The costs of these tasks, if somebody can have them."""
    found, where = costs(start, stop), f"costs({start}, {stop})"
    if found.shape != (stop - start, agents):
        raise ScenarioError(where, found.shape, f"an array of shape ({stop - start}, {agents})")
    least = float(found.min())  # of a nan it is nan
    if not least >= 0.0:
        raise ScenarioError(where, least, "0 or more, or inf")
    return found


def _two_lowest(bids: Floats, task: int, second: bool, dice: Dice | None) -> tuple[int, float]:
    """Who wins, once ties are decided, and the lowest bid of the others where that matters; inf if there are none."""
    winner = int(bids.argmin())
    if not second and dice is None:
        return winner, math.inf
    best = bids[winner]
    bids[winner] = math.inf
    rival = float(bids.min())
    bids[winner] = best
    if rival == best and dice is not None:
        winner = _decided(bids == best, _names(None, len(bids)), dice(task))
    return winner, rival


def _at_most(limit: float, rival: float, own: float) -> float:
    """What a winner is paid by the second price: the rival's bid or the reserve, and its own bid where there is neither."""
    price = min(limit, rival)
    return price if price < math.inf else own
