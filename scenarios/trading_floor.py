"""What does a market make of traders who know little?

Buyers and sellers of one good meet again and again, in trading periods of the same length. Each buyer has a value for one
unit in each period and each seller a cost, which are the same in every period, as in the laboratory markets of Smith
(1962) and Gode and Sunder (1993): so supply, demand and the competitive equilibrium are known. It is meant for the
mechanisms in which traders meet traders, `auctions.ContinuousDouble` and `auctions.CallMarket`. Time is in seconds.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, Literal

from auctions.induced import InducedMarket, flat_supply_market, smith_market
from auctions.traders import ZeroIntelligence, Zip, truthful_trader
from walras.agents import Agent, Strategy
from walras.allocation import Award
from walras.amounts import check_count, is_amount
from walras.errors import ScenarioError
from walras.items import Item, Lot
from walras.randomness import draw
from walras.scenario import Arrival, Instance, Optimum, Scenario

VENUE = "venue"
LOW, HIGH = 75, 325
"""Between these values and costs are drawn: the range of Smith's market."""


class TradingFloor(Scenario, frozen=True, kw_only=True):
    """Buyers and sellers of one good, a unit each in every period, with values and costs that the experimenter knows.

    Args:
        periods: how many trading periods there are, one after the other; each is one item of the run.
        market: ``smith`` (11 and 11, symmetric, equilibrium at 200), ``flat-supply`` (11 and 11, all costs 200), or
            ``drawn``: whole values and costs from 75 to 325, drawn by the seed, equally likely.
        pairs: how many buyers, and how many sellers, of a drawn market.
        traders: how they answer: ``zip``, ``zi-c`` and ``zi-u`` (zero intelligence, with and without the constraint that
            nobody trades at a loss; prices up to 400), or ``truthful``.
        period_s: how long a period lasts, seconds.

    Raises:
        ScenarioError: naming the field, its value and what was expected.
    """

    name: ClassVar[str] = "trading-floor"
    version: ClassVar[int] = 1

    periods: int = 5
    market: Literal["smith", "flat-supply", "drawn"] = "smith"
    pairs: int = 11
    traders: Literal["zip", "zi-c", "zi-u", "truthful"] = "zip"
    period_s: float = 60.0

    def __post_init__(self) -> None:
        check_count(self, "periods", "pairs", most=100_000)
        for field, words in (("market", ("smith", "flat-supply", "drawn")), ("traders", tuple(_MINDS))):
            if getattr(self, field) not in words:
                raise ScenarioError(field, getattr(self, field), f"one of {', '.join(words)}")
        if not is_amount(self.period_s) or self.period_s < 1.0:
            raise ScenarioError("period_s", self.period_s, "a finite number of seconds, 1 or more")

    def draw(self, seed: int) -> "Floor":
        return Floor(self, seed)


trading_floor = TradingFloor
"""The scenario, as it is called on the pages."""

_MINDS: Mapping[str, Callable[[], Strategy]] = {
    "zip": Zip,
    "zi-c": lambda: ZeroIntelligence(1, 400),
    "zi-u": lambda: ZeroIntelligence(1, 400, constrained=False),
    "truthful": lambda: truthful_trader,
}
"""A mind for each trader: those that learn keep what they have learned to themselves."""


class Floor(Instance):
    """One drawn market, in all its periods."""

    def __init__(self, settings: TradingFloor, seed: int) -> None:
        self.settings = settings
        self.market = induced(settings, seed)
        self.limits = {name: limits.prices[0] for name, limits in self.market.limits().items()}
        minds: dict[str, Strategy] = {name: _MINDS[settings.traders]() for name in self.limits}
        traders = tuple(self.limits)
        arrivals = []
        for k in range(settings.periods):
            at = k * (settings.period_s + 1.0)  # a second in which everybody hears that it is over
            lot = Lot(f"period-{k + 1}", quantity=len(traders))
            arrivals.append(Arrival(at, (lot,), VENUE, traders, at + settings.period_s))
        super().__init__([Agent(VENUE, capacity=0), *self.market.agents(minds)], arrivals, seed=seed)

    def traded(self, item: Item, award: Award) -> float:
        """The buyer's value less the seller's cost of each unit; what no trader sells is worth nothing here."""
        if award.seller not in self.limits or award.winner not in self.limits:
            return 0.0
        return float((self.limits[award.winner] - self.limits[award.seller]) * award.quantity)

    def optimum(self) -> Optimum:
        """The surplus of the competitive equilibrium, in every period."""
        surplus = self.market.equilibrium().surplus * self.settings.periods
        return Optimum(float(surplus), exact=True, method="the competitive equilibrium, period by period")


def induced(settings: TradingFloor, seed: int) -> InducedMarket:
    """Supply and demand of a seed: the same in every period."""
    if settings.market != "drawn":
        return smith_market() if settings.market == "smith" else flat_supply_market()
    values, costs = (
        tuple((LOW + int((HIGH - LOW + 1) * draw(seed, side, k)),) for k in range(settings.pairs))
        for side in ("value", "cost")
    )
    return InducedMarket("wheat", values, costs)
