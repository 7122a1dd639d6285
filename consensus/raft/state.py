"""The state of one node, and what every part of the algorithm does with it: reset for a new role, send, trace.

The algorithm is in plain functions over this state, a module for each concern:

- `elections`: roles, votes, campaigns
- `replication`: the leader's log on its way to the others, and its commit index
- `leader`, `follower`: what each does with the messages that it gets
- `membership`: changes of configuration, snapshots as a source of it
- `reads`: linearizable reads
- `stepping`: what a message's term means, before anybody looks at the rest; what applied entries lead to
- `ticks`: time
- `ready`: what is handed out, and what comes back
"""

from collections.abc import Callable
from enum import StrEnum
from random import Random

import msgspec

from consensus.raft.log import RaftLog
from consensus.raft.messages import Kind, RaftMessage
from consensus.raft.progress import Inflights, Progress
from consensus.raft.records import NONE, Configuration, HardState, NodeId
from consensus.raft.settings import Settings
from consensus.raft.trace import TraceEvent, describe, name_of
from walras.messages import Frozen


class Role(StrEnum):
    """What a node is; the values are the names in transcripts."""

    FOLLOWER = "StateFollower"
    PRE_CANDIDATE = "StatePreCandidate"
    CANDIDATE = "StateCandidate"
    LEADER = "StateLeader"


class ReadState(Frozen, frozen=True):
    """A read request may be served once everything up to `index` is applied."""

    index: int
    context: str


class PendingRead(msgspec.Struct):
    """A read request at a leader, and who has acknowledged its leadership since."""

    request: RaftMessage
    index: int
    acks: dict[NodeId, bool]


class Raft(msgspec.Struct):
    """One node. `term`, `vote` and the log's commit index are the hard state; what follows them a crash may take."""

    settings: Settings
    log: RaftLog
    rng: Random
    id: NodeId
    configuration: Configuration = Configuration()
    progress: dict[NodeId, Progress] = {}
    """Of every member, oneself included, in order of ids; only a leader's is meaningful."""
    peers: tuple[NodeId, ...] = ()
    """The members except oneself, sorted."""

    term: int = 0
    vote: NodeId = NONE

    role: Role = Role.FOLLOWER
    lead: NodeId = NONE
    votes: dict[NodeId, bool] = {}
    transferee: NodeId = NONE
    """To whom the leadership is being handed over."""
    pending_conf_index: int = 0
    """No further membership change enters the log before this index is applied: at most one is under way."""
    uncommitted_size: int = 0
    pending_reads: dict[str, PendingRead] = {}
    """By context, in the order of their coming."""
    early_reads: list[RaftMessage] = []
    """Read requests that wait for the first commit of the leader's term."""

    election_elapsed: int = 0
    """Ticks since a leader was heard; of a leader, since the last check of its quorum."""
    heartbeat_elapsed: int = 0
    ticks: int = 0
    """Since this node was started."""
    heard_at: int | None = None
    """The tick in which a leader was last heard; after a restart, 0, since one may have been heard just before."""
    handed_over: bool = False
    """Whether this leader has told somebody to campaign, who may do so any time from then on."""
    election_timeout: int = 0
    """Drawn anew with every change of role, so that a split vote does not repeat itself."""

    messages: list[RaftMessage] = []
    """To be sent at once."""
    after_append: list[RaftMessage] = []
    """To be sent once everything up to now is durable; also to oneself."""
    read_states: list[ReadState] = []
    trace: Callable[[TraceEvent], None] | None = None

    def __repr__(self) -> str:
        log = self.log
        return (
            f"Raft({self.id} {self.role.value} term={self.term} vote={self.vote} lead={self.lead} "
            f"{self.configuration} applied={log.applied} committed={log.committed} last={log.last_index()})"
        )

    def hard_state(self) -> HardState:
        """What must be durable besides the log."""
        return HardState(self.term, self.vote, self.log.committed)

    def is_promotable(self) -> bool:
        """Whether this node could lead: a voter to its own knowledge, without a snapshot on its way to disk."""
        own = self.progress.get(self.id)
        return own is not None and not own.is_learner and self.log.unstable.snapshot is None


_AFTER_APPEND = frozenset({Kind.APP_RESP, Kind.VOTE_RESP, Kind.PRE_VOTE_RESP})
"""Promises: what they tell must be durable first. (A leader's append may go before its own write.)"""


def send(raft: Raft, message: RaftMessage) -> None:
    """Put a message, complete with sender and term, where its kind belongs."""
    if message.kind in _AFTER_APPEND:
        raft.after_append.append(message)
    else:
        assert message.to != raft.id, f"{message.kind} to oneself"
        raft.messages.append(message)
    if raft.trace is not None:
        trace_message(raft, "Send", message)


def reset(raft: Raft, term: int) -> None:
    """A new role: nothing is known of anybody, and a new timeout is drawn."""
    if raft.term != term:
        raft.term = term
        raft.vote = NONE
    raft.lead = NONE
    raft.election_elapsed = raft.heartbeat_elapsed = 0
    settings = raft.settings
    spread = settings.election_tick if settings.election_spread is None else settings.election_spread
    raft.election_timeout = settings.election_tick + int(raft.rng.random() * spread)
    raft.transferee = NONE
    raft.handed_over = False
    raft.votes = {}
    last = raft.log.last_index()
    for node, progress in raft.progress.items():
        raft.progress[node] = Progress(
            match=last if node == raft.id else 0,
            next=last + 1,
            inflights=Inflights(settings.max_inflight_msgs, settings.max_inflight_bytes),
            is_learner=progress.is_learner,
        )
    raft.uncommitted_size = 0
    raft.pending_reads = {}
    raft.early_reads = []


def trace(raft: Raft, name: str, message: RaftMessage | None = None, **prop: object) -> None:
    """Report an event to whoever listens; callers ask first whether anybody does."""
    if raft.trace is not None:
        raft.trace(
            TraceEvent(
                name=name,
                nid=raft.id,
                state={"term": raft.term, "vote": raft.vote, "commit": raft.log.committed},
                role=raft.role.value,
                log=raft.log.last_index(),
                conf=(raft.configuration.voters, raft.configuration.outgoing),
                msg=None if message is None else describe(message),
                prop=prop or None,
            )
        )


def trace_message(raft: Raft, action: str, message: RaftMessage) -> None:
    """Report a message that is sent or received, if the trace has it."""
    name = name_of(action, message)
    if name is not None:
        trace(raft, name, message)
