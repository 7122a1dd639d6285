"""Roles behind an approval gate: what is held has not happened to them, and what follows a no is as if it never had."""

from typing import Any

import pytest

from tests.live.test_approval import LOT, lived, said, says
from walras.allocation import Award, Outcome
from walras.items import Item, Lot
from walras.live.approval import Approved
from walras.live.approval_rules import Approval, Gate, No, Yes
from walras.mechanism import Mechanism
from walras.protocol import Protocol


class Stubborn(Protocol):
    """Awards one lot after the other, a second apart, and goes on when it is called off."""

    items: tuple[Item, ...]
    next: int = 0

    def on_start(self) -> None:
        self.on_timer("next")

    def on_timer(self, name: Any) -> None:
        self.award(Award(self.items[self.next].id, "bob", 5.0 * (self.next + 1)))
        self.next += 1
        self.set_timer("next", self.now + 1.0)

    def on_cancel(self) -> None:
        self.set_timer("next", self.now + 1.0)


class StubbornSale(Mechanism, frozen=True):
    protocol = "x-stubborn"

    def opener(self, me: str, items: tuple[Item, ...], participants: tuple[str, ...]) -> Protocol:
        return Stubborn(items)

    def join(self, me: str, invitation: Any) -> Protocol | None:
        return None


def test_who_goes_on_awarding_after_a_no_is_stopped_and_what_was_awarded_before_stands() -> None:
    lots = tuple(Lot(f"l{k}") for k in range(4))
    result = lived(Approved(StubbornSale(), Gate(("ann",), award_above=7.0)), {"ann": says(No(), 3.0)}, lots)
    assert (result.outcomes["house/1"].status, sorted(result.allocation)) == ("refused", ["l0"])
    assert result.agent("house").earned == 5.0
    assert len(said(result)) == 1


class Gambler(Protocol):
    """Draws a number, and tells it when it is called off."""

    items: tuple[Item, ...]
    drawn: float = 0.0

    def on_start(self) -> None:
        self.drawn = self.rng.random()
        self.set_timer("go", self.now + 1.0)

    def on_timer(self, name: Any) -> None:
        self.award(Award(self.items[0].id, "bob", 10.0 + self.drawn))

    def on_cancel(self) -> None:
        self.finish(Outcome("cancelled", (Award(self.items[0].id, None, self.drawn),)))


class GamblersSale(StubbornSale, frozen=True):
    def opener(self, me: str, items: tuple[Item, ...], participants: tuple[str, ...]) -> Protocol:
        return Gambler(items)


def test_after_a_no_the_role_inside_has_the_luck_that_it_had() -> None:
    seen: list[Approval] = []
    gated = Approved(GamblersSale(), Gate(("ann",), award_above=7.0))
    outcome = lived(gated, {"ann": says(No(), seen=seen)}, (LOT,)).outcomes["house/1"]
    assert outcome.status == "refused"
    assert outcome.awards[0].price == pytest.approx(seen[0].case.acts[0].price - 10.0)


class Fickle(Protocol):
    """Calls a timer off in the moment of its award; it is due while that is pondered."""

    items: tuple[Item, ...]
    fired: int = 0

    def on_start(self) -> None:
        self.set_timer("go", 1.0)
        self.set_timer("off", 2.0)
        self.set_timer("on", 3.0)

    def on_timer(self, name: Any) -> None:
        assert name != "off", "it was called off"
        self.fired += 1
        if name == "go":
            self.award(Award(self.items[0].id, "bob", 10.0))
            self.cancel_timer("off")
        else:
            self.finish(Outcome("done", why=f"{self.fired} timers"))


class FickleSale(StubbornSale, frozen=True):
    def opener(self, me: str, items: tuple[Item, ...], participants: tuple[str, ...]) -> Protocol:
        return Fickle(items)


@pytest.mark.parametrize("takes_s", [0.0, 0.5, 5.0])
def test_what_has_waited_for_a_verdict_is_handed_on_unless_it_was_called_off_meanwhile(
    takes_s: float,
) -> None:
    gated = Approved(FickleSale(), Gate(("ann",), award_above=7.0))
    outcome = lived(gated, {"ann": says(Yes(), takes_s)}, (LOT,)).outcomes["house/1"]
    assert (outcome.status, outcome.why) == ("done", "2 timers")
