"""Traces as JSON lines: for people, for other tools, and back again with the same digest.

JSON has no NaN, no infinity and no bytes, so these travel tagged: ``{"$float": "inf"}``, ``{"$bytes": "<base64>"}``, and
whatever else JSON would change as ``{"$msgpack": "<base64>"}``. Everything else is as it was: floats are written so that
they read back exactly.
"""

import math
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from walras.errors import WalrasError
from walras.trace.rows import MESSAGE, Raw, decode, encode_as_is

SCHEMA = 1
"""The version of the file's layout; readers read all versions up to theirs."""

_CHUNK_ROWS = 4_096
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Header(msgspec.Struct, frozen=True):
    """The first line of a file."""

    walras_trace: int
    digest: str
    rows: int


# -------------------------------------------------------------------------------------------- values, there and back


def to_json(value: Any) -> Any:
    """A decoded value in a form that JSON keeps exactly."""
    cls = type(value)
    if cls is str or cls is int or cls is bool or value is None:
        return value
    if cls is float:
        return value if math.isfinite(value) else {"$float": _name(value)}
    if cls is list:
        return [to_json(v) for v in value]
    if cls is bytes:
        return {"$bytes": b64encode(value).decode()}
    if cls is dict and all(type(k) is str and k[:1] != "$" for k in value):
        return {k: to_json(v) for k, v in value.items()}
    return {"$msgpack": b64encode(encode_as_is(value)).decode()}


def _name(value: float) -> str:
    return "-nan" if math.isnan(value) and math.copysign(1.0, value) < 0 else repr(value)


def from_json(value: Any) -> Any:
    """What `to_json` was given. Raises ValueError or TypeError for a tag without a meaning."""
    if type(value) is list:
        return [from_json(v) for v in value]
    if type(value) is not dict:
        return value
    if len(value) == 1:
        ((key, inside),) = value.items()
        if key[:1] == "$":
            return _untag(key, inside)
    return {k: from_json(v) for k, v in value.items()}


def _untag(key: str, inside: Any) -> Any:
    if key == "$float":
        return float(inside)
    if key == "$bytes":
        return b64decode(inside, validate=True)
    if key == "$msgpack":
        return decode(b64decode(inside, validate=True))
    raise ValueError(f"unknown tag {key}")


def as_text(value: Any) -> str:
    """A value as one JSON string."""
    return _encode(to_json(value)).decode()


def as_cell(value: Any) -> Any:
    """A value for one cell of a table: compound ones as JSON."""
    return as_text(value) if isinstance(value, list | dict) else value


def message_fields(message: Any) -> str:
    """A message's fields as JSON, without its type."""
    if isinstance(message, dict):
        return as_text({k: v for k, v in message.items() if k != "type"})
    return as_text(message)


# ------------------------------------------------------------------------------------------------------------- files


def write_lines(path: str | Path, rows: Iterable[Raw], count: int, digest: str) -> None:
    """Write a header and the rows, a line each."""
    with Path(path).open("wb") as file:
        file.write(_encode(Header(SCHEMA, digest, count)) + b"\n")
        for row in rows:
            file.write(_encode(to_json(list(row))) + b"\n")


def read_lines(path: str | Path) -> Iterator[tuple[bytes, int]]:
    """The rows of a file, encoded in chunks as a trace keeps them, with the number of rows of each."""
    rows: list[Raw] = []
    for number, line in _lines(path):
        if number == 1:
            _header(path, line)
            continue
        rows.append(_row(path, number, line))
        if len(rows) == _CHUNK_ROWS:
            yield encode_as_is(rows), len(rows)
            rows = []
    if rows:
        yield encode_as_is(rows), len(rows)


def check_end(path: str | Path, rows: int, digest: str) -> None:
    """Compare what has been read with what the header promised."""
    _, line = next(_lines(path))
    header = _header(path, line)
    if header.rows != rows:
        raise WalrasError(
            f"{path}, line 1 promises {header.rows} rows, but the file has {rows}: it was cut or joined"
        )
    if header.digest != digest:
        raise WalrasError(
            f"{path}, line 1 names the digest {header.digest[:12]}..., but its rows have {digest[:12]}...: "
            "a row was changed after the trace was written"
        )


def _lines(path: str | Path) -> Iterator[tuple[int, bytes]]:
    try:
        with Path(path).open("rb") as file:
            empty = True
            for number, line in enumerate(file, start=1):
                empty = False
                yield number, line
    except OSError as error:
        raise WalrasError(
            f"{path} cannot be read: {error.strerror}; expected a trace as JSON lines"
        ) from None
    if empty:
        raise WalrasError(f"{path}, line 1 is missing; expected the header of a trace")


def _header(path: str | Path, line: bytes) -> Header:
    try:
        header = msgspec.json.decode(line, type=Header)
    except (msgspec.MsgspecError, UnicodeError):
        raise WalrasError(f"{path}, line 1 is {_shown(line)}; expected the header of a trace") from None
    if not 1 <= header.walras_trace <= SCHEMA:
        raise WalrasError(
            f"{path}, line 1 is of trace schema {header.walras_trace}; expected one from 1 to {SCHEMA}: "
            "it was written by another version of Walras"
        )
    return header


def _row(path: str | Path, number: int, line: bytes) -> Raw:
    try:
        row = from_json(_decode(line))
    except (msgspec.MsgspecError, ValueError, TypeError):
        row = None
    if not _is_row(row):
        raise WalrasError(
            f"{path}, line {number} is {_shown(line)}; expected one row of a trace, a JSON array"
        )
    return row  # type: ignore[no-any-return]  # a list, as has just been checked


def _is_row(row: Any) -> bool:
    if not isinstance(row, list) or len(row) < 4 or not isinstance(row[0], int | float):
        return False
    if row[1] == "broadcast":
        return len(row) == 7 and isinstance(row[4], list) and isinstance(row[6], list)
    return isinstance(row[1], str) or (row[1] == MESSAGE and len(row) == 8)


def _shown(line: bytes) -> str:
    text = repr(line.decode("utf-8", "replace").rstrip("\n"))
    return text if len(text) <= 60 else text[:57] + "..."
