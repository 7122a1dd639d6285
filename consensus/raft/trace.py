"""The structured trace: one event for each step that the TLA+ model of etcd's Raft knows, so that it can be validated."""

from typing import Any

import msgspec

from consensus.raft.messages import Kind, RaftMessage
from consensus.raft.records import NONE, NodeId


class TraceEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step of one node; `msgspec.json.encode` makes a line of it."""

    name: str
    nid: NodeId
    state: dict[str, int]
    """term, vote and commit."""
    role: str
    log: int
    """The last index."""
    conf: tuple[tuple[NodeId, ...], tuple[NodeId, ...]]
    """Voters and outgoing voters."""
    msg: dict[str, Any] | None = None
    prop: dict[str, Any] | None = None


_PAIRS = {
    Kind.APP: "AppendEntriesRequest",
    Kind.HEARTBEAT: "AppendEntriesRequest",
    Kind.APP_RESP: "AppendEntriesResponse",
    Kind.HEARTBEAT_RESP: "AppendEntriesResponse",
    Kind.VOTE: "RequestVoteRequest",
    Kind.VOTE_RESP: "RequestVoteResponse",
    Kind.SNAP: "Snapshot",
}
"""What is traced of the messages. PreVote changes no state, and the model does not have it."""


def name_of(action: str, message: RaftMessage) -> str | None:
    """The event of a message that is sent ("Send") or received ("Receive"), if there is one."""
    pair = _PAIRS.get(message.kind)
    return action + pair if pair is not None else None


def describe(message: RaftMessage) -> dict[str, Any]:
    """A message's part of an event."""
    return {
        "type": message.kind.value,
        "from": message.sender,
        "to": message.to,
        "term": message.term,
        "logTerm": message.log_term,
        "index": message.index,
        "entries": len(message.entries),
        "commit": message.commit,
        "vote": NONE,  # the format has it, and no message that is traced
        "reject": message.reject,
        "rejectHint": message.reject_hint,
    }
