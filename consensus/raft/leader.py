"""What a leader does with proposals and with the answers of the others (Raft paper, 5.3; Ongaro 2014, 3.10 and 6.2)."""

from contextlib import suppress

from consensus.raft import reads
from consensus.raft.elections import become_follower
from consensus.raft.errors import ProposalDroppedError
from consensus.raft.membership import screened
from consensus.raft.messages import Kind, RaftMessage
from consensus.raft.progress import Progress, ProgressState
from consensus.raft.quorum import VoteResult, joint_vote_result
from consensus.raft.records import NONE, ConfChange, Entry, EntryKind, NodeId
from consensus.raft.replication import append_to_own_log, broadcast_append, maybe_commit, send_append
from consensus.raft.settings import ReadOnly
from consensus.raft.state import Raft, send

# ------------------------------------------------------------------ proposals


def on_proposal(raft: Raft, m: RaftMessage) -> None:
    """Append and send out; dropped where nothing may be promised."""
    assert m.entries, "an empty proposal"
    if raft.id not in raft.progress:
        raise ProposalDroppedError("this leader was removed")
    if raft.transferee != NONE:
        raise ProposalDroppedError(f"the leadership is being handed over to node {raft.transferee}")
    if not append_to_own_log(raft, screened(raft, m.entries)):
        raise ProposalDroppedError(f"{raft.uncommitted_size} bytes are uncommitted")
    broadcast_append(raft)


def leave_joint(raft: Raft) -> None:
    """Propose to leave a joint configuration that wants it by itself, unless that is proposed already.

    Called for each applied entry, and once per election timeout: a proposal that was dropped while the leadership was to be
    handed over would else wait for an entry that may never come.
    """
    if raft.configuration.auto_leave and raft.log.applied >= raft.pending_conf_index:
        leave = Entry(data=ConfChange(), kind=EntryKind.CONF_CHANGE_V2)
        with suppress(ProposalDroppedError):
            on_proposal(raft, RaftMessage(Kind.PROP, entries=(leave,)))


# ------------------------------------------------------------------ answers


def on_append_answer(raft: Raft, m: RaftMessage) -> None:
    """Up to where a follower's log matches, or that it does not."""
    progress = raft.progress.get(m.sender)
    if progress is None:
        return
    progress.recent_active = True
    if m.reject:
        _walk_back(raft, m, progress)
    elif progress.acknowledge(m.index) or (
        progress.match == m.index and progress.state is ProgressState.PROBE
    ):
        _move_on(raft, m, progress)


def _walk_back(raft: Raft, m: RaftMessage, progress: Progress) -> None:
    """Try again further back: no entry of ours behind the last of a term up to the hint's can match there."""
    hint = m.reject_hint
    if m.log_term:
        hint, _ = raft.log.find_conflict_by_term(hint, m.log_term)
    if progress.reject(m.index, hint):
        if progress.state is ProgressState.REPLICATE:
            progress.become_probe()
        send_append(raft, m.sender)


def _move_on(raft: Raft, m: RaftMessage, progress: Progress) -> None:
    """An index is acknowledged: perhaps it is committed now, and the follower can take more."""
    log = raft.log
    if progress.state is ProgressState.PROBE:
        progress.become_replicate()
    elif progress.state is ProgressState.SNAPSHOT:
        # Wherever the follower got it from, its log now reaches ours, and that is all the snapshot was for.
        if progress.match + 1 >= log.first_index():
            progress.become_probe()
            progress.become_replicate()
    else:
        progress.inflights.free_up_to(m.index)
    if maybe_commit(raft):
        reads.release_early_reads(raft)
        broadcast_append(raft)
    elif m.sender != raft.id and progress.wants_commit(log.committed):
        send_append(raft, m.sender)
    if m.sender != raft.id:
        while send_append(raft, m.sender, even_if_empty=False):
            pass
    if m.sender == raft.transferee and progress.match == log.last_index():
        _tell_to_campaign(raft, m.sender)


def on_heartbeat_answer(raft: Raft, m: RaftMessage) -> None:
    """A follower is there: what was sent to it and not answered may be lost, so appends may go again."""
    progress = raft.progress.get(m.sender)
    if progress is None:
        return
    progress.recent_active = True
    progress.flow_paused = False
    if progress.match < raft.log.last_index() or progress.state is ProgressState.PROBE:
        send_append(raft, m.sender)
    if raft.settings.read_only is ReadOnly.LEASE:
        progress.followed_at = max(m.index, progress.followed_at or 0)
    if m.context:
        reads.on_acknowledged(raft, m)


def unreachable(raft: Raft, peer: NodeId) -> None:
    """A message to a follower was lost: what was sent after it will be refused, so ask first."""
    progress = raft.progress.get(peer)
    if progress is not None and progress.state is ProgressState.REPLICATE:
        progress.become_probe()


def snapshot_done(raft: Raft, peer: NodeId, delivered: bool) -> None:
    """A snapshot reached its follower, or not; either way wait for a sign of life before the next append."""
    progress = raft.progress.get(peer)
    if progress is None or progress.state is not ProgressState.SNAPSHOT:
        return
    if not delivered:
        progress.pending_snapshot = 0
    progress.become_probe()
    progress.flow_paused = True


# ------------------------------------------------------------------ leadership


def check_quorum(raft: Raft) -> None:
    """Step down unless a quorum was heard since the last check."""
    configuration = raft.configuration
    active = {node: progress.recent_active for node, progress in raft.progress.items()}
    if joint_vote_result(configuration.voters, configuration.outgoing, active) is not VoteResult.WON:
        become_follower(raft, raft.term, NONE)
    for peer in raft.peers:
        raft.progress[peer].recent_active = False


def on_transfer_request(raft: Raft, m: RaftMessage) -> None:
    """Hand over to `sender`: as soon as it has the whole log it is told to campaign."""
    to = m.sender
    progress = raft.progress.get(to)
    if progress is None or progress.is_learner or raft.transferee == to:
        return
    raft.transferee = NONE
    if to == raft.id:
        return
    raft.election_elapsed = 0  # it has one election timeout to succeed
    raft.transferee = to
    if progress.match == raft.log.last_index():
        _tell_to_campaign(raft, to)
    else:
        send_append(raft, to)


def _tell_to_campaign(raft: Raft, to: NodeId) -> None:
    raft.handed_over = True
    send(raft, RaftMessage(Kind.TIMEOUT_NOW, to, raft.id, raft.term))
