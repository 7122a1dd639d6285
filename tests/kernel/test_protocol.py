"""Roles: which method handles which message, and that their state is plain data."""

import copy
import inspect
import pickle
from types import new_class
from typing import Any, TypeVar

import pytest
from msgspec import field

from walras.allocation import Outcome
from walras.effects import Effect, Finish, Ignore, Recorder, Send, SetTimer
from walras.messages import Message, Signed
from walras.protocol import Protocol, on, told

R = TypeVar("R", bound=Protocol)


class Ping(Message, frozen=True):
    n: int


class Pong(Message, frozen=True):
    n: int


class Loud(Ping, frozen=True):
    """A subclass of a message that is handled."""


class Hint(Message, frozen=True):
    text: str


class Counter(Protocol):
    """Answers a Ping by a Pong; remembers Pongs and hints."""

    heard: dict[str, int] = field(default_factory=dict)
    hints: list[str] = field(default_factory=list)
    limit: int = 3

    @on(Ping)
    def answer(self, sender: str, ping: Ping) -> None:
        self.heard[sender] = ping.n
        self.send(sender, Pong(ping.n))

    @on(Pong)
    def note(self, sender: str, pong: Pong) -> None:
        self.hints.append(f"{sender} {pong.n}")

    @told(Hint)
    def take_hint(self, conversation: str, hint: Hint) -> None:
        self.hints.append(f"{conversation}: {hint.text}")


class Overriding(Counter):
    """Overrides a method by its name: no decorator is needed again. Handles one type more."""

    def answer(self, sender: str, ping: Ping) -> None:
        self.send(sender, Pong(-ping.n))

    @on(Loud, Hint)
    def shout(self, sender: str, message: Message) -> None:
        self.send(sender, message)


class Redirecting(Counter):
    """Enters another method for a type that its base handles."""

    @on(Ping)
    def other(self, sender: str, ping: Ping) -> None:
        self.send(sender, Pong(0))


class Generic(Counter):
    """Overrides `on_message`: there is no table then."""

    def on_message(self, sender: str, message: Any) -> None:
        self.ignore(message, f"generic, from {sender}")


class Delegating(Counter):
    """Overrides `on_message`, and hands on to the table."""

    def on_message(self, sender: str, message: Any) -> None:
        self.set_timer("seen", 1.0)
        super().on_message(sender, message)


def seat(role: R) -> tuple[R, Recorder]:
    port = Recorder("me")
    port.seat(role)
    return role, port


def effects_of(role: Protocol, message: Message) -> list[Effect]:
    """What a runtime sees that dispatches by the table, which must be what `on_message` does."""
    role, port = seat(role)
    type(role).message_handlers[type(message)](role, "ada", message)
    by_table = port.take()
    role.on_message("ada", message)
    assert port.take() == by_table
    return by_table


@pytest.mark.parametrize(
    ("role", "message", "effects"),
    [
        (Counter(), Ping(1), [Send("ada", Pong(1))]),
        (Counter(), Loud(1), [Ignore(Loud(1), "unexpected")]),
        (Counter(), Hint("x"), [Ignore(Hint("x"), "unexpected")]),
        (Overriding(), Ping(1), [Send("ada", Pong(-1))]),
        (Overriding(), Loud(1), [Send("ada", Loud(1))]),
        (Overriding(), Hint("x"), [Send("ada", Hint("x"))]),
        (Redirecting(), Ping(1), [Send("ada", Pong(0))]),
        (Generic(), Ping(1), [Ignore(Ping(1), "generic, from ada")]),
        (Delegating(), Ping(1), [SetTimer("seen", 1.0), Send("ada", Pong(1))]),
    ],
)
def test_a_message_goes_to_the_method_of_its_very_type(
    role: Protocol, message: Message, effects: list[Effect]
) -> None:
    assert effects_of(role, message) == effects


def test_a_tell_has_a_table_of_its_own() -> None:
    role, port = seat(Counter())
    role.on_told("router/1", Hint("hurry"))
    role.on_told("router/1", Ping(1))
    assert role.hints == ["router/1: hurry"]
    assert port.effects == [Ignore(Ping(1), "unexpected")]


def test_tables_are_made_once_per_class_and_do_not_leak_into_each_other() -> None:
    assert Overriding.message_handlers is not Counter.message_handlers
    assert Loud not in Counter.message_handlers or Counter.message_handlers[Loud] is not Overriding.shout
    assert Counter.message_handlers[Ping] is Counter.answer
    assert Overriding.message_handlers[Pong] is Counter.note


def test_what_a_role_does_not_override_does_nothing_or_says_why() -> None:
    role, port = seat(Counter())
    role.on_start()
    role.on_timer("x")
    role.on_decision("x", None)
    role.on_recover(())
    role.check()
    assert port.take() == []
    role.on_late("ada", Ping(1))
    role.on_cancel()
    assert port.take() == [Ignore(Ping(1), "after the end"), Finish(Outcome("cancelled"))]


def test_the_port_is_no_state() -> None:
    role, _ = seat(Counter(heard={"ada": 1}))
    assert role.me == "me"
    for twin in (copy.copy(role), copy.deepcopy(role), pickle.loads(pickle.dumps(role))):
        assert twin == role
        with pytest.raises(AttributeError, match="_port"):
            _ = twin.me
    assert role == Counter(heard={"ada": 1})
    assert "_port" not in repr(role)


def test_a_deep_copy_or_pickle_goes_its_own_way() -> None:
    role, _ = seat(Counter())
    role.on_message("ada", Ping(1))
    for twin in (copy.deepcopy(role), pickle.loads(pickle.dumps(role))):
        seat(twin)
        twin.on_message("bob", Ping(2))
        assert (role.heard, twin.heard) == ({"ada": 1}, {"ada": 1, "bob": 2})
        assert twin != role


def test_roles_do_not_share_their_state() -> None:
    one, _ = seat(Counter())
    one.on_message("ada", Ping(1))
    assert Counter().heard == {}


def test_a_pickled_role_takes_up_where_it_was() -> None:
    """Fed the same inputs, a role and its pickle have the same state and the same effects."""
    role, port = seat(Counter())
    for k in range(5):
        twin, other = seat(pickle.loads(pickle.dumps(role)))
        for each in (role, twin):
            each.on_message("ada", Ping(k))
            each.on_message("bob", Pong(k))
        assert port.take() == other.take()
        assert twin == role


def test_a_role_prints_its_state_and_bounds_what_is_long() -> None:
    assert repr(Counter(heard={"ada": 1}, hints=["x"])) == "Counter(heard={'ada': 1}, hints=['x'], limit=3)"
    long = Counter(heard={f"agent-{k}": k for k in range(1000)}, hints=["y" * 1000] * 1000)
    assert len(repr(long)) < 1200


def test_a_role_sees_what_its_port_knows() -> None:
    role, port = seat(Counter())
    port.now, port.finish_by, port.incarnation = 3.0, 9.0, 2
    assert (role.me, role.conversation, role.now) == ("me", "test/1", 3.0)
    assert (role.finish_by, role.incarnation, role.rng) == (9.0, 2, port.rng)
    with pytest.raises(AttributeError):
        role.now = 4.0  # type: ignore[misc]


@pytest.mark.parametrize("name", ["now", "rng", "finish_by", "send", "stop", "on_timer", "check"])
def test_a_field_does_not_hide_what_every_role_has(name: str) -> None:
    body = {"__annotations__": {name: float}, name: 0.0, "__module__": __name__}
    with pytest.raises(TypeError, match=f"Hides has a field '{name}'; expected another name"):
        new_class("Hides", (Protocol,), exec_body=lambda namespace: namespace.update(body))


def test_two_handlers_of_one_message_are_one_too_many() -> None:
    with pytest.raises(TypeError, match="Twice handles Ping twice: one, other"):

        class Twice(Protocol):
            @on(Ping)
            def one(self, sender: str, message: Ping) -> None: ...

            @on(Pong, Ping)
            def other(self, sender: str, message: Message) -> None: ...


def test_every_verb_of_a_role_is_one_of_its_port() -> None:
    verbs = {
        name
        for name, method in vars(Protocol).items()
        if inspect.isfunction(method) and not name.startswith(("_", "on_")) and name != "check"
    }
    port = {name for name, method in vars(Recorder).items() if inspect.isfunction(method) and name[0] != "_"}
    assert verbs == port - {"seat", "take"}


def test_a_signature_is_a_quotation() -> None:
    role, _ = seat(Counter())
    assert role.sign(Ping(1)) == Signed("me", Ping(1), b"signed by me")
