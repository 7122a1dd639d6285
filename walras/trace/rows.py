"""The rows of a trace: what they hold, how they become bytes, and how they are read back.

A runtime appends plain tuples; the layout of each kind is in ``docs/trace-schema.md``. Encoded, a row is a MessagePack
array. The same values give the same bytes on every supported Python and under any hash seed, since a digest is made of
them: sets and mappings are encoded in sorted order, and what has no form of its own is encoded as text without addresses.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from copy import copy
from typing import Any

import msgspec

Raw = Sequence[Any]
"""A row as it was appended, or as it was decoded: a tuple or a list."""

MESSAGE = 1
"""What stands at the place of the kind where a row is a message: the heap entry's priority."""

DETAILS: dict[str, tuple[str, ...]] = {
    "open": ("protocol", "items", "participants", "finish_by"),
    "ignored": ("message", "why"),
    "timer": ("name", "at"),
    "untimer": ("name",),
    "ask": ("name", "decide_by", "question"),
    "answer": ("name", "answer", "status"),
    "thought": ("name", "usage", "latency_s", "attempts"),
    "withdraw": ("name",),
    "perform": ("key", "task"),
    "began": ("key",),
    "stop": ("key",),
    "performed": ("key", "report"),
    "award": ("line",),
    "settle": ("item", "paid", "winner", "penalty"),
    "fact": ("fact",),
    "told": ("to", "message"),
    "cancel": ("child",),
    "finish": ("outcome",),
    "lost": ("to", "message", "why"),
    "doubled": ("to", "message", "arrival"),
    "crash": (),
    "restart": (),
    "pause": ("until",),
    "persist": ("record",),
    "durable": ("count",),
    "checkpoint": ("record",),
    "note": ("text",),
}
"""What follows time, kind, conversation and agent, by kind; of another kind: ``detail_1``, ``detail_2`` ..."""

LEFT_OUT = frozenset({"question"})
"""Details that a row may lack at its end."""


class Row(msgspec.Struct, frozen=True):
    """One thing that happened: at which time (seconds since the run's epoch), of which kind, where and to whom.

    `agent` is who did it or whom it befell; a message's is its sender, and its `at` is when it was sent. `conversation` is
    empty where a row is about an agent as such, as a crash is. `details` are by name, structs as dicts with their
    class under ``type``.
    """

    at: float
    kind: str
    conversation: str
    agent: str
    details: dict[str, Any]


def read_row(raw: Raw) -> Row:
    """A row with names in place of positions."""
    if raw[1] == MESSAGE:
        arrival, _, number, conversation, sender, to, message, sent = raw
        details = {
            "sender": sender, "to": to, "message": message, "sent": sent, "arrival": arrival, "id": number,
        }  # fmt: skip
        return Row(sent, "message", conversation, sender, details)
    at, kind, conversation, agent, *rest = raw
    if kind == "broadcast":
        to, message, arrivals = rest
        details = {"sender": agent, "to": to, "message": message, "sent": at, "arrivals": arrivals}
    else:
        names = DETAILS.get(kind, ())
        extra = (f"detail_{k + 1}" for k in range(len(names), len(rest)))
        details = dict(zip((*names, *extra), rest, strict=False))
    return Row(at, kind, conversation, agent, details)


def conversation_of(raw: Raw) -> str:
    """The conversation that a row belongs to; empty if none."""
    found: str = raw[3] if raw[1] == MESSAGE else raw[2]
    return found


# ---------------------------------------------------------------------------------------------- values as bytes

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def without_addresses(value: object) -> str:
    """A value as text that is the same in every process; whatever its `str` does, there is some."""
    try:
        return _ADDRESS.sub("", str(value))
    except Exception:
        return f"<{type(value).__qualname__} that cannot be shown>"


def _odd(value: Any) -> Any:
    """What stands in the trace for a value that MessagePack has no form for."""
    try:
        tolist = getattr(value, "tolist", None)  # numpy's scalars and arrays
        return tolist() if tolist is not None else _ADDRESS.sub("", repr(value))
    except Exception:
        return f"<{type(value).__qualname__} that cannot be shown>"


_encode_sorted = msgspec.msgpack.Encoder(enc_hook=_odd, order="deterministic").encode
encode_as_is = msgspec.msgpack.Encoder().encode
"""Encode values that were decoded: to the bytes that they came from."""

decode = msgspec.msgpack.Decoder().decode
decode_split = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
"""Decode an array of rows to the bytes of each."""

_UNENCODABLE = (TypeError, OverflowError, UnicodeError)
_LONG_MAP = b"\xde"
_is_short_map = re.compile(rb"\xde\x00(?:\x00|[\x01-\x0f][\xa0-\xbf\xd9-\xdb])").match
"""The long header of a map with fewer than 16 entries, and a key (or, rarely, numbers that look like them)."""


def encode(value: Any) -> bytes:
    """Encode any value."""
    try:
        return _least(_encode_sorted(value))
    except _UNENCODABLE:
        return _least(_encode_sorted(tamed(value)))


def encode_rows(rows: Sequence[Raw]) -> bytes:
    """Encode rows as one array; the bytes of a row do not depend on its neighbours."""
    try:
        return _least(_encode_sorted(rows))
    except _UNENCODABLE:
        return _encode_sorted([msgspec.Raw(encode(row)) for row in rows])


def _least(encoded: bytes) -> bytes:
    """The same with the shortest headers: those that the values have when they are read and encoded again.

    A struct of more than 15 fields has a long header even where it leaves out defaults and writes fewer, which a digest
    would not survive on its way through a file.
    """
    at = encoded.find(_LONG_MAP)  # a single byte is found much faster than two, and it is rare
    while at >= 0:
        if _is_short_map(encoded, at):
            return encode_as_is(decode(encoded))
        at = encoded.find(_LONG_MAP, at + 1)
    return encoded


def header_length(rows: int) -> int:
    """How many bytes MessagePack puts before an array of so many rows."""
    return 1 if rows < 16 else 3 if rows < 65536 else 5


def tamed(value: Any) -> Any:
    """As `value`, without what makes the encoder raise: huge integers, lone surrogates, odd keys and odd sets."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else str(value)
    if isinstance(value, msgspec.Struct):
        tag = value.__struct_config__.tag
        named = {value.__struct_config__.tag_field: tag} if tag is not None else {}
        return named | {f: tamed(getattr(value, f)) for f in value.__struct_fields__}
    if isinstance(value, dict):
        return {str(tamed(k)): tamed(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [tamed(v) for v in value]
    if isinstance(value, set | frozenset):
        return sorted((tamed(v) for v in value), key=repr)
    return value


# ------------------------------------------------------------------------------------------------------ messages


def type_name(message: Any) -> str:
    """The type of a message, live or decoded."""
    if isinstance(message, dict):
        return str(message.get("type", "dict"))
    config = getattr(message, "__struct_config__", None)
    return str(config.tag) if config is not None and config.tag is not None else type(message).__name__


def lost_on_the_way(raw: Raw) -> bool:
    """Whether a row is a message that the network lost: the sender's row, where one lost on arrival is the recipient's."""
    return bool(raw[1] == "lost" and raw[3] != raw[4])


class Counts:
    """What is counted of a trace: messages by type, and their bytes; defaults by status, and why the first was taken.

    A broadcast to k agents is k messages, copies are none. A default is the answer to a question that got no legal one.
    """

    def __init__(self) -> None:
        self.by_type: Counter[str] = Counter()
        self.bytes = 0
        self.defaults: Counter[str] = Counter()
        self.first_default = ""
        self._noted: tuple[str, str] = ("", "")

    def copy(self) -> "Counts":
        """The same counts, which go their own way."""
        twin = copy(self)
        twin.by_type, twin.defaults = self.by_type.copy(), self.defaults.copy()
        return twin

    def add(self, rows: Iterable[Raw]) -> None:
        """Count what these rows have."""
        single: list[Any] = []
        for row in rows:
            kind = row[1]
            if kind == "answer" and row[6] != "ok":
                self._add_default(row[3], row[6])
            self._noted = (row[3], row[4]) if kind == "note" else ("", "")
            if kind == MESSAGE:
                single.append(row[6])
            elif kind == "broadcast":
                arrived = sum(arrival is not None for arrival in row[6])
                self.by_type[type_name(row[5])] += arrived
                self.bytes += arrived * len(encode(row[5]))
            elif lost_on_the_way(row):
                single.append(row[5])
        self.by_type.update(_types(single))
        self.bytes += len(encode_rows(single)) - header_length(len(single))

    def _add_default(self, agent: str, status: str) -> None:
        """The reason is the row before, if it is a note of the same agent."""
        if not self.defaults:
            noted, why = self._noted
            self.first_default = f"{agent}: {why}" if noted == agent else agent
        self.defaults[status] += 1


def _types(messages: list[Any]) -> Counter[str]:
    """As ``Counter(map(type_name, messages))``, but for live messages by class, which is faster."""
    by_class = Counter(map(type, messages))
    decoded = by_class.pop(dict, 0)
    examples = {type(message): message for message in messages} if by_class else {}
    named = Counter({type_name(examples[cls]): count for cls, count in by_class.items()})
    if decoded:
        named.update(type_name(message) for message in messages if type(message) is dict)
    return named


def each_message(raw: Raw) -> list[tuple[float, float, str, str, str, Any]]:
    """The messages of a row: (sent, arrival, conversation, sender, to, message); the arrival of a lost one is NaN."""
    kind = raw[1]
    if kind == MESSAGE:
        return [(raw[7], raw[0], raw[3], raw[4], raw[5], raw[6])]
    if kind == "broadcast":
        at, _, conversation, sender, peers, message, arrivals = raw
        return [
            (at, arrival, conversation, sender, to, message)
            for to, arrival in zip(peers, arrivals, strict=True)
            if arrival is not None
        ]
    if lost_on_the_way(raw):
        return [(raw[0], math.nan, raw[2], raw[3], raw[4], raw[5])]
    return []
