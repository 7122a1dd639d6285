"""Valuations: what sets are worth, and which laws of the theory each class keeps."""

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies as st

from walras.errors import ScenarioError
from walras.valuations import (
    Additive,
    Capped,
    SingleMinded,
    Table,
    UnitDemand,
    Valuation,
    is_monotone,
    is_submodular,
)

IDS = "abcd"
ADDITIVE, UNIT = Additive({"a": 3, "b": 4}), UnitDemand({"a": 3, "b": 4})
CAPPED = Capped({"a": 3, "b": 4, "c": 5}, most_items=2, most_value=8)
SINGLE, TABLE = SingleMinded(("a", "b"), 10), Table({"a": 2, ("b",): 3, ("b", "a"): 7})
ALL: list[Valuation] = [ADDITIVE, UNIT, CAPPED, SINGLE, TABLE]


@pytest.mark.parametrize(
    ("valuation", "items", "worth"),
    [
        (ADDITIVE, ["a", "b", "z"], 7.0),
        (ADDITIVE, ["a", "a"], 6.0),
        (UNIT, ["a", "b", "z"], 4.0),
        (UnitDemand({"a": -1}), ["a"], 0.0),
        (CAPPED, ["a"], 3.0),
        (CAPPED, ["a", "b"], 7.0),
        (CAPPED, ["a", "b", "c"], 8.0),
        (Capped({"a": 3, "b": -4}), ["a", "b"], 3.0),
        (Capped({"a": 3}, most_items=0), ["a"], 0.0),
        (SINGLE, ["a"], 0.0),
        (SINGLE, ["z", "b", "a"], 10.0),
        (SingleMinded(("a",), 3), ["a"], 3.0),
        (TABLE, ["a"], 2.0),
        (TABLE, ["a", "z", "b"], 7.0),
        (Table({("a", "b"): 1, ("a",): 5}), ["a", "b"], 5.0),
        (Table({}), ["a"], 0.0),
    ],
)
def test_sets_are_worth_what_the_class_says(valuation: Valuation, items: list[str], worth: float) -> None:
    assert valuation(items) == worth
    assert valuation(iter(items)) == worth


@pytest.mark.parametrize("valuation", ALL, ids=lambda v: type(v).__name__)
def test_every_valuation_is_a_value(valuation: Valuation) -> None:
    assert valuation([]) == 0.0
    assert valuation["unknown"] == 0.0
    assert valuation["a"] == valuation(("a",))
    assert pickle.loads(pickle.dumps(valuation)) == valuation == copy.deepcopy(valuation)
    assert valuation.marginal("b", given=["a"]) == valuation(["a", "b"]) - valuation(["a"])
    assert valuation.marginal("b", given=iter("a")) == valuation.marginal("b", given=["a"])
    with pytest.raises(AttributeError, match="immutable"):
        valuation.values = {}  # type: ignore[attr-defined]


def test_values_are_copied_when_it_is_made() -> None:
    given = {"a": 1.0}
    valuation = Additive(given)
    given["a"] = 100.0
    assert valuation["a"] == 1.0


def test_a_table_prints_the_same_whatever_the_order_of_the_sets() -> None:
    assert (
        repr(Table({frozenset("ba"): 1})) == repr(Table({("a", "b"): 1})) == "Table(bids={('a', 'b'): 1.0})"
    )


def test_a_string_in_place_of_ids_is_an_error_and_not_worth_nothing() -> None:
    for valuation in ALL:
        with pytest.raises(TypeError, match=r"items is 'task-1', one id; expected several"):
            valuation("task-1")


def test_the_base_class_has_no_opinion() -> None:
    with pytest.raises(TypeError, match="Valuation does not say what items are worth"):
        Valuation()(["a"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Additive({"a": math.nan}), "value of a is nan; expected a finite number"),
        (lambda: Additive({"a": "3"}), "value of a is '3'; expected a finite number"),  # type: ignore[dict-item]
        (lambda: Additive([("a", 3)]), "values is .* a mapping from item id to value"),  # type: ignore[arg-type]
        (lambda: Additive({1: 3}), "item id is 1; expected a non-empty string"),  # type: ignore[dict-item]
        (lambda: UnitDemand({"a": math.inf}), "value of a is inf"),
        (lambda: Capped({"a": 1}, most_items=-1), "most_items is -1; expected 0 or more"),
        (lambda: Capped({"a": 1}, most_value=math.nan), "most_value is nan; expected a number of 0 or more"),
        (lambda: SingleMinded((), 1), r"set of items is \(\); expected one or more different item ids"),
        (lambda: SingleMinded(("a", "a"), 1), "set of items is .* different item ids"),
        (lambda: SingleMinded(("a",), math.nan), "value of a is nan"),
        (lambda: Table({("a", "b"): 1, ("b", "a"): 2}), "bids is .* every set once"),
        (lambda: Table({(): 1}), "set of items is"),
        (lambda: Table({("a",): -math.inf}), "is -inf; expected a finite number"),
        (lambda: Table(3), "bids is 3; expected a mapping from sets"),  # type: ignore[arg-type]
    ],
)
def test_bad_values_are_refused_when_it_is_made(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        make()


# ---------------------------------------------------------------------------------------------------------- laws

VALUES = st.dictionaries(st.sampled_from(IDS), st.floats(-100, 100))
GOODS = st.dictionaries(st.sampled_from(IDS), st.floats(0, 100))
SETS = st.frozensets(st.sampled_from(IDS), min_size=1).map(lambda s: tuple(sorted(s)))
BIDS = st.dictionaries(SETS, st.floats(-100, 100))
OWNED = st.sets(st.sampled_from(IDS))


@given(VALUES, OWNED)
def test_an_additive_set_is_worth_the_correctly_rounded_sum(
    values: dict[str, float], owned: set[str]
) -> None:
    assert Additive(values)(owned) == math.fsum(values.get(item, 0.0) for item in owned)


@given(BIDS, OWNED)
def test_a_table_is_worth_its_best_bid_that_is_covered(
    bids: dict[tuple[str, ...], float], owned: set[str]
) -> None:
    assert Table(bids)(owned) == max(
        [0.0, *(value for wanted, value in bids.items() if set(wanted) <= owned)]
    )


@given(VALUES, BIDS, st.integers(0, 4), st.floats(0, 150))
def test_free_disposal_makes_a_valuation_monotone(
    values: dict[str, float], bids: dict[tuple[str, ...], float], most: int, cap: float
) -> None:
    for valuation in (UnitDemand(values), Capped(values, most, cap), Table(bids)):
        assert is_monotone(valuation, IDS)


@given(GOODS, st.integers(0, 4), st.floats(0, 150))
def test_substitutes_are_submodular(values: dict[str, float], most: int, cap: float) -> None:
    for valuation in (Additive(values), UnitDemand(values), Capped(values, most), Capped(values, most, cap)):
        assert is_submodular(valuation, IDS)


@given(BIDS)
def test_every_monotone_valuation_is_a_table(bids: dict[tuple[str, ...], float]) -> None:
    first = Table(bids)
    sets = [(a,) for a in IDS] + [
        tuple(s) for s in ("ab", "ac", "ad", "bc", "bd", "cd", "abc", "abd", "acd", "bcd", IDS)
    ]
    second = Table({wanted: first(wanted) for wanted in sets})
    assert all(first(wanted) == second(wanted) for wanted in sets)


def test_the_predicates_can_say_no() -> None:
    assert not is_monotone(Additive({"a": 1, "b": -1}), "ab")
    assert is_monotone(Additive({"a": 1, "b": -1}), "ab", tolerance=1.0)
    assert not is_submodular(SINGLE, "ab")
    assert not is_submodular(TABLE, "ab")
    with pytest.raises(ValueError, match="items are 17"):
        is_monotone(ADDITIVE, [str(k) for k in range(17)])
