"""A participant of a replicated opener: whatever the copies say, its own role sees one opener."""

import pytest

from consensus.correspondent import Correspondent
from consensus.inputs import FromOpener, Heard, ToOpener
from consensus.replicated import Replicated
from tests.consensus.test_replicated import MACHINES, NET, Caller, Ping, Pong
from walras.effects import Broadcast, Effect, Finish, Ignore, Recorder, Send


@pytest.fixture
def seated() -> tuple[Correspondent, Recorder]:
    """Ann's, after r1 has invited her: she calls three times at once."""
    role, port = Correspondent(Replicated(NET, MACHINES), "house", Caller("house"), "r1"), Recorder("ann")
    port.seat(role)
    role.on_start()
    role.on_message("r1", FromOpener(2, 1, Ping(0)))
    return role, port


def sent(effects: list[Effect]) -> list[tuple[str, int]]:
    return [
        (e.to, e.message.number) for e in effects if isinstance(e, Send) and isinstance(e.message, ToOpener)
    ]


def test_doubles_are_dropped_whoever_says_them(seated: tuple[Correspondent, Recorder]) -> None:
    role, port = seated
    assert sent(port.take()) == [("r1", 1), ("r1", 2), ("r1", 3)]
    for sender in ("r1", "r2"):
        role.on_message(sender, FromOpener(2, 1, Ping(0)))
    effects = port.take()
    assert [effect.why for effect in effects if isinstance(effect, Ignore)] == ["a double"] * 2
    assert not sent(effects)


def test_it_answers_the_copy_that_spoke_last(seated: tuple[Correspondent, Recorder]) -> None:
    role, port = seated
    port.take()
    role.on_message("r3", FromOpener(4, 1, Pong(1)))
    role.on_timer(("inner", "call"))
    assert sent(port.take()) == [("r3", 4)]


def test_what_is_not_heard_is_said_again_to_all(seated: tuple[Correspondent, Recorder]) -> None:
    role, port = seated
    port.take()
    role.on_message("r1", Heard(2))
    role.on_message("ben", Heard(3))
    role.on_timer("again")
    said = [effect for effect in port.take() if isinstance(effect, Broadcast)]
    assert [(effect.to, effect.message) for effect in said] == [
        (MACHINES, ToOpener(1, Ping(1))),
        (MACHINES, ToOpener(3, Ping(3))),
    ], "a participant cannot hear for the log"


def test_nobody_else_speaks_for_the_opener(seated: tuple[Correspondent, Recorder]) -> None:
    role, port = seated
    port.take()
    role.on_message("ben", FromOpener(3, 1, Pong(1)))
    assert [type(effect) for effect in port.take()] == [Ignore]
    assert role.speaker == "r1" and role.inner.heard == []  # type: ignore[attr-defined]


def test_it_ends_when_all_that_it_has_said_is_heard(seated: tuple[Correspondent, Recorder]) -> None:
    role, port = seated
    for number in range(1, 13):
        role.on_message("r1", FromOpener(4, number, Pong(number)))
    assert not [effect for effect in port.take() if isinstance(effect, Finish)]
    for number in (1, 2, 3):
        role.on_message("r1", Heard(number))
    assert len([effect for effect in port.take() if isinstance(effect, Finish)]) == 1
