"""Entries, messages and batches in the words of the transcripts."""

import json
from collections.abc import Sequence

from consensus.raft.messages import APPEND_THREAD, APPLY_THREAD, RaftMessage, StorageMessage
from consensus.raft.ready import Ready
from consensus.raft.records import NONE, ConfChange, Configuration, Entry, HardState, NodeId, Snapshot

_TARGETS = {NONE: "None", APPEND_THREAD: "AppendThread", APPLY_THREAD: "ApplyThread"}


def target(node: NodeId) -> str:
    """Who sends or gets a message; ids are in hexadecimal."""
    return _TARGETS.get(node) or f"{node:x}"


def entry(entry: Entry) -> str:
    """``1/4 EntryNormal "foo"``"""
    data = entry.data
    if isinstance(data, str):
        shown = json.dumps(data, ensure_ascii=False)
    elif isinstance(data, ConfChange):
        shown = " ".join(f"{change.kind.value}{change.node}" for change in data.changes)
    else:
        shown = repr(data)
    return f"{entry.term}/{entry.index} {entry.kind.value} {shown}".rstrip()


def hard_state(state: HardState) -> str:
    """``Term:1 Vote:1 Commit:4``"""
    vote = f" Vote:{state.vote}" if state.vote else ""
    return f"Term:{state.term}{vote} Commit:{state.commit}"


def configuration(config: Configuration) -> str:
    """``Voters:[1 2] VotersOutgoing:[] Learners:[] LearnersNext:[] AutoLeave:false``"""

    def ids(nodes: Sequence[NodeId]) -> str:
        return f"[{' '.join(map(str, nodes))}]"

    return (
        f"Voters:{ids(config.voters)} VotersOutgoing:{ids(config.outgoing)} Learners:{ids(config.learners)} "
        f"LearnersNext:{ids(config.learners_next)} AutoLeave:{str(config.auto_leave).lower()}"
    )


def snapshot(snapshot: Snapshot) -> str:
    """``Index:4 Term:1 ConfState:...``"""
    shown = configuration(snapshot.configuration)
    return f"Index:{snapshot.index} Term:{snapshot.term} ConfState:{shown}"


def message(m: RaftMessage, indent: str = "") -> list[str]:
    """A message in one line or, with several entries, a snapshot or responses, in more."""
    text = (
        f"{indent}{target(m.sender)}->{target(m.to)} {m.kind.value} Term:{m.term} Log:{m.log_term}/{m.index}"
    )
    if m.reject:
        text += f" Rejected (Hint: {m.reject_hint})"
    if m.commit:
        text += f" Commit:{m.commit}"
    if isinstance(m, StorageMessage) and m.vote:
        text += f" Vote:{m.vote}"
    lines = [text]
    if len(m.entries) == 1:
        lines[-1] += f" Entries:[{entry(m.entries[0])}]"
    elif m.entries:
        lines[-1] += " Entries:["
        lines += [f"{indent}  {entry(e)}" for e in m.entries]
        lines.append(f"{indent}]")
    if m.snapshot is not None:
        lines.append(f"{indent}  Snapshot: {snapshot(m.snapshot)}")
    if isinstance(m, StorageMessage) and m.responses:
        lines[-1] += " Responses:["
        for response in m.responses:
            lines += message(response, indent + "  ")
        lines.append(f"{indent}]")
    return lines


def ready(batch: Ready) -> list[str]:
    """A batch: only what is in it."""
    lines = []
    if batch.soft_state is not None:
        lines.append(f"Lead:{batch.soft_state.lead} State:{batch.soft_state.role.value}")
    if batch.hard_state is not None:
        lines.append(f"HardState {hard_state(batch.hard_state)}")
    if batch.read_states:
        states = " ".join(
            f"{{{state.index} [{' '.join(map(str, state.context.encode()))}]}}" for state in batch.read_states
        )
        lines.append(f"ReadStates [{states}]")
    if batch.entries:
        lines += ["Entries:", *map(entry, batch.entries)]
    if batch.snapshot is not None:
        lines.append(f"Snapshot {snapshot(batch.snapshot)}")
    if batch.committed_entries:
        lines += ["CommittedEntries:", *map(entry, batch.committed_entries)]
    if batch.messages:
        lines.append("Messages:")
        for m in batch.messages:
            lines += message(m)
    if not lines:
        return ["<empty Ready>"]
    return [f"Ready MustSync={str(batch.must_sync).lower()}:", *lines]
