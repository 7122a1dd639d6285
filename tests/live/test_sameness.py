"""A program that is started again is told what it says otherwise than before, by path."""

from typing import Any

import pytest

from walras.errors import ScenarioError
from walras.items import Task
from walras.live.sameness import check_same, differences


@pytest.mark.parametrize(
    ("was", "now", "paths"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 1, "b": 2}, [""]),
        ({"a": 1, "b": 2}, {"a": 1}, [""]),
        ({"a": [1, 2]}, {"a": [1, 3]}, ["a.1"]),
        ((1, 2), (1, 2, 3), [""]),
        ((1,), [1], [""]),
        ({"a": Task("t", reserve=2.0), "b": 1}, {"a": Task("t", reserve=3.0), "b": 2}, ["a.reserve", "b"]),
    ],
)
def test_differences_are_found_by_path(was: Any, now: Any, paths: list[str]) -> None:
    assert [path for path, *_ in differences(was, now)] == paths


def test_the_first_one_is_told_and_the_others_are_named() -> None:
    with pytest.raises(ScenarioError, match=r"a of house/1 is 2; expected 1, which .*; 1 more differ: b"):
        check_same("house/1", {"a": 1, "b": 1}, {"a": 2, "b": 2})
