"""Several items: all together, or one after the other in the stated order."""

from itertools import pairwise
from typing import Any

import pytest

from auctions import CallForBids, FirstPrice, Lots, SealedBid, Vickrey
from tests.auctions.worlds import HOUSE, play, sent
from walras import Award, Lot, Outcome, Report, Task
from walras.effects import CancelChild, Open
from walras.testing import Script

LOTS = (Lot("urn"), Lot("vase"), Lot("clock"))
VALUES = {"ada": {"urn": 9, "vase": 9, "clock": 9}, "bob": {"urn": 5, "vase": 6, "clock": 4}}


def lots(**settings: Any) -> Script:
    script = Script(SealedBid(**settings).opener(HOUSE, LOTS, ("ada", "bob")), me=HOUSE, finish_by=90.25)
    assert isinstance(script.role, Lots)
    return script


def opened(effects: list[Any]) -> list[tuple[str, float]]:
    return [(effect.items[0].id, effect.finish_by) for effect in effects if isinstance(effect, Open)]


def test_together_all_open_at_once_and_have_all_the_time() -> None:
    assert opened(lots().start()) == [("urn", 90.0), ("vase", 90.0), ("clock", 90.0)]


def test_in_sequence_each_opens_when_the_last_has_ended_with_its_share_of_the_time() -> None:
    script = lots(order="sequential")
    (first,) = script.start()
    assert opened([first]) == [("urn", 30.0)]
    assert isinstance(first, Open)
    script.port.now = 9.75
    script.outcome(first.conversation, Outcome("done", (Award("urn", "ada", 5),)))
    (second,) = script.timer("next")  # a margin later, when all have heard of the first
    assert script.now == 10.0
    assert opened([second]) == [("vase", 50.0)]
    assert isinstance(second, Open)
    script.port.now = 49.75
    script.outcome(second.conversation, Outcome("unassigned", why="no bids"))
    assert opened(script.timer("next")) == [("clock", 90.0)]


def test_cancelled_between_two_auctions_it_ends_with_what_has_been_sold() -> None:
    script = lots(order="sequential")
    (first,) = script.start()
    assert isinstance(first, Open)
    line = Award("urn", "ada", 5)
    script.outcome(first.conversation, Outcome("done", (line,)))
    script.cancel()
    assert script.finished == Outcome("cancelled", (line,))


def test_in_sequence_losers_have_their_money_back_before_the_next_begins() -> None:
    values = {"ada": {"urn": 12, "vase": 1}, "bob": {"urn": 11, "vase": 11}}
    for seed in range(5):
        result = play(Vickrey(order="sequential"), LOTS[:2], values, money=12, seed=seed)
        assert [(line.winner, line.price) for line in result.allocation.lines] == [("ada", 11), ("bob", 1)]


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        (("done", "done", "done"), "done"),
        (("unassigned", "unassigned", "unassigned"), "unassigned"),
        (("done", "unassigned", "done"), "partial"),
        (("failed", "unassigned", "unassigned"), "failed"),
        (("unassigned", "overdue", "unassigned"), "failed"),
    ],
)
def test_it_ends_with_what_they_came_to_in_the_order_of_the_items(ends: tuple[str, ...], status: str) -> None:
    script = lots()
    children = [effect.conversation for effect in script.start() if isinstance(effect, Open)]
    for child, end, lot in reversed(list(zip(children, ends, LOTS, strict=True))):
        lines = (Award(lot.id, "ada", 5),) if end == "done" else ()
        script.outcome(child, Outcome(end, lines, (Report(end),), why="" if end == "done" else "a pity"))
    total = script.finished
    assert total is not None
    assert total.status == status
    assert [line.item for line in total.awards] == [
        lot.id for lot, end in zip(LOTS, ends, strict=True) if end == "done"
    ]
    assert [report.status for report in total.results] == list(ends)
    assert total.why.count("a pity") == 3 - ends.count("done")


def test_who_only_pays_does_not_make_it_partial() -> None:
    script = lots()
    children = [effect.conversation for effect in script.start() if isinstance(effect, Open)]
    charge = Award("urn", "bob", 5, quantity=0)
    for child, outcome in zip(
        children, (Outcome("unassigned", (charge,)), Outcome("failed"), Outcome("unassigned")), strict=True
    ):
        script.outcome(child, outcome)
    assert script.finished == Outcome("failed", (charge,))


@pytest.mark.parametrize("order", ["simultaneous", "sequential"])
def test_cancelled_what_runs_is_cancelled_and_nothing_more_is_opened(order: str) -> None:
    script = lots(order=order)
    children = [effect.conversation for effect in script.start() if isinstance(effect, Open)]
    assert script.cancel()[1:] == [CancelChild(child) for child in children]
    effects = [effect for child in children for effect in script.outcome(child, Outcome("cancelled"))]
    assert opened(effects) == []
    assert script.finished is not None
    assert script.finished.status == "cancelled"


@pytest.mark.parametrize("order", ["simultaneous", "sequential"])
def test_goods_and_work_are_sold_and_done_in_any_order(order: Any) -> None:
    items = (*LOTS, Task("job"), Lot("wood", wanted=True))
    costs = {"ada": {"job": 3}, "bob": {"job": 2}}
    values = {"ada": VALUES["ada"] | {"wood": 7}, "bob": VALUES["bob"] | {"wood": 8}}
    result = play(Vickrey(order=order), items, values, costs)
    assert {item: (line.winner, line.price) for item, line in result.allocation.items()} == {
        "urn": ("ada", 5),
        "vase": ("ada", 6),
        "clock": ("ada", 4),
        "job": ("bob", 3),
        "wood": ("ada", 8),
    }
    assert [record.status for record in result.records] == ["done"] * 5


def test_in_sequence_what_is_spent_on_one_is_not_there_for_the_next() -> None:
    result = play(FirstPrice(order="sequential"), LOTS, VALUES, money=12)
    assert [(line.item, line.winner, line.price) for line in result.allocation.lines] == [
        ("urn", "ada", 9),
        ("vase", "bob", 6),
        ("clock", "bob", 4),
    ]
    calls = [(at, message["item"]["id"]) for at, _, message in sent(result, CallForBids)]
    assert [name for _, name in calls] == ["urn", "vase", "clock"]
    assert all(before < after for (before, _), (after, _) in pairwise(calls))


def test_together_a_bid_that_is_still_open_binds_its_money() -> None:
    result = play(FirstPrice(), LOTS, VALUES, money=12)
    spent = {name: 12 - result.balances[name] for name in VALUES}
    assert all(0 <= amount <= 12 for amount in spent.values())
    assert result.overcommitments == 0
    assert {message["item"]["id"]: at for at, _, message in sent(result, CallForBids)} == dict.fromkeys(
        ("urn", "vase", "clock"), 0.0
    )
