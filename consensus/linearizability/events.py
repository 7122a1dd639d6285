"""Histories as values: events as they are recorded, and the operations that they tell of."""

from collections.abc import Hashable, Iterable
from typing import Any, Literal

import msgspec

from walras.errors import WalrasError

Completion = Literal["ok", "fail", "info"]
"""How an operation ended: it took effect; it did not; nobody knows, and it may still do so at any later time."""

MAX_DEPTH = 50
"""How deep lists and objects within a value may be nested."""


class HistoryError(WalrasError):
    """What was given is not a history, or not one that this model can judge; says where and why."""


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a history: a call (``invoke``) or how it ended (``ok``, ``fail``, ``info``).

    Attributes:
        process: who calls; a process has one open operation at a time, and none after an ``info`` returns any more.
        type: see `Completion`.
        f: what is called, in the words of the model: ``read``, ``write``, ``cas``; ``get``, ``put``, ``append``; ``award``.
        key: which of several independent objects; None where there is only one.
        value: of an ``invoke`` the argument (of ``cas`` the pair of expected and new value), of an ``ok`` the result.
        time: seconds, for people; the order of the events is the order in which they stand.
    """

    process: int | str
    type: Literal["invoke", "ok", "fail", "info"]
    f: str
    key: str | int | None = None
    value: Any = None
    time: float | None = None


class Operation(msgspec.Struct, frozen=True):
    """A call and its return, by their places in the history (the first event is 1).

    `returned` is None where the end is unknown: the operation may take effect at any time after its call, or never.
    `result` is None unless `completion` is ``ok``.
    """

    process: int | str
    f: str
    argument: Hashable
    called: int
    returned: int | None = None
    completion: Completion = "info"
    result: Hashable = None
    key: str | int | None = None

    def __str__(self) -> str:
        """On one line: ``process 3: cas (1, 2) failed, called at 7, returned at 12``."""
        said = self.f if self.argument is None else f"{self.f} {shown(self.argument)}"
        if self.returned is None:
            return f"process {self.process}: {said}, called at {self.called}, end unknown"
        if self.completion == "fail":
            said += " failed"
        elif self.argument is None or self.result not in (None, self.argument):
            said += f" gave {shown(self.result)}"
        return f"process {self.process}: {said}, called at {self.called}, returned at {self.returned}"


def shown(value: object) -> str:
    """A value on a line of text: of a long one its start and, since histories grow at the end, more of its end."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:20]} ... {text[-70:]}"


def operations_of(events: Iterable[Event]) -> list[Operation]:
    """The operations of a history, in the order of their calls.

    What was called and never returned, and what ended in ``info``, has no return.

    Raises:
        HistoryError: if a process calls while its last call is open or returns without a call, if a return names
            another function or key than its call, or if time goes back.
    """
    found: list[Operation] = []
    open_calls: dict[int | str, int] = {}
    clock: float | None = None
    for place, event in enumerate(events, start=1):
        if event.time is not None:
            if clock is not None and event.time < clock:
                raise HistoryError(
                    f"event {place} is at {event.time} s, before one that stands above it, at {clock} s"
                )
            clock = event.time
        if event.type != "invoke":
            _complete(found, open_calls.pop(event.process, None), event, place)
        elif event.process in open_calls:
            raise HistoryError(
                f"event {place}: process {event.process} calls {event.f} before its last call has returned"
            )
        else:
            open_calls[event.process] = len(found)
            found.append(Operation(event.process, event.f, _frozen(event.value), place, key=event.key))
    return found


def _complete(found: list[Operation], which: int | None, event: Event, place: int) -> None:
    if which is None:
        raise HistoryError(
            f"event {place}: process {event.process} returns from {event.f}, which it has not called"
        )
    call = found[which]
    if event.f != call.f or event.key not in (None, call.key):
        raise HistoryError(
            f"event {place}: process {event.process} returns from another operation than it called"
        )
    if event.type == "ok":
        result = _frozen(event.value)
        found[which] = msgspec.structs.replace(call, returned=place, completion="ok", result=result)
    elif event.type == "fail":
        found[which] = msgspec.structs.replace(call, returned=place, completion="fail")


def _frozen(value: Any, depth: int = 0) -> Hashable:
    """A value that can be a state, compared and kept: lists as tuples, objects as sorted pairs."""
    if depth > MAX_DEPTH:
        raise HistoryError(f"a value is nested more than {MAX_DEPTH} deep")
    if isinstance(value, list | tuple):
        return tuple(_frozen(item, depth + 1) for item in value)
    if isinstance(value, dict):
        return tuple(sorted((key, _frozen(item, depth + 1)) for key, item in value.items()))
    if not isinstance(value, Hashable):
        raise HistoryError(f"a value of type {type(value).__name__} cannot be compared and kept")
    return value


class Recorder:
    """Takes down what clients do, for example those of a simulation, whose handlers know the time.

    >>> history = Recorder()
    >>> history.invoke("ada", "write", 3, time=0.5)
    >>> history.ok("ada", 3, time=0.7)
    >>> [event.type for event in history.events]
    ['invoke', 'ok']
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._open: dict[int | str, Event] = {}

    def invoke(
        self,
        process: int | str,
        f: str,
        value: Any = None,
        *,
        key: str | int | None = None,
        time: float | None = None,
    ) -> None:
        """A process calls; one that has ended in `info` is expected to go on under a new name."""
        if process in self._open:
            raise HistoryError(f"process {process} calls {f} before its last call has returned")
        self._open[process] = event = Event(process, "invoke", f, key, value, time)
        self.events.append(event)

    def ok(self, process: int | str, value: Any = None, *, time: float | None = None) -> None:
        """The process's open call returned this value."""
        self._end(process, "ok", value, time)

    def fail(self, process: int | str, *, time: float | None = None) -> None:
        """The open call is known not to have taken effect."""
        self._end(process, "fail", self._open[process].value if process in self._open else None, time)

    def info(self, process: int | str, *, time: float | None = None) -> None:
        """Nobody knows what became of the open call."""
        self._end(process, "info", None, time)

    def _end(self, process: int | str, completion: Completion, value: Any, time: float | None) -> None:
        call = self._open.pop(process, None)
        if call is None:
            raise HistoryError(f"process {process} returns, and has not called")
        self.events.append(Event(process, completion, call.f, call.key, value, time))
