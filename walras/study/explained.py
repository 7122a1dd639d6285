"""What the settings of a scenario or mechanism mean, from where it is written down: the ``Args:`` of its docstring."""

import inspect
import re
from importlib import import_module
from math import inf
from typing import Any, NamedTuple

import msgspec

_HEADING = re.compile(r"[A-Z][A-Za-z ]*:$")
_ENTRY = re.compile(r"    (\w+(?:, \w+)*): (.*)")


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
    meanings: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        meanings |= _meanings(base)
    return [Setting(f.name, _default(cls, f), meanings.get(f.name, "")) for f in msgspec.structs.fields(cls)]


def prose_of(cls: type) -> str:
    """What a class's docstring says before its first section (``Args:``, ``Raises:`` and the like)."""
    lines = _docstring(cls)
    sections = (k for k, line in enumerate(lines) if _HEADING.fullmatch(line))
    return "\n".join(lines[: next(sections, len(lines))]).strip()


def _docstring(cls: type) -> list[str]:
    return inspect.cleandoc(cls.__dict__.get("__doc__") or "").split("\n")


def _meanings(cls: type) -> dict[str, str]:
    lines = _docstring(cls)
    if "Args:" not in lines:
        return {}
    found: dict[str, str] = {}
    names: list[str] = []
    for line in lines[lines.index("Args:") + 1 :]:
        entry = _ENTRY.fullmatch(line)
        if entry:
            names = entry[1].split(", ")
            found |= dict.fromkeys(names, entry[2])
        elif line.startswith("     "):
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
        elif line:
            break
    return found


def _default(cls: type, field: msgspec.structs.FieldInfo) -> str | None:
    if field.required:
        return None
    default: Any = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if callable(default):
        room = import_module(cls.__module__.split(".")[0])
        public = (name for name in getattr(room, "__all__", ()) if getattr(room, name) is default)
        return next(public, type(default).__name__)
    return "inf" if default == inf else msgspec.json.encode(default).decode().strip('"')
