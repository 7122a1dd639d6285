"""What items are worth to bidders, and what bidders know of it: private, affiliated and common values.

A model draws `Drawn` arrays, a row for each item and a column for each bidder; the same numbers become the private
types of kernel agents. Every bidder has a stream of its own, so the same seed gives the same values to every
mechanism, and further items or bidders change nothing for the others.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from auctions.distributions import Distribution, Exponential, Floats, Power, Real, Uniform, kind, plain
from walras.agents import Agent, Strategy
from walras.errors import ScenarioError
from walras.items import Item, Task
from walras.messages import Frozen
from walras.randomness import uniforms

__all__ = [
    "Affiliated",
    "Distribution",
    "Drawn",
    "Exponential",
    "Independent",
    "Power",
    "Risk",
    "Uniform",
    "ValueModel",
    "Wallet",
    "common_value",
]


class Drawn(NamedTuple):
    """What was drawn: two arrays of shape (items, bidders), in the run's currency.

    `signals` are what bidders know, `values` what an item would truly be worth to each; with private values these are
    the same. In a procurement both are costs.
    """

    signals: Floats
    values: Floats

    def agents(
        self,
        items: Sequence[Item],
        names: Sequence[str] | None = None,
        *,
        strategy: Strategy | None = None,
        money: Sequence[float] | float = math.inf,
    ) -> tuple[Agent, ...]:
        """An agent for each column, who takes its signals for its values, or for its costs of what is procured.

        Args:
            items: as many as there are rows.
            names: ids of the agents; None: ``bidder-1``, ``bidder-2`` ...
            strategy: of all of them; None: the mechanism's default.
            money: budgets, one for all or one for each.

        Raises:
            ScenarioError: if there are not as many items or names as rows or columns.
        """
        rows, columns = self.signals.shape
        if len(items) != rows:
            raise ScenarioError("items", len(items), f"as many as were drawn: {rows}")
        ids = [f"bidder-{k + 1}" for k in range(columns)] if names is None else list(names)
        budgets = [money] * columns if isinstance(money, int | float) else list(money)
        if len(ids) != columns or len(budgets) != columns:
            raise ScenarioError("names or money", (len(ids), len(budgets)), f"as many as bidders: {columns}")
        work = [isinstance(item, Task) for item in items]
        agents = []
        for id_, column, budget in zip(ids, self.signals.T.tolist(), budgets, strict=True):
            known = list(zip(items, column, work, strict=True))
            values = {item.id: x for item, x, is_work in known if not is_work}
            costs = {item.id: x for item, x, is_work in known if is_work}
            agents.append(Agent(id_, strategy, values=values, costs=costs or None, money=budget))
        return tuple(agents)


class ValueModel(Frozen, frozen=True, tag_field="kind", tag=kind):
    """How values and signals come about. Subclass it and override `draw`."""

    def draw(self, seed: int, bidders: int, items: int = 1) -> Drawn:
        """Signals and values of so many bidders for so many items."""
        raise TypeError(f"{type(self).__name__} does not say how values are drawn")


class Independent(ValueModel, frozen=True):
    """Independent private values: everybody knows its own value, and nothing of the others'.

    >>> Independent(Uniform(0.0, 10.0)).draw(seed=7, bidders=3, items=2).values.shape
    (2, 3)
    """

    distribution: Uniform | Power | Exponential = Uniform()

    def __post_init__(self) -> None:
        if not isinstance(self.distribution, Distribution):
            raise ScenarioError(
                "distribution", self.distribution, "a distribution, such as Uniform(0.0, 10.0)"
            )

    def draw(self, seed: int, bidders: int, items: int = 1) -> Drawn:
        values = self.distribution.quantile(_shares(seed, bidders, items))
        return Drawn(values, values)


class Affiliated(ValueModel, frozen=True):
    """A level V uniform on [low, high], signals uniform on [V - error, V + error]: who sees more may think others do, too.

    A value is ``private`` times one's own signal plus the rest times V. With 1 these are affiliated private values
    (Kagel, Harstad and Levin, Econometrica 55, 1987), with 0 the item has one common value that nobody knows, the
    mineral rights model of Kagel and Levin (American Economic Review 76, 1986); all are cases of Milgrom and Weber
    (Econometrica 50, 1982).
    """

    low: float = 0.0
    high: float = 100.0
    error: float = 10.0
    private: float = 1.0

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise ScenarioError("high", self.high, f"a finite number above low ({self.low})")
        if not 0.0 < self.error <= (self.high - self.low) / 2:
            raise ScenarioError("error", self.error, "above 0, and at most half of high - low")
        if not 0.0 <= self.private <= 1.0:
            raise ScenarioError("private", self.private, "a share between 0 and 1")

    def draw(self, seed: int, bidders: int, items: int = 1) -> Drawn:
        level = self.low + (self.high - self.low) * uniforms(seed, "level", size=items)[:, None]
        signals = level + self.error * (2.0 * _shares(seed, bidders, items) - 1.0)
        return Drawn(signals, self.private * signals + (1.0 - self.private) * level)

    def estimate(self, x: Real) -> Real:
        """E[V | signal x]: the signal itself, except near the ends."""
        least, most = np.maximum(self.low, x - self.error), np.minimum(self.high, x + self.error)
        return plain(x, (least + most) / 2.0)


def common_value(low: float, high: float, error: float) -> Affiliated:
    """One value for all, uniform on [low, high], and signals that are off by at most `error`."""
    return Affiliated(low, high, error, private=0.0)


class Wallet(ValueModel, frozen=True):
    """Everybody knows what is in its own wallet; the item is worth the sum of all wallets.

    Klemperer, "Auctions with almost common values", European Economic Review 42 (1998), has it for two.
    """

    distribution: Uniform | Power | Exponential = Uniform()

    def __post_init__(self) -> None:
        if not isinstance(self.distribution, Distribution):
            raise ScenarioError(
                "distribution", self.distribution, "a distribution, such as Uniform(0.0, 10.0)"
            )

    def draw(self, seed: int, bidders: int, items: int = 1) -> Drawn:
        signals = self.distribution.quantile(_shares(seed, bidders, items))
        return Drawn(signals, np.broadcast_to(signals.sum(axis=1, keepdims=True), signals.shape))


class Risk(Frozen, frozen=True):
    """What a gain is worth to a bidder: ``crra`` x^(1 - r) / (1 - r), ``cara`` (1 - exp(-a x)) / a, or the gain itself.

    CRRA is for gains of 0 or more; where r or a is 0, a bidder is risk neutral.

    Args:
        crra: relative risk aversion r, from 0 up to but not 1.
        cara: absolute risk aversion a, one over currency, 0 or more.

    >>> Risk(crra=0.5)(4.0), round(Risk(cara=1.0)(1.0), 3), Risk()(3.0)
    (4.0, 0.632, 3.0)
    """

    crra: float = 0.0
    cara: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.crra < 1.0:
            raise ScenarioError("crra", self.crra, "a number of 0 or more, below 1")
        if not 0.0 <= self.cara < math.inf or (self.cara and self.crra):
            raise ScenarioError("cara", self.cara, "a finite number of 0 or more, and crra or cara, not both")

    def __call__(self, gain: Real) -> Real:
        """Utility of a gain; with CRRA a loss is taken as it is, so that bids above value are never attractive."""
        if self.crra:
            share = 1.0 - self.crra
            return plain(gain, np.where(np.less(gain, 0.0), gain, np.maximum(gain, 0.0) ** share / share))
        if self.cara:
            return plain(gain, -np.expm1(-self.cara * np.asarray(gain)) / self.cara)
        return gain


Utility = Callable[[Floats], Floats]
"""From gains to what they are worth to somebody; `Risk` is one."""


def _shares(seed: int, bidders: int, items: int) -> Floats:
    """Uniform numbers, shape (items, bidders), a stream for each bidder."""
    if bidders < 1 or items < 1:
        raise ScenarioError("bidders and items", (bidders, items), "1 or more of each")
    return np.stack([uniforms(seed, "signal", k, size=items) for k in range(bidders)], axis=1)
