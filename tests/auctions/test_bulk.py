"""The vectorised twin gives the winners and payments of the rules, and of the messages, for the same seed."""

import math
import tracemalloc
from collections.abc import Sequence
from random import Random
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, strategies as st

from auctions.bulk import Rates, assign, clear_rounds
from auctions.clearing import (
    Cleared,
    ClearingRule,
    KthPrice,
    Offer,
    all_pay,
    clear,
    first_price,
    kth_price,
    rule_name,
    second_price,
    third_price,
)
from auctions.distributions import Floats
from auctions.sealed import SealedBid
from auctions.shading import LoadPriced
from auctions.values import Independent
from scenarios.auction_house import HOUSE, auction_house
from walras.agents import Agent, CostTable
from walras.allocation import Report
from walras.errors import ScenarioError
from walras.items import Task
from walras.randomness import stream, uniforms
from walras.scenario import Arrival, Instance, Scenario
from walras.simulation import Simulation

RULES: list[ClearingRule] = [first_price, second_price, third_price, kth_price(4), all_pay]


def half_price(bids: Sequence[Offer], reserve: float, units: int) -> list[Cleared]:
    return [Cleared(bids[0].bidder, 1, bids[0].price / 2)]


@st.composite
def tables(draw: st.DrawFn) -> Floats:
    """Few different prices, so that ties abound, and some who do not bid."""
    bidders = draw(st.integers(1, 5))
    price = st.sampled_from([0.0, 1.0, 2.0, 2.5, 4.0, math.nan])
    rows = draw(st.lists(st.lists(price, min_size=bidders, max_size=bidders), min_size=1, max_size=6))
    return np.array(rows)


@given(
    tables(),
    st.sampled_from([*RULES, half_price]),
    st.sampled_from([None, 0.0, 1.0, 2.2, 9.0]),
    st.booleans(),
    st.booleans(),
)
def test_rows_are_cleared_as_the_rules_clear_them(
    bids: Floats,
    rule: ClearingRule,
    reserve: float | None,
    reverse: bool,
    seeded: bool,
) -> None:
    # neither numbers nor columns are in order
    names = [f"bidder-{k}" for k in (10, 9, 2, 1, 30)[: bids.shape[1]]]
    if rule is half_price and reverse:
        return  # less than the own ask is no price in a procurement
    found = clear_rounds(
        rule, bids, reserve=reserve, reverse=reverse, names=names, dice=Random if seeded else None
    )
    for row, prices in enumerate(bids.tolist()):
        offers = [Offer(name, price) for name, price in zip(names, prices, strict=True) if price == price]
        rng = Random(row) if seeded else None
        lines = clear(rule, offers, reserve=reserve, reverse=reverse, rng=rng)
        paid = dict.fromkeys(names, 0.0) | {line.bidder: line.price for line in lines}
        assert found.payments[row].tolist() == [paid[name] for name in names]
        won = [names.index(line.bidder) for line in lines if line.units]
        assert [found.winners[row]] == (won or [-1])


def test_each_round_may_have_a_reserve_of_its_own() -> None:
    found = clear_rounds(second_price, np.array([[5.0, 3.0], [5.0, 3.0]]), reserve=np.array([4.0, 6.0]))
    assert found.winners.tolist() == [0, -1]
    assert found.revenue.tolist() == [4.0, 0.0]


def test_nonsense_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"bids is \(3,\); expected an array of shape"):
        clear_rounds(first_price, np.ones(3))
    for table, said in (
        ([[1.0, -2.0]], r"bids\[0, 1\] is -2.0; expected a finite price of 0 or more, or nan for no bid"),
        ([[1.0], [math.inf]], r"bids\[1, 0\] is inf; expected a finite price"),
        ([["much"]], r"bids is \[\['much'\]\]; expected an array of numbers"),
        ([[1.0], [1.0, 2.0]], "bids is .*; expected an array of numbers"),
    ):
        with pytest.raises(ScenarioError, match=said):
            clear_rounds(first_price, table)  # type: ignore[arg-type]
    for reserve in (-1.0, math.nan, [0.0, -1.0]):
        with pytest.raises(ScenarioError, match=r"reserve is .*; expected 0 or more"):
            clear_rounds(first_price, np.ones((2, 2)), reserve=reserve)
    for cost in (-1.0, math.nan):
        with pytest.raises(ScenarioError, match=rf"costs\(0, 2\) is {cost}; expected 0 or more, or inf"):
            assign(Rates(np.full((1, 3), cost), np.zeros(2, int), np.ones(2)), 2, 3)
    with pytest.raises(ScenarioError, match=r"names is .*; expected a name of its own for each of 2 bidders"):
        clear_rounds(first_price, np.ones((1, 2)), names=["ada", "ada"])
    with pytest.raises(ScenarioError, match="tasks, agents and surcharge is"):
        assign(lambda start, stop: np.ones((1, 1)), 1, 1, surcharge=-1.0)


@pytest.mark.parametrize(
    ("shape", "kinds", "said"),
    [
        ((3,), [0, 0, 0], r"per_size is \(3,\); expected an array of shape \(kinds, agents\)"),
        ((1, 2), [0, 0], r"sizes is \(3,\); expected one for each of the kinds"),
        ((1, 2), [0, 1, 0], r"kinds is .*; expected rows of per_size, 0 to 0"),
        ((1, 2), [0, -1, 0], r"kinds is .*; expected rows of per_size, 0 to 0"),
    ],
)
def test_rates_have_to_fit_together(shape: tuple[int, ...], kinds: list[int], said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        Rates(np.ones(shape), np.array(kinds), np.ones(3))


def test_there_are_costs_for_all_agents() -> None:
    rates = Rates(np.ones((1, 2)), np.zeros(3, int), np.ones(3))
    with pytest.raises(
        ScenarioError, match=r"costs\(0, 3\) is \(3, 2\); expected an array of shape \(3, 5\)"
    ):
        assign(rates, 3, 5)


@pytest.mark.parametrize("rule", [first_price, second_price, third_price, all_pay], ids=rule_name)
@pytest.mark.parametrize("procured", [False, True], ids=["sold", "procured"])
def test_messages_and_arrays_give_the_same_winners_and_payments(rule: ClearingRule, procured: bool) -> None:
    scenario = auction_house(
        lots=12, bidders=11, procured=procured, reserve=0.8 if procured else 0.3, bidding="truthful"
    )
    result = Simulation(scenario, SealedBid(rule), seed=11).run()
    drawn = Independent().draw(11, 11, 12)
    names = [f"bidder-{k + 1:02}" for k in range(11)]
    found = clear_rounds(rule, drawn.signals, reserve=scenario.reserve, reverse=procured, names=names)
    for row in range(12):
        item = f"{'task' if procured else 'lot'}-{row + 1}"
        paid = {line.winner: line.price for line in result.allocation.lines if line.item == item}
        expected = zip(names, found.payments[row].tolist(), strict=True)
        assert paid == {name: price for name, price in expected if price}
        assert result.allocation[item].winner == names[found.winners[row]]


class Equals(Scenario, frozen=True):
    """Lots that are worth the same to some of the bidders: dice decide."""

    name: ClassVar[str] = "equals"

    def draw(self, seed: int) -> Instance:
        drawn = auction_house(lots=20, bidders=4).draw(seed)
        for agent in drawn.agents[1:]:
            known = {lot.id: round(3 * agent.value_of(lot)) for a in drawn.arrivals for lot in a.items}
            agent.values = Agent("x", values=known).values
        return drawn


def test_ties_are_decided_by_the_same_dice() -> None:
    seed = 3
    result = Simulation(Equals(), SealedBid(second_price), seed=seed).run()
    instance = Equals().draw(seed)
    bids = np.array(
        [[agent.value_of(f"lot-{k + 1}") for agent in instance.agents[1:]] for k in range(20)], dtype=float
    )
    bids[bids == 0.0] = math.nan  # who does not want a lot does not bid
    names = [agent.id for agent in instance.agents[1:]]
    found = clear_rounds(
        second_price,
        bids,
        names=names,
        dice=lambda row: stream(seed, "role", f"{HOUSE}/{row + 1}", HOUSE),
    )
    winners = [result.allocation[f"lot-{k + 1}"].winner for k in range(20)]
    assert winners == [names[column] for column in found.winners]
    lowest = clear_rounds(second_price, bids, names=names)
    assert lowest.winners.tolist() != found.winners.tolist(), "dice had something to decide"
    assert lowest.payments.sum() == found.payments.sum()


# --------------------------------------------------------------------------------------------- assign
def test_assign_is_one_sealed_bid_auction_after_the_other() -> None:
    rng = np.random.default_rng(1)
    rates = Rates(rng.uniform(1, 2, (3, 7)), rng.integers(0, 3, 40), rng.uniform(0.5, 2.0, 40))
    for second in (False, True):
        found = assign(rates, 40, 7, surcharge=0.2, second=second, reserve=3.0)
        loads = np.zeros(7)
        for task in range(40):
            bids = rates(task, task + 1) + 0.2 * loads
            one = clear_rounds(second_price if second else first_price, bids, reserve=3.0, reverse=True)
            assert found.winners[task] == one.winners[0]
            assert found.prices[task] == one.revenue[0]
            if one.winners[0] >= 0:
                loads[one.winners[0]] += 1
        assert found.loads.tolist() == loads.tolist()
        assert 0 < (found.winners >= 0).sum() < 40


def test_ties_in_assign_are_decided_by_dice() -> None:
    found = assign(
        lambda start, stop: np.ones((stop - start, 5)), 50, 5, dice=Random, second=True, reserve=1.0
    )
    assert {*found.winners.tolist()} == {0, 1, 2, 3, 4}
    assert (found.prices == 1.0).all()
    assert (assign(lambda start, stop: np.ones((stop - start, 5)), 50, 5).winners == 0).all()


def test_who_cannot_do_a_task_does_not_get_it() -> None:
    table = np.array([[np.inf, 2.0], [np.inf, np.inf], [1.0, np.inf]])
    for second in (False, True):
        found = assign(lambda start, stop: table[start:stop].copy(), 3, 2, second=second, surcharge=0.5)
        assert found.winners.tolist() == [1, -1, 0]
        assert found.prices.tolist() == [2.0, 0.0, 1.0], (
            "alone, and without a reserve, one is paid one's own bid"
        )


def test_a_higher_surcharge_spreads_the_work() -> None:
    rng = np.random.default_rng(1)
    rates = Rates(rng.uniform(1, 2, (1, 50)), np.zeros(500, int), np.ones(500))
    most = [assign(rates, 500, 50, surcharge=s).loads.max() for s in (0.0, 0.01, 1.0)]
    assert most == [500, most[1], 10], "costs differ by less than a surcharge of 1: everybody gets as much"
    assert 10 < most[1] < 100


def test_memory_does_not_grow_with_agents_times_tasks() -> None:
    """800 bids for each of 4,000 tasks are 26 MB; a slice of them is one."""
    rng = np.random.default_rng(1)
    peaks = []
    for tasks in (1_000, 4_000):
        rates = Rates(rng.uniform(1, 2, (5, 800)), rng.integers(0, 5, tasks), np.ones(tasks))
        tracemalloc.start()
        assign(rates, tasks, 800, surcharge=0.01)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
    assert peaks[1] < 4e6


class Errands(Scenario, frozen=True, kw_only=True):
    """Tasks of some kinds, one by one, for agents whose work takes longer than the run."""

    name: ClassVar[str] = "errands"

    tasks: int = 30
    agents: int = 6

    def draw(self, seed: int) -> "ErrandsInstance":
        return ErrandsInstance(self, seed)


class ErrandsInstance(Instance):
    def __init__(self, settings: Errands, seed: int) -> None:
        n, m = settings.tasks, settings.agents
        self.rates = Rates(
            1.0 + uniforms(seed, "rates", size=2 * m).reshape(2, m),
            (2 * uniforms(seed, "kinds", size=n)).astype(int),
            0.5 + uniforms(seed, "sizes", size=n),
        )
        names = tuple(f"agent-{k}" for k in range(m))
        agents = [
            Agent(
                name,
                LoadPriced(0.25),
                costs=CostTable(dict(zip("01", rates, strict=True)), per_size=True),
                capacity=n,
            )
            for name, rates in zip(names, self.rates.per_size.T.tolist(), strict=True)
        ]
        kinds, sizes = self.rates.kinds.tolist(), self.rates.sizes.tolist()
        arrivals = [
            Arrival(5.0 * k, (Task(f"task-{k}", kind=str(kinds[k]), size=sizes[k]),), HOUSE, names, 1e6)
            for k in range(n)
        ]
        super().__init__([Agent(HOUSE, capacity=0), *agents], arrivals, seed=seed)

    def work(self, task: Task, agent: str) -> Report:
        return Report("done", cost=1.0, quality=1.0, seconds=1000.0)


@pytest.mark.parametrize("second", [False, True])
def test_assign_gives_what_the_messages_give(second: bool) -> None:
    rule: KthPrice = second_price if second else kth_price(1)
    result = Simulation(Errands(), SealedBid(rule), seed=4).run()
    instance = ErrandsInstance(Errands(), 4)
    found = assign(instance.rates, 30, 6, surcharge=0.25, second=second)
    assert [result.allocation[f"task-{k}"].winner for k in range(30)] == [f"agent-{w}" for w in found.winners]
    assert [result.allocation[f"task-{k}"].price for k in range(30)] == found.prices.tolist()
    assert found.loads.max() < 12
