"""Welfare, fairness and regret: what an allocation was good for, as numbers.

Pure functions of plain numbers, at the agents' true values; sums are correctly rounded (`math.fsum`), so that they do
not depend on the order of the terms. What is not defined, such as the mean of nothing, is nan and never a guess.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from walras.messages import AgentId

NAN = math.nan
Worth = Callable[[Iterable[str]], float]
"""What items are worth together: a `walras.valuations.Valuation`, or any such function."""


def social_welfare(values: Iterable[float], costs: Iterable[float] = ()) -> float:
    """What everybody gains together: true values of what was done, less the true costs of all that was tried.

    Payments cancel out. Work that failed has a cost and no value.

    Parameters
    ----------
    values : (finished,) in the run's currency
    costs : (tried,) in the same currency

    Returns
    -------
    float : in the same currency, correctly rounded

    References
    ----------
    Mas-Colell, Whinston and Green, Microeconomic Theory, 1995, chapter 10 (quasi-linear utilities).

    Examples
    --------
    >>> social_welfare([10.0, 4.0], costs=[3.0, 1.0, 2.0])
    8.0
    """
    return math.fsum([*values, *(-cost for cost in costs)])


def efficiency(welfare: float, optimum: float) -> float:
    """Welfare as a share of the optimum of the same instance.

    Parameters
    ----------
    welfare, optimum : in the same currency

    Returns
    -------
    float : 1 at the optimum, below 0 where harm was done; nan where the optimum is not above 0

    Examples
    --------
    >>> efficiency(8.0, 10.0), efficiency(-1.0, 0.0)
    (0.8, nan)
    """
    return welfare / optimum if optimum > 0 else NAN


def optimality_gap(objective: float, optimum: float, *, maximize: bool = False) -> float:
    """Distance from the optimum, relative to it; to be compared only where every task was done.

    Parameters
    ----------
    objective, optimum : in the same unit
    maximize : whether more is better (welfare) and not less (cost)

    Returns
    -------
    float : (objective - optimum) / abs(optimum), its sign turned with `maximize`, so that 0 or more is worse; nan
        where the optimum is 0

    Examples
    --------
    >>> optimality_gap(110.0, 100.0), optimality_gap(90.0, 100.0, maximize=True)
    (0.1, 0.1)
    """
    if optimum == 0:
        return NAN
    return (optimum - objective if maximize else objective - optimum) / abs(optimum)


def jain(shares: Iterable[float]) -> float:
    """Jain's index of fairness, (sum x)^2 / (n sum x^2).

    Parameters
    ----------
    shares : (agents,) 0 or more, in any one unit

    Returns
    -------
    float : from 1/n (one has all) to 1 (all have the same, also if that is 0); nan for no agents

    Raises
    ------
    ValueError : for a share below 0 or not finite

    References
    ----------
    Jain, Chiu and Hawe, "A quantitative measure of fairness and discrimination", DEC TR-301, 1984.

    Examples
    --------
    >>> jain([5.0, 5.0]), jain([10.0, 0.0])
    (1.0, 0.5)
    """
    x = _in_units_of_the_largest("jain", shares)
    if not any(x):
        return 1.0 if x else NAN
    return min(1.0, math.fsum(x) ** 2 / (len(x) * math.fsum(value * value for value in x)))


def gini(shares: Iterable[float]) -> float:
    """Gini's coefficient of inequality, sum_ij abs(x_i - x_j) / (2 n^2 mean(x)).

    Parameters
    ----------
    shares : (agents,) 0 or more, in any one unit: loads, earnings

    Returns
    -------
    float : from 0 (all have the same, also if that is 0) to 1 - 1/n (one has all); nan for no agents

    Raises
    ------
    ValueError : for a share below 0 or not finite

    Notes
    -----
    In ascending order the double sum is 2 sum_i (2 i - n - 1) x_i, i = 1..n: n log n steps.

    References
    ----------
    Sen, On Economic Inequality, 1973, chapter 2.

    Examples
    --------
    >>> gini([5.0, 5.0]), gini([10.0, 0.0]), gini([0.0, 0.0])
    (0.0, 0.5, 0.0)
    """
    x = sorted(_in_units_of_the_largest("gini", shares))
    n = len(x)
    if not any(x):
        return 0.0 if x else NAN
    return max(0.0, math.fsum((2 * i - n - 1) * value for i, value in enumerate(x, 1)) / (n * math.fsum(x)))


def nash_welfare(utilities: Iterable[float]) -> float:
    """Nash's compromise between sum and fairness: the geometric mean of the utilities.

    Parameters
    ----------
    utilities : (agents,) 0 or more

    Returns
    -------
    float : in the unit of the utilities; 0 if anybody has nothing; nan for no agents

    Raises
    ------
    ValueError : for a utility below 0 or not finite

    References
    ----------
    Caragiannis et al., "The unreasonable fairness of maximum Nash welfare", ACM TEAC 7 (2019).

    Examples
    --------
    >>> round(nash_welfare([2.0, 8.0]), 9), nash_welfare([2.0, 0.0])
    (4.0, 0.0)
    """
    x = _nonnegative("nash_welfare", utilities)
    if not x or min(x) == 0:
        return 0.0 if x else NAN
    return math.exp(math.fsum(map(math.log, x)) / len(x))


def egalitarian(utilities: Iterable[float]) -> float:
    """Welfare as that of whoever is worst off (Rawls, A Theory of Justice, 1971): the least; nan for no agents.

    >>> egalitarian([2.0, 8.0, -1.0])
    -1.0
    """
    return min(utilities, default=NAN)


def envy(
    valuations: Mapping[AgentId, Worth],
    bundles: Mapping[AgentId, Sequence[str]],
    payments: Mapping[AgentId, float] | None = None,
) -> float:
    """The most that anybody would gain by having another's bundle (at the other's payment) in place of its own.

    Parameters
    ----------
    valuations : by agent, in the run's currency
    bundles : by agent, ids of items; who has none may be left out
    payments : by agent, what it paid for its bundle; none if None

    Returns
    -------
    float : 0 or more; 0: envy-free

    References
    ----------
    Foley, "Resource allocation and the public sector", Yale Economic Essays 7 (1967).

    Examples
    --------
    >>> from walras.valuations import Additive
    >>> worth = {"ada": Additive({"a": 5, "b": 1}), "bob": Additive({"a": 4, "b": 3})}
    >>> envy(worth, {"ada": ["a"], "bob": ["b"]}), envy(worth, {"ada": ["a"], "bob": ["b"]}, {"ada": 2.0})
    (1.0, 0.0)
    """
    paid = payments if payments is not None else {}
    worst = 0.0
    for agent, worth in valuations.items():
        own = worth(bundles.get(agent, ())) - paid.get(agent, 0.0)
        for other in valuations:
            worst = max(worst, worth(bundles.get(other, ())) - paid.get(other, 0.0) - own)
    return worst


def envy_free_up_to_one(
    valuations: Mapping[AgentId, Worth], bundles: Mapping[AgentId, Sequence[str]]
) -> bool:
    """Whether all envy of a bundle would end if one item were taken out of it (EF1).

    Parameters
    ----------
    valuations : by agent; goods only, that is, monotone
    bundles : by agent, ids of items; who has none may be left out

    References
    ----------
    Budish, "The combinatorial assignment problem", Journal of Political Economy 119 (2011).

    Examples
    --------
    >>> from walras.valuations import Additive
    >>> worth = {"ada": Additive({"a": 5, "b": 1}), "bob": Additive({"a": 4, "b": 3})}
    >>> (
    ...     envy_free_up_to_one(worth, {"ada": ["a"], "bob": ["b"]}),
    ...     envy_free_up_to_one(worth, {"ada": ["a", "b"]}),
    ... )
    (True, False)
    """

    def content(worth: Worth, own: float, other: Sequence[str]) -> bool:
        return own >= worth(other) or any(
            own >= worth((*other[:k], *other[k + 1 :])) for k in range(len(other))
        )

    return all(
        content(worth, worth(bundles.get(agent, ())), bundles.get(other, ()))
        for agent, worth in valuations.items()
        for other in valuations
    )


def regret(hindsight: Sequence[float], achieved: Sequence[float]) -> float:
    """What was missed in all, against what hindsight would have chosen: say against which (best single agent, oracle).

    Parameters
    ----------
    hindsight, achieved : (tasks,) utility, in the same unit and order

    Returns
    -------
    float : the sum of the differences; below 0 where the yardstick was beaten

    Raises
    ------
    ValueError : if they are not of the same length

    References
    ----------
    Cesa-Bianchi and Lugosi, Prediction, Learning, and Games, 2006, chapter 2.

    Examples
    --------
    >>> regret([1.0, 1.0, 0.5], [1.0, 0.25, 0.5])
    0.75
    """
    if len(hindsight) != len(achieved):
        raise ValueError(
            f"achieved has {len(achieved)} tasks and hindsight {len(hindsight)}; expected the same tasks"
        )
    return social_welfare(hindsight, costs=achieved)


def quantile(values: Iterable[float], q: float) -> float:
    """The q-quantile, by linear interpolation between order statistics, as NumPy does by default.

    Parameters
    ----------
    values : (n,) in any order and unit
    q : from 0 (the least) to 1 (the most)

    Returns
    -------
    float : in the unit of the values; nan for no values

    Raises
    ------
    ValueError : for a q outside [0, 1]

    References
    ----------
    Hyndman and Fan, "Sample quantiles in statistical packages", The American Statistician 50 (1996), type 7.

    Examples
    --------
    >>> quantile([4.0, 1.0, 2.0, 3.0], 0.5)
    2.5
    """
    if not 0.0 <= q <= 1.0:
        raise ValueError(f"q is {q}; expected a share between 0 and 1, such as 0.95")
    x = sorted(values)
    if not x:
        return NAN
    place = q * (len(x) - 1)
    below = math.floor(place)
    low, high, part = x[below], x[min(below + 1, len(x) - 1)], place - below
    if low == high:
        return low
    return low + (high - low) * part if part < 0.5 else high - (high - low) * (1.0 - part)


def bounded_slowdown(waits: Sequence[float], runs: Sequence[float], bound_s: float = 10.0) -> float:
    """How much longer than their work tasks took: the mean of max(1, (wait + run) / max(run, bound)).

    Parameters
    ----------
    waits, runs : (tasks,) seconds before and during service, in the same order
    bound_s : seconds; shorter tasks count as this long, or they would rule the mean

    Returns
    -------
    float : 1 or more; nan for no tasks

    Raises
    ------
    ValueError : if they are not of the same length, or the bound is not above 0

    References
    ----------
    Feitelson et al., "Theory and practice in parallel job scheduling", JSSPP 1997.

    Examples
    --------
    >>> bounded_slowdown([0.0, 30.0], [5.0, 30.0])
    1.5
    """
    if len(waits) != len(runs):
        raise ValueError(f"runs has {len(runs)} tasks and waits {len(waits)}; expected the same tasks")
    if not bound_s > 0:
        raise ValueError(f"bound_s is {bound_s}; expected a number of seconds above 0")
    slow = [max(1.0, (w + r) / max(r, bound_s)) for w, r in zip(waits, runs, strict=True)]
    return math.fsum(slow) / len(slow) if slow else NAN


def _nonnegative(measure: str, values: Iterable[float]) -> list[float]:
    x = [float(value) for value in values]
    for value in x:
        if not 0.0 <= value < math.inf:
            raise ValueError(
                f"{measure} is of shares that are finite and 0 or more, not of {value}: shift utilities that can be "
                "negative, or measure what each agent received before its costs"
            )
    return x


def _in_units_of_the_largest(measure: str, shares: Iterable[float]) -> list[float]:
    """Indices of inequality do not depend on the unit; in this one no square overflows, and no sum."""
    x = _nonnegative(measure, shares)
    largest = max(x, default=0.0)
    return [value / largest for value in x] if largest else x
