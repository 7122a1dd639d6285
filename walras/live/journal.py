"""The journal of a live market: every input, durable before anything that it brings about leaves the market.

A market is a deterministic function of its inputs. So the journal holds what came from outside (who was added, what
was opened, answers of minds, reports of work, messages of peers) with its contents, and of what the market itself
brought about (messages between its roles, timers, deadlines) only the number and the time: in this order the same
life is lived again. It is a SQLite file that one process uses at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from walras.errors import ScenarioError, WalrasError
from walras.live.pickling import dumps

SCHEMA_VERSION = 1

_TABLES = """
CREATE TABLE IF NOT EXISTS market (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inputs (
    number INTEGER PRIMARY KEY,  -- order in which they were handled
    at REAL NOT NULL,            -- seconds since the run's epoch
    serial INTEGER NOT NULL,     -- the market's own doing, by its number; 0: from outside
    what TEXT NOT NULL,
    payload BLOB NOT NULL        -- what came from outside, pickled
);
CREATE TABLE IF NOT EXISTS snapshots (number INTEGER PRIMARY KEY, state BLOB NOT NULL);
"""


class JournalError(WalrasError):
    """A journal cannot be read, or not be continued by this program."""


class Input(NamedTuple):
    """One row: what was handled when."""

    number: int
    at: float
    serial: int
    what: str
    payload: bytes


_KINDS = {"at": float, "serial": int, "what": str, "payload": bytes}


class Journal:
    """Rows are collected and written in one transaction by `commit`, which every turn of the market ends with.

    A journal is as trusted as the program that reads it: its payloads are pickles, so open only your own.

    Args:
        path: the file; made if it is not there. ``":memory:"`` for tests.
        fsync: wait until the disk has it. Without, a killed process loses nothing, but a power failure may lose the
            last moments (never consistency).

    Raises:
        ScenarioError: if another process uses it, or it cannot be opened, or the path is none.
        JournalError: if it is no journal, or of another version.
    """

    def __init__(self, path: str | Path, *, fsync: bool = False) -> None:
        given: object = path
        if not isinstance(given, str | Path):
            raise ScenarioError("journal", given, "the path of a file, or None")
        self.path = str(path)
        self._new: list[tuple[float, int, str, bytes]] = []
        self.written = 0
        """Rows since the last snapshot."""
        try:
            self._db = sqlite3.connect(self.path, isolation_level=None, timeout=0.2)
            try:
                self._open(fsync)
            except BaseException:
                self._db.close()  # nobody is left who could, and it would lock the file
                raise
        except sqlite3.OperationalError as error:
            raise ScenarioError(
                "journal", self.path, f"a file that can be opened and no other process uses ({error})"
            ) from None
        except sqlite3.DatabaseError as error:
            raise JournalError(f"{self.path} is no journal of a market: {error}") from None

    def _open(self, fsync: bool) -> None:
        db = self._db
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {'FULL' if fsync else 'NORMAL'}")
        db.execute("BEGIN IMMEDIATE")
        there = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        if there and "market" not in there:  # before anything of ours is put into a file of others
            raise JournalError(
                f"{self.path} is no journal of a market: another program keeps {there[0]!r} in it"
            )
        for statement in _TABLES.split(";\n"):
            db.execute(statement)
        db.execute("COMMIT")
        version = self.settle("version", SCHEMA_VERSION)
        if version != SCHEMA_VERSION:
            raise JournalError(
                f"{self.path} is a journal of version {version}; this program reads version {SCHEMA_VERSION}"
            )

    # ------------------------------------------------------------------ settings of the market
    def settle(self, name: str, value: Any) -> Any:
        """A setting that holds for the whole life of the market: this value, unless it has one already.

        Raises:
            JournalError: for one that is of another type: somebody has changed it.
        """
        self._db.execute("INSERT OR IGNORE INTO market VALUES (?, ?)", (name, value))
        (found,) = self._db.execute("SELECT value FROM market WHERE name = ?", (name,)).fetchone()
        if isinstance(found, int | float) is not isinstance(value, int | float) or found != found:
            raise JournalError(
                f"{self.path} was changed: its {name} is {found!r}, which no market could have"
            )
        return found

    # ------------------------------------------------------------------ writing
    @staticmethod
    def encode(arguments: tuple[Any, ...]) -> bytes:
        """What came from outside, as bytes.

        Raises:
            ScenarioError: for what does not pickle, as a function made inside another one.
        """
        try:
            return dumps(arguments)
        except Exception as error:  # pickle raises nearly everything
            raise ScenarioError(
                "what goes into the journal", arguments, f"something that pickles ({error})"
            ) from None

    @property
    def dirty(self) -> bool:
        """Whether something has been written and not committed."""
        return bool(self._new)

    def write(self, at: float, serial: int, what: str, payload: bytes = b"") -> None:
        """Add a row; it is durable at the next commit."""
        self._new.append((at, serial, what, payload))

    def commit(self) -> None:
        """Make everything durable that was written, all of it or nothing."""
        new = self._new
        if new:
            self._db.execute("BEGIN")
            self._db.executemany("INSERT INTO inputs (at, serial, what, payload) VALUES (?, ?, ?, ?)", new)
            self._db.execute("COMMIT")
            self.written += len(new)
            new.clear()

    def replace(self, state: bytes) -> None:
        """Put a copy of the market in the place of all rows so far; numbers go on."""
        self.commit()
        db = self._db
        db.execute("BEGIN")
        last = db.execute("SELECT COALESCE(MAX(number), 0) FROM inputs").fetchone()[0]
        db.execute("DELETE FROM snapshots")
        db.execute("INSERT INTO snapshots VALUES (?, ?)", (last, state))
        db.execute("DELETE FROM inputs WHERE number < ?", (last,))  # the last one keeps the count
        db.execute("COMMIT")
        self.written = 0

    # ------------------------------------------------------------------ reading
    def snapshot(self) -> bytes | None:
        """The copy of the market that stands for the rows before it; None if there is none."""
        row = self._db.execute("SELECT state FROM snapshots").fetchone()
        return row[0] if row is not None else None

    def inputs(self) -> Iterator[Input]:
        """The rows after the snapshot, in order.

        Raises:
            JournalError: naming a row that no market has written so.
        """
        last = self._db.execute("SELECT COALESCE(MAX(number), 0) FROM snapshots").fetchone()[0]
        at = -inf
        for row in self._db.execute(
            "SELECT number, at, serial, what, payload FROM inputs WHERE number > ? ORDER BY number", (last,)
        ):
            found = Input(*row)
            _check(found, last + 1, at)
            last, at = found.number, found.at
            self.written += 1
            yield found

    def close(self) -> None:
        """Let another process have it. What was not committed is gone."""
        self._new.clear()
        self._db.close()


def _check(row: Input, number: int, earliest: float) -> None:
    """SQLite takes anything into any column, and lets anybody change it."""
    if row.number != number:
        raise JournalError(f"row {number} of the journal is missing; the next one is {row.number}")
    for field, kind in _KINDS.items():
        if type(getattr(row, field)) is not kind:
            raise JournalError(
                f"row {number} of the journal was changed: its {field} is {getattr(row, field)!r}; "
                f"expected {kind.__name__}"
            )
    if not earliest <= row.at < inf:
        raise JournalError(
            f"row {number} of the journal was changed: it is of {row.at:g} s; expected {earliest:g} s or later"
        )
