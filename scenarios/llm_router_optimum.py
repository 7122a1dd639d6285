"""The clairvoyant optimum of the router: which agent should have done which task, and when, in hindsight.

Tasks with release times on unrelated agents with parallel slots, without preemption; a task may be left
undone. One agent with one slot is NP-hard already (1 | r_j | sum C_j), so there are two answers: `exact` for
some ten tasks and, for thousands, a proven upper `bound` that is labelled as one.
"""

import heapq
import math
from itertools import count

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from walras.errors import ScenarioError
from walras.scenario import Optimum

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Periods of the price grid, coarse to fine: a coarse dual is a good start for a finer one.
BINS = (6, 12, 24, 48, 96)
ROUNDS = 40  # subgradient steps on each grid
MOST_COLUMNS = 2_000_000  # (task, agent, start) triples; a grid that is likely to have more is not tried


class Problem(msgspec.Struct, frozen=True):
    """Everything that a clairvoyant planner knows: n tasks, m agents.

    Parameters
    ----------
    arrival_s : array, shape (n,)
        When each task arrives; none starts earlier.
    slots : array, shape (m,)
        How many tasks each agent works on at once, whole and at least 1.
    service_s : array, shape (n, m)
        Seconds that the task takes at the agent, > 0.
    value : array, shape (n, m)
        Worth of the result minus true cost if the agent does the task; -inf where it cannot.
    wait_price : float
        What each second from arrival to finish costs, >= 0.
    within_s : float
        How long after its arrival a task has to be finished to be worth anything, > 0. `bound` leaves it out of
        its relaxation, which makes the bound higher, not wrong.
    """

    arrival_s: Floats
    slots: Floats
    service_s: Floats
    value: Floats
    wait_price: float
    within_s: float = math.inf

    def __post_init__(self) -> None:
        if not len(self.slots):
            raise ScenarioError("slots", [], "at least one agent")
        shape = (len(self.arrival_s), len(self.slots))
        for field in ("service_s", "value"):
            if (found := getattr(self, field).shape) != shape:
                raise ScenarioError(f"shape of {field}", found, f"{shape}: tasks, agents")
        for field, right, expected in (
            ("arrival_s", np.isfinite(self.arrival_s), "finite seconds"),
            ("slots", (self.slots >= 1) & (self.slots % 1 == 0), "whole numbers of at least 1"),
            ("service_s", np.isfinite(self.service_s) & (self.service_s > 0), "positive, finite seconds"),
            ("value", self.value < np.inf, "numbers, or -inf where an agent cannot do a task"),
            ("wait_price", np.array(0 <= self.wait_price < np.inf), "a finite number >= 0"),
            ("within_s", np.array(self.within_s > 0), "seconds, > 0"),
        ):
            if not right.all():
                raise ScenarioError(field, np.asarray(getattr(self, field))[~right].tolist()[:3], expected)

    def net(self, starts_s: Floats) -> Floats:
        """Welfare of each task at each agent if started then, -inf if too late; `starts_s` is (n, m), (n, 1) or (m,)."""
        latency = starts_s + self.service_s - self.arrival_s[:, None]
        return np.where(latency <= self.within_s, self.value - self.wait_price * latency, -np.inf)


def exact(problem: Problem, most_nodes: int = 100_000) -> Optimum:
    """The optimum of a small problem.

    Maximise, over the tasks that are done, the sum of value[i, j] - wait_price * (finish_i - arrival_i),
    where agent j does task i without a break, not before it arrives and within `within_s` of that, and at most
    slots[j] tasks at once.

    Parameters
    ----------
    problem : Problem
        Some ten tasks; the time grows exponentially.
    most_nodes : int
        Give up after so many nodes.

    Returns
    -------
    Optimum
        Exact or, cut short at `most_nodes`, the upper bound proven by then, which says so.

    Notes
    -----
    Best-first branch and bound over schedules in order of start. Starting earlier never hurts, so in some
    optimum every task starts when it arrives or when a slot of its agent comes free, whichever is later; in
    order of start, each is the next to take the earliest free slot of one agent. A node hopes that every
    other task could start as if it were the next.

    Examples
    --------
    >>> both = Problem(np.zeros(2), np.ones(1), np.array([[1.0], [2.0]]), np.array([[5.0], [5.0]]), 1.0)
    >>> exact(both).welfare  # 5 - 1 for the short one, then 5 - 3
    6.0
    """
    serial = count()
    idle = tuple((-math.inf,) * int(c) for c in problem.slots)
    heap = [(-math.inf, next(serial), 0.0, False, frozenset[int](), idle, -math.inf)]
    best: dict[object, float] = {}
    for _ in range(most_nodes):
        bound, _, welfare, closed, done, free, now = heapq.heappop(heap)
        if closed:
            return Optimum(welfare=welfare, exact=True, method="branch and bound")
        heapq.heappush(heap, (-welfare, next(serial), welfare, True, done, free, now))  # no more is done
        starts = np.maximum(problem.arrival_s[:, None], [slots[0] for slots in free])
        nets = problem.net(np.maximum(starts, now))
        nets[list(done)] = 0
        gains = np.maximum(nets.max(axis=1), 0)
        for i, j in np.argwhere((nets > 0) & (starts >= now)).tolist():
            ends = tuple(sorted((*free[j][1:], float(starts[i, j] + problem.service_s[i, j]))))
            node = (done | {i}, (*free[:j], ends, *free[j + 1 :]), float(starts[i, j]))
            reached = welfare + float(nets[i, j])
            if reached > best.get(node, -math.inf):
                best[node] = reached
                hope = reached + math.fsum(gains) - gains[i]
                heapq.heappush(heap, (max(bound, -hope), next(serial), reached, False, *node))
    method = f"upper bound: branch and bound cut short after {most_nodes} nodes"
    return Optimum(welfare=-heap[0][0], exact=False, method=method)


def bound(problem: Problem) -> Optimum:
    """A proven upper bound on the optimum of `exact`, for thousands of tasks.

    Parameters
    ----------
    problem : Problem
        Of any size: a second or two for 500 tasks and 19 agents, up to ten for 10,000.

    Returns
    -------
    Optimum
        Not exact; no schedule has a higher welfare. `bracket` also tells the best schedule found.

    Notes
    -----
    Lagrangian relaxation of the slots. Let agent j ask a price p_j(t) >= 0 for each second of a slot. At most
    c_j slots are ever busy, so tasks pay at most R = sum_j c_j * integral of p_j, and at any prices::

        welfare <= R + sum_i max(0, max over j, start >= arrival_i of net_ij(start) - price of its seconds)

    Prices are constant within periods, so the inner maximum is over a function of the start that is piecewise
    linear, with kinks only where start or finish meets the end of a period: those and the arrival are tried.
    Prices of zero give "everybody at the best agent at once". Projected subgradient steps (Polyak's rule, the
    best schedule found as target) lower the bound on finer and finer grids; the least one seen is returned.

    References
    ----------
    M. L. Fisher, The Lagrangian relaxation method for solving integer programming problems, Management
    Science 27 (1981). M. E. Dyer and L. A. Wolsey, Formulating the single machine sequencing problem with
    release dates as a mixed integer program, Discrete Applied Mathematics 26 (1990): the time-indexed form.

    Examples
    --------
    >>> both = Problem(np.zeros(2), np.ones(1), np.array([[1.0], [2.0]]), np.array([[5.0], [5.0]]), 1.0)
    >>> 6.0 <= bound(both).welfare <= 7.0
    True
    """
    method = "upper bound: Lagrangian relaxation of the slots"
    return Optimum(welfare=bracket(problem)[1], exact=False, method=method)


def bracket(problem: Problem) -> tuple[float, float]:
    """The welfare of a real schedule and the `bound`: the optimum lies between the two."""
    high = math.fsum(np.maximum(problem.net(problem.arrival_s[:, None]).max(axis=1), 0))
    if high == 0:
        return 0.0, 0.0
    prices = np.zeros((len(problem.slots), BINS[0]))
    low, end = schedule(problem, problem.arrival_s, np.array([0.0, 1.0]), prices[:, :2])
    for bins in BINS:
        relaxed = Relaxed(problem, np.linspace(problem.arrival_s.min(), end, bins + 1))
        reached, prices = relaxed.descend(np.repeat(prices, bins // prices.shape[1], axis=1), low)
        high = min(high, reached)
        low = max(low, schedule(problem, relaxed.starts(prices), relaxed.grid, relaxed.ledger(prices))[0])
        if 2 * len(relaxed.task) > MOST_COLUMNS:
            break
    return low, high + 1e-9 * high  # more than rounding can have taken from sums of so many terms


class Relaxed:
    """The relaxed problem on one grid of periods: tasks pay for slots, and none is ever refused.

    Its columns are the (task, agent, start) triples worth a look: starts at the arrival or where start or
    finish meets the grid, as long as the task would be worth something at no price. `use @ ledger` is what
    each column pays; the ledger holds each agent's prices integrated up to each point of the grid.
    """

    def __init__(self, problem: Problem, grid: Floats) -> None:
        self.grid = grid
        self.capacity = problem.slots[:, None] * np.diff(grid)
        columns = [self._columns(problem, agent) for agent in range(len(problem.slots))]
        task, agent, self.start, self.net = (np.concatenate(parts) for parts in zip(*columns, strict=True))
        order = np.argsort(task, kind="stable")
        self.task, self.start, self.net = task[order], self.start[order], self.net[order]
        self.first = np.flatnonzero(np.diff(self.task, prepend=-1))
        self.counts = np.diff(self.first, append=len(self.task))
        agent = agent[order]
        begin, begun = position(grid, self.start)
        end, ended = position(grid, self.start + problem.service_s[self.task, agent])
        weights = np.stack([1 - ended, ended, begun - 1, -begun], axis=1)
        points = (agent * len(grid))[:, None] + np.stack([end, end + 1, begin, begin + 1], axis=1)
        shape = (len(task), len(self.capacity) * len(grid))
        self.use = csr_array((weights.ravel(), points.ravel(), np.arange(0, weights.size + 1, 4)), shape)
        self.tasks = len(problem.arrival_s)

    def _columns(self, problem: Problem, agent: int) -> tuple[Ints, Ints, Floats, Floats]:
        arrival, service = problem.arrival_s[:, None], problem.service_s[:, [agent]]
        grid = np.broadcast_to(self.grid, (len(arrival), len(self.grid)))
        start = np.concatenate([arrival, grid, grid - service], axis=1)
        net = problem.value[:, [agent]] - problem.wait_price * (start + service - arrival)
        useful = (net > 0) & (start >= arrival)
        task = np.nonzero(useful)[0]
        return task, np.full(len(task), agent), start[useful], net[useful]

    def ledger(self, prices: Floats) -> Floats:
        """Prices, shape (m, bins), integrated up to every point of the grid, shape (m, bins + 1)."""
        return np.pad(np.cumsum(prices * np.diff(self.grid), axis=1), ((0, 0), (1, 0)))

    def best(self, prices: Floats) -> tuple[float, Ints]:
        """The upper bound at these prices, and the column that each task would choose if it gains by any."""
        gain = self.net - self.use @ self.ledger(prices).ravel()
        most = np.maximum.reduceat(gain, self.first)
        chosen = np.flatnonzero((gain == np.repeat(most, self.counts)) & (gain > 0))
        chosen = chosen[np.diff(self.task[chosen], prepend=-1) > 0]
        return math.fsum(np.maximum(most, 0).tolist()) + float((prices * self.capacity).sum()), chosen

    def busy(self, chosen: Ints) -> Floats:
        """Slot-seconds that the chosen columns use of each agent in each period."""
        by_point = np.asarray(self.use[chosen].sum(axis=0)).reshape(len(self.capacity), len(self.grid))
        return np.cumsum(by_point[:, :0:-1], axis=1)[:, ::-1] * np.diff(self.grid)

    def descend(self, prices: Floats, target: float) -> tuple[float, Floats]:
        """The least bound found from these prices, and where; excess demand moves the price of a period."""
        least, where, stride, stalled = math.inf, prices, 1.0, 0
        for _ in range(ROUNDS):
            reached, chosen = self.best(prices)
            stalled += 1
            if reached < least:
                least, where, stalled = reached, prices, 0
            elif stalled == 4:
                prices, stride, stalled = where, 0.6 * stride, 0
                continue
            slope = self.capacity - self.busy(chosen)
            slope[(prices == 0) & (slope > 0)] = 0
            if (length := float((slope**2 / self.capacity).sum())) <= 0:
                break
            prices = np.maximum(0, prices - stride * (reached - target) / length * slope / self.capacity)
        return least, where

    def starts(self, prices: Floats) -> Floats:
        """When each task would start; those that would rather not come last."""
        chosen = self.best(prices)[1]
        starts = np.full(self.tasks, np.inf)
        starts[self.task[chosen]] = self.start[chosen]
        return starts


def position(grid: Floats, times: Floats) -> tuple[Ints, Floats]:
    """The period that holds each time, and how far into it the time lies, 0..1; outside, the nearest end."""
    along = np.clip((times - grid[0]) / (grid[1] - grid[0]), 0, len(grid) - 1)
    period = np.minimum(along.astype(np.int64), len(grid) - 2)
    return period, along - period


def schedule(problem: Problem, order_by: Floats, grid: Floats, ledger: Floats) -> tuple[float, float]:
    """Welfare and last finish of a real schedule: each task goes where its net value after prices is best.

    Tasks are taken in the order of `order_by`, ties by arrival; each starts when it is there and a slot is
    free, and is done only if it is worth more than, by the `ledger` of a `Relaxed`, the slot is to others.
    """
    free = [[-math.inf] * int(c) for c in problem.slots]
    agents = np.arange(len(free))
    first_free = np.full(len(free), -math.inf)
    welfare, end = [], -math.inf
    for i in np.lexsort((problem.arrival_s, order_by)).tolist():
        start = np.maximum(first_free, problem.arrival_s[i])
        finish = start + problem.service_s[i]
        latency = finish - problem.arrival_s[i]
        net = np.where(latency <= problem.within_s, problem.value[i] - problem.wait_price * latency, -np.inf)
        period, into = position(grid, np.stack([start, finish]))
        spent = (1 - into) * ledger[agents, period] + into * ledger[agents, period + 1]
        gain = net - (spent[1] - spent[0])
        j = int(gain.argmax())
        if gain[j] > 0:
            heapq.heapreplace(free[j], float(finish[j]))
            first_free[j] = free[j][0]
            welfare.append(float(net[j]))
            end = max(end, float(finish[j]))
    return math.fsum(welfare), end
