"""Double rules: McAfee's examples, brute force, budget balance, truthfulness by all deviations, the deficit of VCG."""

import pickle
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, strategies as st

from auctions.clearing import Cleared, Offer
from auctions.double_clearing import (
    DoubleRule,
    Exchange,
    KDouble,
    crossed,
    k_double,
    mcafee,
    trade_reduction,
    vcg_double,
)
from walras.errors import ScenarioError

RULES: list[Any] = [k_double, KDouble(0), KDouble(1), mcafee, trade_reduction, vcg_double]
TRUTHFUL: list[Any] = [mcafee, trade_reduction, vcg_double]

prices = st.lists(st.integers(0, 9), max_size=5)
orders = st.lists(st.builds(Offer, st.sampled_from("abc"), st.integers(0, 9), st.integers(1, 3)), max_size=5)

few_orders = st.lists(
    st.builds(Offer, st.sampled_from("abc"), st.integers(0, 9), st.integers(1, 2)), max_size=3
)


def one_each(letter: str, values: Sequence[float]) -> list[Offer]:
    """Traders b1, b2 ... with one unit each."""
    return [Offer(f"{letter}{k}", value) for k, value in enumerate(values, start=1)]


def asks(offers: Sequence[Offer]) -> list[Offer]:
    """The same orders by other traders."""
    return [Offer(f"s{offer.bidder}", offer.price, offer.units) for offer in offers]


def market(rule: DoubleRule, buys: Sequence[float], sells: Sequence[float]) -> Exchange:
    return rule(one_each("b", buys), one_each("s", sells))


def lines(side: Sequence[Cleared]) -> dict[str, tuple[int, float]]:
    assert len({line.bidder for line in side}) == len(side), "one line for each trader"
    return {line.bidder: (line.units, line.price) for line in side}


def gains(buys: Sequence[Offer], sells: Sequence[Offer]) -> float:
    """The most that can be gained by trade: who holds the units afterwards, by trying all sets of holders."""
    values = [offer.price for offer in (*buys, *sells) for _ in range(offer.units)]
    units = sum(offer.units for offer in sells)
    kept = sum(offer.price * offer.units for offer in sells)
    return max(sum(held) for held in combinations(values, units)) - kept


def realised(buys: Sequence[Offer], sells: Sequence[Offer], exchange: Exchange) -> float:
    return value_of(buys, exchange.bought, 1) - value_of(sells, exchange.sold, -1)


def value_of(offers: Sequence[Offer], side: Sequence[Cleared], sign: int) -> float:
    """What the units that were traded are worth to their traders: the best of theirs for buyers (sign 1), else the least."""
    found = 0.0
    for line in side:
        own = sorted(
            (sign * o.price for o in offers if o.bidder == line.bidder for _ in range(o.units)), reverse=True
        )
        found += sign * sum(own[: line.units])
    return found


# ---------------------------------------------------------------------------------------------------- published numbers
def test_mcafee_at_the_price_of_those_left_out() -> None:
    found = market(mcafee, [9, 8, 7, 4], [2, 3, 4, 5])
    assert lines(found.bought) == {"b1": (1, 4.5), "b2": (1, 4.5), "b3": (1, 4.5)}
    assert lines(found.sold) == {"s1": (1, 4.5), "s2": (1, 4.5), "s3": (1, 4.5)}
    assert found.revenue == 0


def test_mcafee_gives_the_last_trade_up_where_that_price_does_not_fit() -> None:
    found = market(mcafee, [9, 8, 7, 4], [2, 3, 4, 12])
    assert lines(found.bought) == {"b1": (1, 7), "b2": (1, 7)}
    assert lines(found.sold) == {"s1": (1, 4), "s2": (1, 4)}
    assert found.revenue == 6


@pytest.mark.parametrize(("buys", "sells"), [([10, 4], [5, 6]), ([5, 4], [1, 6])])
def test_mcafee_trades_at_a_price_that_just_fits_either_side(buys: list[int], sells: list[int]) -> None:
    found = market(mcafee, buys, sells)
    assert lines(found.bought) == {"b1": (1, 5)}
    assert lines(found.sold) == {"s1": (1, 5)}


def test_mcafee_with_one_trade() -> None:
    found = market(mcafee, [10, 6], [5, 8])
    assert (found.bought, found.sold) == ((Cleared("b1", 1, 7),), (Cleared("s1", 1, 7),))


def test_mcafee_without_anybody_left_out_gives_the_last_trade_up() -> None:
    assert market(mcafee, [9], [2]) == Exchange()
    assert market(mcafee, [9, 8], [2, 3, 20]) == market(trade_reduction, [9, 8], [2, 3, 20])
    assert market(trade_reduction, [9, 8], [2, 3]) == Exchange((Cleared("b1", 1, 8),), (Cleared("s1", 1, 3),))


@pytest.mark.parametrize(("k", "price"), [(0, 4), (0.25, 4.75), (0.5, 5.5), (1, 7)])
def test_the_call_market_trades_all_it_can_at_one_price(k: float, price: float) -> None:
    found = market(KDouble(k), [9, 8, 7, 4], [2, 3, 4, 5])
    assert [line.price for line in (*found.bought, *found.sold)] == [price] * 6


def test_bilateral_trade_in_its_linear_equilibrium() -> None:
    """Chatterjee and Samuelson 1983, k = 1/2, U[0, 1] twice: trade iff v - c >= 1/4, gains 9/64 of the possible 1/6.

    Added up over the midpoints of a grid of fractions.
    """
    cells = 80
    points = [Fraction(2 * k + 1, 2 * cells) for k in range(cells)]
    gained = Fraction(0)
    for v in points:
        for c in points:
            buy, sell = 2 * v / 3 + Fraction(1, 12), 2 * c / 3 + Fraction(1, 4)
            traded = market(k_double, [buy], [sell]).bought  # type: ignore[list-item]
            assert bool(traded) == (v - c >= Fraction(1, 4))
            gained += v - c if traded else 0
    assert float(gained / cells**2) == pytest.approx(9 / 64, abs=0.002)


# ----------------------------------------------------------------------------------------------------------- brute force
@pytest.mark.parametrize("rule", [k_double, KDouble(0.3), vcg_double])
@given(buys=few_orders, sells=few_orders.map(asks))
def test_who_trades_gains_all_that_can_be_gained(
    rule: DoubleRule, buys: list[Offer], sells: list[Offer]
) -> None:
    assert realised(buys, sells, rule(buys, sells)) == gains(buys, sells)


@given(few_orders, few_orders.map(asks))
def test_vcg_pays_everybody_what_the_others_gain_by_its_presence(
    buys: list[Offer], sells: list[Offer]
) -> None:
    found, best = vcg_double(buys, sells), gains(buys, sells)
    for line in found.bought:
        without = gains([o for o in buys if o.bidder != line.bidder], sells)
        assert value_of(buys, [line], 1) - line.price == best - without
    for line in found.sold:
        without = gains(buys, [o for o in sells if o.bidder != line.bidder])
        assert line.price - value_of(sells, [line], -1) == best - without


@given(prices, prices)
def test_the_deficit_of_vcg_is_what_theory_says(buys: list[int], sells: list[int]) -> None:
    """All q trades are at max(b_q+1, s_q) for the buyers and min(s_q+1, b_q) for the sellers."""
    found = market(vcg_double, buys, sells)
    high, low = sorted(buys, reverse=True), sorted(sells)
    q = sum(bid >= ask for bid, ask in zip(high, low, strict=False))
    if not q:
        assert found == Exchange()
        return
    pays = max([low[q - 1], *high[q : q + 1]])
    gets = min([high[q - 1], *low[q : q + 1]])
    assert {line.price for line in found.bought} == {pays} and {line.price for line in found.sold} == {gets}
    assert found.revenue == -q * (gets - pays) <= 0


def test_vcg_runs_a_deficit_wherever_a_trade_gains_and_nobody_is_left_out() -> None:
    """Two traders: each gets the whole gain, and the house pays it."""
    assert market(vcg_double, [10], [4]).revenue == -6


@pytest.mark.parametrize("rule", [mcafee, trade_reduction])
@given(buys=prices, sells=prices)
def test_one_trade_at_most_is_lost_and_that_the_least_valuable(
    rule: DoubleRule, buys: list[int], sells: list[int]
) -> None:
    high, low = sorted(buys, reverse=True), sorted(sells)
    by_trade = [bid - ask for bid, ask in zip(high, low, strict=False) if bid >= ask]
    found = realised(one_each("b", buys), one_each("s", sells), market(rule, buys, sells))
    assert found in (sum(by_trade), sum(by_trade[:-1]))


# ----------------------------------------------------------------------------------------------------------- all rules
@pytest.mark.parametrize("rule", RULES)
@given(buys=orders, sells=orders.map(asks))
def test_trades_balance_and_nobody_loses(rule: DoubleRule, buys: list[Offer], sells: list[Offer]) -> None:
    found = rule(buys, sells)
    bought, sold = lines(found.bought), lines(found.sold)
    assert sum(units for units, _ in bought.values()) == sum(units for units, _ in sold.values())
    for line in found.bought:
        assert line.units <= sum(o.units for o in buys if o.bidder == line.bidder)
        assert 0 <= line.price <= value_of(buys, [line], 1)
    for line in found.sold:
        assert line.units <= sum(o.units for o in sells if o.bidder == line.bidder)
        assert line.price >= value_of(sells, [line], -1)
    assert found.revenue == sum(p for _, p in bought.values()) - sum(p for _, p in sold.values())


@pytest.mark.parametrize(
    ("rule", "least", "most"),
    [(k_double, 0, 0), (mcafee, 0, 1000), (trade_reduction, 0, 1000), (vcg_double, -1000, 0)],
)
@given(buys=orders, sells=orders.map(asks))
def test_the_money_of_the_house(
    rule: DoubleRule, least: float, most: float, buys: list[Offer], sells: list[Offer]
) -> None:
    assert least <= rule(buys, sells).revenue <= most


@pytest.mark.parametrize("rule", TRUTHFUL)
@given(buys=prices.filter(bool), sells=prices.filter(bool))
def test_truth_is_dominant_for_traders_of_one_unit(
    rule: DoubleRule, buys: list[int], sells: list[int]
) -> None:
    """All deviations of the first trader of each side, half steps included."""

    def buyer_gains(said: float) -> float:
        bought = lines(market(rule, [said, *buys[1:]], sells).bought)
        return buys[0] - bought["b1"][1] if "b1" in bought else 0

    def seller_gains(said: float) -> float:
        sold = lines(market(rule, buys, [said, *sells[1:]]).sold)
        return sold["s1"][1] - sells[0] if "s1" in sold else 0

    for said in range(21):
        assert buyer_gains(said / 2) <= buyer_gains(buys[0])
        assert seller_gains(said / 2) <= seller_gains(sells[0])


def test_the_call_market_is_not_truthful() -> None:
    """The buyer at the margin asks for a better price, and gets it."""
    honest, shaded = market(k_double, [10, 8], [2, 4]), market(k_double, [10, 6], [2, 4])
    assert (lines(honest.bought)["b2"], lines(shaded.bought)["b2"]) == ((1, 6), (1, 5))


@pytest.mark.parametrize("rule", RULES)
@given(
    buys=st.lists(st.integers(0, 9), max_size=5, unique=True),
    sells=st.lists(st.integers(0, 9), max_size=5, unique=True),
    data=st.data(),
)
def test_the_order_of_the_orders_does_not_matter(
    rule: DoubleRule, buys: list[int], sells: list[int], data: st.DataObject
) -> None:
    both = one_each("b", buys), one_each("s", sells)
    shuffled = (data.draw(st.permutations(side)) for side in both)
    assert rule(*shuffled) == rule(*both)


@given(orders, orders.map(asks))
def test_an_order_for_several_units_is_as_good_as_several_orders(
    buys: list[Offer], sells: list[Offer]
) -> None:
    def units(side: list[Offer]) -> list[Offer]:
        return [Offer(o.bidder, o.price) for o in side for _ in range(o.units)]

    for rule in RULES:
        assert rule(units(buys), units(sells)) == rule(buys, sells)


def test_equal_orders_trade_as_they_are_listed() -> None:
    found = k_double([Offer("b", 5), Offer("a", 5)], [Offer("x", 3)])
    assert found.bought == (Cleared("b", 1, 4),)
    assert k_double([Offer("a", 5)], [Offer("y", 3), Offer("x", 3)]).sold == (Cleared("y", 1, 4),)


# ----------------------------------------------------------------------------------------------------------- degenerate
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("buys", "sells"), [([], []), ([5], []), ([], [5]), ([4, 3], [5, 6])])
def test_nobody_trades(rule: DoubleRule, buys: list[float], sells: list[float]) -> None:
    assert market(rule, buys, sells) == Exchange()
    assert Exchange().revenue == 0


@pytest.mark.parametrize("rule", RULES)
def test_all_equal(rule: DoubleRule) -> None:
    found = market(rule, [5, 5, 5], [5, 5, 5])
    assert len(found.bought) == (2 if rule in (mcafee, trade_reduction) else 3)
    assert {line.price for line in (*found.bought, *found.sold)} == {5}


def test_prices_of_zero() -> None:
    assert market(k_double, [0], [0]) == Exchange((Cleared("b1", 1, 0),), (Cleared("s1", 1, 0),))


def test_the_number_of_trades_counts_no_unit_that_asks_more_than_its_buyer_bids() -> None:
    """One seller with two units fits the first buyer, not the second."""
    assert crossed([Offer("a", 10), Offer("b", 6)], [Offer("x", 8, 2)])[2] == 1


def test_fractions_stay_fractions_and_integers_integers() -> None:
    third = Fraction(1, 3)
    assert market(KDouble(third), [3], [0]).bought[0].price == 1  # type: ignore[arg-type]
    assert market(k_double, [third], [0]).bought[0].price == Fraction(1, 6)  # type: ignore[list-item]
    assert type(market(k_double, [6], [4]).bought[0].price) is int
    assert type(market(k_double, [6.0], [4]).bought[0].price) is float


@pytest.mark.parametrize("rule", RULES)
def test_nobody_trades_with_itself(rule: DoubleRule) -> None:
    with pytest.raises(ScenarioError, match="side of a is 'buy and sell'; expected one of them"):
        rule([Offer("a", 5)], [Offer("a", 3)])


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("wrong", [Offer("a", -2), Offer("a", float("nan")), Offer("a", 5, 0)])
def test_an_order_that_nobody_can_have_made_is_refused(rule: DoubleRule, wrong: Offer) -> None:
    for buys, sells in (([wrong], [Offer("b", 3)]), ([Offer("b", 3)], [wrong])):
        with pytest.raises(ScenarioError, match=r"(price|units) of a is .*; expected a"):
            rule(buys, sells)


@pytest.mark.parametrize("k", [-0.1, 1.1, float("nan"), "0.5", None])
def test_a_share_outside_the_interval_is_an_error(k: Any) -> None:
    with pytest.raises(
        ScenarioError, match=r"k is .*; expected a number from 0 \(the last ask\) to 1 \(the last bid\)"
    ):
        KDouble(k)


def test_rules_travel() -> None:
    rules: Mapping[str, Any] = {str(rule): rule for rule in RULES}
    assert {name: pickle.loads(pickle.dumps(rule)) for name, rule in rules.items()} == rules
