"""The recording port: every verb is one effect, in the order of the calls."""

import msgspec
import pytest

from walras.allocation import Award, Outcome
from walras.effects import (
    Broadcast,
    CancelChild,
    CancelTimer,
    Checkpoint,
    Decide,
    Effect,
    Finish,
    Ignore,
    MakeAward,
    Open,
    Perform,
    Persist,
    Publish,
    Recorder,
    Send,
    SetTimer,
    Settle,
    Stop,
    Tell,
    Withdraw,
)
from walras.items import Lot, Task
from walras.mechanism import Mechanism
from walras.messages import Fact, Message
from walras.protocol import Protocol
from walras.questions import Question
from walras.randomness import stream


class Note(Message, frozen=True):
    text: str


class Seen(Fact, frozen=True):
    text: str


class Talkative(Protocol):
    """Says everything that a role can say, once."""

    child: str = ""

    def on_start(self) -> None:
        self.send("ada", Note("1"))
        self.broadcast((name for name in ("ada", "bob")), Note("2"))
        self.tell("other/1", Note("3"))
        self.ignore(Note("4"), "why not")
        self.set_timer(("reply", 1), 5.0)
        self.cancel_timer("other")
        self.decide("bid", Question(decide_by=1.0))
        self.withdraw("bid")
        self.perform("t/1", Task("t"))
        self.stop("t/1")
        self.child = self.open(Mechanism(), [Lot("l")], ["bob"], finish_by=9.0)
        self.cancel(self.child)
        self.award(Award("l", "bob", 2.0))
        self.settle("l", 2.0)
        self.settle("l", 2.0, "bob", penalty=1.0)
        self.publish(Seen("5"))
        self.persist("record")
        self.checkpoint(("records",))
        self.finish(Outcome("done"))


EFFECTS: list[Effect] = [
    Send("ada", Note("1")),
    Broadcast(("ada", "bob"), Note("2")),
    Tell("other/1", Note("3")),
    Ignore(Note("4"), "why not"),
    SetTimer(("reply", 1), 5.0),
    CancelTimer("other"),
    Decide("bid", Question(decide_by=1.0)),
    Withdraw("bid"),
    Perform("t/1", Task("t")),
    Stop("t/1"),
    Open("test/1/me/1", Mechanism(), (Lot("l"),), ("bob",), 9.0),
    CancelChild("test/1/me/1"),
    MakeAward(Award("l", "bob", 2.0)),
    Settle("l", 2.0),
    Settle("l", 2.0, "bob", 1.0),
    Publish(Seen("5")),
    Persist("record"),
    Checkpoint(("records",)),
    Finish(Outcome("done")),
]


def test_every_verb_is_recorded_in_the_order_of_the_calls() -> None:
    role, port = Talkative(), Recorder("me")
    port.seat(role)
    role.on_start()
    assert port.effects == EFFECTS


def test_what_was_recorded_can_be_carried_out() -> None:
    port = Recorder("me")
    for effect in EFFECTS:
        effect.carry_out(port)
    assert port.effects == EFFECTS


def test_there_is_no_effect_that_this_test_does_not_know() -> None:
    ours = {kind for kind in Effect.__subclasses__() if kind.__module__ == Effect.__module__}
    assert {type(effect) for effect in EFFECTS} == ours


def test_taking_effects_empties_the_record() -> None:
    port = Recorder("me")
    port.send("ada", Note("x"))
    assert port.take() == [Send("ada", Note("x"))]
    assert port.take() == []


def test_children_are_numbered_by_their_parents_own_opens() -> None:
    port = Recorder("me", "router/7")
    opened = [port.open(Mechanism(), [], [], 1.0) for _ in range(2)]
    assert opened == ["router/7/me/1", "router/7/me/2"]


def test_what_was_recorded_cannot_change() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        EFFECTS[0].to = "bob"  # type: ignore[attr-defined]


def test_two_ports_of_the_same_name_throw_the_same_dice() -> None:
    assert Recorder("me").rng.random() == Recorder("me").rng.random()
    assert Recorder("me").rng.random() == stream(0, "role", "test/1", "me").random()
    first = Recorder("me").rng.random()
    others = [Recorder("you"), Recorder("me", "test/2"), Recorder("me", seed=1)]
    assert all(port.rng.random() != first for port in others)


def test_effects_are_structs_that_print_themselves() -> None:
    assert all(isinstance(effect, msgspec.Struct) for effect in EFFECTS)
    assert repr(Send("ada", Note("x"))) == "Send(to='ada', message=Note(text='x'))"
