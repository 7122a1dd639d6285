"""How a node behaves: the knobs, and which values make sense together."""

from collections.abc import Callable
from enum import StrEnum

import msgspec

from consensus.raft.quorum import EVERYTHING
from consensus.raft.records import NodeId
from consensus.raft.trace import TraceEvent
from walras.amounts import is_whole
from walras.errors import ScenarioError


class ReadOnly(StrEnum):
    """How a leader makes sure that it still leads before it lets somebody read."""

    SAFE = "safe"
    """By a round of heartbeats: right whatever the clocks do."""
    LEASE = "lease-based"
    """By a lease: a quorum has answered heartbeats of the last election timeout, and votes for nobody else meanwhile.

    It costs no messages, and is as right as `SAFE` while all clocks run equally fast; where they do not, reads may be old.
    Where there is no lease (newly elected, cut off, after a handover was tried) a round of heartbeats is made. etcd trusts
    its check of a quorum instead, which looks once per election timeout, and so may be deceived for nearly two.
    """


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The knobs of one node. Times are in ticks, sizes in bytes (`EVERYTHING`: no limit)."""

    id: NodeId
    election_tick: int = 10
    """A follower campaigns after a time drawn from [election_tick, 2 election_tick - 1] without a leader."""
    election_spread: int | None = None
    """How many different timeouts there are, from election_tick on; None: election_tick. With 0 all are alike."""
    keep_timer: bool = False
    """A request for votes or its answer restarts no election timer unless a vote was given, as in the Raft paper's figure 2;
    else, as in etcd, one from a later term does."""
    heartbeat_tick: int = 1
    """Less than election_tick; a tenth of it is advised."""
    max_size_per_msg: int = EVERYTHING
    """Entries in one append; at least one passes."""
    max_committed_size_per_ready: int = EVERYTHING
    """Entries that are handed out to be applied and are not applied yet; at least one passes."""
    max_uncommitted_size: int = EVERYTHING
    """Data that a leader takes and has not applied yet; more is dropped, unless nothing is uncommitted."""
    max_inflight_msgs: int = 256
    """Appends on their way to one follower."""
    max_inflight_bytes: int = 0
    """Data on its way to one follower; 0: no limit."""
    check_quorum: bool = False
    """A leader that hears no quorum for an election timeout steps down; who hears a leader grants no votes."""
    pre_vote: bool = False
    """Ask whether an election could be won before the term is raised for it."""
    read_only: ReadOnly = ReadOnly.SAFE
    disable_proposal_forwarding: bool = False
    """Followers drop proposals instead of sending them on to the leader."""
    disable_conf_change_validation: bool = False
    """Membership changes enter the log even where they do not fit the present configuration."""
    step_down_on_removal: bool = False
    """A leader that is removed or demoted becomes a follower at once."""
    commit_by_vote: bool = False
    """Requests for votes and rejections tell what is committed. Without it a leader that a membership change removes may
    be the only one to know that the change is committed, and refuse its vote to all who still need it."""
    async_storage_writes: bool = False
    """Storage work leaves as messages to `APPEND_THREAD` and `APPLY_THREAD`; there is no `advance`."""
    applied: int = 0
    """After a restart: the last entry that the state machine has applied durably; 0: what the snapshot covers.

    Membership changes up to there are made again from the log, so none of them may have been decided against.
    """
    trace: Callable[[TraceEvent], None] | None = None
    """Called with every event of the structured trace."""

    def check(self) -> None:
        """Raise a `ScenarioError` that names the first value that makes no sense."""
        for field, (least, unit) in _WHOLE.items():
            value = getattr(self, field)
            if not is_whole(value, least) and not (field == "election_spread" and value is None):
                raise ScenarioError(f"Settings.{field}", value, f"whole {unit}, at least {least}")
        for field in _SWITCHES:
            if not isinstance(getattr(self, field), bool):
                raise ScenarioError(f"Settings.{field}", getattr(self, field), "True or False")
        bytes_in_flight = self.max_inflight_bytes or EVERYTHING
        leased = self.read_only is ReadOnly.LEASE
        for field, fine, expected in (
            ("election_tick", self.election_tick > self.heartbeat_tick, "more than heartbeat_tick"),
            ("max_inflight_bytes", bytes_in_flight >= self.max_size_per_msg, "at least max_size_per_msg"),
            ("read_only", isinstance(self.read_only, ReadOnly), "ReadOnly.SAFE or ReadOnly.LEASE"),
            (
                "read_only",
                self.check_quorum or not leased,
                "safe reads, or check_quorum with them: without it a lease never ends",
            ),
        ):
            if not fine:
                raise ScenarioError(f"Settings.{field}", getattr(self, field), expected)


_WHOLE = {
    "id": (1, "numbers"),
    "election_tick": (1, "ticks"),
    "election_spread": (0, "ticks"),
    "heartbeat_tick": (1, "ticks"),
    "max_size_per_msg": (0, "bytes"),
    "max_committed_size_per_ready": (1, "bytes"),
    "max_uncommitted_size": (1, "bytes"),
    "max_inflight_msgs": (1, "messages"),
    "max_inflight_bytes": (0, "bytes"),
    "applied": (0, "entries"),
}
"""The least that each number may be, and of what."""

_SWITCHES = (
    "keep_timer", "check_quorum", "pre_vote", "disable_proposal_forwarding", "disable_conf_change_validation",
    "step_down_on_removal", "commit_by_vote", "async_storage_writes",
)  # fmt: skip
