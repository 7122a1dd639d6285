"""Who gets what, if only the bidders know what it is worth to them?

A house puts up lots one after the other, or buys work in the same way. Values are drawn from the models of the theory
of auctions (`auctions.values`): private, affiliated or common, so that what a mechanism reaches can be held against
closed forms. Money is in one currency, time in seconds.
"""

import math
from math import fsum
from typing import ClassVar, Literal

from auctions.shading import Naive, Shading
from auctions.strategies import truthful
from auctions.values import Affiliated, Independent, ValueModel, Wallet
from walras.agents import Agent, Estimate, Strategy
from walras.allocation import Award, Report
from walras.amounts import check_count, check_seconds, is_amount
from walras.errors import ScenarioError
from walras.items import Item, Lot, Task
from walras.messages import AgentId
from walras.scenario import Arrival, Instance, Optimum, Scenario

HOUSE = "house"


class AuctionHouse(Scenario, frozen=True, kw_only=True):
    """Lots on sale, or tasks to be bought, for bidders with drawn values or costs.

    Args:
        lots: how many items are put up, one after the other.
        bidders: how many there are, all asked about every item.
        values: how values (of tasks: costs) and what bidders know of them come about.
        procured: whether the house buys work and the draws are costs; else it sells goods.
        worth: what a task that is done is worth to the house; goods that are not sold are worth nothing to it.
        reserve: the least that the house accepts for a good, or the most that it pays for a task; None: any price.
        budget: what each bidder has for all lots together; None: unlimited credit.
        bidding: how bidders answer: ``default`` as the mechanism has it, ``truthful``, ``equilibrium`` where the theory
            has it in closed form, or ``naive`` (affiliated values only).
        every_s: seconds between two items.
        within_s: how long after it was put up an item has to be settled, seconds.

    Raises:
        ScenarioError: naming the field, its value and what was expected.
    """

    name: ClassVar[str] = "auction-house"
    version: ClassVar[int] = 1

    lots: int = 20
    bidders: int = 5
    values: Independent | Affiliated | Wallet = Independent()
    procured: bool = False
    worth: float = 1.0
    reserve: float | None = None
    budget: float | None = None
    bidding: Literal["default", "truthful", "equilibrium", "naive"] = "default"
    every_s: float = 30.0
    within_s: float = 60.0

    def __post_init__(self) -> None:
        check_count(self, "lots", "bidders", most=1_000_000)
        check_seconds(self, "every_s", "within_s")
        for field in ("worth", "reserve", "budget"):
            amount = getattr(self, field)
            if not is_amount(amount) and not (amount is None and field != "worth"):
                raise ScenarioError(field, amount, "a finite number of 0 or more")
        if not isinstance(self.values, ValueModel):
            raise ScenarioError("values", self.values, "a model of values, such as Independent(Uniform())")
        if self.bidding not in ("default", "truthful", "equilibrium", "naive"):
            raise ScenarioError("bidding", self.bidding, "'default', 'truthful', 'equilibrium' or 'naive'")
        if self.bidding == "naive" and not isinstance(self.values, Affiliated):
            raise ScenarioError("bidding", self.bidding, "'naive' with affiliated values only")
        if self.bidding == "equilibrium" and self.procured and isinstance(self.values, Independent):
            self.values.distribution.mirrored()  # raises where no closed form is known

    def draw(self, seed: int) -> "House":
        return House(self, seed)

    def strategy(self) -> Strategy | None:
        """How the bidders answer."""
        if self.bidding == "naive":
            assert isinstance(self.values, Affiliated)
            return Naive(self.values, self.bidders)
        if self.bidding == "equilibrium":
            return Shading(self.values, self.bidders)
        return truthful if self.bidding == "truthful" else None


auction_house = AuctionHouse
"""The scenario, as it is called on the pages."""


class House(Instance):
    """One drawn season."""

    def __init__(self, settings: AuctionHouse, seed: int) -> None:
        self.settings = settings
        self.drawn = settings.values.draw(seed, settings.bidders, settings.lots)
        items = [self._item(number) for number in range(settings.lots)]
        width = len(str(settings.bidders))
        self.names = tuple(f"bidder-{k + 1:0{width}}" for k in range(settings.bidders))
        bidders = self.drawn.agents(
            items,
            self.names,
            strategy=settings.strategy(),
            money=math.inf if settings.budget is None else settings.budget,
        )
        for bidder in bidders:
            bidder.capacity = settings.lots
        arrivals = [
            Arrival(
                k * settings.every_s, (item,), HOUSE, self.names, k * settings.every_s + settings.within_s
            )
            for k, item in enumerate(items)
        ]
        self._row = {item.id: row for row, item in enumerate(items)}
        self._column = {name: column for column, name in enumerate(self.names)}
        super().__init__([Agent(HOUSE, capacity=0, operator=True), *bidders], arrivals, seed=seed)

    def _item(self, number: int) -> Item:
        if self.settings.procured:
            return Task(f"task-{number + 1}", reserve=self.settings.reserve)
        return Lot(f"lot-{number + 1}", reserve=self.settings.reserve)

    # ------------------------------------------------------------------ what is true
    def truth(self, item: str, bidder: AgentId) -> float:
        """What a lot is truly worth to a bidder, or a task truly costs it."""
        return float(self.drawn.values[self._row[item], self._column[bidder]])

    def traded(self, item: Item, award: Award) -> float:
        """The true value, which with common values nobody knows."""
        return self.truth(item.id, award.winner) if award.winner in self._column and award.quantity else 0.0

    def work(self, task: Task, agent: AgentId) -> Report:
        """Done at once, at the true cost."""
        return Report("done", cost=self.truth(task.id, agent), quality=1.0)

    def value(self, task: Task, report: Report, latency_s: float) -> float:
        return self.settings.worth

    def worth(self, task: Task, estimate: Estimate, wait_s: float = 0.0) -> float:
        return self.settings.worth - estimate.cost

    def optimum(self) -> Optimum:
        """Every item where it is truly worth the most, or costs the least, if that gains anything."""
        values = self.drawn.values
        best = self.settings.worth - values.min(axis=1) if self.settings.procured else values.max(axis=1)
        return Optimum(
            fsum(gain for gain in best.tolist() if gain > 0),
            exact=True,
            method="the best bidder for each item",
        )
