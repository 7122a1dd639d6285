"""Values and signals: distributed as they say, keyed by seed and bidder, the same as arrays and as agents."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, strategies as st

from auctions.distributions import Distribution, Exponential, NegativeExponential, Power, Uniform
from auctions.values import Affiliated, Drawn, Independent, Risk, ValueModel, Wallet, common_value
from walras.errors import ScenarioError
from walras.items import Item, Lot, Task

DISTRIBUTIONS = [
    Uniform(),
    Uniform(2.0, 5.0),
    Power(0.0, 3.0, 2.5),
    Power(1.0, 2.0, 0.5),
    Exponential(2.0),
    NegativeExponential(3.0),
]
MODELS: list[ValueModel] = [
    Independent(Exponential()),
    Affiliated(private=0.5),
    common_value(0.0, 10.0, 1.0),
    Wallet(),
]


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=repr)
@pytest.mark.parametrize("share", [0.001, 0.2, 0.5, 0.97])
def test_the_quantile_is_the_inverse_of_the_cdf_and_the_density_its_slope(
    distribution: Distribution, share: float
) -> None:
    v = distribution.quantile(share)
    assert isinstance(v, float)
    assert distribution.cdf(v) == pytest.approx(share, rel=1e-9)
    h = 1e-6 * max(1.0, abs(v)) * share
    slope = (distribution.cdf(v + h) - distribution.cdf(v - h)) / (2 * h)
    assert distribution.pdf(v) == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=repr)
@pytest.mark.parametrize("m", [1, 2, 9])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_the_area_is_the_integral_that_it_stands_for(
    distribution: Distribution, m: int, share: float
) -> None:
    v = distribution.quantile(share)
    low = distribution.support[0] if distribution.support[0] > -math.inf else v - 40 * 3.0
    x = low + (v - low) * np.linspace(0.0, 1.0, 200_001) ** 2
    assert distribution.area(v, m) == pytest.approx(
        np.trapezoid((distribution.cdf(x) / share) ** m, x), rel=1e-5
    )


@given(st.integers(1, 40), st.floats(1e-6, 30.0))
def test_the_two_ways_to_an_exponential_area_agree(m: int, v: float) -> None:
    """Closed form and series meet: the mean of the highest of m below v is between 0 and v, and grows with m."""
    exponential = Exponential()
    below = [v - exponential.area(v, k) for k in (m, m + 1)]
    assert 0.0 < below[0] < below[1] < v
    # by parts: area(v, m - 1) = F(v) (area(v, m) + mean / m)
    if m > 1:
        assert exponential.area(v, m - 1) == pytest.approx(
            exponential.cdf(v) * (exponential.area(v, m) + 1 / m), rel=1e-9
        )


def test_an_array_in_is_an_array_out() -> None:
    v = np.array([[0.1, 0.5], [1.0, 2.0]])
    for distribution in (Uniform(0.0, 2.0), Exponential()):
        for found in (distribution.cdf(v), distribution.pdf(v), distribution.area(v, 3)):
            assert found.shape == v.shape
        assert distribution.area(v, 3)[1, 0] == pytest.approx(distribution.area(1.0, 3))


def test_a_cost_is_a_value_below_zero() -> None:
    assert Uniform(1.0, 4.0).mirrored() == Uniform(-4.0, -1.0)
    assert Exponential(2.0).mirrored().mirrored() == Exponential(2.0)
    with pytest.raises(ScenarioError, match="uniform or exponential costs"):
        Power(exponent=2.0).mirrored()


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_draws_are_keyed_by_seed_item_and_bidder(model: ValueModel) -> None:
    """More bidders or items change no signal, nor do other values of the same seed; another seed changes all."""
    small, large = model.draw(7, bidders=2, items=3), model.draw(7, bidders=5, items=9)
    assert (small.signals == large.signals[:3, :2]).all()
    assert small.signals.shape == small.values.shape == (3, 2)
    assert len({*large.signals.ravel().tolist()}) == 9 * 5, "every bidder has a stream of its own"
    assert (small.signals != model.draw(8, bidders=2, items=3).signals).all()


def test_private_values_are_known_and_distributed_as_stated() -> None:
    drawn = Independent(Power(0.0, 1.0, 2.0)).draw(1, bidders=4, items=20_000)
    assert drawn.values is drawn.signals
    assert drawn.values.mean() == pytest.approx(2 / 3, abs=0.005)
    assert abs(np.corrcoef(drawn.values[:, 0], drawn.values[:, 1])).min() < 0.02


def test_signals_of_a_common_value_are_unbiased_and_the_value_is_one_for_all() -> None:
    model = common_value(0.0, 100.0, 10.0)
    drawn = model.draw(1, bidders=3, items=20_000)
    assert (drawn.values == drawn.values[:, :1]).all()
    error = drawn.signals - drawn.values
    assert abs(error).max() <= 10.0
    assert error.mean() == pytest.approx(0.0, abs=0.1)
    assert np.corrcoef(drawn.signals[:, 0], drawn.signals[:, 1]).min() > 0.9, (
        "affiliated: all see about the same"
    )
    # E[V | x], also near the ends
    for at in (2.0, 50.0, 97.0):
        near = abs(drawn.signals - at) < 1.0
        assert drawn.values[near].mean() == pytest.approx(model.estimate(at), abs=1.0)


def test_affiliated_values_mix_ones_own_signal_with_the_level() -> None:
    private, common, half = (Affiliated(private=w).draw(3, 4, 50) for w in (1.0, 0.0, 0.5))
    assert (private.values == private.signals).all()
    assert half.values == pytest.approx((private.values + common.values) / 2)


def test_a_wallet_game_is_worth_the_sum_of_the_wallets() -> None:
    drawn = Wallet(Exponential()).draw(3, bidders=3, items=4)
    assert drawn.values[2].tolist() == pytest.approx([drawn.signals[2].sum()] * 3)


def test_agents_have_the_same_numbers_as_arrays() -> None:
    items: list[Item] = [Lot("vase"), Task("job"), Lot("coal", wanted=True)]
    drawn = Independent().draw(7, bidders=2, items=3)
    ada, bob = drawn.agents(items, ["ada", "bob"], money=[5.0, 8.0])
    assert (ada.id, ada.money, bob.money) == ("ada", 5.0, 8.0)
    assert [ada.value_of("vase"), bob.value_of("coal")] == [drawn.values[0, 0], drawn.values[2, 1]]
    job = bob.estimate(Task("job"))
    assert job is not None
    assert job.cost == drawn.values[1, 1]
    assert [agent.id for agent in drawn.agents(items)] == ["bidder-1", "bidder-2"]


@pytest.mark.parametrize(
    ("items", "names", "said"),
    [
        (1, None, "items is 1; expected as many as were drawn: 2"),
        (2, ["ada"], "expected as many as bidders: 3"),
    ],
)
def test_agents_need_an_item_for_each_row_and_a_name_for_each_column(
    items: int, names: list[str] | None, said: str
) -> None:
    drawn = Drawn(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(ScenarioError, match=said):
        drawn.agents([Lot(f"lot-{k}") for k in range(items)], names)


@given(st.floats(0.0, 50.0), st.floats(0.0, 50.0), st.floats(0.01, 0.99))
def test_who_is_averse_to_risk_takes_the_mean_rather_than_the_gamble(a: float, b: float, x: float) -> None:
    for risk in (Risk(crra=x), Risk(cara=x)):
        assert risk((a + b) / 2) >= (risk(a) + risk(b)) / 2 - 1e-9
        assert (risk(a) >= risk(b)) == (a >= b) or risk(a) == pytest.approx(risk(b))
    assert Risk()(a) == a


def test_a_loss_is_a_loss_for_everybody() -> None:
    """CRRA says nothing of losses; they are taken as they are, so that to pay more than one's value is never better."""
    assert Risk(crra=0.5)(-3.0) == Risk()(-3.0) == -3.0
    assert Risk(crra=0.5)(np.array([-3.0, 4.0])).tolist() == [-3.0, 4.0]
    assert Risk(cara=1.0)(-1.0) < -1.0


@pytest.mark.parametrize(
    "make",
    [
        lambda: Uniform(1.0, 1.0),
        lambda: Uniform(exponent=2.0),
        lambda: Power(exponent=0.0),
        lambda: Exponential(-1.0),
        lambda: Exponential(math.nan),
        lambda: Exponential().area(1.0, 1.5),
        lambda: Affiliated(low=5.0, high=1.0),
        lambda: Affiliated(error=60.0),
        lambda: Affiliated(private=1.5),
        lambda: Risk(crra=1.0),
        lambda: Risk(cara=-1.0),
        lambda: Risk(crra=0.5, cara=0.5),
        lambda: Independent().draw(1, bidders=0),
        lambda: Independent(3),  # type: ignore[arg-type]
    ],
)
def test_nonsense_is_refused_in_one_sentence(make: Callable[[], object]) -> None:
    with pytest.raises(ScenarioError, match=r" is .*; expected "):
        make()
