"""A key-value store as a replicated state machine: strings, to put, append to, compare and set, and get."""

import msgspec

from consensus.raft.errors import CommandRefusedError
from consensus.raft.machine import Data, Question, Result
from consensus.raft.records import Command
from walras.errors import LocalProtocolError


class Put(Command, frozen=True):
    """Set a key's value."""

    key: str
    value: str


class Append(Command, frozen=True):
    """Add to the end of a key's value; a missing one is the empty string."""

    key: str
    value: str


class CompareAndSet(Command, frozen=True):
    """Set a key's value if it is the expected one; the result says whether it was."""

    key: str
    expected: str
    value: str


class Get(Question, frozen=True):
    """A key's value, the empty string if it is missing."""

    key: str


class Table(Command, frozen=True):
    """All keys and values, in the order of their first use."""

    rows: tuple[tuple[str, str], ...] = ()


class KeyValueStore(msgspec.Struct):
    """Strings by name. `Get` works as a question, which costs no log entry, and as a command."""

    values: dict[str, str] = {}

    def apply(self, index: int, command: Data) -> Result:
        match command:
            case Put(key, value):
                self.values[key] = value
                return None
            case Append(key, value):
                self.values[key] = self.values.get(key, "") + value
                return None
            case CompareAndSet(key, expected, value):
                held = self.values.get(key, "") == expected
                if held:
                    self.values[key] = value
                return held
        return self.query(command)

    def query(self, question: Data) -> Result:
        if not isinstance(question, Get):
            raise CommandRefusedError(f"a key-value store does not know {question!r}")
        return self.values.get(question.key, "")

    def snapshot(self) -> Table:
        return Table(tuple(self.values.items()))

    def restore(self, data: Data) -> None:
        self.values = dict(data.rows) if isinstance(data, Table) else {}


def described(operation: Data) -> tuple[str, str, str | None]:
    """An operation in the words of `consensus.linearizability.KEY_VALUE`: what is called, on which key, with which value."""
    match operation:
        case Put(key, value):
            return "put", key, value
        case Append(key, value):
            return "append", key, value
        case Get(key):
            return "get", key, None
    raise LocalProtocolError(f"the model of a key-value history does not know {operation!r}")
