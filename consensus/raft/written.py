"""What a replica makes durable: records, each in one piece, from which the next life begins."""

from collections.abc import Iterable
from itertools import pairwise

from consensus.raft.records import Entry, HardState, Snapshot
from consensus.raft.storage import MemoryStorage
from walras.messages import Frozen, Message


class Written(Frozen, frozen=True):
    """One batch's durable part: the hard state as it is then, entries in the place of all from the first one's index on.

    With a snapshot, nothing that was written before is needed any more but what these entries say.
    """

    hard_state: HardState
    entries: tuple[Entry, ...] = ()
    snapshot: Snapshot | None = None


class Stored(Message, frozen=True):
    """From a replica to itself: what was written before this was sent is durable."""


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


def flaw(storage: MemoryStorage, record: Written) -> str:
    """Why no replica can have written a record after what is in a storage; empty if one can have."""
    entries, snapshot, hard = record.entries, record.snapshot, record.hard_state
    last = storage.last_index()
    if snapshot is not None:
        if snapshot.index <= storage.latest.index:
            return f"snapshot {snapshot.index} comes after {storage.latest.index}"
        last = snapshot.index
    if entries:
        if entries[0].index > last + 1:
            return f"entry {entries[0].index} would leave a gap after {last}"
        for one, following in pairwise(entries):
            if following.index != one.index + 1 or following.term < one.term:
                return f"{following} follows {one}"
        last = entries[-1].index
    if hard.commit > last:
        return f"commit index {hard.commit} lies in the future: {last} is last"
    if hard.term < storage.hard_state.term:
        return f"term {hard.term} comes after {storage.hard_state.term}"
    return ""
