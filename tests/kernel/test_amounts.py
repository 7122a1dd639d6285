"""What a file or a mind writes where a number belongs is a number, or is refused by its field."""

from math import inf, nan
from types import SimpleNamespace
from typing import Any

import pytest

from walras.amounts import check_count, check_seconds, is_above_0, is_amount, is_number, is_whole
from walras.errors import ScenarioError

NO_NUMBERS = (nan, True, "3", None, 1j)


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_what_is_no_number_is_none_of_any_kind(value: Any) -> None:
    assert not (is_number(value) or is_above_0(value) or is_amount(value) or is_whole(value))


def test_bounds_are_in_and_infinity_is_no_amount() -> None:
    assert is_number(2, 2, 2.0) and is_number(-inf) and not is_number(2, 2.1)
    assert is_above_0(1e-9) and is_above_0(inf) and not is_above_0(0) and not is_above_0(-1)
    assert is_amount(0) and is_amount(1e308) and not is_amount(inf) and not is_amount(-1)
    assert is_whole(0) and is_whole(10**400) and not is_whole(-1) and not is_whole(1.0)


@pytest.mark.parametrize("value", [*NO_NUMBERS, -1, inf, 0])
def test_time_spans_are_finite_and_above_0(value: Any) -> None:
    settings = SimpleNamespace(first_s=1.0, then_s=value)
    with pytest.raises(ScenarioError, match=r"then_s is .*; expected a finite number of seconds above 0"):
        check_seconds(settings, "first_s", "then_s")


def test_where_0_seconds_make_sense_it_is_said() -> None:
    check_seconds(SimpleNamespace(pause_s=0), "pause_s", zero=True)
    with pytest.raises(ScenarioError, match="pause_s is -1; expected a finite number of seconds, 0 or more"):
        check_seconds(SimpleNamespace(pause_s=-1), "pause_s", zero=True)


@pytest.mark.parametrize("value", [*NO_NUMBERS, 0, 1.0, 4])
def test_counts_are_whole_and_within_bounds(value: Any) -> None:
    check_count(SimpleNamespace(few=1, many=3), "few", "many", most=3)
    with pytest.raises(ScenarioError, match=r"many is .*; expected a whole number from 1 to 3"):
        check_count(SimpleNamespace(few=1, many=value), "few", "many", most=3)


def test_a_count_without_a_bound_says_so() -> None:
    check_count(SimpleNamespace(tries=10**9), "tries")
    with pytest.raises(ScenarioError, match="tries is 0; expected a whole number of 1 or more"):
        check_count(SimpleNamespace(tries=0), "tries")
