"""Pickles of what a trace may show: a field that stands at its default is not written, and stands at it again afterwards.

Encoders leave out a field whose value is the very object that is its default. So what is read back must have that
object there, or the trace of a market that was brought back would differ from that of its first life. Roles, too: what
stands in their fields goes into their messages.
"""

import io
import pickle
from typing import Any

import msgspec


def _made(cls: type[msgspec.Struct], fields: tuple[str, ...], *values: Any) -> msgspec.Struct:
    return cls(**dict(zip(fields, values, strict=True)))


class StructPickler(pickle.Pickler):
    """A pickler that leaves defaults out."""

    def reducer_override(self, value: Any) -> Any:
        cls = type(value)
        if not isinstance(value, msgspec.Struct):
            return NotImplemented
        fields, defaults = cls.__struct_fields__, cls.__struct_defaults__
        required = len(fields) - len(defaults)
        set_ = [
            field
            for place, field in enumerate(fields)
            if place < required or getattr(value, field) is not defaults[place - required]
        ]
        return _made, (cls, tuple(set_), *(getattr(value, field) for field in set_))


def dumps(value: Any) -> bytes:
    """As `pickle.dumps`."""
    buffer = io.BytesIO()
    StructPickler(buffer).dump(value)
    return buffer.getvalue()
