"""Single-item clearing rules: what they award and charge, on both sides of the market, and what they may not do."""

from itertools import permutations, product
from math import inf, nan
from random import Random
from typing import Any

import pytest
from hypothesis import given, strategies as st

from auctions import (
    Cleared,
    ClearingRule,
    Offer,
    all_pay,
    clear,
    first_price,
    kth_price,
    ranked,
    second_price,
    third_price,
)
from auctions.clearing import exact_sum, filled, nth_price, rule_name
from walras.errors import LocalProtocolError, ScenarioError

THREE = [Offer("bob", 7), Offer("ada", 9), Offer("cyd", 4)]
NAMES = "abcdef"


def offers_of(*prices: float) -> list[Offer]:
    return [Offer(name, price) for name, price in zip(NAMES, prices, strict=False)]


@pytest.mark.parametrize(
    ("rule", "reserve", "price"),
    [
        (first_price, None, 9),
        (first_price, 8, 9),
        (second_price, None, 7),
        (second_price, 7, 7),
        (second_price, 8, 8),
        (second_price, 9, 9),
        (third_price, None, 4),
        (third_price, 5, 5),
        (third_price, 8, 8),
        (kth_price(1), None, 9),
        (kth_price(4), None, 0),
        (kth_price(4), 3, 3),
    ],
)
def test_the_highest_bid_wins_and_pays_by_the_rule_but_never_less_than_the_reserve(
    rule: ClearingRule, reserve: float | None, price: float
) -> None:
    (line,) = clear(rule, THREE, reserve=reserve)
    assert line == Cleared("ada", 1, price)
    assert type(line.price) is int  # exact: what goes in as a whole number comes out as one


@pytest.mark.parametrize(
    ("rule", "reserve", "price"),
    [
        (first_price, None, 4),
        (second_price, None, 7),
        (second_price, 6, 6),
        (second_price, 4, 4),
        (third_price, None, 9),
        (third_price, 8, 8),
        (kth_price(4), None, 9),  # nobody bids so high, and there is no reserve: the highest bid
        (kth_price(4), 20, 20),
    ],
)
def test_in_a_procurement_the_lowest_bid_wins_by_the_same_rule(
    rule: ClearingRule, reserve: float | None, price: float
) -> None:
    assert clear(rule, THREE, reserve=reserve, reverse=True) == [Cleared("cyd", 1, price)]


def test_a_single_bid_pays_the_reserve_or_nothing_and_procured_it_is_paid_the_reserve_or_itself() -> None:
    one = [Offer("ada", 9)]
    assert clear(second_price, one) == [Cleared("ada", 1, 0)]
    assert clear(second_price, one, reserve=3) == [Cleared("ada", 1, 3)]
    assert clear(second_price, one, reverse=True) == [Cleared("ada", 1, 9)]
    assert clear(second_price, one, reverse=True, reserve=12) == [Cleared("ada", 1, 12)]


def test_nobody_wins_below_the_reserve_and_a_bid_of_exactly_the_reserve_does() -> None:
    for rule in (first_price, second_price, all_pay):
        assert clear(rule, THREE, reserve=9.5) == []
        assert clear(rule, THREE, reserve=3, reverse=True) == []
        assert clear(rule, [], reserve=3) == []
        assert clear(rule, THREE, reserve=9) == [Cleared("ada", 1, 9)]
        assert clear(rule, THREE, reserve=4, reverse=True) == [Cleared("cyd", 1, 4)]


def test_all_pay_charges_losers_too_but_not_below_the_reserve() -> None:
    assert clear(all_pay, THREE, reserve=5) == [Cleared("ada", 1, 9), Cleared("bob", 0, 7)]
    assert clear(all_pay, THREE, reverse=True) == [
        Cleared("cyd", 1, 4),
        Cleared("bob", 0, 7),
        Cleared("ada", 0, 9),
    ]
    assert clear(all_pay, [Offer("ada", 9, 3), Offer("bob", 7)], units=2) == [
        Cleared("ada", 2, 18),
        Cleared("ada", 0, 9),
        Cleared("bob", 0, 7),
    ]


def test_several_units_go_down_the_ranking() -> None:
    bids = [Offer("ada", 9), Offer("bob", 7, 2), Offer("cyd", 4)]
    assert clear(first_price, bids, units=2) == [Cleared("ada", 1, 9), Cleared("bob", 1, 7)]
    assert clear(second_price, bids, units=2) == [Cleared("ada", 1, 7), Cleared("bob", 1, 7)]
    assert clear(second_price, bids, units=3) == [Cleared("ada", 1, 4), Cleared("bob", 2, 8)]
    assert clear(second_price, bids, units=9) == [
        Cleared("ada", 1, 0),
        Cleared("bob", 2, 0),
        Cleared("cyd", 1, 0),
    ]


def utility(
    rule: ClearingRule, value: int, bid: int, others: tuple[int, ...], reserve: int, reverse: bool
) -> float:
    """Of bidder z, averaged over both ways in which a tie may be decided."""
    sign, total = (-1 if reverse else 1), 0.0
    for me in ("A", "z"):  # before and after all others, by name
        lines = clear(rule, [Offer(me, bid), *offers_of(*others)], reserve=reserve, reverse=reverse)
        total += sum(sign * (value * line.units - line.price) for line in lines if line.bidder == me) / 2
    return total


@pytest.mark.parametrize("reverse", [False, True])
def test_truth_is_dominant_under_the_second_price_whatever_the_others_bid(reverse: bool) -> None:
    for value, reserve, *others in product(range(5), (1, 3), range(5), range(5)):
        true = utility(second_price, value, value, tuple(others), reserve, reverse)
        assert true >= 0
        assert all(
            utility(second_price, value, lie, tuple(others), reserve, reverse) <= true for lie in range(5)
        )


def test_truth_is_not_dominant_under_the_first_and_third_price() -> None:
    assert utility(first_price, 4, 2, (1, 0), 0, False) > utility(first_price, 4, 4, (1, 0), 0, False)
    assert utility(third_price, 2, 4, (3, 0), 0, False) > utility(third_price, 2, 2, (3, 0), 0, False)


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=6),
    st.integers(0, 6),
    st.integers(1, 3),
    st.integers(0, 99),
)
def test_a_procurement_is_the_mirror_image_of_a_sale(
    prices: list[int], reserve: int, k: int, seed: int
) -> None:
    """Prices p in one are 10 - p in the other; the winners are the same and so are their gains."""
    sale, mirror = offers_of(*prices), offers_of(*(10 - price for price in prices))
    for rule in (kth_price(k), first_price):
        sold = clear(rule, sale, reserve=reserve, rng=Random(seed))
        bought = clear(rule, mirror, reserve=10 - reserve, reverse=True, rng=Random(seed))
        assert [(line.bidder, line.units, 10 - line.price) for line in bought] == [
            (line.bidder, line.units, line.price) for line in sold
        ]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.integers(0, 9))
def test_the_order_of_arrival_decides_nothing(prices: list[int], seed: int) -> None:
    offers = offers_of(*prices)
    results = {tuple(ranked(order, 1, Random(seed))) for order in permutations(offers)}
    assert len(results) == 1
    found = results.pop()
    assert [offer.price for offer in found] == sorted((p for p in prices if p >= 1), reverse=True)


def test_ties_are_decided_by_the_dice_evenly_and_without_dice_by_name() -> None:
    tied = [Offer("bob", 5), Offer("ada", 5), Offer("cyd", 2)]
    wins = sum(clear(second_price, tied, rng=Random(seed))[0].bidder == "ada" for seed in range(400))
    assert 160 < wins < 240  # 200 expected, 4 standard deviations are 40
    assert clear(second_price, tied) == [Cleared("ada", 1, 5)]


def test_a_bidders_own_equal_bids_stay_together_in_a_tie() -> None:
    tied = [Offer("ada", 5, 1), Offer("ada", 5, 2), Offer("bob", 5, 3)]
    for seed in range(20):
        order = [offer.bidder for offer in ranked(tied, rng=Random(seed))]
        assert order in (["ada", "ada", "bob"], ["bob", "ada", "ada"])


class Says:
    """A rule that says the same whatever is bid."""

    def __init__(self, lines: Any) -> None:
        self.lines = lines

    def __call__(self, bids: Any, reserve: float, units: int) -> Any:
        return self.lines


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ([Cleared("eve", 1, 3)], "awards to eve; expected one of ada, bob, cyd"),
        ([Cleared("ada", 1, 10)], "charges ada 10; expected at most 9, since it bid 9 for 1"),
        ([Cleared("ada", 1, nan)], "charges ada nan"),
        ([Cleared("ada", 1, -1)], "lets ada pay -1; expected a finite price of 0 or more"),
        ([Cleared("ada", 1, 1), Cleared("bob", 1, 1)], "awards 2 units; expected at most 1"),
        ([Cleared("ada", 1, 5), Cleared("ada", 0, 1)], "charges ada 1; expected at most 0"),
        ([Cleared("bob", 0, 8)], "charges bob 8; expected at most 7"),
        ([Cleared("ada", -1, 5)], "returns Cleared"),
        ([Cleared("ada", 1.0, 5)], "returns Cleared"),  # type: ignore[arg-type]
        ([Cleared("ada", True, 5)], "returns Cleared"),
        ([Cleared("ada", 1, "5")], "returns Cleared"),  # type: ignore[arg-type]
        (["ada"], "returns 'ada'"),
        (None, "returns None; expected Cleared lines"),
    ],
)
def test_a_rule_that_returns_nonsense_is_named_with_its_line(lines: Any, complaint: str) -> None:
    with pytest.raises(LocalProtocolError, match="the clearing rule .*Says.* " + complaint):
        clear(Says(lines), THREE)


def test_a_rule_may_not_pay_a_procured_winner_less_than_it_asks_nor_award_more_than_was_bid_for() -> None:
    with pytest.raises(LocalProtocolError, match="charges cyd -3; expected at most -4"):
        clear(Says([Cleared("cyd", 1, -3)]), THREE, reverse=True)
    with pytest.raises(LocalProtocolError, match="awards 2 units to ada; expected no more than were bid for"):
        clear(Says([Cleared("ada", 2, 9)]), THREE, units=3)
    # floats may be added up in another order
    assert clear(Says([Cleared("ada", 1, 9.000000001)]), THREE) != []


def test_lines_of_one_bidder_are_added_up() -> None:
    bids = [Offer("ada", 9), Offer("ada", 7), Offer("bob", 1)]
    lines = [Cleared("ada", 1, 9), Cleared("ada", 1, 7)]
    assert clear(Says(lines), bids, units=2) == [Cleared("ada", 2, 16)]
    assert clear(Says([Cleared("bob", 0, 0)]), bids) == []  # charged nothing, given nothing


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"offers": [Offer("ada", -1)]}, "price of ada is -1; expected a finite number of 0 or more"),
        ({"offers": [Offer("ada", nan)]}, "price of ada is nan; expected a finite number"),
        ({"offers": [Offer("ada", inf)]}, "price of ada is inf; expected a finite number"),
        ({"offers": [Offer("ada", "9")]}, "price of ada is '9'; expected a finite number"),  # type: ignore[arg-type]
        ({"offers": [Offer("ada", 9, 0)]}, "units of ada is 0; expected a whole number of 1 or more"),
        ({"offers": [Offer("ada", 9, 1.5)]}, "units of ada is 1.5; expected a whole number"),  # type: ignore[arg-type]
        ({"offers": [*THREE, ("dan", 3)]}, r"offers\[3\] is \('dan', 3\); expected an Offer, such as"),
        ({"reserve": -1}, "reserve is -1; expected a number of 0 or more, or None for any price"),
        ({"reserve": nan}, "reserve is nan; expected"),
        ({"reserve": "3"}, "reserve is '3'; expected"),
        ({"rule": "second_price"}, "rule is 'second_price'; expected a clearing rule, such as"),
        ({"units": 0}, "units is 0; expected a whole number of 1 or more"),
        ({"units": 2.0}, "units is 2.0; expected a whole number"),
    ],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_what_nobody_can_have_bid_is_refused_before_any_rule_sees_it(
    given: dict[str, Any], complaint: str, reverse: bool
) -> None:
    with pytest.raises(ScenarioError, match="^" + complaint):
        clear(**{"rule": second_price, "offers": THREE, "reverse": reverse, **given})


@pytest.mark.parametrize("k", [0, -1, 1.5, True, None, "2"])
def test_k_is_a_whole_number(k: Any) -> None:
    with pytest.raises(ScenarioError, match=r"k is .*; expected a whole number of 1 or more"):
        kth_price(k)


def test_what_rules_are_made_of() -> None:
    bids = [Offer("a", 9, 2), Offer("b", 7)]
    assert filled(bids, 0) == []
    assert filled(bids, 5) == [(bids[0], 2), (bids[1], 1)]
    assert [nth_price(bids, n) for n in (1, 2, 3, 4)] == [9, 9, 7, -inf]
    assert exact_sum([0.1] * 10) == 1.0
    assert type(exact_sum([1, 2])) is int
    assert [rule_name(r) for r in (first_price, second_price, third_price, all_pay)] == [
        "first_price",
        "second_price",
        "third_price",
        "all_pay",
    ]
