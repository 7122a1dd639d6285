"""Raft nodes with storages and a network that does what a test says: nothing is lost, late or doubled by itself."""

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from consensus.raft.errors import PeerNotFoundError, ProposalDroppedError
from consensus.raft.messages import Kind, RaftMessage
from consensus.raft.node import Node
from consensus.raft.progress import Progress
from consensus.raft.ready import Ready
from consensus.raft.records import (
    Change,
    ChangeKind,
    ConfChange,
    Configuration,
    Entry,
    HardState,
    NodeId,
    Snapshot,
    Transition,
)
from consensus.raft.settings import Settings
from consensus.raft.state import ReadState, Role
from consensus.raft.storage import MemoryStorage, founding

FIRST = 2
"""The first index after the snapshot with which every test cluster begins."""


def storage_of(
    configuration: Configuration, terms: Iterable[int] = (), hard: HardState | None = None
) -> MemoryStorage:
    """A storage that begins with a snapshot at index 1, and entries of these terms behind it.

    Without a hard state it is a founding member's; else the snapshot is of term 1.
    """
    storage = MemoryStorage()
    storage.write(hard, (), Snapshot(1, 1, configuration) if hard else founding(configuration))
    entries = [Entry(term, index, f"old {term}/{index}") for index, term in enumerate(terms, FIRST)]
    if entries:
        storage.append(entries)
    return storage


def make_node(
    id: NodeId = 1,
    voters: tuple[NodeId, ...] = (1, 2, 3),
    terms: Iterable[int] = (),
    hard: HardState | None = None,
    learners: tuple[NodeId, ...] = (),
    **settings: Any,
) -> Node:
    """One node alone; without a hard state its term is that of its last entry."""
    terms = tuple(terms)
    hard = hard or HardState(terms[-1] if terms else 1, commit=1)
    storage = storage_of(Configuration(voters, learners=learners), terms, hard)
    return Node(Settings(id=id, **settings), storage, Random(id))


def finish(node: Node) -> Ready:
    """Write and apply one batch of a node."""
    ready = node.ready()
    storage = node.raft.log.storage
    assert isinstance(storage, MemoryStorage)
    storage.write(ready.hard_state, ready.entries, ready.snapshot)
    for entry in ready.committed_entries:
        if isinstance(entry.data, ConfChange):
            node.apply_conf_change(entry.data)
    node.advance()
    return ready


def sent(node: Node) -> list[RaftMessage]:
    """Everything that a node has to say now, its batches finished."""
    messages: list[RaftMessage] = []
    while node.has_ready():
        messages += finish(node).messages
    return messages


def role(node: Node) -> Role:
    """What a node is now; asked again after something happened, it may be something else."""
    return node.raft.role


def kinds(messages: Iterable[RaftMessage]) -> list[tuple[Kind, NodeId]]:
    return [(m.kind, m.to) for m in messages]


def changes(text: str, transition: Transition = Transition.AUTO) -> ConfChange:
    """``v4 l2 r1``"""
    parts = tuple(Change(ChangeKind(word[0]), int(word[1:])) for word in text.split())
    return ConfChange(parts, transition)


class Cluster:
    """Some nodes, what each has applied, and the messages on their way."""

    def __init__(
        self, voters: tuple[NodeId, ...] = (1, 2, 3), learners: tuple[NodeId, ...] = (), **settings: Any
    ) -> None:
        self.settings = settings
        self.configuration = Configuration(voters, learners=learners)
        self.nodes: dict[NodeId, Node] = {}
        self.storages: dict[NodeId, MemoryStorage] = {}
        self.applied: dict[NodeId, list[str]] = {}
        self.reads: dict[NodeId, list[ReadState]] = {}
        self.wire: list[RaftMessage] = []
        self.history: list[RaftMessage] = []
        self.refused: list[Exception] = []
        """What nodes had against messages that they got."""
        for node in (*voters, *learners):
            self.add(node, storage_of(self.configuration))

    def add(self, node: NodeId, storage: MemoryStorage | None = None, **settings: Any) -> Node:
        """One more node, with an empty storage if none is given."""
        self.storages[node] = storage or MemoryStorage()
        self.applied[node], self.reads[node] = [], []
        return self.start(node, **settings)

    def start(self, node: NodeId, **settings: Any) -> Node:
        """A node starts, or starts again, with what is in its storage."""
        given = Settings(id=node, **{**self.settings, **settings})
        self.nodes[node] = Node(given, self.storages[node], Random(node))
        return self.nodes[node]

    def __getitem__(self, node: NodeId) -> Node:
        return self.nodes[node]

    def handle(self, node: NodeId) -> Ready:
        """One batch of a node: written, applied, and its messages on the wire."""
        ready = self[node].ready()
        self.storages[node].write(ready.hard_state, ready.entries, ready.snapshot)
        if ready.snapshot is not None:
            self.applied[node] = str(ready.snapshot.data).split()
        for entry in ready.committed_entries:
            if isinstance(entry.data, ConfChange):
                self[node].apply_conf_change(entry.data)
            elif entry.data:
                self.applied[node].append(str(entry.data))
        if any(isinstance(entry.data, ConfChange) for entry in ready.committed_entries):
            self.compact(node, keep=1_000)  # a newcomer needs a snapshot that knows of it
        self.reads[node] += ready.read_states
        self.wire += ready.messages
        self.history += ready.messages
        self[node].advance()
        return ready

    def settle(self, lost: Callable[[RaftMessage], bool] = lambda m: False) -> None:
        """Until nobody has anything to say; what is `lost` never arrives."""
        for _ in range(1_000):
            ready = [node for node, one in self.nodes.items() if one.has_ready()]
            if not ready and not self.wire:
                return
            for node in ready:
                self.handle(node)
            arriving, self.wire = self.wire, []
            for m in arriving:
                if m.to in self.nodes and not lost(m):
                    self.deliver(m)
        raise AssertionError("a thousand rounds, and still no rest")

    def deliver(self, m: RaftMessage) -> None:
        """A message arrives."""
        try:
            self[m.to].step(m)
        except (PeerNotFoundError, ProposalDroppedError) as error:
            self.refused.append(error)

    def elect(self, node: NodeId) -> Node:
        """A node campaigns and wins."""
        self[node].campaign()
        self.settle()
        assert self[node].raft.role is Role.LEADER
        return self[node]

    def compact(self, node: NodeId, keep: int = 0) -> None:
        """A node takes a snapshot of all that it has applied."""
        raft, storage = self[node].raft, self.storages[node]
        index = raft.log.applying
        data = " ".join(self.applied[node])
        storage.compact(Snapshot(index, storage.term(index), raft.configuration, data), keep)

    def leaders(self) -> list[NodeId]:
        return [node for node, one in self.nodes.items() if one.raft.role is Role.LEADER]

    def progress(self, leader: NodeId, of: NodeId) -> Progress:
        return self[leader].raft.progress[of]


def without(*cut: NodeId) -> Callable[[RaftMessage], bool]:
    """Nothing reaches or leaves these nodes."""
    return lambda m: m.to in cut or m.sender in cut
