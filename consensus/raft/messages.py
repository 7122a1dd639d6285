"""The messages of Raft: one struct and a kind, as in etcd, since a sender fills few fields and readers share code."""

from enum import StrEnum

from consensus.raft.records import NONE, Entry, NodeId, Snapshot
from walras.messages import Message

APPEND_THREAD: NodeId = -1
APPLY_THREAD: NodeId = -2
"""Where storage work goes when storage is asynchronous: to no node, but to the replica's own two workers."""


class Kind(StrEnum):
    """What a message is; the values are the names in transcripts."""

    HUP = "MsgHup"
    """Local: campaign."""
    BEAT = "MsgBeat"
    """Local: send heartbeats."""
    PROP = "MsgProp"
    APP = "MsgApp"
    APP_RESP = "MsgAppResp"
    VOTE = "MsgVote"
    VOTE_RESP = "MsgVoteResp"
    SNAP = "MsgSnap"
    HEARTBEAT = "MsgHeartbeat"
    HEARTBEAT_RESP = "MsgHeartbeatResp"
    UNREACHABLE = "MsgUnreachable"
    """Local: a message to a peer was seen to be lost."""
    SNAP_STATUS = "MsgSnapStatus"
    """Local: a snapshot was delivered, or not."""
    CHECK_QUORUM = "MsgCheckQuorum"
    """Local: step down unless a quorum was heard."""
    TRANSFER_LEADER = "MsgTransferLeader"
    TIMEOUT_NOW = "MsgTimeoutNow"
    READ_INDEX = "MsgReadIndex"
    READ_INDEX_RESP = "MsgReadIndexResp"
    PRE_VOTE = "MsgPreVote"
    PRE_VOTE_RESP = "MsgPreVoteResp"
    STORAGE_APPEND = "MsgStorageAppend"
    STORAGE_APPEND_RESP = "MsgStorageAppendResp"
    STORAGE_APPLY = "MsgStorageApply"
    STORAGE_APPLY_RESP = "MsgStorageApplyResp"
    FORGET_LEADER = "MsgForgetLeader"


LOCAL = frozenset({
    Kind.HUP, Kind.BEAT, Kind.UNREACHABLE, Kind.SNAP_STATUS, Kind.CHECK_QUORUM,
    Kind.STORAGE_APPEND, Kind.STORAGE_APPEND_RESP, Kind.STORAGE_APPLY, Kind.STORAGE_APPLY_RESP,
})  # fmt: skip
"""Kinds that no network may bring."""

RESPONSES = frozenset({
    Kind.APP_RESP, Kind.VOTE_RESP, Kind.HEARTBEAT_RESP, Kind.UNREACHABLE, Kind.READ_INDEX_RESP, Kind.PRE_VOTE_RESP,
    Kind.STORAGE_APPEND_RESP, Kind.STORAGE_APPLY_RESP,
})  # fmt: skip
"""Kinds that only a member may send."""

TRANSFER = "transfer"
"""The context of a vote request that a leader has asked for: not held back by leader stickiness."""


class RaftMessage(Message, frozen=True):
    """One message. Which fields mean something depends on the kind:

    ====================  ==============================================================================================
    PROP                  `entries`, without term and index
    APP                   `log_term` and `index` of the entry before `entries`; `commit`
    APP_RESP              `index` that now matches; or `reject`, the `index` refused, and as a hint the greatest own
                          index `reject_hint` of term `log_term` that may match
    VOTE, PRE_VOTE        `log_term` and `index` of the candidate's last entry; `context` TRANSFER; with `commit_by_vote`
                          the candidate's `commit` and the `commit_term` of the entry there, as in each rejection
    SNAP                  `snapshot`
    HEARTBEAT             `commit`; `context` of a read round, and with leases as `index` the tick of its sending; the
                          answer repeats both
    READ_INDEX            `context` names the request; the answer adds `index`, up to which to apply before reading
    SNAP_STATUS           `reject`: the snapshot was not delivered
    STORAGE_APPEND_RESP   `index` and `log_term` of the last entry, `snapshot` that are durable now
    STORAGE_APPLY_RESP    `entries` that are applied now
    ====================  ==============================================================================================

    `term` is the sender's; a vote request of PreVote carries the term that would follow, and so does its grant.
    Forwarded proposals and read requests carry none.
    """

    kind: Kind
    to: NodeId = NONE
    sender: NodeId = NONE
    term: int = 0
    log_term: int = 0
    index: int = 0
    entries: tuple[Entry, ...] = ()
    commit: int = 0
    commit_term: int = 0
    snapshot: Snapshot | None = None
    reject: bool = False
    reject_hint: int = 0
    context: str = ""


class StorageMessage(RaftMessage, frozen=True):
    """Work for one of the two threads of asynchronous storage, whose end its `responses` tell.

    ==============  ======================================================================================================
    STORAGE_APPEND  `entries`, `snapshot`, to be made durable; `term`, `vote`, `commit` if the hard state changed
    STORAGE_APPLY   committed `entries`, to be applied
    ==============  ======================================================================================================

    A type of its own since no network carries it, and since structs of more than 15 fields are dear to encode for traces.
    """

    vote: NodeId = NONE
    responses: tuple[RaftMessage, ...] = ()
