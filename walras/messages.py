"""Messages, envelopes and quoted (signed) messages.

Everything that crosses between roles is a frozen `msgspec.Struct` whose fields are immutable throughout: the
cheapest immutable objects that Python has, with JSON, validation and JSON schema from the same class. The check is
made when the class is made, so that a list in a message is found at import and not in a race.
"""

import inspect
import typing
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar

import msgspec

AgentId = str
"""Names an agent, unique in its world."""

ConversationId = str
"""Names a conversation: its parent's id (or nothing), its initiator, and a counter, as in ``router/17/ada/1``."""

_ATOMS = (int, float, str, bool, bytes, NoneType)


def _is_immutable(hint: Any) -> bool:
    """Whether values of this type can never change, sets excluded: their order depends on the hash seed."""
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return _is_immutable(typing.get_args(hint)[0])
    if origin in (typing.Union, UnionType, tuple):
        return all(a is Ellipsis or _is_immutable(a) for a in typing.get_args(hint))
    if origin is typing.Literal or isinstance(hint, TypeVar) or origin is typing.ClassVar:
        return True
    cls = origin or hint
    # A frozen class's fields were checked; what fills a generic one was not.
    if isinstance(cls, type) and issubclass(cls, Frozen):
        return all(map(_is_immutable, typing.get_args(hint)))
    return isinstance(cls, type) and issubclass(cls, (*_ATOMS, Enum))


class Frozen(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, repr_omit_defaults=True):
    """An immutable value. `gc=False` is safe, since immutable values cannot form cycles.

    A subclass with a field whose type could change, or whose order could, is refused. (Not by a metaclass: on Python
    3.11 a class with a metaclass of its own is called without vectorcall, which would cost every message.)
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        name = cls.__name__
        try:
            hints = typing.get_type_hints(cls, localns={name: cls}, include_extras=True)
        except NameError:  # it mentions a class that is yet to be made, so its fields cannot be looked into
            return
        for field in inspect.get_annotations(cls):
            if not _is_immutable(hints[field]):
                raise TypeError(
                    f"{name}.{field} is {hints[field]}, which can change after it was sent; "
                    "use tuples, plain values and other frozen structs"
                )


class Message(Frozen, frozen=True, tag=True):
    """What one role sends to another. Its JSON form carries the class name under ``type``.

    Deadlines in messages are absolute (`reply_by`). What makes a message idempotent (a round, an order number) is in
    the message, since the network may double it.
    """


class Fact(Frozen, frozen=True, tag=True):
    """A dated observation that a role publishes for traces and metrics."""


M = TypeVar("M")


class Signed(Frozen, Generic[M], frozen=True, tag=True):
    """A message quoted from somebody: it convinces by itself, whoever brings it.

    `Protocol.sign` makes one; every runtime verifies each signature in a message, however deep, before delivery.
    """

    by: AgentId
    body: M
    proof: bytes

    def __hash__(self) -> int:
        return hash((self.by, self.body, self.proof))


class Envelope(Frozen, frozen=True):
    """A message on its way: what an invitation is, and what crosses between processes."""

    conversation: ConversationId
    protocol: str
    sender: AgentId
    to: AgentId
    message: Message
    sent: float
    """Seconds since the run's epoch, on the sender's clock."""
    finish_by: float = float("inf")
    """When the conversation ends at the latest, on its opener's clock."""


def signatures(value: object) -> typing.Iterator["Signed[Any]"]:
    """Every `Signed` in a value, however deep, outermost first."""
    if isinstance(value, Signed):
        yield value
    if isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            yield from signatures(getattr(value, field))
    elif isinstance(value, tuple):
        for part in value:
            yield from signatures(part)


@cache
def can_quote(message_type: Any, _seen: tuple[type, ...] = ()) -> bool:
    """Whether a message of this type may carry a `Signed`: the others need no look inside."""
    if not (isinstance(message_type, type) and issubclass(message_type, Frozen)) or message_type in _seen:
        return False
    fields = message_type.__struct_fields__
    if issubclass(message_type, Signed):
        return True
    try:
        hints = typing.get_type_hints(message_type, localns={message_type.__name__: message_type})
    except NameError:  # made inside a function, of classes made there: only a look inside can tell
        return True
    return any(_mentions_quotes(hints[field], (*_seen, message_type)) for field in fields)


def _mentions_quotes(hint: Any, seen: tuple[type, ...]) -> bool:
    cls = typing.get_origin(hint) or hint
    if cls is Message or cls is Frozen:
        return True  # could be anything
    if can_quote(cls, seen):
        return True
    return any(_mentions_quotes(a, seen) for a in typing.get_args(hint) if a is not Ellipsis)
