"""The form of a question's legal answers: their JSON schema, and how JSON becomes an answer again.

Both come from the same structs. The schema is strict, as providers of structured output want it: one object at the
top, every field required, no others allowed; a field that may be left out may be null instead.
"""

import inspect
import math
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Union

import msgspec
from msgspec import inspect as types

from walras.errors import LocalProtocolError
from walras.questions import Question

WRAPPER = "answer"
"""The one field of the object at the top where an answer is not one object of one type."""

_REF = "#/$defs/{name}"
_FENCED = re.compile(rb"\s*```(?:json)?\s*(.*?)\s*```\s*", re.DOTALL)
_PLACED = re.compile(r"(.*) - at `(\$[\w.\[\]]*)`", re.DOTALL)
_TYPE = "(?:int|float|str|bool|null|array|object|bytes)"
_TYPES_AND_BOUNDS = re.compile(
    rf"Expected `{_TYPE}(?: \| {_TYPE})*`"
    rf"(?:, got `{_TYPE}`| [<>]=? [\d.e+-]+| of (?:at (?:least|most) )?length [<>= ]*\d+)?|Number out of range"
)
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_QUOTING = re.compile(r"Invalid enum value|Invalid value|Object contains unknown field")


class UnreadableError(Exception):
    """What came back is no legal answer. `note` says why in words that are ours throughout, and safe in a prompt."""

    def __init__(self, note: str, detail: str = "") -> None:
        super().__init__(detail or note)
        self.note = note


class Form:
    """How the answers to questions of one class look; made once per class by `form_of`."""

    def __init__(self, answers: tuple[type, ...]) -> None:
        self.type: Any = Union[answers] if answers else Any  # noqa: UP007  # made from a tuple
        only = answers[0] if len(answers) == 1 else None
        self.wrapped = not (isinstance(only, type) and issubclass(only, msgspec.Struct))
        try:
            self.info = types.type_info(self.type)
            self.schema: Mapping[str, Any] = self._schema(answers)
            msgspec.convert(None, self.type)
        except msgspec.ValidationError:
            pass
        except TypeError as error:  # untagged structs, or classes that have no JSON
            names = ", ".join(answer.__name__ for answer in answers)
            raise LocalProtocolError(f"answers {names} cannot be told apart in JSON: {error}") from None
        self.text = msgspec.json.encode(self.schema).decode()
        self.words = frozenset(re.findall(r"\w+", self.text))

    def _schema(self, answers: tuple[type, ...]) -> dict[str, Any]:
        options, components = msgspec.json.schema_components(answers, ref_template=_REF)
        defs = {name: _strict(schema) for name, schema in components.items()}
        if not self.wrapped:
            top = dict(defs.pop(answers[0].__name__))
            if _REF.format(name=answers[0].__name__) in str(top):  # it may contain its like
                defs[answers[0].__name__] = dict(top)
        else:
            answer = {"anyOf": [_strict(option) for option in options]} if options else {}
            top = _object({WRAPPER: answer})
        return {**top, "$defs": defs} if defs else top

    def read(self, value: Any, most_bytes: int) -> Any:
        """The answer that a participant's value stands for.

        Args:
            value: text or bytes of JSON, plain dicts and lists, or the answer itself.
            most_bytes: the largest answer that is looked at.

        Raises:
            UnreadableError: if it stands for none.
        """
        try:
            return msgspec.convert(self._plain(value, most_bytes), self.type)
        except UnreadableError:
            raise
        except Exception as error:  # structs check themselves, with errors of their own
            raise UnreadableError(self.note(str(error)), str(error)[:300]) from None

    def _plain(self, value: Any, most_bytes: int) -> Any:
        if isinstance(value, str | bytes):
            raw = value.encode(errors="replace") if isinstance(value, str) else value
            _check_size(len(raw), most_bytes)
            fenced = _FENCED.fullmatch(raw)
            plain = _decoded(fenced[1] if fenced else raw)
        else:
            plain = msgspec.to_builtins(value)
            raw = msgspec.json.encode(plain)
            if b"null" in raw and (where := next(not_finite(value), "")):  # JSON has no other word for them
                raise UnreadableError("a number in it is not finite", f"{where} is not a finite number")
            _check_size(len(raw), most_bytes)
        if self.wrapped and isinstance(plain, dict) and plain.keys() == {WRAPPER}:
            plain = plain[WRAPPER]
        return without_nulls(plain, self.info) if b"null" in raw else plain

    def note(self, error: str) -> str:
        """What an error says of types, bounds and fields, without anything that it quotes of the answer.

        An answer may repeat what others wrote, and the note stands outside of the fence.
        """
        placed = _PLACED.fullmatch(error)
        what, path = placed.groups() if placed else (error, "$")
        missing, quoting = _MISSING.fullmatch(what), _QUOTING.match(what)
        if _TYPES_AND_BOUNDS.fullmatch(what) or (missing and missing[1] in self.words):
            said = what
        else:
            said = quoting[0] if quoting else "its values are not allowed"
        known = all(word in self.words for word in re.findall(r"[a-z_A-Z]\w*", path))
        return f"{said}, at {path}" if known and path != "$" else said


@cache
def form_of(question_type: type[Question]) -> Form:
    """The form of the answers to these questions."""
    return Form(question_type.answers)


@cache
def instruction(question_type: type) -> str:
    """What the docstring of a struct's class tells a reader; without one, its name."""
    return _told(question_type.__dict__.get("__doc__") or "") or question_type.__name__


def _told(docstring: str) -> str:
    """A docstring up to the sections that are for programmers."""
    return re.split(r"\n\s*(?:Args|Raises|Examples|Attributes):\n", inspect.cleandoc(docstring))[0].strip()


def _strict(schema: Any) -> Any:
    """As providers want it, and without defaults, which JSON cannot always say (infinity)."""
    if isinstance(schema, list | tuple):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _strict(part) for key, part in schema.items() if key not in ("default", "title")}
    if "description" in kept:
        kept["description"] = _told(kept["description"])
    if "properties" in schema:
        required = schema.get("required", ())
        fields = {
            name: field if name in required else _nullable(field)
            for name, field in kept["properties"].items()
        }
        kept |= _object(fields)
    return kept


def _object(fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    options = schema.get("anyOf", [schema])
    null = {"type": "null"}
    return schema if null in options else {"anyOf": [*options, null]}


def without_nulls(plain: Any, info: types.Type) -> Any:
    """JSON data without the nulls that mean: left out. A null that is a value of its field stays."""
    if isinstance(info, types.UnionType):
        info = _option(plain, info)
    if isinstance(info, types.StructType) and isinstance(plain, dict):
        fields = {field.encode_name: field for field in info.fields}
        return {
            name: without_nulls(value, fields[name].type) if name in fields else value
            for name, value in plain.items()
            if value is not None
            or name not in fields
            or fields[name].required
            or _takes_null(fields[name].type)
        }
    if isinstance(info, types.CollectionType) and isinstance(plain, list):
        return [without_nulls(part, info.item_type) for part in plain]
    return plain


def _option(plain: Any, info: types.UnionType) -> types.Type:
    for option in info.types:
        if isinstance(option, types.StructType) and isinstance(plain, dict):
            if option.tag_field is None or plain.get(option.tag_field) == option.tag:
                return option
        elif isinstance(option, types.CollectionType) and isinstance(plain, list):
            return option
    return info


def _takes_null(info: types.Type) -> bool:
    return isinstance(info, types.NoneType | types.AnyType) or (
        isinstance(info, types.UnionType) and info.includes_none
    )


def not_finite(value: Any, path: str = "$") -> Iterator[str]:
    """Where numbers are infinite or none at all, except where a field is so by default."""
    if isinstance(value, float):
        if not math.isfinite(value):
            yield path
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            found = getattr(value, name)
            for where in not_finite(found, f"{path}.{name}"):
                if found != _default(type(value), name):
                    yield where
    elif isinstance(value, Mapping):
        for name, found in value.items():
            yield from not_finite(found, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for k, found in enumerate(value):
            yield from not_finite(found, f"{path}[{k}]")


@cache
def _default(struct: type[msgspec.Struct], name: str) -> Any:
    return next(field.default for field in msgspec.structs.fields(struct) if field.name == name)


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise UnreadableError(f"it has {size:,} bytes, at most {most:,} are read")


def _decoded(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except msgspec.ValidationError as error:  # a number beyond all floats
        raise UnreadableError("a number in it is out of range", str(error)[:300]) from None
    except msgspec.DecodeError:
        raise UnreadableError("it is not JSON; expected one JSON object and nothing else") from None
