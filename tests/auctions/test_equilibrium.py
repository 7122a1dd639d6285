"""Equilibrium bids against the formulas of the textbooks, and against sums over other people's values."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from auctions import equilibrium as eq
from auctions.distributions import Distribution, Exponential, Power, Uniform
from auctions.values import Affiliated, Wallet, common_value
from walras.errors import ScenarioError

V = np.linspace(0.02, 0.98, 25)


@pytest.mark.parametrize("n", [2, 3, 10])
def test_uniform_values_have_the_bids_of_the_textbooks(n: int) -> None:
    uniform = Uniform()
    assert eq.first_price(V, n, uniform) == pytest.approx((n - 1) / n * V)
    assert eq.all_pay(V, n, uniform) == pytest.approx((n - 1) / n * V**n)
    assert eq.second_price(V).tolist() == V.tolist()
    if n >= 3:
        assert eq.third_price(V, n, uniform) == pytest.approx((n - 1) / (n - 2) * V)


def test_bids_scale_and_shift_with_values() -> None:
    wide = Uniform(10.0, 30.0)
    assert eq.first_price(10.0 + 20.0 * V, 4, wide) == pytest.approx(
        10.0 + 20.0 * eq.first_price(V, 4, Uniform())
    )


def test_two_bidders_with_a_reserve_and_uniform_values() -> None:
    r = 0.3
    bids = eq.first_price(V, 2, Uniform(), r)
    bidding = r <= V
    assert bids[bidding] == pytest.approx((V / 2 + r**2 / (2 * V))[bidding])
    assert np.isnan(bids[~bidding]).all()
    assert eq.first_price(r, 5, Uniform(), r) == pytest.approx(r)
    assert math.isnan(eq.second_price(0.2, r))


def test_two_bidders_with_exponential_values() -> None:
    v = np.linspace(0.01, 9.0, 30)
    assert eq.first_price(v, 2, Exponential()) == pytest.approx(1 - v * np.exp(-v) / (1 - np.exp(-v)))


@pytest.mark.parametrize("n", [2, 5, 30])
def test_risk_aversion_is_like_more_rivals(n: int) -> None:
    """CRRA r, uniform: (n - 1) / (n - r) of the value."""
    assert eq.first_price(V, n, Uniform(), crra=0.4) == pytest.approx((n - 1) / (n - 0.4) * V)
    assert (eq.first_price(V, n, Uniform(), crra=0.4) > eq.first_price(V, n, Uniform())).all()


@pytest.mark.parametrize(
    "distribution", [Uniform(1.0, 3.0), Power(0.0, 2.0, 3.0), Exponential(0.5)], ids=repr
)
@pytest.mark.parametrize("n", [2, 4])
@pytest.mark.parametrize("share", [0.0, 0.4])
def test_a_first_price_bid_is_the_mean_of_the_highest_rival_below(
    distribution: Distribution, n: int, share: float
) -> None:
    """By drawing rivals: b(v) = E[max(reserve, highest rival) | all rivals below v]."""
    rivals = np.random.default_rng(5).random((400_000, n - 1))
    v = distribution.quantile(0.8)
    reserve = distribution.quantile(share) if share else -math.inf
    highest = np.asarray(distribution.quantile(rivals * 0.8)).max(axis=1)
    expected = np.maximum(highest, reserve)
    assert eq.first_price(v, n, distribution, reserve) == pytest.approx(expected.mean(), abs=0.004)


def test_a_seller_of_work_shades_upwards() -> None:
    """Uniform costs: c + (1 - c) / n; exponential costs: the mean over n - 1 more, whatever the cost."""
    c = 0.4
    assert -eq.first_price(-c, 3, Uniform().mirrored()) == pytest.approx(c + (1 - c) / 3)
    assert -eq.first_price(-c, 3, Exponential(2.0).mirrored()) == pytest.approx(c + 2.0 / 2)
    assert -eq.first_price(-c, 1, Uniform().mirrored(), -0.9) == 0.9


def test_an_entry_fee_keeps_out_whom_it_would_ruin() -> None:
    """All-pay with a least bid: the marginal bidder's value times its chance to be alone is that bid."""
    bids = eq.all_pay(V, 3, Uniform(), reserve=0.125)
    assert np.isnan(bids[V < 0.5]).all()
    assert np.nanmin(bids) == pytest.approx(0.125, abs=0.02)
    assert (np.diff(bids[V >= 0.5]) > 0).all()


# ------------------------------------------------------------------------------------------ revenue and reserves
@pytest.mark.parametrize(("n", "revenue"), [(2, 1 / 3), (3, 1 / 2), (5, 2 / 3), (10, 9 / 11)])
def test_revenue_with_uniform_values(n: int, revenue: float) -> None:
    assert eq.expected_revenue(n, Uniform()) == pytest.approx(revenue)


@pytest.mark.parametrize(("n", "revenue"), [(1, 1 / 4), (2, 5 / 12), (3, 17 / 32)])
def test_revenue_with_the_best_reserve(n: int, revenue: float) -> None:
    assert eq.optimal_reserve(Uniform()) == 0.5
    assert eq.expected_revenue(n, Uniform(), 0.5) == pytest.approx(revenue)


@pytest.mark.parametrize(
    "distribution",
    [Uniform(), Uniform(0.6, 1.0), Power(0.0, 2.0, 3.0), Power(0.0, 1.0, 0.5), Exponential(2.0)],
    ids=repr,
)
@pytest.mark.parametrize("own", [0.0, 0.4])
def test_no_other_reserve_earns_more(distribution: Distribution, own: float) -> None:
    best = eq.optimal_reserve(distribution, own)

    def gain(r: float, n: int) -> float:
        """Revenue, and the item itself where it is not sold."""
        return eq.expected_revenue(n, distribution, r) + own * distribution.cdf(r) ** n

    for n in (1, 2, 5):
        for r in np.linspace(0.05, 3.0, 60).tolist():
            assert gain(r, n) <= gain(best, n) + 1e-9


def test_optimal_reserves_in_closed_form() -> None:
    assert eq.optimal_reserve(Power(0.0, 1.0, 2.0)) == pytest.approx(math.sqrt(1 / 3))
    assert eq.optimal_reserve(Exponential(3.0), own_value=2.0) == pytest.approx(5.0)
    assert eq.optimal_reserve(Uniform(0.0, 10.0), own_value=4.0) == pytest.approx(7.0)
    assert eq.virtual_value(0.7, Uniform()) == pytest.approx(0.4)


@pytest.mark.parametrize(
    "distribution", [Uniform(1.0, 3.0), Power(0.0, 2.0, 0.5), Exponential(2.0)], ids=repr
)
@pytest.mark.parametrize("n", [2, 7])
def test_one_more_bidder_is_worth_more_than_the_best_reserve(distribution: Distribution, n: int) -> None:
    """Bulow and Klemperer, American Economic Review 86 (1996)."""
    best = eq.expected_revenue(n, distribution, eq.optimal_reserve(distribution))
    assert eq.expected_revenue(n + 1, distribution) > best


def test_revenue_of_exponential_values_is_the_mean_of_the_second_highest() -> None:
    for n in (2, 5):
        assert eq.expected_revenue(n, Exponential(2.0)) == pytest.approx(
            2.0 * sum(1 / j for j in range(2, n + 1))
        )


# ----------------------------------------------------------------------------------- affiliated and common values
def test_common_value_bids_are_those_of_kagel_and_levin() -> None:
    model, n, e = common_value(0.0, 1000.0, 10.0), 4, 10.0
    x = np.array([50.0, 500.0, 900.0])
    Y = 2 * e / (n + 1) * np.exp(-n * (x - e) / (2 * e))
    assert eq.affiliated_first_price(x, n, model) == pytest.approx(x - e + Y)
    assert eq.affiliated_second_price(x, n, model) == pytest.approx(x - e * (n - 2) / n)
    private = Affiliated(0.0, 1000.0, 10.0, private=1.0)
    assert eq.affiliated_first_price(x, n, private) == pytest.approx(x - 2 * e / n + Y / n)
    assert eq.affiliated_second_price(x, n, private) == pytest.approx(x)
    # near the low end, where signals tell more
    assert eq.affiliated_first_price(-4.0, n, model) == pytest.approx((-4.0 + e) / (n + 1))


@pytest.mark.parametrize("private", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("n", [2, 5])
def test_the_affiliated_bid_solves_its_differential_equation(private: float, n: int) -> None:
    """b'(x) = (v(x, x) - b(x)) f(x | x) / F(x | x): the hazard is n over how far x is above the least signal, at most 2 e."""
    model = Affiliated(0.0, 1000.0, 10.0, private)
    x = np.linspace(-8.0, 300.0, 400)
    x = x[abs(x - 10.0) > 0.1]
    h = 1e-5
    slope = (eq.affiliated_first_price(x + h, n, model) - eq.affiliated_first_price(x - h, n, model)) / (
        2 * h
    )
    hazard = n / np.minimum(x + 10.0, 20.0)
    missing = eq.affiliated_second_price(x, n, model) - eq.affiliated_first_price(x, n, model)
    assert slope == pytest.approx(missing * hazard, abs=1e-4)


def test_a_second_price_bid_is_what_the_item_is_worth_at_a_tie() -> None:
    """By drawing: E[V | the two highest signals are about x], in the middle and at both ends."""
    model, n = common_value(0.0, 40.0, 10.0), 4
    drawn = model.draw(3, n, 400_000)
    top = np.sort(drawn.signals, axis=1)[:, -2:]
    for x in (0.0, 20.0, 42.0):
        near = (abs(top - x) < 1.0).all(axis=1)
        found = drawn.values[near, 0]
        assert eq.affiliated_second_price(x, n, model) == pytest.approx(
            found.mean(), abs=4 * found.std() / math.sqrt(len(found)) + 0.05
        )


def test_a_wallet_bid_is_what_the_item_is_worth_at_a_tie() -> None:
    assert eq.wallet_second_price(0.4, 2, Wallet()) == 0.8
    assert eq.wallet_second_price(0.4, 5, Wallet()) == pytest.approx(2 * 0.4 + 3 * 0.2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: eq.first_price(0.5, 0, Uniform()),
        lambda: eq.first_price(0.5, 1, Uniform()),
        lambda: eq.third_price(0.5, 2, Uniform()),
        lambda: eq.all_pay(0.5, 1, Uniform()),
        lambda: eq.expected_revenue(1, Uniform()),
    ],
)
def test_too_few_bidders_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ScenarioError, match="n is"):
        make()
