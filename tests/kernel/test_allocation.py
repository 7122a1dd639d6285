"""Allocations: a mapping from items to awards that can say what makes it infeasible."""

import pytest
from hypothesis import given, strategies as st

from walras.allocation import Allocation, Award, Outcome, Report, units
from walras.errors import LocalProtocolError
from walras.items import Bundle, Item, Lot, Task

ITEMS = (Task("t", requires=("sql",)), Task("pair", copies=2), Lot("l", quantity=3), Bundle("b", lots=("l",)))
SKILLS = {"ada": ("sql", "go"), "bob": ()}


def test_an_allocation_is_a_mapping_from_item_to_award() -> None:
    won, lost = Award("t", "ada", 1.0), Award("l", None)
    allocation = Allocation([won, lost])
    assert dict(allocation) == {"t": won}
    assert allocation.lines == (won, lost)
    assert "l" not in allocation
    with pytest.raises(KeyError, match="'l' was not awarded"):
        allocation["l"]


def test_an_item_with_several_winners_shows_the_first_and_names_all() -> None:
    allocation = Allocation([Award("pair", "bob", 2.0), Award("pair", "ada", 1.0)])
    assert allocation["pair"].winner == "bob"
    assert allocation.winners_of("pair") == ("bob", "ada")
    assert allocation.winners_of("t") == ()


def test_who_only_pays_has_won_nothing() -> None:
    """An award of quantity 0 is a charge: a loser's, in an all-pay auction."""
    charge, won = Award("l", "ada", 2.0, quantity=0), Award("l", "bob", 3.0)
    assert (charge.won, won.won, Award("l", None).won) == (False, True, False)
    allocation = Allocation([charge, won])
    assert dict(allocation) == {"l": won}
    assert allocation.winners_of("l") == ("bob",)
    assert dict(Allocation([charge])) == {}
    assert repr(allocation) == "<Allocation of 1 items: ada is charged 2 for l, l -> bob at 3>"
    assert repr(Allocation(())) == "<Allocation of 0 items>"
    assert Allocation([charge, *[won] * 3]).violations(ITEMS, SKILLS) == []  # it uses up none of the three


@pytest.mark.parametrize(
    ("lines", "violations"),
    [
        ([Award("t", "ada", 1.0), Award("pair", "ada"), Award("pair", "bob"), Award("l", "bob", 2.0, 3)], []),
        ([Award("t", None)], []),
        ([Award("x", "ada")], ["x was awarded, but is not on offer"]),
        ([Award("t", "ada"), Award("t", "ada")], ["t was awarded 2 times, there are 1"]),
        ([Award("l", "ada", 1.0, 2), Award("l", "bob", 1.0, 2)], ["l was awarded 4 times, there are 3"]),
        ([Award("l", "ada", float("nan"))], ["l was awarded at nan, which is no price"]),
        ([Award("l", "ada", float("-inf"))], ["l was awarded at -inf, which is no price"]),
        ([Award("l", "eve")], ["l was awarded to eve, who is unknown"]),
        ([Award("t", "bob")], ["t was awarded to bob, who lacks sql"]),
        ([Award("l", "ada", quantity=-1)], ["l was awarded with a quantity of -1"]),
        ([Award("l", "eve", 1.0, quantity=0)], ["l was awarded to eve, who is unknown"]),
    ],
)
def test_what_makes_an_allocation_infeasible_is_said_in_a_sentence(
    lines: list[Award], violations: list[str]
) -> None:
    assert Allocation(lines).violations(ITEMS, SKILLS) == violations


def test_without_capabilities_anybody_may_win() -> None:
    assert Allocation([Award("t", "eve")]).violations(ITEMS) == []


def test_check_raises_with_the_first_three_violations() -> None:
    Allocation([Award("t", "ada")]).check(ITEMS, SKILLS)
    bad = Allocation([Award(name, "ada") for name in "vwxyz"])
    with pytest.raises(LocalProtocolError, match=r"^v was .* offer; w was .* offer; x was .* offer$"):
        bad.check(ITEMS)


@given(st.lists(st.tuples(st.sampled_from(["l", "pair"]), st.sampled_from(["ada", None]), st.integers(1, 4))))
def test_an_allocation_is_feasible_exactly_if_no_item_is_exceeded(
    drawn: list[tuple[str, str | None, int]],
) -> None:
    lines = [Award(item, winner, 1.0, quantity) for item, winner, quantity in drawn]
    used = {i.id: sum(a.quantity for a in lines if a.item == i.id and a.winner) for i in ITEMS}
    fits = all(used[item.id] <= units(item) for item in ITEMS)
    assert (Allocation(lines).violations(ITEMS, SKILLS) == []) is fits


@pytest.mark.parametrize(
    ("item", "count"), [(Task("t"), 1), (Task("t", copies=3), 3), (Lot("l", quantity=7), 7), (Item("i"), 1)]
)
def test_units_say_how_often_an_item_can_be_awarded(item: Item, count: int) -> None:
    assert units(item) == count


def test_allocations_of_the_same_lines_are_equal_and_print_short() -> None:
    lines = [Award(f"t{k}", "ada", k / 4) for k in range(7)]
    assert Allocation(lines) == Allocation(iter(lines))
    assert Allocation(lines) != Allocation(lines[:6])
    assert repr(Allocation(lines)).startswith("<Allocation of 7 items: t0 -> ada at 0, t1 -> ada at 0.25,")
    assert repr(Allocation(lines)).endswith("... 2 more>")


def test_rows_are_tidy() -> None:
    assert Allocation([Award("t", "ada", 1.5)]).rows() == [
        {"item": "t", "winner": "ada", "price": 1.5, "quantity": 1, "seller": None, "bond": 0.0}
    ]


def test_an_outcome_is_a_value() -> None:
    outcome = Outcome("done", (Award("t", "ada"),), (Report("done", cost=1.0),))
    assert outcome == Outcome("done", (Award("t", "ada"),), (Report("done", cost=1.0),))
    assert repr(Outcome("overdue")) == "Outcome(status='overdue')"
