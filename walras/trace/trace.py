"""The trace: everything that happened in a run, in order, with a digest that proves that two runs were the same.

A runtime appends plain tuples to `Trace.rows`, which is cheap; `Trace.fold` encodes them in one call, hashes the bytes
and keeps them. Reading decodes again, so a trace costs its reader and not the run. The layout of the rows and of
the file is in ``docs/trace-schema.md``.
"""

import difflib
from collections.abc import Iterator
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from walras.errors import WalrasError
from walras.trace.file import as_cell, as_text, check_end, message_fields, read_lines, write_lines
from walras.trace.rows import (
    Counts,
    Raw,
    Row,
    conversation_of,
    decode,
    decode_split,
    each_message,
    encode_rows,
    header_length,
    read_row,
    type_name,
)
from walras.trace.transcript import Transcript, one_line

if TYPE_CHECKING:
    import pandas

Chunk = bytes
"""Some rows, encoded as one array."""

_CONTEXT = 3
_CANDIDATES = 2_000


class UnknownConversationError(WalrasError, KeyError):
    """A trace has no conversation of this id; says which ids are near it."""

    def __str__(self) -> str:
        return str(self.args[0])


class Difference(msgspec.Struct, frozen=True):
    """Where two traces part: the number of the row (from 0), the row of each (None: it has ended), rows before it."""

    number: int
    this: Row | None
    other: Row | None
    before: tuple[Row, ...] = ()

    def __str__(self) -> str:
        first = self.number - len(self.before)
        lines = [f"the traces part at row {self.number}"]
        lines += [f"    {first + k:>6}  {one_line(row)}" for k, row in enumerate(self.before)]
        for mark, row in (("this ", self.this), ("other", self.other)):
            lines.append(f"{mark}{self.number:>5}  {one_line(row) if row is not None else '(has ended)'}")
        return "\n".join(lines)

    __repr__ = __str__


class Trace:
    """Everything that happened in a run, in order of occurrence.

    Args:
        keep: False only counts and hashes, for runs too large to keep; reading then raises `WalrasError`.

    Examples:
        >>> trace = Trace()
        >>> trace.rows.append((0.0, "note", "", "ada", "it begins"))
        >>> len(trace), [row.details for row in trace]
        (1, [{'text': 'it begins'}])
    """

    def __init__(self, keep: bool = True) -> None:
        self.keep = keep
        self.rows: list[tuple[Any, ...]] = []
        """Rows that are not encoded yet. It stays the same list: hot code keeps a reference to it."""
        self._chunks: list[Chunk] = []
        self._hash = sha256()
        self._sealed: str | None = None
        self._folded = 0
        self._gone = 0  # of these, how many were hashed and not kept
        self._count = Counts()
        self._counted = 0

    @classmethod
    def counted(cls, digest: str, rows: int, counts: Counts) -> "Trace":
        """A finished trace of which only the digest and the counts are known, as `keep=False` leaves them."""
        trace = cls(keep=False)
        trace._sealed, trace._folded, trace._gone = digest, rows, rows
        trace._count = counts
        return trace

    # ------------------------------------------------------------------ writing
    def fold(self) -> None:
        """Encode the rows so far, add them to the digest and clear the list; where chunks end, no reader can tell."""
        rows = self.rows
        if rows:
            assert self._sealed is None, "a finished trace goes on"
            self._take(encode_rows(rows), len(rows))
            if not self.keep:
                self._count.add(rows)
            rows.clear()

    def _take(self, chunk: Chunk, rows: int) -> None:
        self._hash.update(memoryview(chunk)[header_length(rows) :])
        self._folded += rows
        if self.keep:
            self._chunks.append(chunk)
        else:
            self._gone += rows

    @property
    def kept(self) -> bool:
        """Whether every row so far can be read."""
        return self.keep and not self._gone

    def so_far(self) -> "Trace":
        """A copy that does not grow: what has happened until now. The encoded rows are shared."""
        self.fold()
        twin = Trace(self.keep)
        twin._chunks, twin._hash = self._chunks.copy(), self._hash.copy()
        twin._sealed, twin._folded, twin._gone = self._sealed, self._folded, self._gone
        twin._count, twin._counted = self._count.copy(), self._counted
        return twin

    def __getstate__(self) -> tuple[bool, list[Chunk]]:
        """A pickle holds the rows, so a trace that has kept none has no pickle."""
        self._readable()
        return self.keep, self._chunks

    def __setstate__(self, state: tuple[bool, list[Chunk]]) -> None:
        keep, chunks = state
        Trace.__init__(self, keep)
        for chunk in chunks:
            self._take(chunk, len(decode_split(chunk)))

    # ------------------------------------------------------------------ as a whole
    @property
    def digest(self) -> str:
        """SHA-256 of all encoded rows, hexadecimal: equal where everything that happened was equal."""
        self.fold()
        return self._sealed or self._hash.hexdigest()

    def __len__(self) -> int:
        return self._folded + len(self.rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trace) and len(self) == len(other) and self.digest == other.digest

    __hash__ = None  # type: ignore[assignment]  # it grows

    def __repr__(self) -> str:
        return f"<Trace of {len(self)} rows, digest {self.digest[:12]}>"

    def message_counts(self) -> dict[str, int]:
        """Messages sent, by type, the most frequent first. A broadcast to k agents counts k, a lost one counts."""
        ordered = sorted(self._counts().by_type.items(), key=lambda item: (-item[1], item[0]))
        return dict(ordered)

    @property
    def messages(self) -> int:
        """How many messages were sent."""
        return sum(self._counts().by_type.values())

    @property
    def bytes(self) -> int:
        """The size of all messages sent, encoded as MessagePack, without envelopes."""
        return self._counts().bytes

    def default_counts(self) -> dict[str, int]:
        """Questions that got no legal answer and so their default, by status: "silent", "illegal", "error" and others."""
        return dict(sorted(self._counts().defaults.items()))

    @property
    def first_default(self) -> str:
        """Whose question was the first to get its default, and why, if a note says so; empty if none did."""
        return self._counts().first_default

    def _counts(self) -> Counts:
        self.fold()
        while self._counted < len(self._chunks):
            self._count.add(decode(self._chunks[self._counted]))
            self._counted += 1
        return self._count

    # ------------------------------------------------------------------ reading
    def raw(self) -> Iterator[Raw]:
        """Rows as they were appended, structs as dicts and tuples as lists."""
        for chunk in self._readable():
            yield from decode(chunk)

    def since(self, number: int) -> list[Raw]:
        """The rows from this number on, as they were appended; looks only at the end of the trace."""
        found: list[Raw] = list(self.rows[max(0, number - self._folded) :])
        missing = self._folded - number
        for chunk in reversed(self._chunks):
            if missing <= 0:
                break
            rows = decode(chunk)
            found[:0] = rows[-missing:]
            missing -= len(rows)
        return found

    def _readable(self) -> list[Chunk]:
        self.fold()
        if self._gone:
            raise WalrasError(
                "this trace has only counted and hashed its rows (keep=False); run again and keep them"
            )
        return self._chunks

    def __iter__(self) -> Iterator[Row]:
        return map(read_row, self.raw())

    def conversation(
        self, conversation: str, *, children: bool = False, everything: bool = False
    ) -> Transcript:
        """What was said and done in one conversation, line by line.

        Args:
            conversation: its id, as in ``router/17``.
            children: show the conversations that it opened, too.
            everything: show timers, questions and records, too; else what others could see, and answers.

        Raises:
            UnknownConversationError: if there is none; names the nearest ids.
        """
        below, needle = conversation + "/", conversation.encode()
        found = [
            read_row(raw)
            for chunk in self._readable()
            if needle in chunk
            for raw in decode(chunk)
            if (own := conversation_of(raw)) == conversation or (children and own.startswith(below))
        ]
        if not found:
            raise UnknownConversationError(self._nothing_like(conversation))
        return Transcript(conversation, tuple(found), everything)

    def conversations(self) -> list[str]:
        """The ids of all conversations, in the order of their first rows."""
        return [c for c in dict.fromkeys(map(conversation_of, self.raw())) if c]

    def _nothing_like(self, conversation: str) -> str:
        ids = self.conversations()
        opener = conversation.split("/")[0] + "/"
        candidates = ([c for c in ids if c.startswith(opener)] or ids)[:_CANDIDATES]
        near = difflib.get_close_matches(conversation, candidates, n=3, cutoff=0.0)
        hint = f"the nearest are {', '.join(near)}" if near else "it has none at all"
        return f"the trace has no conversation {conversation!r}; {hint}"

    def first_difference(self, other: "Trace") -> Difference | None:
        """Where this trace and another one part; None if they are equal. Rows are compared as bytes, NaN equals NaN."""
        if self == other:
            return None
        before: list[msgspec.Raw] = []
        pairs = zip_longest(self._split(), other._split())
        for number, (mine, others) in enumerate(pairs):
            if mine is None or others is None or Chunk(mine) != Chunk(others):
                rows = [read_row(decode(raw)) if raw is not None else None for raw in (mine, others)]
                context = tuple(read_row(decode(raw)) for raw in before[-_CONTEXT:])
                return Difference(number, rows[0], rows[1], context)
            before = [*before[-_CONTEXT:], mine]
        return None

    def _split(self) -> Iterator[msgspec.Raw]:
        for chunk in self._readable():
            yield from decode_split(chunk)

    # ------------------------------------------------------------------ as tables
    def columns(self, kind: str | None = "message") -> dict[str, list[Any]]:
        """The rows of one kind as columns, ready for a table.

        ``message``: one row per message, broadcasts expanded, with `sent_s`, `arrival_s` (NaN: lost on the way),
        `conversation`, `sender`, `to`, `type` and `message`, its fields as JSON. Another kind: `at_s`, `conversation`,
        `agent` and its details, compound ones as JSON. None: all rows, with `kind`, and `details` as JSON.
        """
        if kind == "message":
            return self._message_columns()
        rows = [row for row in self if kind is None or row.kind == kind]
        columns: dict[str, list[Any]] = {"at_s": [row.at for row in rows]}
        if kind is None:
            columns["kind"] = [row.kind for row in rows]
        columns |= {"conversation": [r.conversation for r in rows], "agent": [r.agent for r in rows]}
        if kind is None:
            return columns | {"details": [as_text(row.details) for row in rows]}
        names = dict.fromkeys(name for row in rows for name in row.details)
        return columns | {n: [as_cell(row.details.get(n)) for row in rows] for n in names}

    def _message_columns(self) -> dict[str, list[Any]]:
        names = ("sent_s", "arrival_s", "conversation", "sender", "to", "message")
        found = [message for raw in self.raw() for message in each_message(raw)]
        columns = {name: [row[k] for row in found] for k, name in enumerate(names)}
        messages = columns.pop("message")
        columns["type"] = [type_name(message) for message in messages]
        columns["message"] = [message_fields(message) for message in messages]
        return columns

    def to_pandas(self, kind: str | None = "message") -> "pandas.DataFrame":
        """`columns` as a tidy `pandas.DataFrame`: one row per message, or per row of another kind."""
        import pandas

        return pandas.DataFrame(self.columns(kind))

    # ------------------------------------------------------------------ as a file
    def to_jsonl(self, path: str | Path) -> None:
        """Write the trace as JSON lines: a header with schema version, digest and number of rows, then a row per line."""
        write_lines(path, self.raw(), len(self), self.digest)

    @classmethod
    def from_jsonl(cls, path: str | Path) -> "Trace":
        """Read what `to_jsonl` wrote: the same rows with the same digest.

        Raises:
            WalrasError: naming the file, the line and what was expected, if it is damaged, missing or of a newer schema.
        """
        trace = cls()
        for chunk, rows in read_lines(path):
            trace._take(chunk, rows)
        check_end(path, len(trace), trace.digest)
        return trace
