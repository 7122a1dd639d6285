"""Whether a program that is started again on its journal still plays by the rules that it began with."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from walras.errors import ScenarioError
from walras.protocol import Protocol
from walras.trace.rows import without_addresses

MOST_SHOWN = 120
"""Characters of a value, in an error."""


def check_same(what: str, was: Any, now: Any) -> None:
    """Compare what the journal has with what the program says now.

    Raises:
        ScenarioError: naming the first thing that differs, and how many more do.
    """
    found = list(differences(was, now))
    if found:
        path, then, value = found[0]
        more = f"; {len(found) - 1} more differ: {', '.join(p for p, *_ in found[1:6])}" if found[1:] else ""
        shown = without_addresses(repr(then))[:MOST_SHOWN]
        raise ScenarioError(
            f"{path} of {what}" if path else what, value, f"{shown}, which the journal has at its place{more}"
        )


def differences(was: Any, now: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two values differ: path, then, now. What has no equality of its own is the same if its parts are.

    Roles that a mechanism has kept are no rules.
    """
    if was is now or _equal(was, now) or isinstance(was, Protocol):
        return
    one, other = _parts(was), _parts(now)
    if type(was) is not type(now) or one is None or other is None:
        if type(was) is not type(now) or without_addresses(repr(was)) != without_addresses(repr(now)):
            yield path, was, now
        return
    if one.keys() != other.keys():
        yield path, was, now
        return
    for name in one:
        yield from differences(one[name], other[name], f"{path}.{name}".strip("."))


def _equal(was: Any, now: Any) -> bool:
    try:
        return type(was) is type(now) and bool(was == now)
    except Exception:  # as of arrays, and of what is a user's
        return False


def _parts(value: Any) -> dict[str, Any] | None:
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {str(key): part for key, part in value.items()}
    if isinstance(value, list | tuple):
        return {str(k): part for k, part in enumerate(value) if not isinstance(part, Protocol)}
    if isinstance(value, partial):
        return {"function": value.func, "arguments": value.args, **value.keywords}
    found = getattr(value, "__dict__", None)
    return found if isinstance(found, dict) and found else None
