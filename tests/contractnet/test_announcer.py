"""Several tasks announced together: a conversation each, and one outcome."""

import pytest

from contractnet import Announcer, ContractNet
from tests.contractnet.stage import Stage
from walras.allocation import Award, Outcome, Report
from walras.effects import CancelChild, Open
from walras.items import Task

TASKS = (Task("t1"), Task("t2"))
DONE = Report("done")
LINES = (Award("t1", "a", 1.0), Award("t2", "b", 2.0))


def announced() -> tuple[Stage, str, str]:
    rules = ContractNet(margin_s=0.25)
    role = rules.opener("m", TASKS, ("a", "m", "b"))
    assert isinstance(role, Announcer)
    stage = Stage(role, "m", finish_by=50.0)
    first, second = stage.start()
    assert first == Open("test/1/m/1", rules, (TASKS[0],), ("a", "b"), 49.75)
    assert isinstance(second, Open)
    assert second.items == (TASKS[1],)
    return stage, "test/1/m/1", "test/1/m/2"


def test_outcomes_come_back_as_one_in_the_order_of_the_tasks() -> None:
    stage, first, second = announced()
    assert stage.child_ended(second, Outcome("done", LINES[1:], (DONE,))) == []
    stage.child_ended(first, Outcome("done", LINES[:1], (DONE,)))
    assert stage.outcome == Outcome("done", LINES, (DONE, DONE))


@pytest.mark.parametrize(
    ("one", "other", "status"),
    [
        (Outcome("done", LINES[:1]), Outcome("unassigned"), "partial"),
        (Outcome("failed"), Outcome("unassigned"), "failed"),
        (Outcome("unassigned"), Outcome("overdue"), "failed"),
        (Outcome("unassigned"), Outcome("unassigned"), "unassigned"),
    ],
)
def test_unequal_ends_are_named_by_the_best_that_can_be_said(
    one: Outcome, other: Outcome, status: str
) -> None:
    for a, b in ((one, other), (other, one)):
        stage, first, second = announced()
        stage.child_ended(first, a)
        stage.child_ended(second, b)
        assert stage.outcome is not None
        assert stage.outcome.status == status


def test_cancel_cascades_to_what_still_runs_and_the_parent_ends_last() -> None:
    stage, first, second = announced()
    stage.child_ended(first, Outcome("done", LINES[:1]))
    assert stage.cancel() == [CancelChild(second)]
    stage.child_ended(second, Outcome("cancelled", why="2 cancelled"))
    assert stage.outcome == Outcome("cancelled", LINES[:1], why="t2: 2 cancelled")
