"""Time, in ticks: elections are due for those who hear no leader, heartbeats and checks for a leader."""

from consensus.raft import leader
from consensus.raft.elections import hup
from consensus.raft.reads import last_context
from consensus.raft.records import NONE
from consensus.raft.replication import broadcast_heartbeat
from consensus.raft.state import Raft, Role


def ticks_until_due(raft: Raft) -> int | None:
    """How many ticks from now something happens if no message comes; None: never."""
    if raft.role is Role.LEADER:
        settings = raft.settings
        beat = settings.heartbeat_tick - raft.heartbeat_elapsed
        return max(1, min(beat, settings.election_tick - raft.election_elapsed))
    if raft.is_promotable():
        return max(1, raft.election_timeout - raft.election_elapsed)
    return None


def tick(raft: Raft, count: int) -> None:
    """Let time pass: stretches in which nothing is due are taken in one step."""
    raft.ticks += count
    if raft.role is not Role.LEADER and 0 < count < raft.election_timeout - raft.election_elapsed:
        raft.election_elapsed += count  # what nearly always happens, in short
        return
    while count > 0:
        due = ticks_until_due(raft)
        passed = count if due is None or due > count else due
        count -= passed
        raft.election_elapsed += passed
        if raft.role is Role.LEADER:
            raft.heartbeat_elapsed += passed
            _tick_leader(raft)
        elif passed == due:
            raft.election_elapsed = 0
            hup(raft)


def _tick_leader(raft: Raft) -> None:
    settings = raft.settings
    if raft.election_elapsed >= settings.election_tick:
        raft.election_elapsed = 0
        if settings.check_quorum:
            leader.check_quorum(raft)
        raft.transferee = NONE  # it had its time
        if raft.role is Role.LEADER:
            leader.leave_joint(raft)
    if raft.role is Role.LEADER and raft.heartbeat_elapsed >= settings.heartbeat_tick:
        raft.heartbeat_elapsed = 0
        broadcast_heartbeat(raft, last_context(raft))
