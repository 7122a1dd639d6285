"""Roles and votes (Raft paper, 5.2 and 5.4.1; PreVote, CheckQuorum and transfer: Ongaro 2014, 9.6, 6.2 and 3.10)."""

from consensus.raft.messages import TRANSFER, Kind, RaftMessage
from consensus.raft.quorum import VoteResult, joint_vote_result
from consensus.raft.records import NONE, Entry, EntryKind, NodeId
from consensus.raft.replication import append_to_own_log, broadcast_append
from consensus.raft.settings import ReadOnly
from consensus.raft.state import Raft, Role, reset, send, trace

# ------------------------------------------------------------------ roles


def become_follower(raft: Raft, term: int, lead: NodeId) -> None:
    """Of a term, and of a leader if one is known."""
    reset(raft, term)
    raft.role = Role.FOLLOWER
    raft.lead = lead
    if raft.trace is not None:
        trace(raft, "BecomeFollower")


def become_pre_candidate(raft: Raft) -> None:
    """Ask first: neither term nor vote changes."""
    assert raft.role is not Role.LEADER, "a leader does not campaign"
    raft.role = Role.PRE_CANDIDATE
    raft.lead = NONE
    raft.votes = {}


def become_candidate(raft: Raft) -> None:
    """For the next term, with one's own vote."""
    assert raft.role is not Role.LEADER, "a leader does not campaign"
    reset(raft, raft.term + 1)
    raft.vote = raft.id
    raft.role = Role.CANDIDATE
    if raft.trace is not None:
        trace(raft, "BecomeCandidate")


def become_leader(raft: Raft) -> None:
    """Begin with an empty entry: once it is committed, so is all before it, and what is committed is known."""
    assert raft.role in (Role.CANDIDATE, Role.PRE_CANDIDATE), f"a {raft.role} won an election"
    reset(raft, raft.term)
    raft.role = Role.LEADER
    raft.lead = raft.id
    own = raft.progress[raft.id]
    own.become_replicate()
    own.recent_active = True
    # The log may hold a membership change that is not applied: wait for all of it before the next one.
    raft.pending_conf_index = raft.log.last_index()
    if raft.trace is not None:
        trace(raft, "BecomeLeader")
    append_to_own_log(raft, (Entry(),))


# ------------------------------------------------------------------ campaigns


def hup(raft: Raft, transfer: bool = False) -> None:
    """Campaign, unless this node leads, may not lead, or may not know yet who votes."""
    if raft.role is Role.LEADER or not raft.is_promotable() or _has_unapplied_conf_change(raft):
        return
    if not transfer and _upholds_a_lease(raft):
        return
    if raft.settings.pre_vote and not transfer:
        become_pre_candidate(raft)
        _request_votes(raft, Kind.PRE_VOTE, raft.term + 1)
    else:
        become_candidate(raft)
        _request_votes(raft, Kind.VOTE, raft.term, TRANSFER if transfer else "")


def _has_unapplied_conf_change(raft: Raft) -> bool:
    log = raft.log
    return any(entry.kind is not EntryKind.NORMAL for entry in log.slice(log.applied + 1, log.committed + 1))


def _request_votes(raft: Raft, kind: Kind, term: int, context: str = "") -> None:
    """From all voters in order of ids. One's own is an answer to oneself: it counts when the vote is durable."""
    index = raft.log.last_index()
    log_term = raft.log.term(index)
    commit, commit_term = _what_is_committed(raft)
    for voter in raft.configuration.electors():
        if voter == raft.id:
            send(raft, RaftMessage(_ANSWER[kind], voter, raft.id, term))
        else:
            ask = RaftMessage(
                kind, voter, raft.id, term, log_term, index, (), commit, commit_term, context=context
            )
            send(raft, ask)


_ANSWER = {Kind.VOTE: Kind.VOTE_RESP, Kind.PRE_VOTE: Kind.PRE_VOTE_RESP}


# ------------------------------------------------------------------ votes


def on_vote_request(raft: Raft, m: RaftMessage) -> None:
    """Grant a vote if it is free, or was this candidate's before, and the candidate's log is as fresh as ours.

    Also a learner grants: that it was promoted may be committed and not known to it. A pre-vote for a later term
    binds nobody and is recorded nowhere. A grant carries the candidate's term, a rejection our own.
    """
    if m.context != TRANSFER and _upholds_a_lease(raft):
        return
    learn_commit(raft, m)
    pre_vote = m.kind is Kind.PRE_VOTE
    free = (
        raft.vote == m.sender
        or (raft.vote == NONE and raft.lead == NONE)
        or (pre_vote and m.term > raft.term)
    )
    if free and raft.log.is_up_to_date(m.index, m.log_term):
        send(raft, RaftMessage(_ANSWER[m.kind], m.sender, raft.id, m.term))
        if not pre_vote:
            raft.election_elapsed = 0
            raft.vote = m.sender
    else:
        refuse_vote(raft, m)


def refuse_vote(raft: Raft, m: RaftMessage) -> None:
    """With our own term, from which a candidate learns that its own is over."""
    commit, commit_term = _what_is_committed(raft)
    answer = RaftMessage(
        _ANSWER[m.kind], m.sender, raft.id, raft.term, commit=commit, commit_term=commit_term, reject=True
    )
    send(raft, answer)


def _what_is_committed(raft: Raft) -> tuple[int, int]:
    """Index and term to tell with a vote: its receiver commits that if it has the same entry there."""
    if not raft.settings.commit_by_vote:
        return 0, 0
    return raft.log.committed, raft.log.term(raft.log.committed)


def learn_commit(raft: Raft, m: RaftMessage) -> None:
    """Commit what a vote's sender knows to be committed, if it is here, too: raft-rs has it so.

    A candidate with a membership change in it gives up: others vote now.
    """
    log = raft.log
    if raft.role is not Role.LEADER and m.commit > log.committed and log.matches(m.commit, m.commit_term):
        log.commit_to(m.commit)
        if raft.role is not Role.FOLLOWER and _has_unapplied_conf_change(raft):
            become_follower(raft, raft.term, NONE)


def on_vote_answer(raft: Raft, m: RaftMessage) -> None:
    """A candidate's tally; each voter's first answer counts."""
    learn_commit(raft, m)
    if raft.role is Role.FOLLOWER:
        return
    raft.votes.setdefault(m.sender, not m.reject)
    configuration = raft.configuration
    result = joint_vote_result(configuration.voters, configuration.outgoing, raft.votes)
    if result is VoteResult.WON:
        if raft.role is Role.PRE_CANDIDATE:
            become_candidate(raft)
            _request_votes(raft, Kind.VOTE, raft.term)
        else:
            become_leader(raft)
            broadcast_append(raft)
    elif result is VoteResult.LOST:
        # A lost pre-vote came with terms above ours; nobody leads there, so ours stays.
        become_follower(raft, raft.term, NONE)


def hears_a_leader(raft: Raft) -> bool:
    """Whether a leader was heard within the shortest timeout: then nobody else gets a vote (leader stickiness)."""
    return _upholds_a_lease(raft) or (
        raft.settings.check_quorum
        and raft.lead != NONE
        and raft.election_elapsed < raft.settings.election_tick
    )


def _upholds_a_lease(raft: Raft) -> bool:
    """Whether a leader may read by a lease that we uphold, also one that we know no more: after a restart, in a later term."""
    return (
        raft.settings.read_only is ReadOnly.LEASE
        and raft.role is not Role.LEADER
        and raft.heard_at is not None
        and raft.ticks - raft.heard_at < raft.settings.election_tick
    )
