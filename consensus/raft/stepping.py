"""A message comes in: first what its term means (Raft paper, 5.1), then what the role does with it."""

from collections.abc import Callable

from consensus.raft import elections, follower, leader, reads
from consensus.raft.elections import become_follower, hears_a_leader
from consensus.raft.messages import TRANSFER, Kind, RaftMessage
from consensus.raft.quorum import EVERYTHING
from consensus.raft.records import NONE, Snapshot, entries_size
from consensus.raft.replication import applied_by_leader
from consensus.raft.state import Raft, Role, send, trace_message


def step(raft: Raft, m: RaftMessage) -> None:
    """Take a message; raises `ProposalDroppedError`. Local requests have term 0."""
    if raft.trace is not None:
        trace_message(raft, "Receive", m)
    if not raft.settings.keep_timer or m.kind not in (Kind.VOTE, Kind.VOTE_RESP):
        _take(raft, m)
        return
    timer = raft.election_elapsed, raft.election_timeout
    _take(raft, m)
    if raft.role is not Role.LEADER and raft.vote != m.sender:
        raft.election_elapsed, raft.election_timeout = timer


def _take(raft: Raft, m: RaftMessage) -> None:
    if m.term != raft.term and m.term:
        if m.term < raft.term:
            _answer_the_past(raft, m)
            return
        if not _enter_term(raft, m):
            return
    handle = _HANDLERS[raft.role].get(m.kind)
    if handle is not None:
        handle(raft, m)


def _enter_term(raft: Raft, m: RaftMessage) -> bool:
    """A message of a later term; whether it is to be handled.

    Pre-votes name a term that nobody has entered yet, so neither they nor their grants raise ours. Whoever hears a
    leader ignores candidates, so that somebody who was cut off cannot depose a leader whom a majority follows.
    """
    if m.kind in (Kind.VOTE, Kind.PRE_VOTE) and m.context != TRANSFER and hears_a_leader(raft):
        return False
    if m.kind is Kind.PRE_VOTE or (m.kind is Kind.PRE_VOTE_RESP and not m.reject):
        return True
    from_leader = m.kind in (Kind.APP, Kind.HEARTBEAT, Kind.SNAP)
    become_follower(raft, m.term, m.sender if from_leader else NONE)
    return True


def _answer_the_past(raft: Raft, m: RaftMessage) -> None:
    """A message of an earlier term is ignored, but three tell their sender something.

    With leader stickiness or pre-votes our term may be ahead of a leader's without our being able to win: the answer's
    term deposes it, and the next election includes us. A pre-vote is refused, so that its sender learns the term. A
    snapshot that is durable stays so; entries that are durable may have been overwritten since.
    """
    if m.kind in (Kind.APP, Kind.HEARTBEAT):
        if raft.settings.check_quorum or raft.settings.pre_vote:
            send(raft, RaftMessage(Kind.APP_RESP, m.sender, raft.id, raft.term))
    elif m.kind is Kind.PRE_VOTE:
        elections.refuse_vote(raft, m)
    elif m.kind is Kind.STORAGE_APPEND_RESP and m.snapshot is not None:
        _snapshot_stored(raft, m.snapshot)


# ------------------------------------------------------------------ storage


def _on_stored(raft: Raft, m: RaftMessage) -> None:
    if m.index:
        raft.log.unstable.stable_to(m.index, m.log_term)
    if m.snapshot is not None:
        _snapshot_stored(raft, m.snapshot)


def _snapshot_stored(raft: Raft, snapshot: Snapshot) -> None:
    raft.log.unstable.stable_snapshot_to(snapshot.index)
    applied_to(raft, snapshot.index, 0)


def _on_applied(raft: Raft, m: RaftMessage) -> None:
    if m.entries:
        limited = raft.settings.max_committed_size_per_ready != EVERYTHING
        applied_to(raft, m.entries[-1].index, entries_size(m.entries) if limited else 0)
        applied_by_leader(raft, m.entries)


def applied_to(raft: Raft, index: int, size: int) -> None:
    """Everything up to an index is applied. A leader leaves a joint configuration that wants it by itself."""
    log = raft.log
    log.applied_to(max(index, log.applied), size)
    if raft.role is Role.LEADER:
        leader.leave_joint(raft)


# ------------------------------------------------------------------ tables

Handler = Callable[[Raft, RaftMessage], None]

_ANY: dict[Kind, Handler] = {
    Kind.VOTE: elections.on_vote_request,
    Kind.PRE_VOTE: elections.on_vote_request,
    Kind.STORAGE_APPEND_RESP: _on_stored,
    Kind.STORAGE_APPLY_RESP: _on_applied,
}
_HEARS: dict[Kind, Handler] = {
    Kind.APP: follower.on_append,
    Kind.HEARTBEAT: follower.on_heartbeat,
    Kind.SNAP: follower.on_snapshot,
}
_CANDIDATE: dict[Kind, Handler] = {**_ANY, **_HEARS, Kind.PROP: follower.refuse_proposal}

_HANDLERS: dict[Role, dict[Kind, Handler]] = {
    Role.FOLLOWER: {
        **_ANY,
        **_HEARS,
        Kind.PROP: follower.on_proposal,
        Kind.READ_INDEX: follower.on_read_request,
        Kind.READ_INDEX_RESP: follower.on_read_answer,
        Kind.TRANSFER_LEADER: follower.on_transfer_request,
        Kind.TIMEOUT_NOW: follower.on_timeout_now,
        Kind.FORGET_LEADER: follower.on_forget_leader,
    },
    Role.PRE_CANDIDATE: {**_CANDIDATE, Kind.PRE_VOTE_RESP: elections.on_vote_answer},
    Role.CANDIDATE: {**_CANDIDATE, Kind.VOTE_RESP: elections.on_vote_answer},
    Role.LEADER: {
        **_ANY,
        Kind.PROP: leader.on_proposal,
        Kind.APP_RESP: leader.on_append_answer,
        Kind.HEARTBEAT_RESP: leader.on_heartbeat_answer,
        Kind.READ_INDEX: reads.on_read_request,
        Kind.TRANSFER_LEADER: leader.on_transfer_request,
    },
}
"""What is missing here is ignored: it came too late, or its sender does not know what this node has become."""
