"""Induced-value markets: supply and demand that the experimenter knows, so that what a market makes of them can be measured.

Every buyer is given redemption values, every seller costs, unit by unit. Demand and supply are step functions, and where
they cross is the competitive equilibrium that prices and quantities are compared with (Smith 1962, Smith 1976).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from auctions.clearing import exact_sum
from walras.agents import Agent, Strategy
from walras.amounts import is_amount
from walras.errors import ScenarioError
from walras.messages import AgentId, Frozen
from walras.valuations import Valuation


class Limits(Valuation, frozen=True):
    """What units of one good are worth to a trader of an induced-value market, who only buys, or only sells.

    A buyer's `prices` are its redemption values, which do not rise from unit to unit; a seller's are its costs, which do
    not fall, for the units that it owns. It parts with the cheapest first, so the last ones are those that it keeps.

    >>> Limits("wheat", "buy", (9, 7))(["wheat", "wheat"]), Limits("wheat", "sell", (2, 3))(["wheat"])
    (16, 3)
    """

    good: str
    side: Literal["buy", "sell"]
    prices: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.side not in ("buy", "sell"):
            raise ScenarioError("side", self.side, "'buy' or 'sell'")
        if not all(map(is_amount, self.prices)):
            raise ScenarioError("prices", self.prices, "finite numbers of 0 or more")
        if list(self.prices) != sorted(self.prices, reverse=self.side == "buy"):
            rule = "values that do not rise" if self.side == "buy" else "costs that do not fall"
            raise ScenarioError("prices", self.prices, rule)

    def __call__(self, items: Iterable[str]) -> float:
        count = sum(item == self.good for item in items)
        kept = sorted(self.prices, reverse=True)[:count]
        return exact_sum(kept)


class Equilibrium(Frozen, frozen=True):
    """Where supply and demand cross: `quantity` units at any price from `low` to `high`, gaining `surplus` in all."""

    low: float
    high: float
    quantity: int
    surplus: float

    @property
    def price(self) -> float:
        """The middle of the interval: Smith's P0."""
        return (self.low + self.high) / 2


class InducedMarket(msgspec.Struct, frozen=True):
    """Redemption values by buyer and costs by seller, in one currency; traders are named ``b1, b2 ...`` and ``s1, s2 ...``.

    >>> market = InducedMarket("wheat", ((9, 8), (7, 4)), ((2, 3), (4, 5)))
    >>> market.equilibrium()
    Equilibrium(low=4, high=5, quantity=3, surplus=15)
    >>> market.efficiency({"b1": 2, "s1": 2})
    0.8
    """

    good: str
    values: tuple[tuple[float, ...], ...]
    costs: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if not any(self.values) or not any(self.costs):
            raise ScenarioError(
                "values, costs", (self.values, self.costs), "a buyer and a seller of a unit at least"
            )
        self.limits()  # which checks every number

    def limits(self) -> dict[AgentId, Limits]:
        """The private type of each trader, buyers first."""
        found = {f"b{k}": Limits(self.good, "buy", values) for k, values in enumerate(self.values, 1)}
        found |= {f"s{k}": Limits(self.good, "sell", costs) for k, costs in enumerate(self.costs, 1)}
        return found

    def endowments(self) -> dict[AgentId, int]:
        """What each seller owns at the start of a period: as many units as it has costs."""
        return {f"s{k}": len(costs) for k, costs in enumerate(self.costs, 1)}

    def agents(self, strategies: Mapping[AgentId, Strategy] | Strategy) -> list[Agent]:
        """The traders, with unlimited credit; `strategies` is one for all, or one for each."""
        each = strategies if isinstance(strategies, Mapping) else dict.fromkeys(self.limits(), strategies)
        return [Agent(name, each[name], values=limits) for name, limits in self.limits().items()]

    def demand(self) -> list[float]:
        """All values, best first: the price at which the k-th unit finds a buyer."""
        return sorted((value for values in self.values for value in values), reverse=True)

    def supply(self) -> list[float]:
        """All costs, least first."""
        return sorted(cost for costs in self.costs for cost in costs)

    def equilibrium(self) -> Equilibrium:
        """The competitive equilibrium: the largest quantity that supply and demand agree on, and its prices.

        A unit whose value is its cost counts. Prices are those at which nobody wants to trade more or less: from the larger
        of the last cost inside and the first value outside to the smaller of the last value inside and the first cost
        outside. Without gains from trade, quantity and surplus are 0 and prices lie between the best value and cost.
        """
        demand, supply = self.demand(), self.supply()
        q = sum(value >= cost for value, cost in zip(demand, supply, strict=False))
        inside = zip(demand[:q], supply[:q], strict=True)
        values_out, costs_out = demand[q : q + 1], supply[q : q + 1]
        if q == 0:
            return Equilibrium(demand[0], supply[0], 0, 0)
        low, high = max([supply[q - 1], *values_out]), min([demand[q - 1], *costs_out])
        return Equilibrium(low, high, q, exact_sum([value - cost for value, cost in inside]))

    def surplus(self, traded: Mapping[AgentId, int]) -> float:
        """What trade has gained: the values of the units bought less the costs of those sold, by trader."""
        gains: list[float] = []
        for name, limits in self.limits().items():
            count = traded.get(name, 0)
            if count > len(limits.prices):
                raise ScenarioError(f"units traded by {name}", count, f"at most {len(limits.prices)}")
            gains += [price if limits.side == "buy" else -price for price in limits.prices[:count]]
        return exact_sum(gains)

    def efficiency(self, traded: Mapping[AgentId, int]) -> float:
        """Allocative efficiency: surplus as a share of what equilibrium gains; nan where that is 0."""
        most = self.equilibrium().surplus
        return self.surplus(traded) / most if most > 0 else math.nan


def smith_alpha(prices: Sequence[float], equilibrium_price: float) -> float:
    """Smith's coefficient of convergence: how far prices lie from equilibrium, as a percentage of it; 0 is all on it.

    Parameters
    ----------
    prices : (n,) prices of trades, one for each unit
    equilibrium_price : above 0, in the same currency

    Returns
    -------
    float : ``100 * sqrt(mean((p - p0)**2)) / p0``; nan for no prices

    Raises
    ------
    ScenarioError : for an equilibrium price that is not above 0

    References
    ----------
    V. L. Smith, "An experimental study of competitive market behavior", Journal of Political Economy 70(2), 1962,
    section II.

    Examples
    --------
    >>> smith_alpha([190, 210], 200)
    5.0
    """
    if not 0 < equilibrium_price < math.inf:
        raise ScenarioError("equilibrium_price", equilibrium_price, "a finite number above 0")
    if not prices:
        return math.nan
    mean_square = math.fsum((price - equilibrium_price) ** 2 for price in prices) / len(prices)
    return 100.0 * math.sqrt(mean_square) / equilibrium_price


# --------------------------------------------------------------------------------------------------------- schedules
def smith_market(good: str = "wheat") -> InducedMarket:
    """Symmetric supply and demand: 11 buyers with values 325, 300 ... 75 and 11 sellers with costs 75 ... 325, one unit each.

    The shape of the first of Smith's tests of 1962, in cents. Equilibrium: 6 units at exactly 200, surplus 750. The sixth
    unit gains nothing, so 5 trades between the right traders reach full efficiency.
    """
    steps = range(75, 326, 25)
    return InducedMarket(good, tuple((value,) for value in reversed(steps)), tuple((cost,) for cost in steps))


def flat_supply_market(good: str = "wheat") -> InducedMarket:
    """Falling demand against flat supply: 11 buyers with values 325 ... 75, 11 sellers at 200, one unit each.

    Our own numbers, after the shape with which Cliff and Bruten (1997) show that budget-constrained zero-intelligence prices
    need not come near equilibrium. Here 6 units at exactly 200, surplus 375, of which the sellers gain nothing.
    """
    steps = range(325, 74, -25)
    return InducedMarket(good, tuple((value,) for value in steps), ((200,),) * 11)


def gode_sunder_market(good: str = "wheat") -> InducedMarket:
    """Six buyers and six sellers with three units each, on a range of prices from 1 to 200.

    The design of Gode and Sunder (1993): twelve traders, several units each, prices of 1 to 200. **The numbers are our
    own**, since the paper gives its schedules as drawings: values fall from 150 by 5 in turn, costs rise from 40 by 5.
    Equilibrium: 12 units at 95, surplus 660; 6 units on each side have no place in it.
    """
    values = tuple(tuple(150 - 5 * (k + 6 * unit) for unit in range(3)) for k in range(6))
    costs = tuple(tuple(40 + 5 * (k + 6 * unit) for unit in range(3)) for k in range(6))
    return InducedMarket(good, values, costs)
