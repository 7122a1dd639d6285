"""What a follower, or a candidate that learns of a leader, does with the messages that it gets (Raft paper, 5.3 and 7)."""

from msgspec.structs import replace

from consensus.raft.elections import become_follower, hup
from consensus.raft.errors import CorruptStorageError, ProposalDroppedError
from consensus.raft.membership import restore
from consensus.raft.messages import Kind, RaftMessage
from consensus.raft.records import NONE
from consensus.raft.settings import ReadOnly
from consensus.raft.state import Raft, ReadState, Role, send


def hear(raft: Raft, m: RaftMessage) -> None:
    """A leader of this term spoke: whoever it is, it is followed."""
    if raft.role is not Role.FOLLOWER:
        become_follower(raft, m.term, m.sender)
    raft.election_elapsed = 0
    raft.heard_at = raft.ticks
    raft.lead = m.sender


def on_append(raft: Raft, m: RaftMessage) -> None:
    """Take entries whose anchor matches; else tell the leader where the logs may agree."""
    hear(raft, m)
    log = raft.log
    if m.index < log.committed:  # an old one: what is committed matches anyhow
        send(raft, RaftMessage(Kind.APP_RESP, m.sender, raft.id, raft.term, index=log.committed))
        return
    last = log.maybe_append(m.index, m.log_term, m.entries, m.commit)
    if last is not None:
        send(raft, RaftMessage(Kind.APP_RESP, m.sender, raft.id, raft.term, index=last))
        return
    hint, term = log.find_conflict_by_term(min(m.index, log.last_index()), m.log_term)
    answer = RaftMessage(
        Kind.APP_RESP, m.sender, raft.id, raft.term, term, m.index, reject=True, reject_hint=hint
    )
    send(raft, answer)


def on_heartbeat(raft: Raft, m: RaftMessage) -> None:
    """The leader is there, and tells what it has committed of what we have."""
    hear(raft, m)
    last = raft.log.last_index()
    if m.commit > last:
        raise CorruptStorageError(
            f"node {raft.id} has acknowledged entry {m.commit}, and its log ends at {last}: what was durable is lost, "
            "and with it perhaps a vote; remove this member, and add it again as a new one"
        )
    raft.log.commit_to(m.commit)
    answer = RaftMessage(Kind.HEARTBEAT_RESP, m.sender, raft.id, raft.term, index=m.index, context=m.context)
    send(raft, answer)


def on_snapshot(raft: Raft, m: RaftMessage) -> None:
    """The answer is an append's: up to here our log matches."""
    hear(raft, m)
    assert m.snapshot is not None, "a snapshot message without a snapshot"
    log = raft.log
    index = log.last_index() if restore(raft, m.snapshot) else log.committed
    send(raft, RaftMessage(Kind.APP_RESP, m.sender, raft.id, raft.term, index=index))


def on_proposal(raft: Raft, m: RaftMessage) -> None:
    """Send it on to the leader; it may be lost on the way."""
    if raft.lead == NONE:
        raise ProposalDroppedError(f"no leader is known in term {raft.term}")
    if raft.settings.disable_proposal_forwarding:
        raise ProposalDroppedError(f"node {raft.lead} leads, and proposals are not forwarded")
    send(raft, replace(m, to=raft.lead))


def refuse_proposal(raft: Raft, m: RaftMessage) -> None:
    """A candidate knows of no leader."""
    raise ProposalDroppedError(f"an election is under way in term {raft.term}")


def on_read_request(raft: Raft, m: RaftMessage) -> None:
    """Send it on to the leader; without one it is dropped, and whoever waits asks again."""
    if raft.lead != NONE:
        send(raft, replace(m, to=raft.lead, sender=m.sender or raft.id))


def on_read_answer(raft: Raft, m: RaftMessage) -> None:
    """The leader says up to where to apply before reading."""
    raft.read_states.append(ReadState(m.index, m.context))


def on_transfer_request(raft: Raft, m: RaftMessage) -> None:
    """Send it on to the leader."""
    if raft.lead != NONE:
        send(raft, replace(m, to=raft.lead, term=raft.term))


def on_timeout_now(raft: Raft, m: RaftMessage) -> None:
    """The leader hands over: campaign at once, and without a pre-vote, since the leader itself wants it."""
    hup(raft, transfer=True)


def on_forget_leader(raft: Raft, m: RaftMessage) -> None:
    """The leader is suspected: our vote is free for others at once.

    Not with leases: this leader may be serving reads on the promise that nobody else is elected yet.
    """
    if raft.settings.read_only is not ReadOnly.LEASE:
        raft.lead = NONE
