"""Positions: the numbers of Edelman, Ostrovsky and Schwarz, brute force over all assignments, reserve and quality."""

import pickle
from collections.abc import Mapping, Sequence
from itertools import permutations, product
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given, strategies as st

from auctions.clearing import Cleared, Offer, clear, ranked
from auctions.commit_reveal import CommitReveal
from auctions.positions import Positions, gsp, vcg_positions
from auctions.sealed import SealedBid
from tests.auctions.worlds import play
from walras.allocation import Award
from walras.errors import ScenarioError
from walras.items import Lot

VALUES = {"a": 10, "b": 4, "c": 2}
PRICES: list[Any] = [gsp, vcg_positions]

values_of = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 9), max_size=4)
click_rates = st.lists(st.integers(0, 9), min_size=1, max_size=3).map(
    lambda clicks: tuple(sorted(clicks)[::-1])
)
qualities = st.fixed_dictionaries({bidder: st.integers(1, 3) for bidder in "abcd"})


def sold(rule: Positions, bids: Mapping[str, float], reserve: int = 0) -> list[Cleared]:
    offers = ranked([Offer(bidder, price) for bidder, price in bids.items()], reserve)
    return rule(offers, reserve, len(rule.clicks))


def net(rule: Positions, bids: Mapping[str, float], bidder: str, value: float, reserve: int = 0) -> float:
    """What a bidder to whom a click is worth so much is left with."""
    for slot, line in enumerate(sold(rule, bids, reserve)):
        if line.bidder == bidder:
            return rule.clicks[slot] * rule.quality.get(bidder, 1) * value - line.price
    return 0


# ---------------------------------------------------------------------------------------------------- published numbers
def test_the_payments_of_edelman_ostrovsky_and_schwarz() -> None:
    """Values 10, 4 and 2, two slots with 200 and 100 clicks an hour; everybody bids the truth."""
    assert sold(Positions(gsp, (200, 100)), VALUES) == [Cleared("a", 1, 800), Cleared("b", 1, 200)]
    assert sold(Positions(vcg_positions, (200, 100)), VALUES) == [Cleared("a", 1, 600), Cleared("b", 1, 200)]


def test_the_generalised_second_price_is_not_truthful() -> None:
    """With 200 and 199 clicks the best bidder does better in the second slot, at half the price."""
    rule = Positions(gsp, (200, 199))
    assert net(rule, VALUES, "a", value=10) == 1200
    assert net(rule, VALUES | {"a": 3}, "a", value=10) == 1592


def test_in_a_locally_envy_free_equilibrium_gsp_pays_as_truthful_vcg_does() -> None:
    """Their theorem: each bids, per click of the slot above its own, what VCG would charge there."""
    clicks = (200, 100)
    vcg = [line.price for line in sold(Positions(vcg_positions, clicks), VALUES)]
    equilibrium = {"a": 10, "b": vcg[0] // clicks[0], "c": vcg[1] // clicks[1]}
    rule = Positions(gsp, clicks)
    assert [line.price for line in sold(rule, equilibrium)] == vcg
    for bidder, value in VALUES.items():
        best = net(rule, equilibrium, bidder, value)
        assert all(net(rule, equilibrium | {bidder: said}, bidder, value) <= best for said in range(12))


# ----------------------------------------------------------------------------------------------------------- brute force
def welfare(scores: Mapping[str, float], clicks: Sequence[int], least: float = 0) -> float:
    """The most that all clicks are worth, by trying all assignments; the seller keeps what is worth less to others."""
    seats = [*scores.items(), *((f"kept {k}", least) for k in range(len(clicks)))]
    return max(
        sum(rate * score for rate, (_, score) in zip(clicks, chosen, strict=True))
        for chosen in permutations(seats, len(clicks))
    )


@given(values_of, click_rates, st.integers(0, 4))
def test_vcg_is_what_the_others_lose_by_ones_presence(
    values: dict[str, int], clicks: tuple[int, ...], reserve: int
) -> None:
    admitted = {bidder: value for bidder, value in values.items() if value >= reserve}
    best = welfare(admitted, clicks, reserve)
    for slot, line in enumerate(sold(Positions(vcg_positions, clicks), values, reserve)):
        others = {bidder: value for bidder, value in admitted.items() if bidder != line.bidder}
        assert line.price == welfare(others, clicks, reserve) - (best - clicks[slot] * values[line.bidder])


@given(values_of, click_rates, qualities)
def test_with_qualities_vcg_is_still_what_the_others_lose(
    values: dict[str, int], clicks: tuple[int, ...], quality: dict[str, int]
) -> None:
    scores = {bidder: value * quality[bidder] for bidder, value in values.items()}
    best = welfare(scores, clicks)
    for slot, line in enumerate(sold(Positions(vcg_positions, clicks, quality), values)):
        others = {bidder: score for bidder, score in scores.items() if bidder != line.bidder}
        assert line.price == welfare(others, clicks) - (best - clicks[slot] * scores[line.bidder])


@given(values_of.filter(bool), click_rates, qualities, st.integers(0, 4))
def test_truth_is_dominant_under_vcg_whatever_the_reserve_and_the_qualities(
    values: dict[str, int], clicks: tuple[int, ...], quality: dict[str, int], reserve: int
) -> None:
    rule, bidder = Positions(vcg_positions, clicks, quality), min(values)
    honest = net(rule, values, bidder, values[bidder], reserve)
    assert honest >= 0
    for said in range(11):
        assert net(rule, values | {bidder: said}, bidder, values[bidder], reserve) <= honest


@pytest.mark.parametrize("price", PRICES)
@given(values=values_of, clicks=click_rates, quality=qualities, reserve=st.integers(0, 4))
def test_a_click_costs_no_more_than_its_bid_and_no_less_than_the_reserve(
    price: Any, values: dict[str, int], clicks: tuple[int, ...], quality: dict[str, int], reserve: int
) -> None:
    lines = sold(Positions(price, clicks, quality), values, reserve)
    assert len(lines) == min(len(clicks), sum(value >= reserve for value in values.values()))
    for slot, line in enumerate(lines):
        expected_clicks = clicks[slot] * quality[line.bidder]
        assert reserve * expected_clicks <= line.price <= values[line.bidder] * expected_clicks
        assert type(line.price) is int
    scores = [values[line.bidder] * quality[line.bidder] for line in lines]
    assert scores == sorted(scores, reverse=True)


@given(values_of, click_rates)
def test_for_the_same_bids_vcg_never_costs_more(values: dict[str, int], clicks: tuple[int, ...]) -> None:
    pairs = zip(*(sold(Positions(price, clicks), values) for price in (vcg_positions, gsp)), strict=True)
    assert all(vcg.bidder == next_.bidder and vcg.price <= next_.price for vcg, next_ in pairs)


# ------------------------------------------------------------------------------------------------------ the rest
@pytest.mark.parametrize("price", PRICES)
def test_one_slot_is_the_second_price(price: Any) -> None:
    assert sold(Positions(price, (1,)), VALUES) == [Cleared("a", 1, 4)]
    assert sold(Positions(price, (1,)), VALUES, reserve=5) == [Cleared("a", 1, 5)]


@pytest.mark.parametrize("price", PRICES)
def test_few_bidders_none_and_all_equal(price: Any) -> None:
    rule = Positions(price, (30, 20, 10))
    assert rule([], 0, 3) == []
    assert sold(rule, {"a": 5}) == [Cleared("a", 1, 0)]
    assert sold(rule, {"a": 5}, reserve=2) == [Cleared("a", 1, 60)]
    assert sold(rule, {"a": 5}, reserve=6) == []
    assert sold(rule, {"b": 0, "a": 0}) == [Cleared("a", 1, 0), Cleared("b", 1, 0)]
    assert [line.price for line in sold(rule, dict.fromkeys("abcd", 2))] == [60, 40, 20]


def test_a_better_quality_wins_over_a_higher_price_and_pays_for_more_clicks() -> None:
    rule = Positions(gsp, (100, 50), quality={"b": 3})
    assert sold(rule, {"a": 10, "b": 4}) == [Cleared("b", 1, 100 * 10), Cleared("a", 1, 0)]


def test_equal_scores_stand_as_they_were_ranked() -> None:
    rule = Positions(gsp, (2, 1), quality={"b": 2})
    assert [line.bidder for line in rule([Offer("a", 6), Offer("b", 3)], 0, 2)] == ["a", "b"]


def test_a_bidder_gets_one_slot_and_only_units_on_sale_are_sold() -> None:
    rule = Positions(gsp, (2, 1))
    bids = [Offer("a", 9, 5), Offer("a", 8), Offer("b", 4)]
    assert rule(bids, 0, 2) == [Cleared("a", 1, 8), Cleared("b", 1, 0)]
    assert rule(bids, 0, 1) == [Cleared("a", 1, 8)]


def test_rates_of_at_most_one_make_it_a_rule_for_a_sealed_auction() -> None:
    """A bid is then the price of a click and of a slot that is clicked for certain: nobody pays more than the bid."""
    offers = [Offer(bidder, value) for bidder, value in VALUES.items()]
    assert clear(Positions(gsp, (1, 0.5)), offers, units=2) == [Cleared("a", 1, 4), Cleared("b", 1, 1.0)]


@pytest.mark.parametrize("mechanism", [SealedBid, CommitReveal])
def test_with_messages_a_bid_holds_the_money_of_one_click(mechanism: Any) -> None:
    values = {name: {"page": value} for name, value in VALUES.items()}
    (first, second) = play(
        mechanism(Positions(gsp, (1, 0.5))), [Lot("page", quantity=2)], values
    ).allocation.lines
    assert (first, second) == (Award("page", "a", 4), Award("page", "b", 1.0))
    for rule in (Positions(gsp, (200, 100)), Positions(gsp, (1, 0.5), {"a": 2})):
        with pytest.raises(
            ScenarioError, match=r"clicks of the rule is \(.*\); expected at most 1 with messages"
        ):
            mechanism(rule)


def test_nobody_is_paid_for_being_shown() -> None:
    with pytest.raises(
        ScenarioError, match="rule is 'Positions in a procurement'; expected something on sale"
    ):
        clear(Positions(gsp, (1,)), [Offer("a", 2)], reverse=True)


@pytest.mark.parametrize("clicks", [(), (1, 2), (-1,), (nan,), (inf,), (2, nan)])
def test_clicks_that_make_no_sense_are_an_error(clicks: tuple[float, ...]) -> None:
    with pytest.raises(ScenarioError, match=r"clicks is .*; expected finite numbers of 0 or more"):
        Positions(gsp, clicks)


@pytest.mark.parametrize("quality", [0, -1, nan, inf])
def test_qualities_that_make_no_sense_are_an_error(quality: float) -> None:
    with pytest.raises(ScenarioError, match=r"quality of a is .*; expected a finite number above 0"):
        Positions(gsp, (1,), {"a": quality})


def test_rules_travel() -> None:
    for price, clicks in product(PRICES, [(2, 1)]):
        rule = Positions(price, clicks, {"a": 2})
        assert pickle.loads(pickle.dumps(rule)) == rule
