"""What a replicated log drives: a state machine, or (`Journal`) listeners that are the state machine themselves."""

from typing import Protocol

import msgspec

from consensus.raft.errors import CommandRefusedError
from consensus.raft.records import Command
from walras.errors import ScenarioError

Data = str | Command
"""A command, or the state of a machine: anything that a log and a snapshot can carry."""

Result = str | int | bool | None | Command
"""What a command comes to, and what a question is answered by."""


class Timed(Command, frozen=True):
    """A command that takes the time with it: `at` is set to the leader's `now` when it enters the log.

    Leaders' clocks differ, so whoever goes by it takes the greatest one so far.
    """

    at: float = 0.0


class Question(Command, frozen=True):
    """What a machine answers without changing: a client need not put it into the log, though it may."""


class Refused(Command, frozen=True):
    """A result: the machine has not carried out a command, or answered a question, and says why."""

    why: str


class StateMachine(Protocol):
    """Deterministic: the same commands in the same order give the same results and the same state, at every replica.

    It is part of a role's state, so it is data: a struct, without clock, dice or iteration over sets. Anybody may propose
    anything, and what is committed comes again after every crash: what it does not know it refuses by a
    `CommandRefusedError`, at every replica alike. Any other error is a bug of the machine, and stops the replica.
    """

    def apply(self, index: int, command: Data) -> Result:
        """Carry out a committed command, once per index, in the order of the log; raises `CommandRefusedError`."""

    def query(self, question: Data) -> Result:
        """Answer from the present state, and leave it as it is; raises `CommandRefusedError`."""

    def snapshot(self) -> Data:
        """The whole state as an immutable value."""

    def restore(self, data: Data) -> None:
        """Become what `snapshot` described."""


def check_machine(machine: object) -> None:
    """Raise a `ScenarioError` for what is no `StateMachine`."""
    for name in ("apply", "query", "snapshot", "restore"):
        if isinstance(machine, type) or not callable(getattr(machine, name, None)):
            raise ScenarioError("machine", machine, f"a state machine: it needs a method {name}")


def carried_out(machine: StateMachine, index: int, command: Data) -> Result:
    """What a committed command comes to, `Refused` included."""
    try:
        return machine.apply(index, command)
    except CommandRefusedError as error:
        return Refused(str(error))


def answered(machine: StateMachine, question: Data) -> Result:
    """What a question comes to, `Refused` included."""
    try:
        return machine.query(question)
    except CommandRefusedError as error:
        return Refused(str(error))


class Kept(Command, frozen=True):
    """What a journal holds: a listener's state after `index`, and the commands since, each with its index."""

    index: int = 0
    data: Data = ""
    commands: tuple[tuple[int, Data], ...] = ()


class Journal(msgspec.Struct):
    """The machine of a log whose listeners are the state machine: it keeps what they would have to be told again.

    That is every command, unless a listener says (`Compact`) that it knows a shorter way to tell the first ones.
    """

    index: int = 0
    data: Data = ""
    commands: list[tuple[int, Data]] = []

    def apply(self, index: int, command: Data) -> Result:
        self.commands.append((index, command))
        return None

    def query(self, question: Data) -> Result:
        return len(self.commands)

    def snapshot(self) -> Kept:
        return Kept(self.index, self.data, tuple(self.commands))

    def restore(self, data: Data) -> None:
        kept = data if isinstance(data, Kept) else Kept()
        self.index, self.data, self.commands = kept.index, kept.data, list(kept.commands)

    def compact(self, index: int, data: Data) -> None:
        """A listener's state stands for all commands up to an index; older news is no news."""
        if index > self.index:
            self.index, self.data = index, data
            self.commands = [(at, command) for at, command in self.commands if at > index]
