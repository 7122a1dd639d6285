"""What a replica makes durable: records, each in one piece, from which the next life begins."""

from collections.abc import Iterable

from consensus.raft.records import Entry, HardState, Snapshot
from consensus.raft.storage import MemoryStorage
from walras.messages import Frozen


class Written(Frozen, frozen=True):
    """One batch's durable part: the hard state as it is then, entries in the place of all from the first one's index on.

    With a snapshot, nothing that was written before is needed any more but what these entries say.
    """

    hard_state: HardState
    entries: tuple[Entry, ...] = ()
    snapshot: Snapshot | None = None


def replayed(records: Iterable[Written]) -> MemoryStorage:
    """What all records together say; raises `SnapshotOutOfDateError` where they are in no order that was ever written."""
    storage = MemoryStorage()
    for record in records:
        storage.write(record.hard_state, record.entries, record.snapshot)
    return storage


def everything(storage: MemoryStorage) -> Written:
    """One record in the place of all: the snapshot and what follows it. What was kept before it is not durable."""
    first, behind = storage.latest.index + 1, storage.last_index() + 1
    entries = storage.entries(first, behind) if storage.latest.index else tuple(storage.log)
    return Written(storage.hard_state, entries, storage.latest if storage.latest.index else None)
