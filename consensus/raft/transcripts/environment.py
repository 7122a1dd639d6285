"""Nodes, their storages and the messages between them, moved by hand: what the interaction commands work on."""

from collections.abc import Callable, Sequence

import msgspec

from consensus.raft.errors import CompactedError
from consensus.raft.messages import APPEND_THREAD, APPLY_THREAD, Kind, RaftMessage, StorageMessage
from consensus.raft.node import Node
from consensus.raft.quorum import EVERYTHING
from consensus.raft.records import ConfChange, Configuration, Entry, HardState, NodeId, Snapshot
from consensus.raft.settings import Settings
from consensus.raft.storage import MemoryStorage
from consensus.raft.transcripts import describe
from walras.errors import LocalProtocolError, RemoteProtocolError, WalrasError
from walras.randomness import stream


class SnapshottingStorage(MemoryStorage):
    """A storage whose newest snapshot is always what was applied last, without the log being compacted."""

    history: list[Snapshot] = []
    """A snapshot for each applied entry."""

    def snapshot(self) -> Snapshot:
        return self.history[-1]

    def restore(self, snapshot: Snapshot) -> None:
        super().restore(snapshot)
        self.history.append(snapshot)


class Member(msgspec.Struct):
    """A node with its storage, and the storage work that waits for a worker."""

    node: Node
    storage: SnapshottingStorage
    append_work: list[StorageMessage] = []
    apply_work: list[StorageMessage] = []

    def write(self, hard: HardState | None, entries: Sequence[Entry], snapshot: Snapshot | None) -> None:
        """What a batch or an append worker makes durable."""
        self.storage.write(hard, entries, snapshot)

    def apply(self, entries: Sequence[Entry]) -> None:
        """The state machine: all data, concatenated."""
        for entry in entries:
            before = self.storage.history[-1]
            configuration, data = before.configuration, entry.data
            if isinstance(data, ConfChange):
                configuration = self.node.apply_conf_change(data)
                data = data.context
            after = Snapshot(entry.index, entry.term, configuration, f"{before.data}{data}")
            self.storage.history.append(after)


class Environment:
    """A cluster in which nothing happens by itself. What is done is told in `lines`."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.messages: list[RaftMessage] = []
        self.lines: list[str] = []

    def __getitem__(self, node: NodeId) -> Member:
        if not 1 <= node <= len(self.members):
            raise WalrasError(f"there is no node {node}")
        return self.members[node - 1]

    def say(self, *lines: str) -> None:
        """Tell."""
        self.lines += lines

    def indented(self, action: Callable[[], object]) -> None:
        """Do something, and indent what it tells."""
        begin = len(self.lines)
        try:
            action()
        finally:
            self.lines[begin:] = [f"  {line}" for line in self.lines[begin:]]

    # ------------------------------------------------------------------ nodes
    def add_node(self, settings: Settings, start: Snapshot) -> None:
        """One more node, on a storage that begins with a snapshot (of index 0: with nothing)."""
        storage = SnapshottingStorage()
        if start.index:
            storage.restore(start)
        else:
            storage.history.append(start)
        rng = stream(0, "transcript", settings.id)  # no transcript depends on a draw
        self.members.append(Member(Node(settings, storage, rng), storage))

    # ------------------------------------------------------------------ batches
    def process_ready(self, node: NodeId) -> None:
        """Print the next batch, write it, apply it, and queue its messages."""
        member = self[node]
        batch = member.node.ready()
        self.say(*describe.ready(batch))
        if not member.node.raft.settings.async_storage_writes:
            member.write(batch.hard_state, batch.entries, batch.snapshot)
            member.apply(batch.committed_entries)
            self.messages += batch.messages
            member.node.advance()
            return
        for m in batch.messages:
            if isinstance(m, StorageMessage):
                (member.append_work if m.to == APPEND_THREAD else member.apply_work).append(m)
            else:
                self.messages.append(m)

    def process_append(self, node: NodeId) -> None:
        """The append worker's next job."""
        member = self[node]
        if not member.append_work:
            self.say("no append work to perform")
            return
        job = self._begin(member.append_work)
        hard = HardState(job.term, job.vote, job.commit)
        member.write(hard if hard != HardState() else None, job.entries, job.snapshot)
        self._release(job)

    def process_apply(self, node: NodeId) -> None:
        """The apply worker's next job."""
        member = self[node]
        if not member.apply_work:
            self.say("no apply work to perform")
            return
        job = self._begin(member.apply_work)
        member.apply(job.entries)
        self._release(job)

    def _begin(self, work: list[StorageMessage]) -> StorageMessage:
        job = work.pop(0)
        self.say("Processing:", *describe.message(msgspec.structs.replace(job, responses=())))
        return job

    def _release(self, job: StorageMessage) -> None:
        self.say("Responses:")
        for response in job.responses:
            self.say(*describe.message(response))
        self.messages += job.responses

    # ------------------------------------------------------------------ messages
    def take(self, to: NodeId, kind: Kind | None = None, drop: bool = False) -> list[RaftMessage]:
        """Take what is queued for a node; a node's messages to itself are never lost."""

        def is_meant(m: RaftMessage) -> bool:
            local = m.sender in (m.to, APPEND_THREAD, APPLY_THREAD)
            return m.to == to and (kind is None or m.kind is kind) and not (drop and local)

        taken = [m for m in self.messages if is_meant(m)]
        self.messages = [m for m in self.messages if not is_meant(m)]
        return taken

    def deliver(self, to: NodeId, kind: Kind | None = None, drop: bool = False) -> int:
        """Deliver, or drop, what is queued for a node; how many messages that were."""
        taken = self.take(to, kind, drop)
        for m in taken:
            first, *rest = describe.message(m)
            self.say(f"dropped: {first}" if drop else first, *rest)
            if not drop:
                try:
                    self[to].node.step(m)
                except (LocalProtocolError, RemoteProtocolError) as error:
                    self.say(str(error))
        return len(taken)

    # ------------------------------------------------------------------ until nothing happens
    def stabilize(self, nodes: Sequence[NodeId]) -> None:
        """Rounds over some nodes, in the order given, until one in which nothing happens."""
        busy = True
        while busy:
            busy = False
            for node in nodes:
                if self[node].node.has_ready():
                    self._under(f"> {node} handling Ready", self.process_ready, node)
                    busy = True
            for node in nodes:
                if any(m.to == node for m in self.messages):
                    self._under(f"> {node} receiving messages", self.deliver, node)
                    busy = True
            for node in nodes:
                busy |= self._drain(node, self[node].append_work, "append", self.process_append)
            for node in nodes:
                busy |= self._drain(node, self[node].apply_work, "apply", self.process_apply)

    def _under(self, header: str, action: Callable[[NodeId], object], node: NodeId) -> None:
        self.say(header)
        self.indented(lambda: action(node))

    def _drain(
        self, node: NodeId, work: list[StorageMessage], name: str, process: Callable[[NodeId], None]
    ) -> bool:
        if not work:
            return False
        self.say(f"> {node} processing {name} thread")
        while work:
            self.indented(lambda: process(node))
        return True

    # ------------------------------------------------------------------ storage
    def compact(self, node: NodeId, index: int) -> None:
        """Drop a stored log's entries up to an index."""
        storage = self[node].storage
        if index <= storage.base_index:
            raise CompactedError("requested index is unavailable due to compaction")
        storage.truncate_before(index)
        self.print_log(node)

    def print_log(self, node: NodeId) -> None:
        """The stored entries."""
        storage = self[node].storage
        first, last = storage.first_index(), storage.last_index()
        if first > last:
            self.say(f"log is empty: first index={first}, last index={last}")
        else:
            self.say(*map(describe.entry, storage.entries(first, last + 1, EVERYTHING)))

    def send_snapshot(self, sender: NodeId, to: NodeId) -> None:
        """Queue a node's newest snapshot for another."""
        member = self[sender]
        term = member.node.raft.term
        m = RaftMessage(Kind.SNAP, to, sender, term, snapshot=member.storage.snapshot())
        self.messages.append(m)
        self.say(*describe.message(m))


def start_snapshot(index: int, configuration: Configuration, content: str) -> Snapshot:
    """What a new node begins with: of term 1 if it has members, else nothing at all."""
    if configuration == Configuration():
        return Snapshot(data=content)
    if index <= 1:
        raise WalrasError("index must be specified as > 1 due to bootstrap")
    return Snapshot(index, 1, configuration, content)
