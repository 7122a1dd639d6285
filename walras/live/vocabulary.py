"""What may cross a line between processes: structs as JSON that names their classes, and back, with every field checked.

``{"type": "Propose", "price": 3.0}``. JSON has no infinity and no bytes: they travel as ``{"$float": "inf"}`` and
``{"$bytes": "<base64>"}``. A field that stands at its default is left out. Only classes that a vocabulary has been
told of, and those that their fields mention, are ever made from what a stranger sends.
"""

import math
import typing
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Union

import msgspec

from walras.allocation import Award, Outcome, Report
from walras.errors import RemoteProtocolError, ScenarioError
from walras.items import Bundle, Lot, Task
from walras.messages import Signed

_EVERYWHERE = (Task, Lot, Bundle, Award, Report, Outcome, Signed)
_NOT_FINITE = ("inf", "-inf", "nan")


def plain(value: Any) -> Any:
    """A value as JSON data.

    Raises:
        TypeError: for what has no JSON form.
    """
    if isinstance(value, msgspec.Struct):
        named: dict[str, Any] = {"type": type(value).__name__}
        for field, default in _defaults(type(value)).items():
            found = getattr(value, field)
            # the very object, as encoders have it: signatures are made over what they leave
            if found is not default:
                named[field] = plain(found)
        return named
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, tuple | list):
        return [plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if isinstance(value, bytes):
        return {"$bytes": b64encode(value).decode()}
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return {name: plain(part) for name, part in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a {type(value).__name__} has no JSON form")


class Vocabulary:
    """The classes that can be read, by name.

    Args:
        types: of messages, questions, answers; what their fields mention is added.
        of: what the vocabulary belongs to, for errors.

    Raises:
        ScenarioError: for two classes of one name.
    """

    def __init__(self, types: Iterable[Any], of: str = "this line") -> None:
        self.of = of
        self.types: dict[str, type[msgspec.Struct]] = {}
        for mentioned in (*_EVERYWHERE, *types):
            self._learn(mentioned)

    def _learn(self, cls: Any) -> None:
        known = self.types.setdefault(cls.__name__, cls)
        if known is not cls:
            raise ScenarioError(
                "message type", cls, f"a name of its own in {self.of}, where {known} has it, too"
            )
        for hint in _hints(cls).values():
            for mentioned in _structs(hint):
                if self.types.get(mentioned.__name__) is not mentioned:
                    self._learn(mentioned)

    def read(self, data: Any, hint: Any = Any) -> Any:
        """The value that JSON data stands for, where a value of this type is expected.

        Raises:
            RemoteProtocolError: if it stands for none; the message says why.
        """
        try:
            return self._read(data, hint, {})
        except RecursionError:
            raise RemoteProtocolError("nested too deep") from None

    def _read(self, data: Any, hint: Any, bound: Mapping[Any, Any]) -> Any:
        hint = bound.get(hint, Any) if isinstance(hint, typing.TypeVar) else hint
        origin, parts = typing.get_origin(hint), typing.get_args(hint)
        if hint is Any:
            return self._anything(data)
        if origin in (Union, UnionType):
            return self._one_of(data, parts, bound)
        if origin is tuple:
            return self._tuple(data, parts, bound)
        cls = origin or hint
        if isinstance(cls, type) and issubclass(cls, msgspec.Struct):
            return self._struct(data, cls, tuple(bound.get(part, part) for part in parts))
        return _leaf(data, hint)

    def _anything(self, data: Any) -> Any:
        if isinstance(data, list):
            return tuple(self._anything(part) for part in data)
        if isinstance(data, dict) and "type" in data:
            return self._struct(data, msgspec.Struct, ())
        return _leaf(data, str | int | float | bool | bytes | None)

    def _one_of(self, data: Any, options: tuple[Any, ...], bound: Mapping[Any, Any]) -> Any:
        structs = tuple(option for option in options if next(_structs(option), None) or option is Any)
        fault = RemoteProtocolError(f"{_shown(data)} fits none of {len(options)} types")
        for option in structs:
            try:
                return self._read(data, option, bound)
            except RemoteProtocolError as error:
                fault = error
        others = tuple(option for option in options if option not in structs)
        if not others or (structs and isinstance(data, dict) and "type" in data):
            raise fault
        return _leaf(data, Union[others])  # noqa: UP007  # made from a tuple

    def _tuple(self, data: Any, parts: tuple[Any, ...], bound: Mapping[Any, Any]) -> tuple[Any, ...]:
        if not isinstance(data, list):
            raise RemoteProtocolError(f"{_shown(data)} where an array is expected")
        if len(parts) == 2 and parts[1] is Ellipsis:
            return tuple(self._read(part, parts[0], bound) for part in data)
        if len(parts) != len(data):
            raise RemoteProtocolError(f"an array of {len(data)} where {len(parts)} are expected")
        return tuple(self._read(part, hint, bound) for part, hint in zip(data, parts, strict=True))

    def _struct(self, data: Any, base: type, parts: tuple[Any, ...]) -> Any:
        if not isinstance(data, dict):
            raise RemoteProtocolError(f"{_shown(data)} where an object is expected")
        name = data.get("type")
        cls = self.types.get(name) if isinstance(name, str) else None
        if cls is None:
            raise RemoteProtocolError(f"type {_shown(name)} is not known in {self.of}")
        if not issubclass(cls, base):
            raise RemoteProtocolError(f"a {name} where a {base.__name__} is expected")
        hints = _hints(cls)
        if unknown := [field for field in data if field not in hints and field != "type"]:
            raise RemoteProtocolError(f"{name} has no field {_shown(unknown[0])}")
        bound = dict(zip(getattr(cls, "__parameters__", ()), parts, strict=False))
        try:
            values = {f: self._read(data[f], hint, bound) for f, hint in hints.items() if f in data}
            return cls(**values)
        except RecursionError:
            raise
        except RemoteProtocolError as error:
            raise RemoteProtocolError(f"{name}: {error}") from None
        except Exception as error:  # a field is missing, or the class itself refuses the values
            raise RemoteProtocolError(f"{name}: {error}"[:300]) from None


def _leaf(data: Any, hint: Any) -> Any:
    """A number, text or the like. Whole numbers stay whole where a float is expected: signatures depend on it."""
    try:
        value = _untagged(data)
        found = msgspec.convert(value, hint)
    except (msgspec.ValidationError, ValueError, TypeError, OverflowError) as error:
        raise RemoteProtocolError(f"{_shown(data)}: {error}") from None
    return value if type(value) is int and type(found) is float else found


def _untagged(data: Any) -> Any:
    if isinstance(data, dict) and len(data) == 1:
        ((tag, inside),) = data.items()
        if tag == "$float" and inside in _NOT_FINITE:
            return float(inside)  # a new object, which is nobody's default
        if tag == "$bytes":
            return b64decode(inside, validate=True)
    return data


@cache
def _hints(cls: type) -> dict[str, Any]:
    """A struct's fields and their types."""
    try:
        hints = typing.get_type_hints(cls, localns={cls.__name__: cls}, include_extras=True)
    except NameError as error:
        raise ScenarioError("message type", cls, f"one whose fields can be looked up ({error})") from None
    return {field: hints[field] for field in cls.__struct_fields__}  # type: ignore[attr-defined]


@cache
def _defaults(cls: type[msgspec.Struct]) -> dict[str, Any]:
    """A struct's fields and their defaults; one that has none is at no object's."""
    fields, defaults = cls.__struct_fields__, cls.__struct_defaults__
    return dict(zip(fields, (object(),) * (len(fields) - len(defaults)) + defaults, strict=True))


def _structs(hint: Any) -> Iterator[type[msgspec.Struct]]:
    """The struct classes that a type mentions."""
    cls = typing.get_origin(hint) or hint
    if isinstance(cls, type) and issubclass(cls, msgspec.Struct):
        yield cls
    for part in typing.get_args(hint):
        yield from _structs(part)


def _shown(data: Any) -> str:
    shown = repr(data)
    return shown if len(shown) <= 60 else shown[:57] + "..."
