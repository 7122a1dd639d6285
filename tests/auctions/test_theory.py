"""The theory of auctions, by drawing 100,000 rounds of values: revenue equivalence, reserves, the winner's curse, budgets.

All formats meet the same values, so that differences are paired; seeds are fixed. What a clock would do is written as
what it comes to: a Dutch clock stops at the highest price that somebody would take, an English one where the second
highest drops out. The formats as messages are compared with these rules in their own tests.
"""

import math
from collections.abc import Callable
from itertools import combinations, pairwise

import numpy as np
import pytest

from auctions import equilibrium as eq
from auctions.bulk import clear_rounds
from auctions.clearing import KthPrice, all_pay, first_price, second_price, third_price
from auctions.distributions import Distribution, Exponential, Floats, Power, Uniform
from auctions.values import Affiliated, Independent, common_value

ROUNDS, Z99 = 100_000, 2.5758
SEED = 7

REVENUES: dict[str, Callable[[Floats, int, Distribution], Floats]] = {
    "first price": lambda v, n, d: clear_rounds(first_price, eq.first_price(v, n, d)).revenue,
    "dutch": lambda v, n, d: eq.first_price(v, n, d).max(axis=1),
    "second price": lambda v, n, d: clear_rounds(second_price, eq.second_price(v)).revenue,
    "english": lambda v, n, d: np.sort(v, axis=1)[:, -2],
    "all pay": lambda v, n, d: clear_rounds(all_pay, eq.all_pay(v, n, d)).revenue,
    "third price": lambda v, n, d: clear_rounds(third_price, eq.third_price(v, n, d)).revenue,
}
STANDARD = ("first price", "dutch", "second price", "english")


def draw(distribution: Distribution, n: int, seed: int = SEED) -> Floats:
    assert isinstance(distribution, Uniform | Power | Exponential)
    return Independent(distribution).draw(seed, n, ROUNDS).values


def interval(differences: Floats) -> tuple[float, float]:
    """The 99 % interval of a mean."""
    half = Z99 * float(differences.std(ddof=1)) / math.sqrt(len(differences))
    return float(differences.mean()) - half, float(differences.mean()) + half


def contains_zero(differences: Floats) -> bool:
    low, high = interval(differences)
    return low <= 0.0 <= high


@pytest.mark.parametrize("n", [2, 3, 5, 10])
@pytest.mark.parametrize("distribution", [Uniform(), Power(0.0, 1.0, 2.0), Exponential()], ids=repr)
def test_the_four_standard_formats_earn_the_same(distribution: Distribution, n: int) -> None:
    """Vickrey 1961, Myerson 1981: every pairwise difference of 100,000 paired rounds is 0 within its 99 % interval."""
    values = draw(distribution, n)
    revenue = {format_: REVENUES[format_](values, n, distribution) for format_ in STANDARD}
    for a, b in combinations(STANDARD, 2):
        assert contains_zero(revenue[a] - revenue[b]), f"{a} against {b}: {interval(revenue[a] - revenue[b])}"
    low, high = interval(revenue["first price"] - eq.expected_revenue(n, distribution))
    assert low <= 0.0 <= high


@pytest.mark.parametrize("wrong", [0.95, 1.05])
@pytest.mark.parametrize("n", [2, 3, 5, 10])
@pytest.mark.parametrize("distribution", [Uniform(), Power(0.0, 1.0, 2.0), Exponential()], ids=repr)
def test_a_bid_function_that_is_wrong_by_5_percent_is_detected(
    distribution: Distribution, n: int, wrong: float
) -> None:
    values = draw(distribution, n)
    second = REVENUES["second price"](values, n, distribution)
    first = clear_rounds(first_price, wrong * eq.first_price(values, n, distribution)).revenue
    assert not contains_zero(first - second)
    paid = clear_rounds(all_pay, wrong * eq.all_pay(values, n, distribution)).revenue
    assert not contains_zero(paid - second)


@pytest.mark.parametrize(("n", "revenue"), [(2, 1 / 3), (3, 1 / 2), (5, 2 / 3), (10, 9 / 11)])
def test_uniform_revenue_is_n_less_one_over_n_plus_one(n: int, revenue: float) -> None:
    values = draw(Uniform(), n, seed=5)
    for format_, of in REVENUES.items():
        if format_ != "third price" or n >= 3:
            assert contains_zero(of(values, n, Uniform()) - revenue), format_


def test_exponential_revenue_of_two_is_one_half() -> None:
    values = draw(Exponential(), 2)
    for format_ in (*STANDARD, "all pay"):
        assert contains_zero(REVENUES[format_](values, 2, Exponential()) - 0.5), format_


@pytest.mark.parametrize(("n", "revenue"), [(1, 1 / 4), (2, 5 / 12), (3, 17 / 32)])
def test_the_optimal_reserve_is_one_half_whatever_the_number_of_bidders(n: int, revenue: float) -> None:
    """Myerson 1981; the same in first and second price auctions, and no other reserve earns more."""
    values = draw(Uniform(), n)
    best = clear_rounds(second_price, values, reserve=0.5).revenue
    assert contains_zero(best - revenue)
    shaded = clear_rounds(first_price, eq.first_price(values, n, Uniform(), 0.5), reserve=0.5).revenue
    assert contains_zero(shaded - revenue)
    for reserve in (0.3, 0.4, 0.6, 0.7):
        other = clear_rounds(second_price, values, reserve=reserve).revenue
        assert interval(best - other)[0] > 0.0


@pytest.mark.parametrize("distribution", [Uniform(), Power(0.0, 1.0, 2.0)], ids=repr)
@pytest.mark.parametrize("n", [3, 5])
def test_a_third_price_with_a_reserve_earns_what_the_others_do(distribution: Distribution, n: int) -> None:
    """Who has less than the reserve stays away; would they bid by the same formula, they would pay more than their value."""
    values, reserve = draw(distribution, n), 0.6
    third = clear_rounds(
        third_price, eq.third_price(values, n, distribution, reserve), reserve=reserve
    ).revenue
    second = clear_rounds(second_price, values, reserve=reserve).revenue
    assert contains_zero(third - second)
    eager = clear_rounds(third_price, eq.third_price(values, n, distribution), reserve=reserve).revenue
    assert interval(eager - third)[0] > 0.0


def test_one_more_bidder_beats_the_best_reserve() -> None:
    """Bulow and Klemperer 1996: 1/2 with three bidders, 5/12 with two and the reserve."""
    values = draw(Uniform(), 3)
    more = clear_rounds(second_price, values).revenue
    reserve = clear_rounds(second_price, values[:, :2], reserve=0.5).revenue
    assert interval(more - reserve)[0] > 0.0


def test_equivalence_ends_with_aversion_to_risk() -> None:
    """First price earns more (Holt 1980), and all know it: (n - 1) / (n - r) of the value."""
    values = draw(Uniform(), 3)
    first = clear_rounds(first_price, eq.first_price(values, 3, Uniform(), crra=0.5)).revenue
    assert interval(first - REVENUES["second price"](values, 3, Uniform()))[0] > 0.0
    assert contains_zero(first - 2 / 2.5 * 0.75)


def test_equivalence_ends_with_affiliation() -> None:
    """The linkage principle (Milgrom and Weber 1982): English at least second price, and that more than first price."""
    model = Affiliated(0.0, 100.0, 10.0, private=0.5)
    drawn = model.draw(SEED, 4, ROUNDS)
    inside = (drawn.signals.max(axis=1) < 90.0) & (drawn.signals.min(axis=1) > 10.0)
    x = drawn.signals[inside]
    first = clear_rounds(first_price, eq.affiliated_first_price(x, 4, model)).revenue
    second = clear_rounds(second_price, eq.affiliated_second_price(x, 4, model)).revenue
    assert interval(second - first)[0] > 0.0


# ----------------------------------------------------------------------------------------------- the winner's curse
MODEL = common_value(0.0, 1000.0, 10.0)


def winners_gain(n: int, naive: int, rule: KthPrice) -> Floats:
    """What winners gain where the first `naive` of n bidders are naive and the others are in equilibrium."""
    drawn = MODEL.draw(SEED, n, ROUNDS)
    inside = (drawn.values[:, 0] > 100.0) & (drawn.values[:, 0] < 980.0)
    x, V = drawn.signals[inside], drawn.values[inside, 0]
    bids = eq.affiliated_second_price(x, n, MODEL)
    bids[:, :naive] = eq.naive(x[:, :naive], MODEL)
    gains: Floats = V - clear_rounds(rule, bids).revenue
    return gains


def test_naive_winners_lose_the_more_the_more_of_them_there_are() -> None:
    """All naive: the price is the second highest signal, so that they gain -error (n - 3) / (n + 1) on average."""
    gains = [winners_gain(n, n, second_price) for n in (2, 4, 8, 16)]
    for n, gain in zip((2, 4, 8, 16), gains, strict=True):
        assert contains_zero(gain + 10.0 * (n - 3) / (n + 1))
    means = [gain.mean() for gain in gains]
    assert means == sorted(means, reverse=True)
    assert interval(gains[1])[1] < 0.0 < interval(gains[0])[0]


def test_the_curse_grows_with_the_share_of_naive_bidders_and_is_none_in_equilibrium() -> None:
    gains = [winners_gain(8, naive, second_price) for naive in (0, 2, 4, 8)]
    assert interval(gains[0])[0] > 0.0
    for fewer, more in pairwise(gains):
        assert interval(fewer - more)[0] > 0.0
    assert interval(gains[-1])[1] < 0.0


@pytest.mark.parametrize("n", [3, 6])
def test_in_first_price_auctions_shading_as_if_values_were_private_is_not_enough(n: int) -> None:
    drawn = MODEL.draw(SEED, n, ROUNDS)
    inside = (drawn.values[:, 0] > 100.0) & (drawn.values[:, 0] < 980.0)
    x, V = drawn.signals[inside], drawn.values[inside, 0]
    wise, private = MODEL, Affiliated(MODEL.low, MODEL.high, MODEL.error)
    gain = V - clear_rounds(first_price, eq.affiliated_first_price(x, n, wise)).revenue
    assert interval(gain)[0] > 0.0
    # the highest signal is V + error (n - 1) / (n + 1) on average, the equilibrium takes error off, so 2 error / (n + 1) remains
    assert contains_zero(gain - 20.0 / (n + 1))
    cursed = V - clear_rounds(first_price, eq.affiliated_first_price(x, n, private)).revenue
    assert interval(gain - cursed)[0] > 0.0
    assert contains_zero(cursed - (20.0 / n - 10.0 * (n - 1) / (n + 1)))


# ---------------------------------------------------------------------------------------------------------- budgets
@pytest.mark.parametrize("budget", [0.3, 0.6])
def test_budgets_cut_the_price_of_a_second_price_auction(budget: float) -> None:
    """With bids of min(value, budget) the price is E[min(second highest, budget)]; uniform, n = 3.

    P(second highest > x) = 1 - 3 x^2 + 2 x^3, and its integral up to the budget w is w - w^3 + w^4 / 2.
    """
    values = draw(Uniform(), 3)
    revenue = clear_rounds(second_price, np.minimum(values, budget)).revenue
    assert contains_zero(revenue - (budget - budget**3 + budget**4 / 2))


def test_with_binding_budgets_first_price_earns_more_than_second_price() -> None:
    """Che and Gale, Review of Economic Studies 65 (1998): shaded bids meet budgets less often."""
    values, budget = draw(Uniform(), 3), 0.65
    second = clear_rounds(second_price, np.minimum(values, budget)).revenue
    first = clear_rounds(first_price, np.minimum(eq.first_price(values, 3, Uniform()), budget)).revenue
    assert interval(first - second)[0] > 0.0
