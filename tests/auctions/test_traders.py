"""Induced-value markets: the theory by brute force, and what traders of little or no intelligence make of them."""

from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import product
from math import isnan, nan
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given, strategies as st

from auctions.continuous import ContinuousDouble
from auctions.induced import (
    Equilibrium,
    InducedMarket,
    Limits,
    flat_supply_market,
    gode_sunder_market,
    smith_alpha,
    smith_market,
)
from auctions.order_book import Order
from auctions.order_messages import Leave, OrderWanted, Top, Trade
from auctions.traders import ZeroIntelligence, Zip, ZipSettings, at_any_price, truthful_trader
from auctions.venue import Venue
from walras.agents import Agent
from walras.errors import ScenarioError
from walras.items import Lot
from walras.simulation.network import Network, Uniform
from walras.simulation.simulation import Simulation
from walras.study.statistics import mean_interval, paired_difference

ZI_C, ZI_U = ZeroIntelligence(1, 400), ZeroIntelligence(1, 400, constrained=False)


# --------------------------------------------------------------------------------------------------------------- theory
def market_of(values: list[int], costs: list[int]) -> InducedMarket:
    return InducedMarket("wheat", tuple((v,) for v in values), tuple((c,) for c in costs))


some = st.lists(st.integers(0, 9), min_size=1, max_size=4)


@given(some, some)
def test_the_equilibrium_gains_the_most_that_anybody_could_arrange(
    values: list[int], costs: list[int]
) -> None:
    market = market_of(values, costs)
    best = 0
    for bought, sold in product(product((0, 1), repeat=len(values)), product((0, 1), repeat=len(costs))):
        if sum(bought) == sum(sold):
            traded = {f"b{k}": n for k, n in enumerate(bought, 1)} | {
                f"s{k}": n for k, n in enumerate(sold, 1)
            }
            best = max(best, int(market.surplus(traded)))
    assert market.equilibrium().surplus == best


@given(some, some)
def test_at_equilibrium_prices_everybody_trades_as_much_as_it_likes(
    values: list[int], costs: list[int]
) -> None:
    found = market_of(values, costs).equilibrium()
    for price in (found.low, found.price, found.high):
        assert sum(v > price for v in values) <= found.quantity <= sum(v >= price for v in values)
        assert sum(c < price for c in costs) <= found.quantity <= sum(c <= price for c in costs)


@pytest.mark.parametrize(
    ("market", "equilibrium"),
    [
        (smith_market(), Equilibrium(200, 200, 6, 750)),
        (flat_supply_market(), Equilibrium(200, 200, 6, 375)),
        (gode_sunder_market(), Equilibrium(95, 95, 12, 660)),
    ],
)
def test_the_markets_are_what_their_descriptions_say(market: InducedMarket, equilibrium: Equilibrium) -> None:
    assert market.equilibrium() == equilibrium
    everybody = {name: len(limits.prices) for name, limits in market.limits().items()}
    assert market.efficiency(everybody) < 1.0


def test_efficiency_and_alpha_by_hand() -> None:
    market = InducedMarket("wheat", ((10, 6), (8,)), ((3,), (5, 9)))
    assert market.equilibrium() == Equilibrium(6, 8, 2, 10)
    assert market.efficiency({"b1": 1, "s1": 1}) == pytest.approx(0.7)
    assert market.efficiency({"b1": 2, "s1": 1, "s2": 1}) == pytest.approx(0.8)
    assert market.efficiency({}) == 0.0
    assert isnan(market_of([1], [5]).efficiency({}))
    assert smith_alpha([3.0, 5.0], 4.0) == 25.0
    assert isnan(smith_alpha([], 4.0))


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Limits("wheat", "buy", (1, 2)), "prices"),
        (lambda: Limits("wheat", "sell", (2, 1)), "prices"),
        (lambda: Limits("wheat", "buy", (nan,)), "prices"),
        (lambda: Limits("wheat", "buy", (-1,)), "prices"),
        (lambda: Limits("wheat", "lend", (1,)), "side"),  # type: ignore[arg-type]
        (lambda: InducedMarket("wheat", (), ((1,),)), "values, costs"),
        (lambda: smith_market().efficiency({"b1": 2}), "units traded by b1"),
        (lambda: smith_alpha([1.0], 0.0), "equilibrium_price"),
        (lambda: ZeroIntelligence(5, 4), "high"),
        (lambda: ZeroIntelligence(-1, 4), "low"),
        (lambda: ZipSettings(learning_rate=(0.5, 0.1)), "learning_rate"),
        (lambda: ZipSettings(relative=nan), "relative"),
    ],
)
def test_bad_input_is_refused_by_name(make: Callable[[], Any], field: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        make()
    assert caught.value.field == field


# ------------------------------------------------------------------------------------------------------- one answer at a time
def buyer(*prices: float) -> Agent:
    agent = Agent("b1", values=Limits("wheat", "buy", prices))
    agent.rng = Random(1)
    return agent


def seller(*prices: float) -> Agent:
    agent = Agent("s1", values=Limits("wheat", "sell", prices))
    agent.rng = Random(1)
    return agent


def wanted(number: int = 1, **known: Any) -> OrderWanted:
    return OrderWanted(good="wheat", market="pit/1", number=number, decide_by=1.0, **known)


def test_the_truthful_offer_the_next_unit_at_its_limit_and_leave_when_done() -> None:
    assert truthful_trader(wanted(), buyer(9, 7)) == Order("buy", 1, 9)
    assert truthful_trader(wanted(bought=1), buyer(9, 7)) == Order("buy", 1, 7)
    assert truthful_trader(wanted(bought=2), buyer(9, 7)) == Leave()
    assert truthful_trader(wanted(sold=1), seller(2, 3)) == Order("sell", 1, 3)
    assert truthful_trader(wanted(resting=Order("buy", 1, 9, number=1)), buyer(9, 7)) is None
    plain = Agent("ada", values={"wheat": 5})
    assert truthful_trader(wanted(owned=0), plain) == Order("buy", 1, 5)
    assert truthful_trader(wanted(owned=2), plain) == Order("sell", 1, 5)


def test_zero_intelligence_draws_from_the_whole_range_and_constrained_makes_no_loss() -> None:
    def drawn(strategy: ZeroIntelligence, agent: Agent) -> list[float]:
        return [strategy(wanted(), agent).price for _ in range(2000)]

    bids, asks = drawn(ZeroIntelligence(1, 20), buyer(9)), drawn(ZeroIntelligence(1, 20), seller(15))
    assert (min(bids), max(bids), min(asks), max(asks)) == (1, 9, 15, 20)
    free = drawn(ZeroIntelligence(1, 20, constrained=False), buyer(9))
    assert (min(free), max(free)) == (1, 20)
    assert all(type(price) is int for price in bids + asks + free)
    assert ZeroIntelligence(10, 20)(wanted(), buyer(9)) is None


@pytest.mark.parametrize(
    ("tape", "direction"),
    [
        ((Trade(1, 300, 1, "buy"),), +1),  # an ask was taken at a price above ours: we could have had more
        ((Trade(1, 101, 1, "sell"),), -1),  # a bid was taken below ours: we would not have had this deal
        ((Trade(1, 101, 1, "buy"),), 0),  # an ask below ours was taken: Cliff's sellers do not mind
        ((Top(1, None, 0, 101, 1),), -1),  # a rival asks less, and nobody takes it
        ((Top(1, 90, 1, None, 0),), 0),  # a bid that nobody takes is none of a seller's business
        ((Top(1, None, 0, 300, 1),), 0),
    ],
)
def test_a_zip_seller_adapts_as_cliff_has_it(tape: tuple[Any, ...], direction: int) -> None:
    mind, agent = Zip(), seller(100)
    before = mind(wanted(1), agent).price
    assert 105 <= before <= 135
    after = mind(wanted(2, tape=tape), agent).price
    assert (after > before) - (after < before) == direction
    assert after >= 100
    again = mind(wanted(2, tape=tape), agent).price
    assert again == after, "who is asked again learns nothing twice"


@pytest.mark.parametrize(
    ("tape", "direction"),
    [
        ((Trade(1, 20, 1, "sell"),), -1),
        ((Trade(1, 99, 1, "buy"),), +1),
        ((Trade(1, 99, 1, "sell"),), 0),
        ((Top(1, 99, 1, None, 0),), +1),
        ((Top(1, None, 0, 110, 1),), 0),
        ((Top(1, 20, 1, None, 0),), 0),
    ],
)
def test_a_zip_buyer_is_the_mirror_image(tape: tuple[Any, ...], direction: int) -> None:
    mind, agent = Zip(), buyer(100)
    before = mind(wanted(1), agent).price
    after = mind(wanted(2, tape=tape), agent).price
    assert (after > before) - (after < before) == direction
    assert after <= 100


def test_a_zip_price_moves_by_the_widrow_hoff_rule_with_momentum() -> None:
    """Half of the way to the target each time, and half of that is the last change: 120, +5, then +2.5 and half of 7.5."""
    half = (0.5, 0.5)
    settings = ZipSettings(
        learning_rate=half, momentum=half, first_margin=(0.2, 0.2), relative=0.0, absolute=0.0
    )
    mind, agent = Zip(settings), seller(100)
    found = [mind(wanted(1), agent).price]
    for number in (2, 3):
        found.append(mind(wanted(number, tape=(Trade(number, 140, 1, "buy"),)), agent).price)
    assert found == pytest.approx([120, 125, 131.25])


def test_a_zip_mind_begins_anew_with_another_agent_only() -> None:
    mind, agent = Zip(), seller(100)
    mind(wanted(1), agent)
    mind(wanted(2, tape=(Trade(1, 300, 1, "buy"),)), agent)
    learned = mind.margin
    mind(OrderWanted(good="wheat", market="pit/2", number=1, decide_by=1.0), agent)
    assert mind.margin == learned
    mind(wanted(1), seller(100))
    assert mind.margin != learned


def test_a_zip_trader_that_is_done_listens_but_lowers_no_margin() -> None:
    mind, agent = Zip(), seller(100)
    mind(wanted(1), agent)
    before = mind.margin
    assert mind(wanted(2, sold=1, tape=(Trade(1, 101, 1, "sell"), Top(2, None, 0, 101, 1))), agent) is None
    assert mind.margin == before
    mind(wanted(3, sold=1, tape=(Trade(3, 300, 1, "buy"),)), agent)
    assert mind.margin > before


# -------------------------------------------------------------------------------------------------------- market orders
def once(side: Any, units: int, price: float) -> Any:
    """Offers this once, and then waits."""
    return lambda question, agent: None if question.number > 1 else Order(side, units, price)


@pytest.mark.parametrize(
    ("money", "bought"),
    [(float("inf"), {6: 2, 9: 1}), (30, {6: 2, 9: 1}), (21, {6: 2}), (18, {6: 2}), (17, {})],
)
def test_an_order_at_any_price_takes_what_there_is_as_far_as_ones_money_goes(
    money: float, bought: dict[int, int]
) -> None:
    """Three units, so that a unit may cost a third of the money; what is not found does not rest."""

    def buyer(question: Any, agent: Agent) -> Any:
        seen = question.top is not None and question.top.ask_units == 2
        return at_any_price("buy", 3, agent) if seen and not question.bought else None

    simulation = Simulation(seed=1)
    simulation.add(Agent("pit"))
    simulation.add(Agent("s1", once("sell", 2, 6), money=0))
    simulation.add(Agent("s2", once("sell", 1, 9), money=0))
    simulation.add(Agent("b1", buyer, money=money))
    simulation.open(
        ContinuousDouble(endowments={"s1": 3, "s2": 3}), [Lot("wheat", quantity=6)], "pit", finish_by=20.0
    )
    simulation.run(until=19.0)
    lines = [line for _, line in simulation.world.awards]
    assert {line.price / line.quantity: line.quantity for line in lines} == bought
    orders = [row for row in simulation.world.trace if row.kind == "answer" and row.agent == "b1"]
    assert not [row for row in orders if row.details.get("status") == "unfunded"]
    role = simulation.role("pit/1", "pit")
    assert isinstance(role, Venue)
    book = role.book
    assert sum(resting.units for resting in book.orders.values()) == 3 - sum(bought.values())
    assert book.top("buy") is None


def test_at_any_price_one_asks_for_no_more_than_one_has_to_the_last_bit() -> None:
    for money in (10.1, 0.7, 29.0, 0):
        for units in (1, 3, 7, 49):
            order = at_any_price("buy", units, Agent("b1", money=money))
            assert order.price is not None
            assert 0 <= money - order.price * units <= 1e-15 * money
    assert at_any_price("sell", 2, Agent("s1")) == Order("sell", 2)


# -------------------------------------------------------------------------------------------------------------- markets
class Period(NamedTuple):
    efficiency: float
    alpha: float
    trades: tuple[tuple[str, str, float], ...]


def play(
    market: InducedMarket, make: Callable[[], Any], seed: int, periods: int = 1, **settings: Any
) -> list[Period]:
    """Trading periods of a minute each, with the same traders and fresh units: buyers, sellers and prices of the trades."""
    simulation = Simulation(seed=seed, **settings)
    simulation.add(Agent("pit"))
    for agent in market.agents({name: make() for name in market.limits()}):
        simulation.add(agent)
    for k in range(periods):
        rules = ContinuousDouble(endowments=market.endowments())
        simulation.open(rules, [Lot("wheat", quantity=1000)], "pit", at=61.0 * k, finish_by=61.0 * k + 60.0)
    simulation.run()
    found = []
    for k in range(1, periods + 1):
        lines = [line for where, line in simulation.world.awards if where == f"pit/{k}"]
        traded = Counter(line.winner for line in lines) + Counter(line.seller for line in lines)
        efficiency = market.efficiency({str(name): count for name, count in traded.items()})
        alpha = smith_alpha([line.price for line in lines], market.equilibrium().price)
        found.append(Period(efficiency, alpha, tuple((str(a.winner), str(a.seller), a.price) for a in lines)))
    return found


@cache
def efficiencies(market: Callable[[], InducedMarket], strategy: ZeroIntelligence) -> list[float]:
    return [play(market(), lambda: strategy, seed)[0].efficiency for seed in range(24)]


def test_constrained_zero_intelligence_is_nearly_efficient_and_unconstrained_is_not() -> None:
    """Gode and Sunder (1993): 97 to 100 % with the budget constraint; without it, whatever is forced upon the traders."""
    high, low = ZeroIntelligence(1, 200), ZeroIntelligence(1, 200, constrained=False)
    ours, theirs = efficiencies(gode_sunder_market, high), efficiencies(gode_sunder_market, low)
    assert mean_interval(ours, 0.99).low > 0.95
    assert mean_interval(theirs, 0.99).high < 0.80
    assert paired_difference(ours, theirs, 0.99).low > 0.2


def test_where_everybody_can_trade_unconstrained_zero_intelligence_gains_nothing() -> None:
    """Given time, all 11 buyers buy from all 11 sellers, and what some gain others lose."""
    assert set(efficiencies(smith_market, ZI_U)) == {0.0}
    assert mean_interval(efficiencies(smith_market, ZI_C), 0.99).low > 0.9


@cache
def zip_runs() -> list[list[Period]]:
    return [play(smith_market(), Zip, seed, periods=5) for seed in range(12)]


def test_zip_prices_converge_from_period_to_period() -> None:
    first, last = ([run[k].alpha for run in zip_runs()] for k in (0, -1))
    assert paired_difference(first, last, 0.99).low > 5.0
    assert mean_interval(last, 0.99).high < 10.0
    assert mean_interval([run[-1].efficiency for run in zip_runs()], 0.99).low > 0.95


def test_zip_prices_come_nearer_to_equilibrium_than_random_ones() -> None:
    random = [play(smith_market(), lambda: ZI_C, seed)[0].alpha for seed in range(12)]
    assert paired_difference(random, [run[-1].alpha for run in zip_runs()], 0.99).low > 5.0


@pytest.mark.parametrize(
    "make", [lambda: ZI_C, Zip, lambda: truthful_trader], ids=["zi-c", "zip", "truthful"]
)
def test_nobody_makes_a_loss_or_trades_too_much_even_in_a_foul_network(make: Callable[[], Any]) -> None:
    foul = Network(latency=Uniform(0.01, 2.0), loss=0.15, duplication=0.3, reordering=0.3)
    market = gode_sunder_market()
    limits, traded = market.limits(), Counter[str]()
    (period,) = play(market, make, seed=5, network=foul)
    assert len(period.trades) > 5
    for winner, from_whom, price in period.trades:
        assert price <= limits[winner].prices[traded[winner]]
        assert price >= limits[from_whom].prices[traded[from_whom]]
        traded.update((winner, from_whom))


def test_the_same_seed_gives_the_same_prices_and_another_gives_others() -> None:
    assert play(smith_market(), Zip, 3) == play(smith_market(), Zip, 3) != play(smith_market(), Zip, 4)
    mind = {name: Zip() for name in smith_market().limits()}
    runs = [play_with(mind), play_with(mind)]
    assert runs[0] == runs[1], "what a mind has learned in one run is no part of the next"


def play_with(minds: dict[str, Zip]) -> list[Period]:
    names = iter(minds)
    return play(smith_market(), lambda: minds[next(names)], 3)
