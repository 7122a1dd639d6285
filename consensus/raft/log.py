"""The replicated log: what is stored, and behind it what is on its way to storage."""

import msgspec

from consensus.raft.errors import CompactedError, SnapshotUnavailableError, UnavailableError
from consensus.raft.quorum import EVERYTHING
from consensus.raft.records import Entry, Snapshot, entries_size, within
from consensus.raft.storage import Storage
from consensus.raft.unstable import Unstable


class RaftLog(msgspec.Struct):
    """A log whose durable part is a storage's. Always applied <= applying <= committed <= last index."""

    storage: Storage
    unstable: Unstable
    committed: int
    applying: int
    """The last entry that was handed out to be applied."""
    applied: int
    max_applying_size: int = EVERYTHING
    """Bytes of entries that may be handed out and not applied."""
    applying_size: int = 0
    applying_paused: bool = False

    # ------------------------------------------------------------------ reading
    def first_index(self) -> int:
        """The first index that is not compacted."""
        snapshot = self.unstable.snapshot
        return self.storage.first_index() if snapshot is None else snapshot.index + 1

    def last_index(self) -> int:
        """The last index, 0 if there has never been one."""
        unstable = self.unstable
        return unstable.offset + len(unstable.entries) - 1

    def last_term(self) -> int:
        """The term of the last entry."""
        return self.term(self.last_index())

    def term(self, index: int) -> int:
        """The term at an index; raises `CompactedError` or `UnavailableError` outside of [first - 1, last]."""
        unstable = self.unstable
        if index < unstable.offset and unstable.snapshot is None:
            return self.storage.term(index)
        term = unstable.term(index)
        if term is None:
            raise CompactedError(index) if index < unstable.offset else UnavailableError(index)
        return term

    def term_or_0(self, index: int) -> int:
        """The term at an index, 0 where it is not known."""
        try:
            return self.term(index)
        except (CompactedError, UnavailableError):
            return 0

    def matches(self, index: int, term: int) -> bool:
        """Whether the entry at an index has a term."""
        try:
            return self.term(index) == term
        except (CompactedError, UnavailableError):
            return False

    def slice(self, low: int, high: int, max_size: int = EVERYTHING) -> tuple[Entry, ...]:
        """The entries of [low, high), cut off after `max_size` bytes but never to nothing; raises `CompactedError`."""
        if low >= high:
            return ()
        unstable, offset = self.unstable, self.unstable.offset
        if low >= offset:
            found = tuple(unstable.entries[low - offset : high - offset])
        elif unstable.snapshot is not None:
            raise CompactedError(low)
        elif high <= offset:
            return self.storage.entries(low, high, max_size)
        else:
            found = self.storage.entries(low, offset, max_size)
            if len(found) < offset - low:
                return found
            found += tuple(unstable.entries[: high - offset])
        return found if max_size == EVERYTHING else within(found, max_size)

    def entries_from(self, index: int, max_size: int = EVERYTHING) -> tuple[Entry, ...]:
        """The entries from an index to the end, as `slice`."""
        return self.slice(index, self.last_index() + 1, max_size)

    def snapshot(self) -> Snapshot:
        """The newest snapshot, also if it is not durable yet; raises `SnapshotUnavailableError`."""
        snapshot = self.unstable.snapshot
        return self.storage.snapshot() if snapshot is None else snapshot

    def is_up_to_date(self, index: int, term: int) -> bool:
        """Whether a log that ends in (index, term) is at least as fresh as this one (Raft paper, 5.4.1)."""
        last = self.last_index()
        last_term = self.term(last)
        return term > last_term or (term == last_term and index >= last)

    def find_conflict_by_term(self, index: int, term: int) -> tuple[int, int]:
        """The greatest (index, term) here with index and term at most the given ones.

        No entry behind it can match a log whose entry at `index` has `term`: terms only rise along a log. Term 0 where
        the log is compacted, (0, 0) at the beginning.
        """
        while index > 0:
            try:
                own = self.term(index)
            except (CompactedError, UnavailableError):
                return index, 0
            if own <= term:
                return index, own
            index -= 1
        return 0, 0

    # ------------------------------------------------------------------ appending
    def maybe_append(
        self, prev_index: int, prev_term: int, entries: tuple[Entry, ...], commit: int
    ) -> int | None:
        """A leader's append: the last index that now matches the leader's, or None if the anchor does not.

        Truncates only at a real conflict: an old, shorter append must not cut off what came after it.
        """
        if not self.matches(prev_index, prev_term):
            return None
        last_new = prev_index + len(entries)
        if entries:
            if prev_index == self.last_index():
                self.unstable.append(entries)
            else:
                self._append_from_conflict(prev_index + 1, entries)
        self.commit_to(min(commit, last_new))
        return last_new

    def _append_from_conflict(self, first: int, entries: tuple[Entry, ...]) -> None:
        for place, entry in enumerate(entries):
            if not self.matches(first + place, entry.term):
                assert first + place > self.committed, f"committed entry {first + place} would be overwritten"
                self.unstable.append(entries[place:])
                return

    def append(self, entries: tuple[Entry, ...]) -> int:
        """Entries at the end or in the place of a tail that is not committed; the new last index."""
        if entries:
            assert entries[0].index > self.committed, f"{entries[0].index} <= commit {self.committed}"
            self.unstable.append(entries)
        return self.last_index()

    def restore(self, snapshot: Snapshot) -> None:
        """A snapshot takes the place of the log."""
        self.committed = snapshot.index
        self.unstable.restore(snapshot)

    # ------------------------------------------------------------------ committing
    def commit_to(self, index: int) -> None:
        """Everything up to an index is committed; the commit index never falls."""
        if index > self.committed:
            assert index <= self.last_index(), f"commit {index} lies behind the end, {self.last_index()}"
            self.committed = index

    def maybe_commit(self, index: int, term: int) -> bool:
        """Commit up to an index if its entry has the leader's term (Raft paper, 5.4.2); whether that is news."""
        if index > self.committed and self.matches(index, term):
            self.committed = index
            return True
        return False

    # ------------------------------------------------------------------ storing and applying
    def appliable(self, allow_unstable: bool) -> int:
        """The last entry that may be applied."""
        return self.committed if allow_unstable else min(self.committed, self.unstable.offset - 1)

    def has_next_committed(self, allow_unstable: bool) -> bool:
        """Whether there is something to apply; not before a pending snapshot is."""
        if self.applying_paused or self.unstable.snapshot is not None:
            return False
        return self.applying < self.appliable(allow_unstable)

    def next_committed(self, allow_unstable: bool) -> tuple[Entry, ...]:
        """What is to be applied next, within the limit of bytes, though at least one entry."""
        if not self.has_next_committed(allow_unstable):
            return ()
        room = self.max_applying_size - self.applying_size
        return self.slice(self.applying + 1, self.appliable(allow_unstable) + 1, self._bounded(room))

    def _bounded(self, room: int) -> int:
        return EVERYTHING if self.max_applying_size == EVERYTHING else room

    def accept_applying(self, entries: tuple[Entry, ...], allow_unstable: bool) -> None:
        """These are being applied; pause if the limit is reached or held the next one back."""
        self.applying = entries[-1].index
        if self.max_applying_size != EVERYTHING:
            self.applying_size += entries_size(entries)
            held_back = self.applying < self.appliable(allow_unstable)
            self.applying_paused = held_back or self.applying_size >= self.max_applying_size

    def applied_to(self, index: int, size: int) -> None:
        """Everything up to an index is applied, the last of it `size` bytes."""
        assert self.applied <= index <= self.committed, (
            f"{index} is not in [{self.applied}, {self.committed}]"
        )
        self.applied = index
        self.applying = max(self.applying, index)
        self.applying_size = max(0, self.applying_size - size)
        self.applying_paused = self.applying_size >= self.max_applying_size


def open_log(storage: Storage, max_applying_size: int = EVERYTHING) -> RaftLog:
    """The log of a storage after a start: all of it durable, and what the snapshot covers applied."""
    last = storage.last_index()
    try:
        applied = max(storage.snapshot().index, storage.first_index() - 1)
    except SnapshotUnavailableError:
        applied = storage.first_index() - 1
    return RaftLog(storage, Unstable(last + 1, last + 1), applied, applied, applied, max_applying_size)
