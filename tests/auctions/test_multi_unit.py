"""Clearing rules for several units: published numbers, brute force over all allocations, theory."""

import pickle
from collections.abc import Mapping, Sequence
from itertools import product
from math import inf
from typing import Any

import pytest
from hypothesis import given, strategies as st

from auctions.clearing import Cleared, ClearingRule, Offer, clear, first_price, ranked, second_price
from auctions.multi_unit import (
    Clinch,
    UniformPrice,
    ausubel,
    clinches,
    discriminatory,
    uniform_price,
    vickrey_multi_unit,
)
from walras.errors import ScenarioError

lowest_winning = UniformPrice("lowest-winning")
RULES: list[Any] = [discriminatory, uniform_price, lowest_winning, vickrey_multi_unit, ausubel]

Schedules = Mapping[str, Sequence[int]]
"""Marginal values by bidder, first unit first."""

LICENCES = {"A": [123, 113, 103], "B": [75, 5, 3], "C": [125, 125, 49], "D": [85, 65, 7], "E": [45, 25, 5]}
"""Ausubel 2004, section II: five licences."""

schedules = st.dictionaries(
    st.sampled_from("abcd"),
    st.lists(st.integers(0, 9), min_size=1, max_size=4).map(lambda values: sorted(values, reverse=True)),
    max_size=4,
)
supplies = st.integers(1, 6)
reserves = st.integers(0, 6)


def offers(values: Schedules) -> list[Offer]:
    return [Offer(bidder, value) for bidder, mine in values.items() for value in mine]


def in_blocks(values: Schedules) -> list[Offer]:
    """The same, with equal units of a bidder in one offer."""
    return [
        Offer(b, v, list(mine).count(v)) for b, mine in values.items() for v in sorted({*mine}, reverse=True)
    ]


def cleared(
    rule: ClearingRule, values: Schedules, units: int, reserve: int = 0
) -> dict[str, tuple[int, float]]:
    lines = clear(rule, offers(values), reserve=reserve, units=units)
    assert len({line.bidder for line in lines}) == len(lines), "one line for each winner"
    return {line.bidder: (line.units, line.price) for line in lines}


def welfare(values: Schedules, units: int, reserve: int) -> int:
    """The most that bidders and a seller who keeps the rest at its reserve can have, by trying all allocations."""
    return max(
        sum(sum(mine[:got]) for mine, got in zip(values.values(), split, strict=True))
        + reserve * (units - sum(split))
        for split in product(*(range(len(mine) + 1) for mine in values.values()))
        if sum(split) <= units
    )


# ---------------------------------------------------------------------------------------------------- published numbers
def test_ausubel_2004() -> None:
    for rule in (vickrey_multi_unit, ausubel):
        assert cleared(rule, LICENCES, 5) == {"A": (3, 85 + 75 + 65), "C": (2, 85 + 75)}
    assert cleared(uniform_price, LICENCES, 5) == {"A": (3, 3 * 85), "C": (2, 2 * 85)}
    assert cleared(lowest_winning, LICENCES, 5) == {"A": (3, 3 * 103), "C": (2, 2 * 103)}
    assert cleared(discriminatory, LICENCES, 5) == {"A": (3, 123 + 113 + 103), "C": (2, 250)}


def test_the_clock_of_ausubel_2004() -> None:
    """A clinches its first unit when the price reaches 65, where D gives up its second."""
    assert sorted((c.price, c.bidder, c.units) for c in clinches(ranked(offers(LICENCES)), 0, 5)) == [
        (65, "A", 1), (75, "A", 1), (75, "C", 1), (85, "A", 1), (85, "C", 1),
    ]  # fmt: skip


# ----------------------------------------------------------------------------------------------------------- brute force
@given(schedules, supplies, reserves)
def test_vickrey_is_what_the_others_lose_by_ones_presence(
    values: Schedules, units: int, reserve: int
) -> None:
    admitted = {bidder: [v for v in mine if v >= reserve] for bidder, mine in values.items()}
    found = cleared(vickrey_multi_unit, values, units, reserve)
    best = welfare(admitted, units, reserve)
    got = {bidder: found.get(bidder, (0, 0)) for bidder in admitted}
    achieved = sum(sum(admitted[b][:won]) for b, (won, _) in got.items())
    assert achieved + reserve * (units - sum(won for won, _ in got.values())) == best
    for bidder, (won, price) in got.items():
        others = {name: mine for name, mine in admitted.items() if name != bidder}
        assert price == welfare(others, units, reserve) - (best - sum(admitted[bidder][:won]))


@given(schedules, supplies, reserves)
def test_clinching_comes_to_vickreys_winners_and_payments(
    values: Schedules, units: int, reserve: int
) -> None:
    for bids in (ranked(offers(values), reserve), ranked(in_blocks(values), reserve)):
        assert ausubel(bids, reserve, units) == vickrey_multi_unit(bids, reserve, units)


@given(schedules, supplies, reserves)
def test_the_clock_rises_and_clinches_no_more_than_there_is(
    values: Schedules, units: int, reserve: int
) -> None:
    found = clinches(ranked(offers(values), reserve), reserve, units)
    prices = [clinch.price for clinch in found]
    assert prices == sorted(prices) and all(price >= reserve for price in prices)
    demanded = sum(v >= reserve for mine in values.values() for v in mine)
    assert sum(clinch.units for clinch in found) == min(units, demanded)
    assert len({(clinch.bidder, clinch.price) for clinch in found}) == len(found)


@given(schedules, supplies)
def test_uniform_prices_clear_the_market(values: Schedules, units: int) -> None:
    """Whoever bids more than the price has its unit, and nobody has one who bids less."""
    for rule in (uniform_price, lowest_winning):
        found = cleared(rule, values, units)
        for price in {paid / won for won, paid in found.values()}:
            for bidder, mine in values.items():
                won = found.get(bidder, (0, 0))[0]
                assert sum(v > price for v in mine) <= won <= sum(v >= price for v in mine)
        assert len({paid / won for won, paid in found.values()}) <= 1


# ----------------------------------------------------------------------------------------------------------- all rules
@pytest.mark.parametrize("rule", RULES)
@given(values=schedules, units=supplies, reserve=reserves)
def test_winners_pay_no_more_than_they_bid_and_no_less_than_the_reserve(
    rule: ClearingRule, values: Schedules, units: int, reserve: int
) -> None:
    for bidder, (won, price) in cleared(rule, values, units, reserve).items():
        assert reserve * won <= price <= sum(values[bidder][:won])
        assert type(price) is int, "integer prices stay integers"


@pytest.mark.parametrize("rule", RULES)
@given(values=schedules, units=supplies, reserve=reserves)
def test_all_rules_sell_to_the_same_bidders(
    rule: ClearingRule, values: Schedules, units: int, reserve: int
) -> None:
    wanted = {bidder: won for bidder, (won, _) in cleared(discriminatory, values, units, reserve).items()}
    assert {b: won for b, (won, _) in cleared(rule, values, units, reserve).items()} == wanted


@given(values=schedules, units=supplies, reserve=reserves)
def test_a_bidder_pays_least_by_vickrey_and_most_by_its_own_bids(
    values: Schedules, units: int, reserve: int
) -> None:
    paid = [
        cleared(rule, values, units, reserve) for rule in (vickrey_multi_unit, uniform_price, discriminatory)
    ]
    for bidder in paid[0]:
        prices = [of_rule[bidder][1] for of_rule in paid]
        assert prices == sorted(prices)


@pytest.mark.parametrize("rule", RULES)
@given(values=schedules, units=supplies, order=st.permutations("abcd"))
def test_neither_the_order_of_bids_nor_their_blocks_matter(
    rule: ClearingRule, values: Schedules, units: int, order: Sequence[str]
) -> None:
    expected = clear(rule, offers(values), units=units)
    shuffled = {bidder: values[bidder] for bidder in order if bidder in values}
    assert clear(rule, offers(shuffled)[::-1], units=units) == expected
    assert clear(rule, in_blocks(shuffled), units=units) == expected


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True),
    st.dictionaries(
        st.sampled_from("bc"), st.lists(st.integers(0, 9), max_size=3).map(lambda v: sorted(v)[::-1])
    ),
    st.integers(1, 4),
)
def test_truth_is_dominant_under_vickrey_and_clinching(
    true: list[int], others: dict[str, list[int]], units: int
) -> None:
    true = sorted(true, reverse=True)[:2]

    def gain(said: list[int], rule: ClearingRule) -> float:
        won, price = cleared(rule, {"a": said, **others}, units).get("a", (0, 0))
        return sum(true[:won]) - price

    for rule in (vickrey_multi_unit, ausubel):
        honest = gain(true, rule)
        for said in product(range(0, 11, 2), repeat=len(true)):
            if list(said) == sorted(said, reverse=True):
                assert gain(list(said), rule) <= honest


def test_asking_for_less_pays_under_a_uniform_price_and_not_under_vickrey() -> None:
    """Demand reduction: a wants two units at 10 and 9, b one at 6; a is better off to leave the second to b."""
    honest, reduced = {"a": [10, 9], "b": [6]}, {"a": [10], "b": [6]}
    assert cleared(uniform_price, honest, 2)["a"] == (2, 12) and cleared(uniform_price, reduced, 2)["a"] == (
        1,
        0,
    )
    assert 10 + 9 - 12 < 10 - 0
    assert cleared(vickrey_multi_unit, honest, 2)["a"] == (2, 6)


# ------------------------------------------------------------------------------------------------- one unit, degenerate
@given(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 9)), reserves)
def test_with_one_unit_they_are_the_rules_for_single_items(bids: dict[str, int], reserve: int) -> None:
    given_ = ranked([Offer(bidder, price) for bidder, price in bids.items()], reserve)
    if given_:
        for rule in (uniform_price, vickrey_multi_unit, ausubel):
            assert rule(given_, reserve, 1) == second_price(given_, reserve, 1)
        for rule in (discriminatory, lowest_winning):
            assert rule(given_, reserve, 1) == first_price(given_, reserve, 1)


@pytest.mark.parametrize("rule", RULES)
def test_nobody_bids(rule: ClearingRule) -> None:
    assert list(rule([], 0, 3)) == []
    assert list(rule([], -inf, 3)) == []


@pytest.mark.parametrize("rule", RULES)
def test_nobody_meets_the_reserve(rule: ClearingRule) -> None:
    assert clear(rule, [Offer("a", 9, 2), Offer("b", 7)], reserve=10, units=2) == []


@pytest.mark.parametrize(
    ("rule", "price"),
    [(discriminatory, 18), (uniform_price, 8), (lowest_winning, 18), (vickrey_multi_unit, 8), (ausubel, 8)],
)
def test_more_units_than_are_wanted_cost_the_reserve(rule: ClearingRule, price: int) -> None:
    assert clear(rule, [Offer("a", 9, 2)], reserve=4, units=5) == [Cleared("a", 2, price)]


@pytest.mark.parametrize("rule", RULES)
def test_equal_bids_are_served_in_their_ranking_and_pay_what_they_bid(rule: ClearingRule) -> None:
    bids = [Offer("b", 5, 2), Offer("a", 5, 2), Offer("c", 5, 2)]
    assert list(rule(bids, 0, 3)) == [Cleared("b", 2, 10), Cleared("a", 1, 5)]


@pytest.mark.parametrize("rule", RULES)
def test_a_price_of_zero_is_a_price(rule: ClearingRule) -> None:
    assert list(rule([Offer("a", 0), Offer("b", 0)], 0, 1)) == [Cleared("a", 1, 0)]


def test_an_offer_on_the_border_is_cut_and_its_rest_is_the_highest_losing_one() -> None:
    assert uniform_price([Offer("a", 9), Offer("b", 7, 3), Offer("c", 2)], 0, 2) == [
        Cleared("a", 1, 7),
        Cleared("b", 1, 7),
    ]


@pytest.mark.parametrize("rule", [vickrey_multi_unit, ausubel])
def test_increasing_marginal_values_are_an_error(rule: ClearingRule) -> None:
    with pytest.raises(ScenarioError, match="price of a is 8; expected at most the 3 of its unit before"):
        rule([Offer("b", 9), Offer("a", 3), Offer("a", 8)], 0, 2)


def test_settings_are_checked_and_travel() -> None:
    with pytest.raises(
        ScenarioError, match="price is 'middle'; expected 'highest-losing' or 'lowest-winning'"
    ):
        UniformPrice("middle")  # type: ignore[arg-type]
    for rule in RULES:
        assert pickle.loads(pickle.dumps(rule)) == rule


# ----------------------------------------------------------------------------------------------------------- procurement
@pytest.mark.parametrize(
    ("rule", "paid"),
    [(discriminatory, 7), (uniform_price, 12), (lowest_winning, 8), (vickrey_multi_unit, 12), (ausubel, 12)],
)
def test_procured_units_come_from_those_who_ask_least(rule: ClearingRule, paid: int) -> None:
    asks = [Offer("a", 3), Offer("b", 4), Offer("c", 6)]
    lines = clear(rule, asks, units=2, reverse=True)
    assert [line.bidder for line in lines] == ["a", "b"]
    assert sum(line.price for line in lines) == paid


@pytest.mark.parametrize("rule", RULES)
def test_procured_without_a_reserve_or_a_competitor_the_highest_ask_is_paid(rule: ClearingRule) -> None:
    expected = 7 if rule is discriminatory else 8
    assert (
        sum(line.price for line in clear(rule, [Offer("a", 3), Offer("b", 4)], units=2, reverse=True))
        == expected
    )


def test_large_markets_of_single_units_clear_in_one_pass() -> None:
    """Ten thousand bidders: every one of them looked at a few times, not ten thousand times."""
    bids = ranked([Offer(f"bidder-{k:05}", k) for k in range(10_000)])
    assert ausubel(bids, 0, 100) == vickrey_multi_unit(bids, 0, 100) == uniform_price(bids, 0, 100)
    assert clinches(bids, 0, 100)[0] == Clinch("bidder-09999", 1, 9_899)
