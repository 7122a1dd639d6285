"""A replica's storage in one SQLite file, for whoever runs a `Node` outside of the kernel.

A batch is one row, made durable in one transaction: term, vote, entries and snapshot together, or (after a crash) nothing.
Each row has a checksum that covers the one before it, too, so that a row that was changed, taken out or put elsewhere is
found, and so is a byte that the medium changed. There is no write-ahead log: SQLite takes the part of one behind a damaged
place for never written, and forgets it in silence. What was written is kept in memory as well, since the core reads it all
the time. The file is compacted with the log.
"""

import pickle
import sqlite3
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from types import TracebackType

from consensus.raft.errors import CorruptStorageError
from consensus.raft.records import Configuration, Entry, HardState, NodeId, Snapshot
from consensus.raft.storage import MemoryStorage
from consensus.raft.written import Written, everything, flaw
from walras.errors import ScenarioError

_FORMAT = 1
_SCHEMA = (
    "CREATE TABLE about (format INTEGER NOT NULL, node INTEGER NOT NULL)",
    """CREATE TABLE written (
        number INTEGER PRIMARY KEY,     -- 1, 2, 3 ... without gaps
        payload BLOB NOT NULL,          -- a pickled Written
        checksum BLOB NOT NULL          -- SHA-256 of the checksum before, the number and the payload
    )""",
)
_NOT_OURS = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)
"""Errors that say nothing about what is in the file."""


class SqliteStorage:
    """A `WritableStorage` in a file, of one node and no other.

    It is as trusted as the program that reads it: its payloads are pickles, so open only your own.

    Args:
        path: the file; made if it is not there.
        node: whose it is: the storage of another node is refused, for its votes and promises are not ours.
        fsync: whether a write is on the medium before `write` returns. False is quicker and survives a crash of the
            program, though not one of the machine.

    Raises:
        ScenarioError: if the file is in use, cannot be opened, or belongs to another node or a later format.
        CorruptStorageError: if what it holds cannot have been written by a replica. The file stays as it is.
    """

    def __init__(self, path: str | Path, node: NodeId, fsync: bool = True) -> None:
        self.path, self.node = Path(path), node
        self._memory = MemoryStorage()
        self._number, self._checksum = 0, b""
        self._db = self._open(fsync)
        try:
            self._read()
        except BaseException:
            self._db.close()
            raise

    def _open(self, fsync: bool) -> sqlite3.Connection:
        try:
            db = sqlite3.connect(self.path, isolation_level=None, timeout=0.2)
            try:
                self._begin(db, fsync)
            except BaseException:
                db.close()  # else it would keep the file locked
                raise
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if getattr(error, "sqlite_errorcode", None) in _NOT_OURS:
                expected = f"a file that can be written, and that nobody else has open ({error})"
                raise ScenarioError("path", str(self.path), expected) from None
            raise CorruptStorageError(f"{self.path}: {error}") from None
        return db

    def _begin(self, db: sqlite3.Connection, fsync: bool) -> None:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = TRUNCATE")
        db.execute(f"PRAGMA synchronous = {'FULL' if fsync else 'NORMAL'}")
        db.execute("BEGIN EXCLUSIVE")  # from now on it is ours alone
        if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            for statement in _SCHEMA:
                db.execute(statement)
            db.execute("INSERT INTO about VALUES (?, ?)", (_FORMAT, self.node))
        db.execute("COMMIT")

    # ------------------------------------------------------------------ reading it all, once
    def _read(self) -> None:
        try:
            about = self._db.execute("SELECT format, node FROM about").fetchall()
            rows = self._db.execute(
                "SELECT number, payload, checksum FROM written ORDER BY number"
            ).fetchall()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise CorruptStorageError(f"{self.path}: {error}") from None
        if len(about) != 1:
            raise CorruptStorageError(f"{self.path} does not say whose it is")
        if about[0][0] != _FORMAT:
            raise ScenarioError("path", str(self.path), f"a file of format {_FORMAT}, not {about[0][0]}")
        if about[0][1] != self.node:
            raise ScenarioError("node", self.node, f"{about[0][1]}, whose storage {self.path} is")
        for number, payload, checksum in rows:
            self._take(number, payload, checksum)

    def _take(self, number: int, payload: bytes, checksum: bytes) -> None:
        before = self._number, self._checksum
        self._number = number
        if number != before[0] + 1 or self._sum(payload) != checksum:
            raise CorruptStorageError(
                f"{self.path}: record {number} is not what was written after {before[0]}"
            )
        try:
            record = pickle.loads(payload)
        except Exception as error:  # pickle raises nearly everything
            raise CorruptStorageError(f"{self.path}: record {number} cannot be read ({error})") from error
        if why := flaw(self._memory, record):
            raise CorruptStorageError(f"{self.path}: record {number}: {why}")
        self._memory.write(record.hard_state, record.entries, record.snapshot)
        self._checksum = checksum

    def _sum(self, payload: bytes) -> bytes:
        return sha256(b"%s %d " % (self._checksum, self._number) + payload).digest()

    # ------------------------------------------------------------------ the interface
    def initial_state(self) -> tuple[HardState, Configuration]:
        return self._memory.initial_state()

    def first_index(self) -> int:
        return self._memory.first_index()

    def last_index(self) -> int:
        return self._memory.last_index()

    def term(self, index: int) -> int:
        return self._memory.term(index)

    def entries(self, low: int, high: int, max_size: int) -> tuple[Entry, ...]:
        return self._memory.entries(low, high, max_size)

    def snapshot(self) -> Snapshot:
        return self._memory.snapshot()

    def write(
        self, hard_state: HardState | None, entries: Sequence[Entry], snapshot: Snapshot | None
    ) -> None:
        """As `WritableStorage.write`, durable when it returns; raises `CorruptStorageError` for what makes no sense."""
        memory = self._memory
        record = Written(hard_state or memory.hard_state, tuple(entries), snapshot)
        if why := flaw(memory, record):
            raise CorruptStorageError(f"refused: {why}")
        self._append(record)
        memory.write(hard_state, entries, snapshot)

    def compact(self, snapshot: Snapshot, keep: int = 0) -> None:
        """As `WritableStorage.compact`; the last `keep` entries are kept in memory only. The file begins anew."""
        self._memory.compact(snapshot, keep)
        number, checksum = self._number, self._checksum
        self._number, self._checksum = 0, b""
        try:
            self._append(everything(self._memory), instead=True)
        except BaseException:
            self._number, self._checksum = number, checksum
            raise

    def _append(self, record: Written, instead: bool = False) -> None:
        payload = pickle.dumps(record, protocol=5)
        self._number += 1
        checksum = self._sum(payload)
        db = self._db
        try:
            with db:
                db.execute("BEGIN IMMEDIATE")
                if instead:
                    db.execute("DELETE FROM written")
                db.execute("INSERT INTO written VALUES (?, ?, ?)", (self._number, payload, checksum))
        except BaseException:
            self._number -= 1
            raise
        self._checksum = checksum

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    def __enter__(self) -> "SqliteStorage":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
