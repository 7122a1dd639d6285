"""What a node hands out, batch by batch, and how it learns that a batch is done."""

import msgspec

from consensus.raft.messages import APPEND_THREAD, APPLY_THREAD, Kind, RaftMessage, StorageMessage
from consensus.raft.records import NONE, Entry, HardState, NodeId, Snapshot
from consensus.raft.state import Raft, ReadState, Role, trace
from walras.messages import Frozen


class SoftState(Frozen, frozen=True):
    """Who leads, and what this node is: for its caller, of no consequence after a crash."""

    lead: NodeId = NONE
    role: Role = Role.FOLLOWER


class Ready(msgspec.Struct, frozen=True):
    """One batch. What is None or empty has not changed.

    With synchronous storage: write `snapshot`, `entries` and `hard_state` in one piece; then send `messages`, apply
    `snapshot` and `committed_entries` (a membership change by `Node.apply_conf_change`), and `advance()`. Some
    messages are promises, so none but appends may leave before the write is durable; with `must_sync` false only the
    commit index changed, which may be lost.

    With asynchronous storage: everything is in `messages`; what goes to `APPEND_THREAD` is to be written, what goes
    to `APPLY_THREAD` applied, in the order of coming, and then their `responses` are delivered.
    """

    soft_state: SoftState | None = None
    hard_state: HardState | None = None
    read_states: tuple[ReadState, ...] = ()
    entries: tuple[Entry, ...] = ()
    snapshot: Snapshot | None = None
    committed_entries: tuple[Entry, ...] = ()
    messages: tuple[RaftMessage, ...] = ()
    must_sync: bool = False
    """Whether the write must be durable before messages leave: entries, term or vote are new."""


class Handed(msgspec.Struct):
    """What the caller has been told, and what the node tells itself when the batch is done."""

    soft: SoftState
    hard: HardState
    on_advance: list[RaftMessage] = []


def has_ready(raft: Raft, handed: Handed) -> bool:
    """Whether the next batch would hold anything."""
    log, unstable, soft = raft.log, raft.log.unstable, handed.soft
    return bool(
        raft.messages
        or raft.after_append
        or unstable.in_progress - unstable.offset < len(unstable.entries)
        or (log.applying < log.committed and log.has_next_committed(not raft.settings.async_storage_writes))
        or raft.read_states
        or (unstable.snapshot is not None and not unstable.snapshot_in_progress)
        or _hard_state_changed(raft, handed)
        or soft.lead != raft.lead
        or soft.role is not raft.role
    )


def _hard_state_changed(raft: Raft, handed: Handed) -> bool:
    hard = handed.hard
    return raft.log.committed != hard.commit or raft.term != hard.term or raft.vote != hard.vote


def take_ready(raft: Raft, handed: Handed) -> Ready:
    """The next batch, which from now on counts as being carried out."""
    log, async_writes = raft.log, raft.settings.async_storage_writes
    entries = log.unstable.to_write()
    committed = log.next_committed(not async_writes) if log.applying < log.committed else ()
    snapshot = log.unstable.snapshot_to_write()
    soft = hard = None
    must_sync = bool(entries)
    if handed.soft.lead != raft.lead or handed.soft.role is not raft.role:
        soft = handed.soft = SoftState(raft.lead, raft.role)
    if _hard_state_changed(raft, handed):
        must_sync = must_sync or raft.term != handed.hard.term or raft.vote != handed.hard.vote
        hard = handed.hard = raft.hard_state()
    messages, promises = raft.messages, raft.after_append
    stored = _storage_answer(raft, snapshot) if log.unstable.entries or snapshot is not None else []
    if async_writes:
        if entries or hard is not None or snapshot is not None or promises:
            messages.append(_storage_append(raft, hard, entries, snapshot, [*promises, *stored]))
        if committed:
            messages.append(_storage_apply(raft, committed))
    else:
        messages.extend(m for m in promises if m.to != raft.id)
        handed.on_advance = [m for m in promises if m.to == raft.id]
        handed.on_advance += stored
        if committed:
            handed.on_advance.append(_applied_answer(raft, committed))
    read_states, raft.read_states = raft.read_states, []
    raft.messages, raft.after_append = [], []
    log.unstable.accept_in_progress()
    if committed:
        log.accept_applying(committed, not async_writes)
    if raft.trace is not None:
        trace(raft, "Ready")
    return Ready(soft, hard, tuple(read_states), entries, snapshot, committed, tuple(messages), must_sync)


# ------------------------------------------------------------------ storage as messages


def _storage_answer(raft: Raft, snapshot: Snapshot | None) -> list[RaftMessage]:
    """What tells the node that everything up to now is durable: entries, or a snapshot.

    It names the last entry, and its term is today's: should the term change before it arrives, then entries may have
    been overwritten, and written again at the same place, and it says nothing about those.
    """
    index = term = 0
    if raft.log.unstable.entries:
        last = raft.log.unstable.entries[-1]
        index, term = last.index, last.term
    kind = Kind.STORAGE_APPEND_RESP
    return [RaftMessage(kind, raft.id, APPEND_THREAD, raft.term, term, index, snapshot=snapshot)]


def _storage_append(
    raft: Raft,
    hard: HardState | None,
    entries: tuple[Entry, ...],
    snapshot: Snapshot | None,
    responses: list[RaftMessage],
) -> StorageMessage:
    hard = hard or HardState()
    return StorageMessage(
        Kind.STORAGE_APPEND,
        APPEND_THREAD,
        raft.id,
        hard.term,
        entries=entries,
        commit=hard.commit,
        vote=hard.vote,
        snapshot=snapshot,
        responses=tuple(responses),
    )


def _storage_apply(raft: Raft, committed: tuple[Entry, ...]) -> StorageMessage:
    return StorageMessage(
        Kind.STORAGE_APPLY,
        APPLY_THREAD,
        raft.id,
        entries=committed,
        responses=(_applied_answer(raft, committed),),
    )


def _applied_answer(raft: Raft, committed: tuple[Entry, ...]) -> RaftMessage:
    return RaftMessage(Kind.STORAGE_APPLY_RESP, raft.id, APPLY_THREAD, entries=committed)
