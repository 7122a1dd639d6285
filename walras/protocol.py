"""The heart: a role's running state machine. The world calls its methods, it calls verbs.

A protocol does no I/O, reads no clock and throws no dice of its own, so the same class runs in the simulator, live, in
a test with a recording port, and replayed after a crash. What every runtime promises to it is in ``docs/contract.md``.
"""

import inspect
import typing
from collections.abc import Callable, Hashable, Iterable
from random import Random
from reprlib import Repr
from types import FunctionType
from typing import Any, ClassVar, TypeVar

import msgspec

from walras.allocation import Award, Outcome, Report
from walras.items import Item, Task
from walras.messages import AgentId, ConversationId, Fact, Message, Signed
from walras.questions import Question

if typing.TYPE_CHECKING:
    from walras.mechanism import Mechanism

Handler = Callable[[Any, str, Any], None]
F = TypeVar("F", bound=Callable[..., None])
B = TypeVar("B")

_shortener = Repr()
_shortener.maxlevel, _shortener.maxdict, _shortener.maxlist, _shortener.maxtuple = 4, 8, 8, 8
_shortener.maxstring, _shortener.maxother = 60, 80


def on(*types: type[Message]) -> Callable[[F], F]:
    """Enter a method into its role's table: it handles messages of these types, as ``(self, sender, message)``."""

    message_type: Any
    for message_type in types:
        if not (isinstance(message_type, type) and issubclass(message_type, msgspec.Struct)):
            raise TypeError(f"@on({message_type!r}); expected subclasses of walras.messages.Message")
        if not message_type.__struct_config__.frozen:
            raise TypeError(
                f"{message_type.__name__} is made with frozen=False; what is sent must not change"
            )

    def enter(method: F) -> F:
        method.__dict__["handles_messages"] = types
        return method

    return enter


def told(*types: type[Message]) -> Callable[[F], F]:
    """Enter a method into its role's table of tells: ``(self, conversation, message)``, from our own agent."""

    def enter(method: F) -> F:
        method.__dict__["handles_tells"] = types
        return method

    return enter


class Port(typing.Protocol):
    """What a runtime gives to a role, and keeps outside the role's state. One method per verb; see `Protocol`."""

    @property
    def me(self) -> AgentId: ...
    @property
    def conversation(self) -> ConversationId: ...
    @property
    def now(self) -> float: ...
    @property
    def finish_by(self) -> float: ...
    @property
    def incarnation(self) -> int: ...
    @property
    def rng(self) -> Random: ...

    def send(self, to: AgentId, message: Message) -> None: ...
    def broadcast(self, to: Iterable[AgentId], message: Message) -> None: ...
    def tell(self, conversation: ConversationId, message: Message) -> None: ...
    def ignore(self, message: object, why: str) -> None: ...
    def set_timer(self, name: Hashable, at: float) -> None: ...
    def cancel_timer(self, name: Hashable) -> None: ...
    def decide(self, name: Hashable, question: Question) -> None: ...
    def withdraw(self, name: Hashable) -> None: ...
    def perform(self, key: str, task: Task) -> None: ...
    def stop(self, key: str) -> None: ...
    def open(
        self, mechanism: "Mechanism", items: Iterable[Item], participants: Iterable[AgentId], finish_by: float
    ) -> ConversationId: ...
    def cancel(self, conversation: ConversationId) -> None: ...
    def award(self, line: Award, key: str) -> None: ...
    def settle(self, item: str, paid: float, winner: AgentId | None, penalty: float, key: str) -> None: ...
    def publish(self, fact: Fact) -> None: ...
    def finish(self, outcome: Outcome) -> None: ...
    def sign(self, body: Any) -> Signed[Any]: ...
    def persist(self, record: Any) -> None: ...
    def checkpoint(self, record: Any) -> None: ...


class HandlerTable(dict[type, Handler]):
    """From the class of a message to the method that handles it; whatever is not entered goes to `fallback`.

    Where a role overrides the generic method, this one gets everything, and `entered` is what it may hand on to.
    """

    def __init__(
        self, entries: dict[type, Handler], fallback: Handler, entered: "HandlerTable | None" = None
    ) -> None:
        super().__init__(entries)
        self.fallback = fallback
        self.entered = entered if entered is not None else self

    def __missing__(self, message_type: type) -> Handler:
        self[message_type] = self.fallback
        return self.fallback


def _table(role_class: type, mark: str, generic: str) -> HandlerTable:
    """A role's dispatch table: its own methods before those that it inherits."""
    entries: dict[type, Handler] = {}
    for base in reversed(role_class.__mro__):
        own: dict[type, str] = {}
        for method in vars(base).values():
            for message_type in getattr(method, "__dict__", {}).get(mark, ()):
                other = own.setdefault(message_type, method.__name__)
                if other != method.__name__:
                    raise TypeError(
                        f"{base.__name__} handles {message_type.__name__} twice: {other}, {method.__name__}"
                    )
                entries[message_type] = getattr(role_class, method.__name__)
    table = HandlerTable(entries, _unexpected)
    overridden = getattr(role_class, generic)
    if overridden.__dict__.get("dispatches"):
        return table
    return HandlerTable({}, overridden, table)


def _unexpected(role: "Protocol", sender: str, message: Any) -> None:
    role.ignore(message, "unexpected")


def _dispatches(method: F) -> F:
    method.__dict__["dispatches"] = True
    return method


class _Seated:
    """Carries the port in a slot of its own: not a field, so that repr, comparison, copies and pickles skip it."""

    __slots__ = ("_port",)
    _port: Port


class Protocol(_Seated, msgspec.Struct):
    """One role in one conversation. Subclass it: annotated fields are its state, `@on(Type)` methods its transitions.

    State is data (no bound methods, no closures): a role can be printed, compared, copied and pickled. Handlers go
    *ignore, assert, tally, act*. All times are seconds since the run's epoch, on this agent's clock.
    """

    recovery: ClassVar[str] = "replay"
    """Who owns durability: "replay" (the runtime journals every input) or "records" (`persist`, `on_recover`)."""

    message_handlers: ClassVar[HandlerTable] = HandlerTable({}, _unexpected)
    tell_handlers: ClassVar[HandlerTable] = HandlerTable({}, _unexpected)

    def __init_subclass__(cls) -> None:
        """Build the two dispatch tables, once per class.

        Raises:
            TypeError: for a field of the name of something that every role has, or two handlers of one type.
        """
        super().__init_subclass__()
        for name in inspect.get_annotations(cls):
            if isinstance(vars(Protocol).get(name), FunctionType | property):
                raise TypeError(
                    f"{cls.__name__} has a field {name!r}; expected another name: every role has {name}"
                )
        cls.message_handlers = _table(cls, "handles_messages", "on_message")
        cls.tell_handlers = _table(cls, "handles_tells", "on_told")

    # ------------------------------------------------------------------ what the runtime sets
    @property
    def me(self) -> AgentId:
        """The agent that plays this role."""
        return self._port.me

    @property
    def conversation(self) -> ConversationId:
        """The conversation that this role is in."""
        return self._port.conversation

    @property
    def now(self) -> float:
        """Seconds since the run's epoch; never goes back."""
        return self._port.now

    @property
    def finish_by(self) -> float:
        """When this conversation is over at the latest: its opener is then `overdue`."""
        return self._port.finish_by

    @property
    def incarnation(self) -> int:
        """How often a records role has been restarted; a replayed role keeps that of its birth."""
        return self._port.incarnation

    @property
    def rng(self) -> Random:
        """This role's own random stream, keyed by the seed, the conversation and the agent; made on first use."""
        return self._port.rng

    # ------------------------------------------------------------------ the world tells us: override
    def on_start(self) -> None:
        """This role has been opened, or has joined: the first call, before any message."""

    @_dispatches
    def on_message(self, sender: AgentId, message: Any) -> None:
        """A message has arrived; by default the table of `@on` methods handles it."""
        type(self).message_handlers.entered[type(message)](self, sender, message)

    @_dispatches
    def on_told(self, conversation: ConversationId, message: Any) -> None:
        """Another conversation of our own agent tells us something; by default the table of `@told` methods."""
        type(self).tell_handlers.entered[type(message)](self, conversation, message)

    def on_timer(self, name: Any) -> None:
        """The timer of this name is due; perhaps late, never early."""

    def on_decision(self, name: Any, answer: Any) -> None:
        """Our agent's legal answer to the question of this name, perhaps much later: minds are slow."""

    def on_performed(self, key: str, report: Report) -> None:
        """The work of this key has ended; exactly once per `perform`."""

    def on_outcome(self, conversation: ConversationId, outcome: Outcome) -> None:
        """A conversation that we opened has ended; exactly once per `open`."""

    def on_cancel(self) -> None:
        """Who opened this conversation no longer wants it. Default: finish as cancelled."""
        self.finish(Outcome("cancelled"))

    def on_late(self, sender: AgentId, message: Any) -> None:
        """A message after our finish; may only send, broadcast, ignore or publish. Default: ignore it."""
        self.ignore(message, "after the end")

    def on_recover(self, records: tuple[Any, ...]) -> None:
        """Only records roles: a new life, in place of `on_start`, from what the last ones made durable."""

    def check(self) -> None:
        """Assert this role's invariants; called after every input by a simulation with ``check=True``."""

    # ------------------------------------------------------------------ we tell the world: call
    def send(self, to: AgentId, message: Message) -> None:
        """Send a message; to oneself it is local: never lost, doubled or reordered."""
        self._port.send(to, message)

    def broadcast(self, to: Iterable[AgentId], message: Message) -> None:
        """Send one message to several agents, in this order: one effect."""
        self._port.broadcast(to, message)

    def tell(self, conversation: ConversationId, message: Message) -> None:
        """A local message to our own agent's role in another conversation."""
        self._port.tell(conversation, message)

    def ignore(self, message: object, why: str) -> None:
        """Note in the trace that an input was not used, and why: none vanishes silently."""
        self._port.ignore(message, why)

    def set_timer(self, name: Hashable, at: float) -> None:
        """Be called by `on_timer(name)` at an absolute time, or at once if it has passed; setting again moves it."""
        self._port.set_timer(name, at)

    def cancel_timer(self, name: Hashable) -> None:
        """The timer will not fire; no harm if it is not set."""
        self._port.cancel_timer(name)

    def decide(self, name: Hashable, question: Question) -> None:
        """Ask our agent's strategy; `on_decision(name, answer)` follows, at `question.decide_by` at the latest.

        The same name again voids the earlier question, if it is still open. What an earlier answer holds stays held.
        """
        self._port.decide(name, question)

    def withdraw(self, name: Hashable) -> None:
        """Void the question of this name, and release what its answers hold: only when they bind no longer."""
        self._port.withdraw(name)

    def perform(self, key: str, task: Task) -> None:
        """Hand work to our agent's worker: first come first served within its capacity; the key is idempotent."""
        self._port.perform(key, task)

    def stop(self, key: str) -> None:
        """Ask the worker to stop; it may be too late. `on_performed` follows either way."""
        self._port.stop(key)

    def open(
        self, mechanism: "Mechanism", items: Iterable[Item], participants: Iterable[AgentId], finish_by: float
    ) -> ConversationId:
        """Open a child conversation; `on_outcome` follows, at `finish_by` at the latest (then `overdue`)."""
        return self._port.open(mechanism, items, participants, finish_by)

    def cancel(self, conversation: ConversationId) -> None:
        """Tell a child conversation that it is no longer wanted; its outcome still comes."""
        self._port.cancel(conversation)

    def award(self, line: Award, key: str = "") -> None:
        """Award an item. It binds at once: a lot is paid, a task's price goes into escrow until `settle`.

        A `key` is for roles that stand in for each other: of one conversation's awards with the same key, one takes place.
        """
        self._port.award(line, key)

    def settle(
        self, item: str, paid: float, winner: AgentId | None = None, penalty: float = 0.0, key: str = ""
    ) -> None:
        """Pay `paid` of a task's escrow to its winner and return the rest, less `penalty` from the winner's bond.

        `winner` need only be named where an item has several; `key` is as in `award`.
        """
        self._port.settle(item, paid, winner, penalty, key)

    def publish(self, fact: Fact) -> None:
        """Add a dated observation to the trace."""
        self._port.publish(fact)

    def finish(self, outcome: Outcome) -> None:
        """End this role: cancels its timers, withdraws its questions, releases its holds. Children and work come first."""
        self._port.finish(outcome)

    def sign(self, body: B) -> Signed[B]:
        """Our signature under a message that others may quote."""
        return self._port.sign(body)

    def persist(self, record: Any) -> None:
        """Only records roles: make a record durable; later outward effects wait for it. A handler's records are atomic."""
        self._port.persist(record)

    def checkpoint(self, record: Any) -> None:
        """Only records roles: as `persist`, and all earlier records are dropped once this one is durable."""
        self._port.checkpoint(record)

    def __repr__(self) -> str:
        inside = ", ".join(f"{f}={_shortener.repr(getattr(self, f))}" for f in self.__struct_fields__)
        return f"{type(self).__name__}({inside})"
