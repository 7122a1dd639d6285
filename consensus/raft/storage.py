"""Where a replica's log, hard state and snapshot lie: the interface, and a storage in memory.

The core only reads (`Storage`); whoever runs it writes what each batch says (`WritableStorage.write`), in one piece,
before anything that the batch says must wait for the write.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from consensus.raft import confchange
from consensus.raft.errors import (
    CompactedError,
    SnapshotOutOfDateError,
    SnapshotUnavailableError,
    UnavailableError,
)
from consensus.raft.quorum import EVERYTHING
from consensus.raft.records import Command, Configuration, Entry, HardState, Snapshot, within


class Storage(Protocol):
    """What the core reads. Indexes begin at 1; entries up to the snapshot's index are gone, all others follow it."""

    def initial_state(self) -> tuple[HardState, Configuration]:
        """The hard state, and the membership as of the snapshot."""

    def first_index(self) -> int:
        """The first entry that is still here, or would be: the snapshot's index plus 1."""

    def last_index(self) -> int:
        """The last entry, or the snapshot's index if there is none."""

    def term(self, index: int) -> int:
        """The term of the entry at an index, from `first_index() - 1` on; raises `CompactedError` and `UnavailableError`."""

    def entries(self, low: int, high: int, max_size: int) -> tuple[Entry, ...]:
        """The entries of [low, high), cut off after `max_size` bytes but never to nothing."""

    def snapshot(self) -> Snapshot:
        """The newest snapshot; raises `SnapshotUnavailableError` while there is none to send.

        A newcomer can only be given one that was taken after the change that made it a member was applied.
        """


class WritableStorage(Storage, Protocol):
    """What whoever runs the core writes."""

    def write(
        self, hard_state: HardState | None, entries: Sequence[Entry], snapshot: Snapshot | None
    ) -> None:
        """A batch's durable part, all of it or (after a crash) nothing: a snapshot first, then entries.

        Entries replace what stands at their index and behind. `None` and `()` leave a part as it is.
        """

    def compact(self, snapshot: Snapshot, keep: int = 0) -> None:
        """Keep a snapshot of what was applied, and drop the entries that it covers but for the last `keep`."""


def founding(configuration: Configuration, data: str | Command = "") -> Snapshot:
    """What every founding member of a cluster writes before it starts: the same first snapshot, of index 1, before all terms.

    Members who join later start with an empty storage.
    """
    return Snapshot(1, 0, confchange.checked(configuration), data)


class MemoryStorage(msgspec.Struct):
    """A storage without a disk: for simulations, tests, and as the cache of one that has."""

    hard_state: HardState = HardState()
    latest: Snapshot = Snapshot()
    log: list[Entry] = []
    base_index: int = 0
    """Index and term of the entry before `log`: the last that was compacted away."""
    base_term: int = 0

    def initial_state(self) -> tuple[HardState, Configuration]:
        return self.hard_state, self.latest.configuration

    def first_index(self) -> int:
        return self.base_index + 1

    def last_index(self) -> int:
        return self.base_index + len(self.log)

    def term(self, index: int) -> int:
        place = index - self.base_index
        if place <= 0:
            if place == 0:
                return self.base_term
            raise CompactedError(index)
        if place > len(self.log):
            raise UnavailableError(index)
        return self.log[place - 1].term

    def entries(self, low: int, high: int, max_size: int = EVERYTHING) -> tuple[Entry, ...]:
        if low <= self.base_index:
            raise CompactedError(low)
        assert high <= self.last_index() + 1, f"entries up to {high} were asked of {self.last_index()}"
        found = tuple(self.log[low - self.base_index - 1 : high - self.base_index - 1])
        return found if max_size == EVERYTHING else within(found, max_size)

    def snapshot(self) -> Snapshot:
        if not self.latest.index:
            raise SnapshotUnavailableError
        return self.latest

    def write(
        self, hard_state: HardState | None, entries: Sequence[Entry], snapshot: Snapshot | None
    ) -> None:
        if snapshot is not None:
            self.restore(snapshot)
        if entries:
            self.append(entries)
        if hard_state is not None:
            self.hard_state = hard_state

    def append(self, entries: Sequence[Entry]) -> None:
        """Write entries in the place of all from the first one's index on; what is compacted stays so."""
        first, last = entries[0].index, self.last_index()
        if entries[-1].index <= self.base_index:
            return
        if first <= self.base_index:
            entries = entries[self.base_index + 1 - first :]
            first = self.base_index + 1
        assert first <= last + 1, f"entry {first} would leave a gap after {last}"
        del self.log[first - self.base_index - 1 :]
        self.log.extend(entries)

    def restore(self, snapshot: Snapshot) -> None:
        """Take over a snapshot in the place of the whole log."""
        if snapshot.index <= self.latest.index:
            raise SnapshotOutOfDateError(f"snapshot {snapshot.index} comes after {self.latest.index}")
        self.latest = snapshot
        self.log = []
        self.base_index, self.base_term = snapshot.index, snapshot.term

    def compact(self, snapshot: Snapshot, keep: int = 0) -> None:
        if snapshot.index < self.latest.index:
            raise SnapshotOutOfDateError(f"snapshot {snapshot.index} comes after {self.latest.index}")
        if snapshot.index > self.last_index():
            raise UnavailableError(
                f"snapshot {snapshot.index} is from the future: {self.last_index()} is last"
            )
        self.latest = snapshot
        self.truncate_before(snapshot.index - keep)

    def truncate_before(self, index: int) -> None:
        """Drop the entries up to and with an index; nothing if they are gone already."""
        if index <= self.base_index:
            return
        term = self.term(index)
        del self.log[: index - self.base_index]
        self.base_index, self.base_term = index, term
