"""Posted prices: one bidder after the other, in an order that is drawn, at a price that nobody competes for."""

from math import inf, nan
from typing import Any

import pytest

from auctions import Bid, ClockPrice, Closed, Pass, PostedPrice, PriceOffered, Rejected, truthful
from tests.auctions.worlds import HOUSE, play, sent
from walras import Agent, Award, Lot, ScenarioError, Task
from walras.effects import Ignore, MakeAward, Send
from walras.testing import Script, check_mechanism

VALUES = {"ada": {"vase": 12}, "bob": {"vase": 9}, "cyd": {"vase": 5}}
COSTS = {"ada": {"job": 3}, "bob": {"job": 5}, "cyd": {"job": 8}}


def test_it_goes_to_the_first_in_a_drawn_order_whom_it_is_worth_the_price() -> None:
    winners = set()
    for seed in range(12):
        result = play(PostedPrice(8), [Lot("vase")], VALUES, seed=seed)
        winner = result.allocation["vase"].winner
        asked = [row.details["to"] for row in result.trace if is_call(row)]
        assert result.allocation["vase"].price == 8
        assert asked[-1] == winner
        assert set(asked[:-1]) <= {"cyd"}
        winners.add(winner)
    assert winners == {"ada", "bob"}


def is_call(row: Any) -> bool:
    return bool(row.kind == "message" and row.details["message"]["type"] == "ClockPrice")


def test_a_task_is_done_by_the_first_whose_cost_is_covered_at_the_reserve_or_the_price() -> None:
    for mechanism, able in ((PostedPrice(), {"ada", "bob"}), (PostedPrice(4), {"ada"})):
        for seed in range(4):
            result = play(mechanism, [Task("job", reserve=6)], costs=COSTS, seed=seed)
            (record,) = result.records
            assert record.status == "done"
            assert record.winner in able
            assert record.paid == (4 if mechanism.price else 6)


def test_several_units_are_sold_until_there_are_no_more() -> None:
    result = play(PostedPrice(5), [Lot("vase", quantity=2)], VALUES)
    assert [(line.price, line.quantity) for line in result.allocation.lines] == [(5, 1), (5, 1)]
    result = play(PostedPrice(10), [Lot("vase", quantity=2)], VALUES)
    assert result.allocation.lines == (Award("vase", "ada", 10),)
    assert result.outcomes[f"{HOUSE}/1"].status == "partial"


@pytest.mark.parametrize("item", [Lot("vase", reserve=8), Lot("vase", reserve=3, wanted=True)])
def test_a_price_that_the_reserve_forbids_sells_nothing(item: Lot) -> None:
    result = play(PostedPrice(5), [item], VALUES)
    assert result.outcomes[f"{HOUSE}/1"].status == "unassigned"
    assert sent(result, ClockPrice) == []


def setter(item: Any = Lot("vase"), price: float = 8, **settings: Any) -> tuple[Script, list[str]]:  # noqa: B008
    """One that has asked the first of three, and their order."""
    script = Script(
        PostedPrice(price, **settings).opener(HOUSE, (item,), ("ada", "bob", "cyd")), me=HOUSE, finish_by=60.0
    )
    script.start()
    return script, [script.role.asked, *script.role.queue]


def test_who_is_silent_is_passed_over_and_rejected_when_late() -> None:
    script, (first, second, _) = setter()
    call = script.timer("reply")[-1]
    assert call == Send(second, ClockPrice(Lot("vase"), 8, 2, 4.0, 3, 1))
    late = Bid("vase", 8, round=1)
    assert script.hear(first, late) == [Ignore(late, "late"), Send(first, Rejected("vase", "late", 1))]
    assert MakeAward(Award("vase", second, 8)) in script.hear(second, Bid("vase", 8, round=2))
    double = Bid("vase", 8, round=2)
    result = Closed("vase", (Award("vase", second, 8),))
    assert script.hear(second, double) == [Ignore(double, "too late, or a double"), Send(second, result)]


def test_who_answers_a_shop_that_stood_still_after_the_deadline_is_late() -> None:
    script, (first, second, _) = setter()
    script.port.now = 2.01
    late = Bid("vase", 8, round=1)
    assert script.hear(first, late) == [Ignore(late, "late"), Send(first, Rejected("vase", "late", 1))]
    assert [effect.to for effect in script.timer("reply") if isinstance(effect, Send)] == [second]


def test_another_price_or_another_lot_is_not_taken() -> None:
    script, (first, _, _) = setter()
    for bid, reason in ((Bid("vase", 7, round=1), "too-low"), (Bid("urn", 8, round=1), "unknown-item")):
        assert script.hear(first, bid) == [Ignore(bid, reason), Send(first, Rejected("vase", reason, 1))]  # type: ignore[arg-type]
    assert script.hear("eve", Bid("vase", 8, round=1)) == [Ignore(Bid("vase", 8, round=1), "late")]
    assert script.hear(first, Bid("vase", 8, round=2))[0] == Ignore(Bid("vase", 8, round=2), "late")
    assert MakeAward(Award("vase", first, 8)) in script.hear(first, Bid("vase", 8, round=1))


def test_who_takes_more_than_there_is_left_gets_what_is_left() -> None:
    script, (first, second, _) = setter(Lot("vase", quantity=3))
    assert MakeAward(Award("vase", first, 16, 2)) in script.hear(first, Bid("vase", 8, 2, round=1))
    assert MakeAward(Award("vase", second, 8, 1)) in script.hear(second, Bid("vase", 8, 2, round=2))
    assert script.finished is not None and script.finished.status == "done"


def test_when_all_have_passed_it_is_over() -> None:
    script, order = setter()
    for round_, bidder in enumerate(order, start=1):
        effects = script.hear(bidder, Pass("vase", round=round_))
    assert Closed("vase") in [getattr(effect, "message", None) for effect in effects]
    assert script.finished is not None
    assert script.finished.status == "unassigned"


def test_the_truthful_take_what_is_worth_its_price_to_them_and_what_they_can_pay() -> None:
    def asked(item: Any, price: float, agent: Agent) -> Any:
        return truthful(PriceOffered(item=item, auctioneer=HOUSE, price=price, decide_by=1.0), agent)

    ada = Agent("ada", values={"vase": 12}, costs={"job": 3}, money=10)
    assert asked(Lot("vase"), 10, ada) == Bid("vase", 10)
    assert asked(Lot("vase"), 11, ada) == Pass("vase", "no-interest")  # it has 10
    assert asked(Lot("vase"), 13, Agent("bob", values={"vase": 12})) == Pass("vase", "no-interest")
    assert asked(Task("job"), 3, ada) == Bid("job", 3)
    assert asked(Task("job"), 2, ada) == Pass("job", "no-interest")
    question = PriceOffered(item=Lot("vase"), auctioneer=HOUSE, price=8, decide_by=1.0)
    assert not question.accepts(Bid("vase", 7))


@pytest.mark.parametrize("price", [-1, nan, inf, "8", True])
def test_a_price_is_a_plain_number(price: Any) -> None:
    with pytest.raises(ScenarioError, match=r"^price is "):
        PostedPrice(price)


def test_without_a_price_there_has_to_be_a_reserve() -> None:
    with pytest.raises(ScenarioError, match="price is None; expected a number, or a finite reserve of vase"):
        PostedPrice().opener(HOUSE, (Lot("vase"),), ("ada",))
    with pytest.raises(ScenarioError, match="margin_s"):
        PostedPrice(3, reply_within_s=0.1)


@pytest.mark.parametrize("item", [Lot("vase", quantity=2), Task("job", copies=2)])
def test_it_keeps_what_every_mechanism_promises(item: Any) -> None:
    people = [Agent(HOUSE, capacity=0, money=100.0)]
    people += [Agent(name, values=VALUES[name], costs=COSTS[name], money=20.0) for name in VALUES]
    report = check_mechanism(PostedPrice(5), people, [item], kills=12)
    assert report.endings["calm"] == {"done": 3}
