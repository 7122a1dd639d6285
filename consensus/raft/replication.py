"""The leader's log on its way to the others, and the commit index that follows (Raft paper, 5.3 and 5.4)."""

from collections.abc import Sequence

from consensus.raft.errors import CompactedError, SnapshotUnavailableError
from consensus.raft.messages import Kind, RaftMessage
from consensus.raft.progress import Progress
from consensus.raft.quorum import EVERYTHING, joint_committed
from consensus.raft.records import Entry, NodeId, payload_sizes
from consensus.raft.settings import ReadOnly
from consensus.raft.state import Raft, send, trace


def append_to_own_log(raft: Raft, proposed: Sequence[Entry]) -> bool:
    """Give proposed entries their places in the leader's log; false if too much is uncommitted.

    The leader counts itself only when it hears its own answer, which waits for the write as anybody's does.
    """
    limit = raft.settings.max_uncommitted_size
    if limit != EVERYTHING:
        size = payload_sizes(tuple(proposed))
        # An empty entry always passes, and one of any size if it is the only one: else nothing might ever.
        if size and raft.uncommitted_size and raft.uncommitted_size + size > limit:
            return False
        raft.uncommitted_size += size
    term, first = raft.term, raft.log.last_index() + 1
    entries = [Entry(term, index, entry.data, entry.kind) for index, entry in enumerate(proposed, first)]
    last = raft.log.append(tuple(entries))
    send(raft, RaftMessage(Kind.APP_RESP, raft.id, raft.id, term, index=last))
    if raft.trace is not None:
        for entry in entries:
            trace(raft, "Replicate", index=entry.index, kind=entry.kind.value)
    return True


def applied_by_leader(raft: Raft, entries: tuple[Entry, ...]) -> None:
    """Applied entries make room for new ones."""
    if raft.settings.max_uncommitted_size != EVERYTHING:
        raft.uncommitted_size = max(0, raft.uncommitted_size - payload_sizes(entries))


def broadcast_append(raft: Raft) -> None:
    """To every other member what it lacks, as far as it may be sent now; without any, the commit index."""
    for peer in raft.peers:
        send_append(raft, peer)


def send_append(raft: Raft, to: NodeId, even_if_empty: bool = True) -> bool:
    """The next entries for a follower, or a snapshot if the log does not reach back so far; whether anything left."""
    progress = raft.progress[to]
    if progress.paused:
        return False
    log = raft.log
    index = progress.next - 1
    try:
        term = log.term(index)
        entries: tuple[Entry, ...] = ()
        if not progress.inflights.full:
            entries = log.entries_from(index + 1, raft.settings.max_size_per_msg)
    except CompactedError:
        return _send_snapshot(raft, to, progress)
    if not entries and not even_if_empty:
        return False
    commit = log.committed
    send(raft, RaftMessage(Kind.APP, to, raft.id, raft.term, term, index, entries, commit))
    size = payload_sizes(entries) if progress.inflights.max_bytes else 0
    progress.sent_entries(len(entries), size)
    progress.sent_commit = commit
    return True


def _send_snapshot(raft: Raft, to: NodeId, progress: Progress) -> bool:
    if not progress.recent_active:  # a snapshot is large, and nobody may be there to take it
        return False
    try:
        snapshot = raft.log.snapshot()
    except SnapshotUnavailableError:
        return False
    assert snapshot.index, "a log that was compacted has a snapshot"
    # A newcomer would refuse a snapshot from before it came, and wait for ever: a newer one has to be made first.
    if to not in snapshot.configuration.members():
        return False
    progress.become_snapshot(snapshot.index)
    send(raft, RaftMessage(Kind.SNAP, to, raft.id, raft.term, snapshot=snapshot))
    return True


def broadcast_heartbeat(raft: Raft, context: str = "") -> None:
    """Tell all others that this leader is here, and how much of what they have is committed.

    Never more than is known to match: behind that, a follower may hold entries that are not the leader's.
    """
    committed = raft.log.committed
    at = raft.ticks if raft.settings.read_only is ReadOnly.LEASE else 0
    for peer in raft.peers:
        progress = raft.progress[peer]
        commit = min(progress.match, committed)
        beat = RaftMessage(Kind.HEARTBEAT, peer, raft.id, raft.term, index=at, commit=commit, context=context)
        send(raft, beat)
        progress.sent_commit = commit


def maybe_commit(raft: Raft) -> bool:
    """Commit what majorities have, if its last entry is of this term (Raft paper, 5.4.2); whether that is news."""
    matching = {node: progress.match for node, progress in raft.progress.items()}
    configuration = raft.configuration
    index = joint_committed(configuration.voters, configuration.outgoing, matching)
    if not raft.log.maybe_commit(index, raft.term):
        return False
    if raft.trace is not None:
        trace(raft, "Commit")
    return True
