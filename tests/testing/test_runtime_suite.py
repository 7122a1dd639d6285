"""The suite asks no more of a runtime than it says, and reports what it has seen."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.sketches import order_book
from walras.testing import ContractError, check_runtime, kill_everywhere, kill_points
from walras.testing.broken import broken
from walras.testing.runtime import Conditions, RuntimeUnderTest, Stage, all_checks, examine
from walras.testing.simulated import SimulatedRuntime

NINE = {str(n) for n in range(1, 10)} | {"accounts", "recovery", "records"}


class Modest(SimulatedRuntime):
    """As a real clock would be: it kills nobody, loses nothing, and its unit is short."""

    can = frozenset[str]()
    unit_s = 0.25


def test_every_promise_has_checks() -> None:
    assert {check.number for check in all_checks().values()} == NINE
    assert all(check.says.endswith(".") for check in all_checks().values())


def test_the_simulator_is_a_runtime_under_test() -> None:
    runtime: RuntimeUnderTest = SimulatedRuntime(Conditions())
    assert runtime.unit_s > 0


def test_what_a_runtime_cannot_do_is_left_out_and_said_so() -> None:
    report = check_runtime(Modest)
    assert not report.failed
    assert {"timer_survives_restart", "same_seed_same_digest", "award_once_after_crash_anywhere"} <= set(
        report.left_out
    )
    assert {"timer_never_early", "one_outcome_per_open", "lot_is_paid_at_its_award"} <= set(report.passed)
    assert len(report.passed) > 50
    assert f"{len(report.passed)} checks passed, {len(report.left_out)} left out" in str(report)


@pytest.mark.parametrize("unit_s", [0.03, 7.0])
def test_the_suite_does_not_depend_on_the_unit(unit_s: float) -> None:
    class Scaled(SimulatedRuntime):
        pass

    Scaled.unit_s = unit_s
    check_runtime(Scaled)


def test_a_broken_promise_is_named_with_what_was_seen() -> None:
    with broken("overdue"), pytest.raises(ContractError) as raised:
        check_runtime(SimulatedRuntime, only=["overdue", "timer_never_early"])
    said = str(raised.value)
    assert "overdue (promise 8: A child that does not end is overdue at its `finish_by`.)" in said
    assert "a child with 2 to live was overdue after 3" in said
    assert "timer_never_early" not in said


def test_a_check_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no check is called timers; the names are one_call_at_a_time"):
        examine(SimulatedRuntime, ["timers"])


def test_a_stage_says_what_it_missed() -> None:
    stage = Stage(SimulatedRuntime)
    stage.seat("ada", {})
    stage.run(1)
    with pytest.raises(ContractError, match=r"ada never noted 'heard x'; its log is \['start'\]"):
        stage.at("ada", "heard x")


def test_endless_simulations_are_killed_up_to_a_horizon() -> None:
    def simulate(**settings: Any) -> Any:
        return order_book.simulate(traders=2, **settings)

    points = kill_points(simulate, ("venue",), most=6, until=4.0)
    assert len(points) == 6 and {point.agent for point in points} == {"venue"}
    for _, simulation in kill_everywhere(simulate, agents=("venue",), most=6, until=4.0, down_s=0.2):
        assert simulation.world.ledger.conserved()
        assert simulation.now == 4.0


def test_the_contract_says_which_check_examines_which_promise() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "contract.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z0-9 ]+) \| (`.*) \|$", page, flags=re.MULTILINE)
    named = {"recovery by replay": "recovery", "recovery from records": "records"}
    shown = {named.get(label, label.split()[0]): re.findall(r"`(\w+)`", row) for label, row in rows}
    expected: dict[str, list[str]] = {}
    for name, check in all_checks().items():
        expected.setdefault(check.number, []).append(name)
    assert shown == expected
