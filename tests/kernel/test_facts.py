"""Facts, reckoned by hand from what a runtime might have kept."""

from typing import Any

import msgspec
import pytest

from walras.allocation import Award, Outcome, Report
from walras.items import Item, Lot, Task
from walras.results.facts import Done, Facts
from walras.results.records import TaskRecord
from walras.scenario import Arrival

TALK = "m/1"
TASK = Task("t")
PAIR = Task("pair", copies=2)


class Books(msgspec.Struct, kw_only=True):
    """What was kept of conversations; unless said otherwise one that is done, at 9 s."""

    awards: list[tuple[str, Award]] = []
    stood: dict[str, tuple[Award, ...]] = {}
    paid: dict[tuple[str, str], float] = {}
    done: list[Done] = []
    rounds: dict[tuple[str, str], int] = {}
    outcomes: dict[str, Outcome] = msgspec.field(default_factory=lambda: {TALK: Outcome("done")})
    ended_at: dict[str, float] = msgspec.field(default_factory=lambda: {TALK: 9.0})


def record(item: Item, *more: Item, **kept: Any) -> TaskRecord:
    arrival = Arrival(1.0, (item, *more), "m", ("a", "b"), 60.0)
    return Facts(Books(**kept)).record(TALK, arrival, item)


def work(agent: str, at: float, status: str = "done", quality: float = 1.0, item: Item = TASK) -> Done:
    assert isinstance(item, Task)
    return Done(TALK, agent, item, Report(status, 1.0, quality), at)


def test_of_several_copies_the_last_winner_and_finish_are_shown_and_qualities_are_averaged() -> None:
    lines = (Award("pair", "a", 1.0), Award("pair", "b", 2.0))
    found = record(
        PAIR,
        awards=[(TALK, line) for line in lines],
        stood={TALK: lines},
        done=[work("a", 7.0, quality=0.5, item=PAIR), work("b", 5.0, quality=1.0, item=PAIR)],
    )
    assert (found.winner, found.price, found.finished_s, found.quality) == ("b", 3.0, 7.0, 0.75)


def test_of_a_task_that_failed_twice_the_last_award_is_shown() -> None:
    found = record(
        TASK,
        awards=[(TALK, Award("t", "a", 1.0)), (TALK, Award("t", "b", 2.0))],
        stood={TALK: ()},
        outcomes={TALK: Outcome("failed")},
    )
    assert (found.winner, found.price, found.awards) == ("b", 2.0, 2)


def test_what_losers_are_charged_is_paid_and_is_no_award() -> None:
    lot = Lot("vase")
    lines = (Award("vase", "a", 3.0), Award("vase", "b", 2.0, quantity=0))
    found = record(lot, awards=[(TALK, line) for line in lines], stood={TALK: lines})
    assert (found.winner, found.price, found.paid, found.awards) == ("a", 3.0, 5.0, 1)


@pytest.mark.parametrize(
    ("ended", "status"),
    [("done", "unassigned"), ("partial", "unassigned"), ("cancelled", "cancelled"), ("overdue", "overdue")],
)
def test_of_several_items_each_ends_as_its_award_says_or_else_as_the_conversation(
    ended: str, status: str
) -> None:
    won = Award("t", "a", 1.0)
    kept = {"awards": [(TALK, won)], "stood": {TALK: (won,)}, "outcomes": {TALK: Outcome(ended)}}
    other = Task("u")
    assert record(TASK, other, **kept).status == "done"
    assert record(other, TASK, **kept).status == status


def test_of_a_winner_that_did_its_work_twice_the_last_time_counts() -> None:
    won = Award("t", "a", 1.0)
    found = record(
        TASK,
        awards=[(TALK, won)],
        stood={TALK: (won,)},
        done=[work("a", 3.0, quality=0.25), work("a", 5.0, quality=0.5), work("a", 6.0, "failed")],
    )
    assert (found.finished_s, found.quality, found.cost) == (5.0, 0.5, 3.0)


def test_what_grandchildren_did_and_paid_is_told_of_the_item_that_was_announced_first() -> None:
    deep = "m/1/m/1/m/2"
    won = Award("t", "a", 1.0)
    found = record(
        TASK,
        awards=[(deep, won)],
        stood={TALK: (won,), "m/1/m/1": (won,), deep: (won,)},
        paid={(deep, "t"): 1.0},
        done=[work("a", 5.0)._replace(conversation=deep)],
    )
    assert (found.winner, found.paid, found.finished_s, found.awards) == ("a", 1.0, 5.0, 1)


def test_awards_that_stand_are_told_in_the_order_in_which_they_were_made_and_the_latest_of_equals_stands() -> (
    None
):
    first, again = Award("t", "a", 1.0), Award("u", "b", 2.0)
    made = [(TALK, first), (TALK, again), (TALK, first)]
    assert list(Facts(Books(awards=made)).lines()) == [first, again, first]
    assert list(Facts(Books(awards=made, stood={TALK: (again, first)})).lines()) == [again, first]
