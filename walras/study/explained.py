"""What the settings of a scenario or mechanism mean, from where it is written down: the ``Args:`` of its docstring."""

import inspect
import re
from importlib import import_module
from textwrap import dedent
from typing import Any, NamedTuple

import msgspec

from walras.trace.rows import without_addresses

_HEADING = re.compile(r"[A-Z][A-Za-z ]*:")
_ENTRY = re.compile(r"(?P<names>\w+(?:, \w+)*)(?: \(.*?\))?:(?:\s+(?P<text>.*))?")


class Setting(NamedTuple):
    """One setting: its name, its default as settings files write it (None: it has none), and what it means."""

    name: str
    default: str | None
    meaning: str


def settings_of(cls: type) -> list[Setting]:
    """The settings of a struct class in order; one that is inherited has the meaning that the nearest class gives it.

    Examples:
        >>> from contractnet import ContractNet
        >>> settings_of(ContractNet)[5]
        Setting(name='announcements', default='2', meaning='how often a task is announced at most, the first time included.')
    """
    meanings = meanings_of(cls)
    return [Setting(f.name, _default(f), meanings.get(f.name, "")) for f in msgspec.structs.fields(cls)]


def meanings_of(cls: type) -> dict[str, str]:
    """What the docstrings of a class and of its bases say of their settings, by name."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        found |= _entries(base)
    return found


def prose_of(cls: type) -> str:
    """What a class's docstring says before its first section (``Args:``, ``Raises:`` and the like)."""
    lines = _docstring(cls)
    sections = (k for k, line in enumerate(lines) if _HEADING.fullmatch(line))
    return "\n".join(lines[: next(sections, len(lines))]).strip()


def _docstring(cls: type) -> list[str]:
    return inspect.cleandoc(cls.__dict__.get("__doc__") or "").split("\n")


def _entries(cls: type) -> dict[str, str]:
    lines = _docstring(cls)
    if "Args:" not in lines:
        return {}
    after = lines[lines.index("Args:") + 1 :]
    ends = (k for k, line in enumerate(after) if line and not line[0].isspace())
    found: dict[str, str] = {}
    names: list[str] = []
    for line in dedent("\n".join(after[: next(ends, len(after))])).split("\n"):
        if line[:1].isspace() or not line:
            found |= {name: f"{found[name]} {line.strip()}".strip() for name in names}
            continue
        entry = _ENTRY.fullmatch(line)
        names = (
            entry["names"].split(", ") if entry else []
        )  # what has another form is not understood, and no harm
        found |= dict.fromkeys(names, (entry["text"] or "") if entry else "")
    return found


def _default(field: msgspec.structs.FieldInfo) -> str | None:
    if field.required:
        return None
    try:
        default: Any = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
        return _name_of(default) if callable(default) else _written(default)
    except Exception as error:  # whatever a class of somebody else's does with its defaults
        return f"({type(error).__name__}: {without_addresses(error)})"


def _name_of(function: Any) -> str:
    """A public name of the function's room; else where it is, or its class."""
    module = function.__module__
    room = import_module(module.split(".")[0])
    public = (name for name in getattr(room, "__all__", ()) if getattr(room, name) is function)
    place = (
        f"{module}:{function.__qualname__}" if hasattr(function, "__qualname__") else type(function).__name__
    )
    return next(public, place)


def _written(default: Any) -> str:
    if isinstance(default, str | float):
        return str(default)
    return msgspec.json.encode(default, enc_hook=without_addresses).decode()
