"""Settings as plain values, and back: what a settings file, an option of the command line or a saved result holds.

The classes themselves are the schema: msgspec converts strictly, and what does not fit is reported with its field, its
value and what was expected. A setting that is a function, such as an award rule, is written as a public name of the
room that uses it (``cheapest``), as ``module:name``, or, with settings of its own, as ``{kind: BestValue, ...}``.
"""

import re
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from inspect import signature
from types import FunctionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import inspect

from walras.errors import ScenarioError
from walras.mechanism import Mechanism
from walras.results.recipe import imported
from walras.study import catalogue

T = TypeVar("T", bound=msgspec.Struct)
Path = tuple[str | int, ...]

_KEY = re.compile(r"\w+")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_RULES = "the name of a mechanism, or its kind and settings"
_PLAIN = {
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.StrType: "text",
    inspect.BoolType: "true or false",
    inspect.NoneType: "null",
}


class BadSettingError(ScenarioError):
    """A setting that does not fit; `path` leads to it from the struct that was wanted."""

    def __init__(self, path: Path, owner: str, value: object, expected: str) -> None:
        name = ".".join(map(str, path))
        super().__init__(f"{name} of {owner}" if owner and name else name or owner, value, expected)
        self.path = path


def build(cls: type[T], given: Mapping[str, Any], owner: str = "") -> T:
    """A settings struct from plain values, strictly: no text for a number, no key that is not a setting.

    Args:
        cls: the struct; its ``__post_init__`` checks ranges.
        given: plain values by field.
        owner: whose settings these are, for errors.

    Raises:
        ScenarioError: naming the field, its value and what was expected.
    """
    wanted = inspect.type_info(cls)
    prepared = _Reader(cls, owner).read(wanted, given, ())
    inner = {key: value for key, value in prepared.items() if isinstance(value, Mechanism)}
    plain = {key: value for key, value in prepared.items() if key not in inner}
    try:
        if not inner:
            return msgspec.convert(plain, cls, dec_hook=lambda _, value: value)
        rest = msgspec.convert(plain, _without(cls, inner), dec_hook=lambda _, value: value)
    except msgspec.ValidationError as error:
        raise _explained(error, wanted, given, owner) from None
    return cls(**inner, **msgspec.structs.asdict(rest))


def _without(cls: type[msgspec.Struct], names: Collection[str]) -> type[msgspec.Struct]:
    """The fields of a struct but for these, which msgspec would not take: it wants a mechanism to be of its field's type."""
    fields: list[Any] = []
    for f in msgspec.structs.fields(cls):
        if f.name not in names:
            made = f.default_factory
            default = f.default if made is msgspec.NODEFAULT else msgspec.field(default_factory=made)
            fields.append((f.name, f.type) if f.required else (f.name, f.type, default))
    return msgspec.defstruct(cls.__name__, fields, kw_only=True)


# ---------------------------------------------------------------------------------- before msgspec: keys, functions


class _Reader:
    """Goes through plain values beside their types: refuses unknown keys, finds functions by their names."""

    def __init__(self, cls: type[msgspec.Struct], owner: str) -> None:
        self.cls, self.room = cls, cls.__module__.split(".")[0]
        self.owner = owner

    def read(self, wanted: inspect.Type, value: Any, path: Path) -> Any:
        wanted = _branch(wanted, value)
        if isinstance(wanted, inspect.StructType) and wanted.cls is Mechanism:
            return self._mechanism(value, path)
        if isinstance(wanted, inspect.CustomType) and wanted.cls.__name__ == "Callable":
            return self._function(value, path)
        if isinstance(wanted, inspect.StructType) and isinstance(value, Mapping):
            return self._struct(wanted, value, path)
        if isinstance(wanted, inspect.VarTupleType | inspect.ListType) and isinstance(value, list):
            return [self.read(wanted.item_type, item, (*path, k)) for k, item in enumerate(value)]
        return value

    def _struct(self, wanted: inspect.StructType, value: Mapping[str, Any], path: Path) -> dict[str, Any]:
        fields = {field.encode_name: field.type for field in wanted.fields}
        tag = wanted.tag_field
        for key in value:
            if key not in fields and key != tag:
                expected = catalogue.one_of(str(key), fields) if fields else "no settings: it has none"
                raise BadSettingError(
                    (*path, key), self.owner, value[key], f"a setting that exists: {expected}"
                )
        return {k: v if k == tag else self.read(fields[k], v, (*path, k)) for k, v in value.items()}

    def _mechanism(self, value: Any, path: Path) -> Mechanism:
        """Rules inside rules, such as those that are replicated: named as they are at the top of a file."""
        given = dict(value) if isinstance(value, Mapping) else {"kind": value}
        kind = given.pop("kind", None)
        if not isinstance(kind, str):
            raise BadSettingError(path, self.owner, value, _RULES)
        known = catalogue.declared(Mechanism)
        if ":" not in kind and kind not in known:
            raise BadSettingError((*path, "kind"), self.owner, kind, catalogue.one_of(kind, known))
        cls: type[Mechanism] = catalogue.find(Mechanism, kind)
        try:
            return build(cls, given, kind)
        except ScenarioError as error:
            inside = (
                error.path if isinstance(error, BadSettingError) else tuple(_KEY.findall(error.field)[:1])
            )
            found = BadSettingError((), error.field, error.value, error.expected)
            found.path = (*path, *inside)
            raise found from None

    def _function(self, value: Any, path: Path) -> Any:
        if callable(value):
            return value
        settings = dict(value) if isinstance(value, Mapping) else {"kind": value}
        kind = settings.pop("kind", None)
        if not isinstance(kind, str):
            raise BadSettingError(path, self.owner, value, "the name of a function, or its kind and settings")
        found = self._named(kind, path)
        if isinstance(found, type):
            return build(found, settings, kind)
        if settings:
            raise BadSettingError(
                path, self.owner, value, f"{kind} alone: it is a function and has no settings"
            )
        return found

    def _named(self, name: str, path: Path) -> Any:
        if ":" in name:
            found = imported(name)
            if not _is_function(found):
                raise BadSettingError(path, self.owner, name, "the place of a function")
            return found
        room = import_module(self.room)
        public = {n: getattr(room, n) for n in getattr(room, "__all__", ())}
        functions = {n: found for n, found in public.items() if _is_function(found)}
        if name not in functions:
            wanted = get_type_hints(self.cls).get(str(path[0])) if len(path) == 1 else None
            fit = [n for n, found in functions.items() if _fits(found, wanted)] or list(functions)
            expected = catalogue.one_of(name, fit) if fit else "none: it has no functions"
            raise BadSettingError(
                path, self.owner, name, f"a function of {self.room}, or module:name: {expected}"
            )
        return functions[name]


def _is_function(found: Any) -> bool:
    """Whether it can be a setting that is called: a function, a struct that can be called, or the class of one."""
    if isinstance(found, type):
        return issubclass(found, msgspec.Struct) and any(
            "__call__" in base.__dict__ for base in found.__mro__
        )
    return isinstance(found, FunctionType) or (isinstance(found, msgspec.Struct) and callable(found))


def _fits(found: Any, wanted: Any) -> bool:
    """Whether a function, or the struct that is called in its place, takes and returns what the type of a setting says."""
    callables = [t for t in (wanted, *get_args(wanted)) if get_origin(t) is Callable]
    called = found if isinstance(found, FunctionType) else found.__call__
    try:
        result = get_type_hints(called).get("return")
    except NameError:  # it speaks of types that only a type checker imports
        return False
    required = [p for p in signature(called).parameters.values() if p.default is p.empty and p.name != "self"]
    for takes, returns in map(get_args, callables):
        if isinstance(takes, list) and len(takes) == len(required) and _is_kind_of(result, returns):
            return True
    return False


def _is_kind_of(result: Any, wanted: Any) -> bool:
    """Whether one annotation is another, or a narrower container of the same, as a list is an iterable."""
    narrow, wide = get_origin(result), get_origin(wanted)
    if isinstance(narrow, type) and isinstance(wide, type):
        return issubclass(narrow, wide) and get_args(result) == get_args(wanted)
    return bool(result == wanted)


def _branch(wanted: inspect.Type, value: Any) -> inspect.Type:
    """The one member of a union that a value is meant for, as far as that can be told; else the union."""
    if not isinstance(wanted, inspect.UnionType):
        return wanted
    if isinstance(value, str):  # text is never meant where a function may stand
        return next((t for t in wanted.types if isinstance(t, inspect.CustomType)), wanted)
    if isinstance(value, Mapping):
        structs = [t for t in wanted.types if isinstance(t, inspect.StructType)]
        tagged = [t for t in structs if t.tag_field is not None and value.get(t.tag_field) == t.tag]
        return tagged[0] if tagged else structs[0] if len(structs) == 1 else wanted
    if isinstance(value, list):
        return next(
            (t for t in wanted.types if isinstance(t, inspect.VarTupleType | inspect.ListType)), wanted
        )
    return wanted


# --------------------------------------------------------------------------------------- after msgspec: the complaint


def _explained(
    error: msgspec.ValidationError, wanted: inspect.Type, given: Any, owner: str
) -> BadSettingError:
    """The complaint of msgspec with the field, its value and the expectation in words."""
    text = str(error)
    found = _STEP.findall(text.rpartition("`$")[2])
    path: Path = tuple(int(number) if number else name for name, number in found)
    missing = re.search(r"missing required field `(\w+)`", text)
    if missing:
        path = (*path, missing[1])
    value: Any = given
    type_: Any = wanted
    for step in path:
        type_ = _into(_branch(type_, value), step)
        value = _at(value, step)
    return BadSettingError(path, owner, value, _in_words(type_) if type_ is not None else text)


def _at(value: Any, step: str | int) -> Any:
    try:
        return value[step]
    except (KeyError, IndexError, TypeError):
        return None


def _into(wanted: Any, step: str | int) -> Any:
    if isinstance(wanted, inspect.StructType):
        return next((field.type for field in wanted.fields if field.encode_name == step), None)
    if isinstance(wanted, inspect.VarTupleType | inspect.ListType):
        return wanted.item_type
    return wanted if isinstance(wanted, inspect.UnionType) else None


def _in_words(wanted: inspect.Type) -> str:
    if isinstance(wanted, inspect.LiteralType):
        return "one of " + ", ".join(sorted(map(str, wanted.values)))
    if isinstance(wanted, inspect.VarTupleType | inspect.ListType):
        return f"a list, each {_in_words(wanted.item_type)}"
    if isinstance(wanted, inspect.UnionType):
        tags = [str(t.tag) for t in wanted.types if isinstance(t, inspect.StructType) and t.tag is not None]
        others = [_in_words(t) for t in wanted.types if not isinstance(t, inspect.StructType)]
        return " or ".join([*([f"settings with a kind of {', '.join(tags)}"] if tags else []), *others])
    if isinstance(wanted, inspect.StructType) and wanted.cls is Mechanism:
        return _RULES
    if isinstance(wanted, inspect.StructType):
        return "settings: " + ", ".join(field.encode_name for field in wanted.fields)
    return _PLAIN.get(type(wanted), "another value")
