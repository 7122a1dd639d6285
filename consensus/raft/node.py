"""One Raft node: D. Ongaro and J. Ousterhout, In Search of an Understandable Consensus Algorithm, USENIX ATC 2014.

A pure core in the shape of etcd's: calls go in, batches come out. It has no clock, sends nothing and writes nothing; its only
dice is the `Random` that it is given, from which it draws election timeouts. Each concern is a module of plain
functions over the node's state (`consensus.raft.state` lists them).

In::

    Node(settings: Settings, storage: Storage, rng: Random)      from empty storage, or again after a crash
    tick(count=1)                       time has passed
    ticks_until_due() -> int | None     after how many ticks something will happen by itself; None: never
    step(message: RaftMessage)          a message has come, or a response from storage
    propose(*data: str | Command)       one append for all of them; ProposalDroppedError: nothing was recorded
    propose_conf_change(change: ConfChange, v1=False)
    read_index(context: str)            unique in the cluster, such as "<node>/<counter>"; answered by a ReadState
    campaign()                          do not wait for the timeout
    transfer_leader(to: NodeId)         given up after an election timeout
    forget_leader()                     suspect the leader: our vote is free
    report_unreachable(peer: NodeId)
    report_snapshot(peer: NodeId, delivered: bool)              a must after each snapshot whose answer stays out
    apply_conf_change(change: ConfChange) -> Configuration      when the entry that holds it is applied

Out::

    has_ready() -> bool
    ready() -> Ready                    the next batch
    advance()                           the batch was written and applied (only with synchronous storage)
    status() -> Status
    raft: Raft                          the state itself, for checkers: look, do not touch

A batch (`Ready`)::

    soft_state: SoftState | None                (lead, role) if one of them changed
    hard_state: HardState | None                (term, vote, commit) if one of them changed
    read_states: tuple[ReadState, ...]          (index, context): serve that read once `index` is applied
    entries: tuple[Entry, ...]                  to be written, in the place of all from the first one's index on
    snapshot: Snapshot | None                   to be written before them, in the place of the whole log, and applied
    committed_entries: tuple[Entry, ...]        to be applied
    messages: tuple[RaftMessage, ...]           to be sent once the write is durable
    must_sync: bool                             entries, term or vote are new; else only the commit index is

The caller's loop with synchronous storage::

    while node.has_ready():
        ready = node.ready()
        storage.write(ready.hard_state, ready.entries, ready.snapshot)  # one atomic write
        for message in ready.messages:
            ...  # send
        if ready.snapshot is not None:
            ...  # the state machine becomes ready.snapshot.data
        for entry in ready.committed_entries:  # an empty one changes nothing
            if isinstance(entry.data, ConfChange):
                node.apply_conf_change(entry.data)
            ...  # else the state machine takes entry.data
        for read in ready.read_states:
            ...  # serve once read.index is applied
        node.advance()

A leader's appends (`Kind.APP`) may leave before the write. With `async_storage_writes` the batch's entries and snapshot are
in `StorageMessage`s to `APPEND_THREAD` and `APPLY_THREAD`: carry out each thread's in their order, then deliver
their `responses`, those to this node by `step`; there is no `advance`, and apart from these nothing waits for the write.

Settings (`consensus.raft.settings`; ticks and bytes)::

    id                                  election_tick=10                heartbeat_tick=1
    max_size_per_msg=EVERYTHING         max_committed_size_per_ready=EVERYTHING
    max_uncommitted_size=EVERYTHING     max_inflight_msgs=256           max_inflight_bytes=0 (no limit)
    check_quorum=False                  pre_vote=False                  read_only=ReadOnly.SAFE
    disable_proposal_forwarding=False   disable_conf_change_validation=False
    step_down_on_removal=False          commit_by_vote=False            async_storage_writes=False
    election_spread=None                keep_timer=False                applied=0       trace=None
"""

from random import Random

from consensus.raft import confchange, elections, leader, stepping, ticks
from consensus.raft.errors import CorruptStorageError, LocalMessageError, PeerNotFoundError
from consensus.raft.log import RaftLog, open_log
from consensus.raft.membership import apply_conf_change, switch_to
from consensus.raft.messages import APPEND_THREAD, APPLY_THREAD, LOCAL, RESPONSES, Kind, RaftMessage
from consensus.raft.ready import Handed, Ready, SoftState, has_ready, take_ready
from consensus.raft.records import (
    NONE,
    Command,
    ConfChange,
    Configuration,
    Entry,
    EntryKind,
    HardState,
    NodeId,
)
from consensus.raft.settings import Settings
from consensus.raft.state import Raft, Role, trace
from consensus.raft.status import Status, status_of
from consensus.raft.storage import Storage
from walras.errors import LocalProtocolError, ScenarioError


class Node:
    """One member of a cluster, or one that waits to become a member. The module's documentation is the contract."""

    __slots__ = ("_handed", "raft")

    def __init__(self, settings: Settings, storage: Storage, rng: Random) -> None:
        settings.check()
        log = open_log(storage, settings.max_committed_size_per_ready)
        hard, configuration = storage.initial_state()
        configuration = _start(log, hard, confchange.checked(configuration), settings.applied)
        raft = Raft(settings, log, rng, settings.id, term=hard.term, vote=hard.vote, trace=settings.trace)
        raft.heard_at = 0 if hard.term else None
        switch_to(raft, configuration)
        trace(raft, "InitState")
        elections.become_follower(raft, raft.term, NONE)
        self.raft = raft
        self._handed = Handed(SoftState(raft.lead, raft.role), raft.hard_state())

    def __repr__(self) -> str:
        return f"Node({self.raft!r})"

    # ------------------------------------------------------------------ time and messages
    def tick(self, count: int = 1) -> None:
        """Let time pass; any number of ticks at once costs little."""
        ticks.tick(self.raft, count)

    def ticks_until_due(self) -> int | None:
        """How many ticks from now something happens by itself if no message comes; None: never."""
        return ticks.ticks_until_due(self.raft)

    def step(self, message: RaftMessage) -> None:
        """Take a message. What is refused has changed nothing.

        Raises `LocalMessageError` and `PeerNotFoundError` for what should not have been sent, `ProposalDroppedError`.
        """
        kind, sender = message.kind, message.sender
        if sender not in (APPEND_THREAD, APPLY_THREAD):
            if kind in LOCAL:
                raise LocalMessageError(message)
            if kind in RESPONSES and sender not in self.raft.progress:
                raise PeerNotFoundError(message)
        stepping.step(self.raft, message)

    # ------------------------------------------------------------------ requests
    def propose(self, *data: str | Command) -> None:
        """Append commands to the replicated log, in their order; a follower sends them on to its leader.

        Taken is not committed: the proposal may be lost with its leader. Raises `ProposalDroppedError`.
        """
        for command in data:
            if isinstance(command, ConfChange):
                raise ScenarioError(
                    "data", command, "commands; propose_conf_change screens changes of membership"
                )
        self._propose(tuple([Entry(data=command) for command in data]))

    def propose_conf_change(self, change: ConfChange, v1: bool = False) -> None:
        """Propose a change of membership, in the older form (one change, no joint configuration) if `v1`.

        Where another one is pending, or the configuration is joint and this does not leave it (or the reverse), an
        empty entry takes its place. What cannot be made from the leader's configuration at all raises `ConfChangeError`
        here if this node leads. Raises `ProposalDroppedError`.
        """
        if v1 and (change.enters_joint or change.leaves_joint):
            raise ScenarioError("change", change, "exactly one change, at once, for the older form")
        raft = self.raft
        settled = not raft.configuration.joint and change.changes
        if raft.role is Role.LEADER and settled and not raft.settings.disable_conf_change_validation:
            confchange.changed(raft.configuration, change)
        kind = EntryKind.CONF_CHANGE if v1 else EntryKind.CONF_CHANGE_V2
        self._propose((Entry(data=change, kind=kind),))

    def _propose(self, entries: tuple[Entry, ...]) -> None:
        if entries:
            stepping.step(self.raft, RaftMessage(Kind.PROP, sender=self.raft.id, entries=entries))

    def read_index(self, context: str) -> None:
        """Ask up to where to apply for a linearizable read.

        A batch's `read_states` answer, or nothing does: while there is no leader, or when it changes. Ask again then.
        """
        stepping.step(self.raft, RaftMessage(Kind.READ_INDEX, context=context))

    def campaign(self) -> None:
        """Stand for election now."""
        elections.hup(self.raft)

    def transfer_leader(self, to: NodeId) -> None:
        """Hand the leadership over; ignored for learners, strangers, and if no leader is known."""
        stepping.step(self.raft, RaftMessage(Kind.TRANSFER_LEADER, sender=to))

    def forget_leader(self) -> None:
        """A follower's vote is free at once, as if it had not heard its leader for long; its timeout runs on.

        Leaders, candidates and nodes with lease reads ignore it.
        """
        stepping.step(self.raft, RaftMessage(Kind.FORGET_LEADER))

    def report_unreachable(self, peer: NodeId) -> None:
        """A message to a peer is known to be lost."""
        if self.raft.role is Role.LEADER:
            leader.unreachable(self.raft, peer)

    def report_snapshot(self, peer: NodeId, delivered: bool) -> None:
        """A snapshot was delivered to a peer, or is known or feared not to be: call it some time after each one sent.

        Until then, or until the peer answers, nothing else goes to it.
        """
        if self.raft.role is Role.LEADER:
            leader.snapshot_done(self.raft, peer, delivered)

    def apply_conf_change(self, change: ConfChange) -> Configuration:
        """A committed change takes effect: call it for each, in the order of the log; the new configuration.

        Node 0 in a change stands for a change that the application decided against. Raises `ConfChangeError` for one
        that cannot be made, which only gets so far with `disable_conf_change_validation`; nothing has changed then.
        """
        return apply_conf_change(self.raft, change)

    # ------------------------------------------------------------------ batches
    def has_ready(self) -> bool:
        """Whether there is anything to do."""
        return has_ready(self.raft, self._handed)

    def ready(self) -> Ready:
        """The next batch. With synchronous storage, `advance` comes before the next one."""
        if self._handed.on_advance:
            raise LocalProtocolError("ready() was called again before advance()")
        return take_ready(self.raft, self._handed)

    def advance(self) -> None:
        """The last batch is durable, and applied: the node hears its own answers now, and so counts itself."""
        if self.raft.settings.async_storage_writes:
            raise LocalProtocolError(
                "advance() has no place with asynchronous storage: deliver the responses"
            )
        answers, self._handed.on_advance = self._handed.on_advance, []
        for answer in answers:
            stepping.step(self.raft, answer)

    def status(self) -> Status:
        """How this node is, for people."""
        return status_of(self.raft)


def _start(log: RaftLog, hard: HardState, configuration: Configuration, applied: int) -> Configuration:
    """Set a log's commit index and what is applied; the configuration as of there, given that of the snapshot."""
    last = log.last_index()
    if hard.commit and not log.committed <= hard.commit <= last:  # a storage that was never written says 0
        raise CorruptStorageError(f"commit {hard.commit} lies outside of the log, {log.committed} to {last}")
    log.commit_to(hard.commit)
    if applied > log.committed:
        expected = f"at most the stored commit index, {log.committed}"
        raise ScenarioError("Settings.applied", applied, expected)
    for entry in log.slice(log.applied + 1, applied + 1):
        if isinstance(entry.data, ConfChange):
            configuration = confchange.changed(configuration, entry.data)
    log.applied_to(max(applied, log.applied), 0)
    return configuration
