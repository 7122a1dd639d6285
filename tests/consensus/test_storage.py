"""A storage in a file: what was written is there again, and what nobody can have written is noticed."""

import sqlite3
from pathlib import Path
from random import Random

import pytest

from consensus.raft.errors import CorruptStorageError, UnavailableError
from consensus.raft.kv import Put
from consensus.raft.node import Node
from consensus.raft.quorum import EVERYTHING
from consensus.raft.records import Configuration, Entry, HardState, Snapshot
from consensus.raft.settings import Settings
from consensus.raft.sqlite_storage import SqliteStorage
from consensus.raft.state import Role
from consensus.raft.storage import MemoryStorage, founding
from walras.errors import ScenarioError

ALONE = Configuration(voters=(1,))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "raft.db"


def filled(path: Path) -> None:
    with SqliteStorage(path, 1) as storage:
        storage.write(None, (), founding(ALONE, "first"))
        storage.write(HardState(1, 1, 1), [Entry(1, 2, "two"), Entry(1, 3, Put("x", "three"))], None)
        storage.write(HardState(2, 1, 3), [Entry(2, 3, "other"), Entry(2, 4, "four")], None)


def altered(path: Path, *statements: str) -> None:
    db = sqlite3.connect(path)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


def test_what_was_written_is_there_again(path: Path) -> None:
    filled(path)
    with SqliteStorage(path, 1) as storage:
        assert storage.initial_state() == (HardState(2, 1, 3), ALONE)
        assert storage.entries(2, 5, EVERYTHING) == (
            Entry(1, 2, "two"),
            Entry(2, 3, "other"),
            Entry(2, 4, "four"),
        )
        assert storage.snapshot() == founding(ALONE, "first")
        assert (storage.first_index(), storage.last_index(), storage.term(1)) == (2, 4, 0)


def test_it_says_the_same_as_a_storage_in_memory(path: Path) -> None:
    """Random batches, reopened now and then."""
    rng, memory, term = Random(3), MemoryStorage(), 0
    storage = SqliteStorage(path, 1, fsync=False)
    for one in (storage, memory):
        one.write(None, (), founding(ALONE))
    for round_ in range(120):
        term += rng.random() < 0.3
        first = rng.randint(max(storage.first_index(), storage.last_index() - 3), storage.last_index() + 1)
        entries = [
            Entry(term, index, f"{round_}/{index}") for index in range(first, first + rng.randint(0, 4))
        ]
        hard = HardState(term, rng.randint(0, 3), storage.first_index() - 1)
        for one in (storage, memory):
            one.write(hard, entries, None)
        if rng.random() < 0.1 and storage.last_index() > memory.latest.index:
            at = rng.randint(memory.latest.index + 1, storage.last_index())
            for one in (storage, memory):
                one.compact(Snapshot(at, one.term(at), ALONE, f"state {at}"))
        if rng.random() < 0.2:
            storage.close()
            storage = SqliteStorage(path, 1, fsync=False)
        first, behind = memory.first_index(), memory.last_index() + 1
        assert (storage.first_index(), storage.last_index() + 1) == (first, behind)
        assert storage.entries(first, behind, EVERYTHING) == memory.entries(first, behind)
        assert storage.initial_state() == memory.initial_state()
        assert storage.snapshot() == memory.snapshot()
    storage.close()


def test_a_node_lives_again_from_its_file(path: Path) -> None:
    def life(*commands: str) -> list[str]:
        applied: list[str] = []
        with SqliteStorage(path, 1) as storage:
            if not storage.last_index():
                storage.write(None, (), founding(ALONE))
            node = Node(Settings(id=1), storage, Random(1))
            node.campaign()
            proposed = False
            while node.has_ready():
                ready = node.ready()
                storage.write(ready.hard_state, ready.entries, ready.snapshot)
                applied += [str(entry.data) for entry in ready.committed_entries if entry.data]
                node.advance()
                if node.raft.role is Role.LEADER and not proposed:
                    proposed = True
                    node.propose(*commands)
        return applied

    assert life("a", "b") == ["a", "b"]
    assert life("c") == ["a", "b", "c"]


def test_compaction_keeps_the_file_small(path: Path) -> None:
    with SqliteStorage(path, 1, fsync=False) as storage:
        storage.write(None, (), founding(ALONE))
        for index in range(2, 200):
            storage.write(HardState(1, 1, index), [Entry(1, index, "x" * 100)], None)
        storage.compact(Snapshot(150, 1, ALONE, "all"), keep=10)
        assert storage.first_index() == 141
    with SqliteStorage(path, 1) as storage:
        assert (storage.first_index(), storage.last_index()) == (151, 199)
        assert storage.snapshot().data == "all"
    db = sqlite3.connect(path)
    assert db.execute("SELECT count(*) FROM written").fetchone() == (1,)
    db.close()


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (
            "UPDATE written SET payload = substr(payload, 1, 40) WHERE number = 3",
            "record 3 is not what was written",
        ),
        ("UPDATE written SET payload = x'00' WHERE number = 1", "record 1 is not what was written"),
        ("DELETE FROM written WHERE number = 2", "record 3 is not what was written after 1"),
        ("UPDATE written SET checksum = x'00' WHERE number = 2", "record 2 is not what was written"),
        ("UPDATE written SET number = 7 WHERE number = 3", "record 7 is not what was written after 2"),
        ("DELETE FROM about", "does not say whose it is"),
        ("DROP TABLE written", "no such table"),
    ],
)
def test_a_file_that_was_tampered_with_is_refused_and_left_as_it_is(
    path: Path, statement: str, why: str
) -> None:
    filled(path)
    altered(path, statement)
    before = path.read_bytes()
    with pytest.raises(CorruptStorageError, match=why):
        SqliteStorage(path, 1)
    assert path.read_bytes() == before


def test_a_torn_file_is_refused(path: Path) -> None:
    filled(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(CorruptStorageError):
        SqliteStorage(path, 1)


def test_whatever_bit_the_medium_turns_is_noticed_or_of_no_consequence(tmp_path: Path) -> None:
    """As a program leaves the file that is killed, with all that lies beside it: nothing is forgotten in silence."""
    (tmp_path / "killed").mkdir()
    storage = SqliteStorage(tmp_path / "killed" / "raft.db", 1, fsync=False)
    storage.write(None, (), founding(ALONE))
    for k in range(8):
        storage.write(HardState(k + 1, 1, k + 1), [Entry(k + 1, k + 2, f"command {k}")], None)
    written = {file.name: file.read_bytes() for file in sorted((tmp_path / "killed").iterdir())}
    storage.close()
    rng, refused = Random(1), 0
    for attempt in range(200):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        damaged = rng.choice([name for name, content in written.items() if content])
        for name, content in written.items():
            turned = bytearray(content)
            if name == damaged:
                turned[rng.randrange(len(turned))] ^= 1 << rng.randrange(8)
            (folder / name).write_bytes(turned)
        try:
            with SqliteStorage(folder / "raft.db", 1) as opened:
                assert opened.initial_state() == (HardState(8, 1, 8), ALONE)
                assert [entry.data for entry in opened.entries(2, 10, EVERYTHING)] == [
                    f"command {k}" for k in range(8)
                ]
        except (CorruptStorageError, ScenarioError):  # the latter where format or owner are what has changed
            refused += 1
    assert refused > 20


def test_something_else_is_no_storage(path: Path) -> None:
    path.write_bytes(b"a text that is no database, and long enough to be looked at" * 30)
    with pytest.raises(CorruptStorageError, match="not a database"):
        SqliteStorage(path, 1)


def test_whose_it_is_and_who_has_it_open_matters(path: Path) -> None:
    filled(path)
    with pytest.raises(ScenarioError, match="node is 2; expected 1"):
        SqliteStorage(path, 2)
    with SqliteStorage(path, 1), pytest.raises(ScenarioError, match="nobody else has open"):
        SqliteStorage(path, 1)
    with pytest.raises(ScenarioError, match="can be written"):
        SqliteStorage(path.parent / "nowhere" / "raft.db", 1)
    altered(path, "UPDATE about SET format = 9")
    with pytest.raises(ScenarioError, match="format 1, not 9"):
        SqliteStorage(path, 1)


@pytest.mark.parametrize(
    ("hard", "entries", "snapshot", "why"),
    [
        (HardState(2, 1, 9), [], None, "commit index 9 lies in the future: 4 is last"),
        (HardState(1, 1, 3), [], None, "term 1 comes after 2"),
        (None, [Entry(2, 6, "x")], None, "entry 6 would leave a gap after 4"),
        (None, [Entry(2, 5, "x"), Entry(1, 6, "y")], None, "follows"),
        (None, [Entry(2, 5, "x"), Entry(2, 7, "y")], None, "follows"),
        (None, [], Snapshot(1, 0, ALONE, "old"), "snapshot 1 comes after 1"),
    ],
)
def test_what_no_replica_writes_is_refused_and_nothing_is_lost(
    path: Path, hard: HardState | None, entries: list[Entry], snapshot: Snapshot | None, why: str
) -> None:
    filled(path)
    with SqliteStorage(path, 1) as storage:
        with pytest.raises(CorruptStorageError, match=why):
            storage.write(hard, entries, snapshot)
        storage.write(HardState(3, 0, 3), [Entry(3, 5, "five")], None)
    with SqliteStorage(path, 1) as storage:
        assert storage.last_index() == 5


def test_a_snapshot_from_the_future_is_refused(path: Path) -> None:
    filled(path)
    with SqliteStorage(path, 1) as storage, pytest.raises(UnavailableError, match="from the future"):
        storage.compact(Snapshot(9, 2, ALONE, "not yet"))


def test_what_a_faulty_program_wrote_is_refused_by_the_next_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checksums are right, and what they are of is not."""
    filled(path)
    with SqliteStorage(path, 1) as storage, monkeypatch.context() as faulty:
        faulty.setattr("consensus.raft.sqlite_storage.flaw", lambda memory, record: "")
        storage.write(HardState(2, 1, 9), [], None)
    with pytest.raises(CorruptStorageError, match="record 4: commit index 9 lies in the future: 4 is last"):
        SqliteStorage(path, 1)
