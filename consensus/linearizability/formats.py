"""Histories in files: JSON lines of ours, Jepsen's logs, and EDN maps as Jepsen and others write them.

Which one it is shows in the first line that is not blank:

* ``{"process": 0, "type": "invoke", "f": "put", "key": "3", "value": "x", "time": 0.25}``, see `Event`;
* ``INFO  jepsen.util - 0	:invoke	:cas	[1 2]``, a register; lines of other loggers are passed over;
* ``{:process 0, :type :invoke, :f :get, :key "3", :value nil}``.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from consensus.linearizability.events import Event, HistoryError


def read_history(path: str | Path) -> list[Event]:
    """The events of a file, in whichever of the three forms it is written.

    Raises:
        HistoryError: if it cannot be read, naming the line.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise HistoryError(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise HistoryError(f"{path} is not text in UTF-8") from None
    try:
        return parse_history(text)
    except HistoryError as error:
        raise HistoryError(f"{path}, {error}") from None


def parse_history(text: str) -> list[Event]:
    """The events of a text, in whichever of the three forms it is written; an empty text is an empty history.

    Raises:
        HistoryError: for a line that is none of its form.
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines:
        return []
    parse = _form_of(*lines[0])
    events = []
    for number, line in lines:
        try:
            event = parse(line.strip())
        except (ValueError, RecursionError) as error:  # what msgspec raises is a ValueError too
            raise HistoryError(f"line {number} is no event: {error}") from None
        if event is not None:
            events.append(event)
    return events


def to_json_lines(events: Iterable[Event]) -> str:
    """A text that `parse_history` reads back as these events."""
    return "".join(msgspec.json.encode(event).decode() + "\n" for event in events)


def _form_of(number: int, line: str) -> Callable[[str], Event | None]:
    start = line.lstrip()
    if start.startswith('{"'):
        return msgspec.json.Decoder(Event).decode
    if re.match(r"\{\s*:", start):
        return _from_edn
    if "jepsen" in start:
        return _from_log
    raise HistoryError(f"line {number} is neither a JSON object nor an EDN map nor a line of Jepsen's log")


# -------------------------------------------------------------------------------------------------------------- Jepsen's log

_LOG_LINE = re.compile(r"jepsen\.util - (\d+)\s+:(invoke|ok|fail|info)\s+:([\w-]+)\s+(.+)")


def _from_log(line: str) -> Event | None:
    if "jepsen.util - " not in line or "jepsen.util - :nemesis" in line:
        return None
    match = _LOG_LINE.search(line)
    if match is None:
        raise ValueError("expected 'jepsen.util - PROCESS :TYPE :FUNCTION VALUE'")
    process, kind, f, value = match.groups()
    return _event(process=int(process), type=kind, f=f, value=_parse_edn(value))


# ----------------------------------------------------------------------------------------------------------------------- EDN

_TOKEN = re.compile(
    r'[\s,]*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<mark>[{}\[\]()])|(?P<atom>[^\s,{}\[\]()"]+))'
)
_ATOMS: dict[str, Any] = {"nil": None, "true": True, "false": False}
_CLOSING = {"}": "{", "]": "[", ")": "("}


class _Level(NamedTuple):
    """A collection that is being read: its opening mark and what it holds so far."""

    mark: str
    items: list[Any]


def _from_edn(line: str) -> Event | None:
    found = _parse_edn(line)
    if not isinstance(found, dict):
        raise ValueError("expected a map such as {:process 0, :type :invoke, :f :get, :value nil}")
    if found.get("process") == "nemesis":
        return None
    found.pop("index", None)
    return _event(**found)


def _event(**fields: Any) -> Event:
    """An event of these fields, validated."""
    return msgspec.convert(
        {name: value for name, value in fields.items() if name in Event.__struct_fields__}, Event
    )


def _parse_edn(text: str) -> Any:
    """One EDN value: maps, vectors and lists of strings, numbers, keywords (as strings), nil, true and false."""
    levels = [_Level("", [])]
    place, end = 0, len(text.rstrip(" \t\r\n,"))
    while place < end:
        token = _TOKEN.match(text, place)
        if token is None:
            raise ValueError(f"unreadable from character {place + 1}")
        place = token.end()
        mark = token["mark"]
        if mark is None:
            levels[-1].items.append(_scalar(token))
        elif mark in "{[(":
            levels.append(_Level(mark, []))
        else:
            opened, items = levels.pop()
            if opened != _CLOSING[mark]:
                raise ValueError(f"{mark!r} closes nothing")
            levels[-1].items.append(_collection(mark, items))
    if len(levels) != 1 or len(levels[0].items) != 1:
        raise ValueError("expected one complete EDN value")
    return levels[0].items[0]


def _scalar(token: re.Match[str]) -> Any:
    if token["string"] is not None:
        return msgspec.json.decode(token["string"])
    atom = token["atom"]
    if atom in _ATOMS:
        return _ATOMS[atom]
    if atom.startswith(":"):
        return atom[1:]
    try:
        return int(atom)
    except ValueError:
        return float(atom)


def _collection(mark: str, items: list[Any]) -> Any:
    if mark != "}":
        return items
    if len(items) % 2:
        raise ValueError("a map has a value for every key")
    return {str(key): value for key, value in zip(items[::2], items[1::2], strict=True)}
