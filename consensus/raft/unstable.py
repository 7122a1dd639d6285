"""The tail of the log that is not known to be durable yet."""

import msgspec

from consensus.raft.records import Entry, Snapshot


class Unstable(msgspec.Struct):
    """Entries from `offset` on, and a snapshot before them if one was received.

    What lies before `in_progress` is being written: handed out in a batch, but not acknowledged.
    """

    offset: int
    in_progress: int
    entries: list[Entry] = []
    snapshot: Snapshot | None = None
    snapshot_in_progress: bool = False

    def term(self, index: int) -> int | None:
        """The term at an index, if it is here."""
        place = index - self.offset
        if place < 0:
            snapshot = self.snapshot
            return snapshot.term if snapshot is not None and snapshot.index == index else None
        return self.entries[place].term if place < len(self.entries) else None

    def to_write(self) -> tuple[Entry, ...]:
        """The entries that nobody has begun to write."""
        return tuple(self.entries[self.in_progress - self.offset :])

    def snapshot_to_write(self) -> Snapshot | None:
        """The snapshot, unless somebody has begun to write it."""
        return None if self.snapshot_in_progress else self.snapshot

    def accept_in_progress(self) -> None:
        """All of it is being written now."""
        self.in_progress = self.offset + len(self.entries)
        self.snapshot_in_progress = self.snapshot is not None

    def stable_to(self, index: int, term: int) -> None:
        """Everything up to (index, term) is durable.

        Void if that entry is not here any more: it was overwritten meanwhile, and what was acknowledged is not what
        stands here, or it became durable with a snapshot.
        """
        place = index - self.offset
        if place < 0 or self.term(index) != term:
            return
        del self.entries[: place + 1]
        self.offset = index + 1
        self.in_progress = max(self.in_progress, self.offset)

    def stable_snapshot_to(self, index: int) -> None:
        """The snapshot of that index is durable."""
        if self.snapshot is not None and self.snapshot.index == index:
            self.snapshot = None
            self.snapshot_in_progress = False

    def restore(self, snapshot: Snapshot) -> None:
        """A snapshot takes the place of everything."""
        self.offset = self.in_progress = snapshot.index + 1
        self.entries = []
        self.snapshot = snapshot
        self.snapshot_in_progress = False

    def append(self, entries: tuple[Entry, ...]) -> None:
        """New entries, in the place of all from the first one's index on."""
        first = entries[0].index
        if first == self.offset + len(self.entries):
            self.entries.extend(entries)
        elif first <= self.offset:
            self.entries = list(entries)
            self.offset = self.in_progress = first
        else:
            del self.entries[first - self.offset :]
            self.entries.extend(entries)
            self.in_progress = min(self.in_progress, first)
