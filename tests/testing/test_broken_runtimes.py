"""Each check of the runtime contract can fail, and fails for its own reason only."""

import pytest

from walras.testing.broken import all_bugs, broken
from walras.testing.errors import ContractError
from walras.testing.runtime import all_checks, check_runtime, examine
from walras.testing.simulated import SimulatedRuntime


def test_there_is_a_bug_for_every_check_and_a_check_for_every_bug() -> None:
    assert set(all_bugs()) == set(all_checks())


@pytest.mark.parametrize("name", all_bugs())
def test_exactly_the_check_of_its_name_finds_a_bug(name: str) -> None:
    with broken(name):
        report = examine(SimulatedRuntime)
    assert set(report.failed) == {name}, str(report)
    by_itself = {"raising_mind_is_otherwise"}  # what the strategy raises ends the run, and the check with it
    assert name in by_itself or isinstance(report.failed[name], ContractError), report.failed[name]


def test_a_bug_is_gone_when_its_block_ends() -> None:
    with broken("timer_never_early"), pytest.raises(ContractError):
        check_runtime(SimulatedRuntime, only=["timer_never_early"])
    check_runtime(SimulatedRuntime, only=["timer_never_early"])


@pytest.mark.parametrize("name", all_bugs())
def test_a_bug_says_what_is_wrong(name: str) -> None:
    assert (all_bugs()[name].__doc__ or "").strip().endswith(".")
