"""The clock is SimPy's environment: random models see the same, in the same order, on both."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
import simpy

from tests.simulation.random_models import ACTS, Drive
from walras.simulation.clock import Clock

Trace = list[tuple[Any, ...]]
BLOCK = 50


class SteppingClock(Clock):
    """With `step` overridden `run` takes another way; it must not show."""

    def step(self) -> None:
        super().step()


class LastComesFirst(simpy.Environment):
    """An environment with its ties the wrong way round."""

    def __init__(self) -> None:
        super().__init__()
        self._eid = count(0, -1)


def trace(make: Callable[[], simpy.Environment], seed: int, lanes: bool = False) -> Trace:
    return Drive(make(), seed, lanes).trace()


def first_difference(expected: Trace, seen: Trace) -> str:
    """Where two traces part; nothing if they do not."""
    if expected == seen:
        return ""
    at = next(
        (k for k, (a, b) in enumerate(zip(expected, seen, strict=False)) if a != b),
        min(len(expected), len(seen)),
    )
    return f"row {at}: SimPy {expected[at : at + 1]}, ours {seen[at : at + 1]}"


def differences(seeds: range) -> Iterator[str]:
    """Where our clocks see anything else than SimPy's."""
    for seed in seeds:
        expected = trace(simpy.Environment, seed)
        for make in (Clock, SteppingClock):
            for lanes in (False, True):
                difference = first_difference(expected, trace(make, seed, lanes))
                if difference:
                    yield f"seed {seed}, {make.__name__}, lanes {lanes}: {difference}"


@pytest.mark.parametrize("start", range(0, 300, BLOCK))
def test_random_models_see_the_same_as_on_plain_simpy(start: int) -> None:
    """Unrolled or stepping, and whether calls and messages are events or a clock's own entries."""
    assert next(differences(range(start, start + BLOCK)), "") == ""


@pytest.mark.soak
@pytest.mark.parametrize("start", range(300, 3_300, 300))
def test_thousands_of_random_models_see_the_same(start: int) -> None:
    assert next(differences(range(start, start + 300)), "") == ""


def test_the_models_do_all_that_they_can_and_much_of_it_goes_wrong() -> None:
    """Or the comparison would show less than it says."""
    rows = [row for seed in range(60) for row in trace(simpy.Environment, seed)]
    seen = {what for row in rows for what in row if isinstance(what, str)}
    assert {act.__name__ for act in ACTS} <= seen
    assert {
        "ring",
        "newcomer",
        "stranger",
        "seated",
        "to_a_time",
        "until_an_event",
        "by_steps",
        "peek",
    } <= seen
    tagged = {what[:2] for row in rows for what in row if isinstance(what, tuple)}
    errors = {name for tag, name in tagged if tag == "raised"}
    assert errors >= {"Mishap", "RuntimeError", "EmptySchedule", "StopSimulation"}
    causes = [cause for tag, cause in tagged if tag == "interrupt"]
    assert "disturbed" in causes
    assert any(cause[0] == "preempted" for cause in causes)


def test_the_models_tell_a_wrong_order_of_ties_from_the_right_one() -> None:
    found = sum(trace(simpy.Environment, seed) != trace(LastComesFirst, seed) for seed in range(30))
    assert found >= 29


def test_a_model_sees_the_same_each_time() -> None:
    assert trace(Clock, 7, lanes=True) == trace(Clock, 7, lanes=True) != trace(Clock, 8, lanes=True)
