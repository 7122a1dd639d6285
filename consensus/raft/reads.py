"""Linearizable reads without a log entry (Ongaro 2014, 6.4): ReadIndex and leases, for followers' clients too.

A read may be served at any replica that has applied what was committed when the request came, if the leader that told
the commit index really led then. A round of heartbeats shows it; or, if clocks are trusted to run equally fast, answers to
earlier ones that are less than an election timeout old: a lease. Where there is none, a round is made.
"""

from consensus.raft.messages import Kind, RaftMessage
from consensus.raft.quorum import VoteResult, joint_vote_result
from consensus.raft.records import NONE
from consensus.raft.replication import broadcast_heartbeat
from consensus.raft.settings import ReadOnly
from consensus.raft.state import PendingRead, Raft, ReadState, send


def on_read_request(raft: Raft, m: RaftMessage) -> None:
    """A leader is asked; before the first commit of its term it does not know what is committed."""
    if _has_committed_in_its_term(raft):
        _begin(raft, m)
    else:  # also where it is the only voter: others may have committed before it became that
        raft.early_reads.append(m)


def release_early_reads(raft: Raft) -> None:
    """A leader committed something, so it was of its term: the requests that came before that begin."""
    early, raft.early_reads = raft.early_reads, []
    for request in early:
        _begin(raft, request)


def last_context(raft: Raft) -> str:
    """The newest round, which periodic heartbeats repeat; who answers it answers all older ones."""
    return next(reversed(raft.pending_reads), "")


def on_acknowledged(raft: Raft, m: RaftMessage) -> None:
    """A heartbeat's answer with a context: with a quorum of them, that round and all before it are answered."""
    pending = raft.pending_reads.get(m.context)
    if pending is None:
        return
    pending.acks[m.sender] = True
    configuration = raft.configuration
    result = joint_vote_result(configuration.voters, configuration.outgoing, pending.acks)
    if result is VoteResult.WON:
        for context, read in list(raft.pending_reads.items()):
            del raft.pending_reads[context]
            _answer(raft, read.request, read.index)
            if context == m.context:
                break


def _begin(raft: Raft, m: RaftMessage) -> None:
    if _leads_alone(raft) or _holds_a_lease(raft):
        _answer(raft, m, raft.log.committed)
        return
    raft.pending_reads.setdefault(m.context, PendingRead(m, raft.log.committed, {raft.id: True}))
    broadcast_heartbeat(raft, m.context)


def _answer(raft: Raft, m: RaftMessage, index: int) -> None:
    if m.sender in (NONE, raft.id):
        raft.read_states.append(ReadState(index, m.context))
    else:
        answer = RaftMessage(
            Kind.READ_INDEX_RESP, m.sender, raft.id, raft.term, index=index, context=m.context
        )
        send(raft, answer)


def _holds_a_lease(raft: Raft) -> bool:
    """Whether a quorum still refuses its votes to everybody else, if all clocks run equally fast (Ongaro 2014, 6.4.1).

    Each refuses them for an election timeout after it heard us, which was not before we sent what it has answered. Both ends
    are counted in whole ticks, so one less is certain. Whoever we have told to campaign is not refused.
    """
    settings, configuration = raft.settings, raft.configuration
    if settings.read_only is not ReadOnly.LEASE or raft.handed_over:
        return False
    since = raft.ticks - settings.election_tick + 1
    follows = {
        node: node == raft.id or (progress.followed_at is not None and progress.followed_at > since)
        for node, progress in raft.progress.items()
    }
    result = joint_vote_result(configuration.voters, configuration.outgoing, follows)
    return result is VoteResult.WON


def _leads_alone(raft: Raft) -> bool:
    return raft.configuration.voters == (raft.id,) and not raft.configuration.joint


def _has_committed_in_its_term(raft: Raft) -> bool:
    return raft.log.term_or_0(raft.log.committed) == raft.term
