"""The replica: a Raft node as a role of the kernel, which writes, sends, applies and serves for it.

::

    clients        --Submit, Query-->          Replica  --Reply, Redirect-->            clients
    other replicas <--RaftMessage-->           Replica  --Stored--> itself, once a write is durable
    own agent      --Listen, Propose, Read-->  Replica  --Committed, Installed, Leading, ReadAt--> own agent

D. Ongaro and J. Ousterhout, In Search of an Understandable Consensus Algorithm, USENIX ATC 2014; D. Ongaro, Consensus:
Bridging Theory and Practice, 2014. The algorithm is in `consensus.raft.node`; what is said to a replica in
`consensus.raft.service`.
"""

from math import inf
from typing import Any, ClassVar

from msgspec import field
from msgspec.structs import replace

from consensus.raft.askers import Asker, Readers, Writers
from consensus.raft.errors import LocalMessageError, PeerNotFoundError, ProposalDroppedError
from consensus.raft.machine import Data, Journal, Result, StateMachine, Timed, answered, carried_out
from consensus.raft.messages import Kind, RaftMessage
from consensus.raft.node import Node
from consensus.raft.ready import Ready
from consensus.raft.records import NONE, ConfChange, Configuration, Entry, NodeId, Snapshot
from consensus.raft.roster import Roster, change_to, why_not
from consensus.raft.service import (
    Committed,
    Compact,
    Deposed,
    Dropped,
    Elected,
    Leading,
    Listen,
    Propose,
    Query,
    Read,
    ReadAt,
    Reconfigure,
    Redirect,
    Reply,
    Submit,
    TransferLeader,
    retold,
)  # fmt: skip
from consensus.raft.settings import Settings
from consensus.raft.state import Role
from consensus.raft.status import Status
from consensus.raft.storage import MemoryStorage, founding
from consensus.raft.written import Stored, Written, everything, replayed
from walras.amounts import is_amount, is_whole
from walras.errors import ScenarioError
from walras.messages import AgentId, ConversationId, Message
from walras.protocol import Protocol, on, told

DEFAULTS = Settings(
    id=1, election_tick=1_000, heartbeat_tick=100, check_quorum=True, pre_vote=True, step_down_on_removal=True,
    commit_by_vote=True, max_size_per_msg=1 << 20,
)  # fmt: skip
"""A replica's knobs, unless others are given; the id is the replica's own. A tick is a millisecond: idle ones are free."""

_PASSED_ON = frozenset({Kind.PROP, Kind.READ_INDEX, Kind.TRANSFER_LEADER})
"""Requests that a follower sends on to its leader: their sender is whoever asked first."""


class Replica(Protocol):
    """One member of a cluster, or one that waits to become a member.

    One batch of the core is under way at a time: while it is being written messages are heard and answered by the core,
    and what comes of them is written in one piece afterwards, so a slow disk makes for large writes and not for a queue.

    Args:
        members: everybody who is or may become a member, in the same order at all replicas.
        machine: what the log drives, see `consensus.raft.machine`; a `Journal` where roles that listen are that.
        voters: the founding members with a vote; empty: all members. Who is neither voter nor learner waits to be added.
        learners: the founding members without a vote.
        settings: the knobs of the core, in ticks and bytes.
        tick_s: how long a tick is, seconds.
        batch_s: how long proposals are gathered before they enter the log together, seconds; 0: not at all.
        compact_every: entries after which a snapshot takes the place of the log.
        keep: entries before a snapshot that stay in memory for followers that lag a little.

    Raises:
        ScenarioError: for an empty or even set of voters, a name that is there twice, knobs out of their range.
    """

    recovery: ClassVar[str] = "records"

    members: tuple[AgentId, ...]
    machine: StateMachine = field(default_factory=Journal)
    voters: tuple[AgentId, ...] = ()
    learners: tuple[AgentId, ...] = ()
    settings: Settings = DEFAULTS
    tick_s: float = 0.001
    batch_s: float = 0.0
    compact_every: int = 10_000
    keep: int = 1_000

    node: Node = None  # type: ignore[assignment]  # made at the start of each life
    storage: MemoryStorage = field(default_factory=MemoryStorage)
    roster: Roster = None  # type: ignore[assignment]
    born: float = 0.0
    ticked: int = 0
    alarm: float = inf
    """When the one timer of the core is due."""
    writing: bool = False
    """Whether a batch is on its way to the disk."""
    compaction_due: bool = False
    """Whether a snapshot takes the place of the log as soon as the core has heard of all that is applied."""
    applied: int = 0
    applied_term: int = 0
    led: int = 0
    """The term in which listeners were told that this replica leads; 0 if it does not."""
    listeners: dict[ConversationId, bool] = {}
    writers: Writers = field(default_factory=Writers)
    readers: Readers = field(default_factory=Readers)
    heard: dict[NodeId, float] = {}

    def __post_init__(self) -> None:
        self.roster = Roster(self.members)
        self.founders()
        self.settings.check()
        for name, least in (("compact_every", 1), ("keep", 0)):
            if not is_whole(getattr(self, name), least):
                raise ScenarioError(name, getattr(self, name), f"a whole number, at least {least}")
        if not is_amount(self.batch_s):
            raise ScenarioError("batch_s", self.batch_s, "a finite number of seconds, 0 or more")
        if not is_amount(self.tick_s) or not self.tick_s:
            raise ScenarioError("tick_s", self.tick_s, "a finite number of seconds above 0")

    def founders(self) -> Configuration:
        """The membership with which the cluster begins; raises `ScenarioError` for a bad one."""
        voters = self.voters or tuple(name for name in self.members if name not in self.learners)
        return self.roster.configuration(voters, self.learners)

    @property
    def election_s(self) -> float:
        """The shortest election timeout, seconds."""
        return self.settings.election_tick * self.tick_s

    # ------------------------------------------------------------------ lives
    def on_start(self) -> None:
        self.live(())

    def on_recover(self, records: tuple[Any, ...]) -> None:
        self.live(records)

    def live(self, records: tuple[Any, ...]) -> None:
        """A life begins with what the last one made durable; the first one, of a founder, with the founding snapshot."""
        storage, founders = replayed(records), self.founders()
        me = self.roster.id_of(self.me)
        if not storage.last_index() and me in founders.members():
            storage.write(None, (), founding(founders, self.machine.snapshot()))
            self.persist(everything(storage))
        if storage.latest.index:
            self.machine.restore(storage.latest.data)
            self.applied = storage.latest.index
        self.storage, self.born = storage, self.now
        self.node = Node(replace(self.settings, id=me), storage, self.rng)
        self.work()

    # ------------------------------------------------------------------ time
    def catch_up(self) -> float:
        """Let the core know how late it is, in one step, however long nothing happened; the time, seconds."""
        now = self.now
        ticks = int((now - self.born) / self.tick_s + 1e-6)
        if ticks > self.ticked:
            self.node.tick(ticks - self.ticked)
            self.ticked = ticks
        return now

    def set_alarm(self) -> None:
        """Wake up when the core has something due; one that rings too early is set again, which is cheaper than moving it."""
        due = self.node.ticks_until_due()
        if due is not None:
            at = self.born + (self.ticked + due) * self.tick_s
            if at < self.alarm:
                self.alarm = at
                self.set_timer("due", at)

    def on_timer(self, name: Any) -> None:
        self.catch_up()
        if name == "due":
            self.alarm = inf
            if self.readers.waiting and self.now > self.readers.begun + self.election_s / 2:
                self.begin_round()
        elif name == "batch":
            self.propose_all()
        else:  # a snapshot's answer stays out
            self.node.report_snapshot(name, delivered=False)
        self.work()

    # ------------------------------------------------------------------ the core's own messages
    @on(RaftMessage)
    def hear(self, sender: AgentId, message: RaftMessage) -> None:
        raft, names, peer = self.node.raft, self.members, message.sender
        if message.to != raft.id or not 0 < peer <= len(names) or sender not in names:
            self.ignore(message, "between strangers")
            return
        if names[peer - 1] != sender and message.kind not in _PASSED_ON:
            self.ignore(message, f"in the name of {names[peer - 1]}")
            return
        self.heard[peer] = self.catch_up()
        try:
            self.node.step(message)
        except (LocalMessageError, PeerNotFoundError) as error:
            self.ignore(message, str(error))
        except ProposalDroppedError as error:
            self.ignore(message, error.why)
        self.work()

    @on(Stored)
    def written(self, sender: AgentId, message: Stored) -> None:
        if sender != self.me:
            self.ignore(message, "somebody else's disk")
            return
        self.writing = False
        self.advance()
        self.work()

    # ------------------------------------------------------------------ batches
    def work(self) -> None:
        """Carry out all that the core wants done, up to a write; then see when it is due again."""
        node = self.node
        while not self.writing and node.has_ready():
            ready = node.ready()
            self.storage.write(ready.hard_state, ready.entries, ready.snapshot)
            if ready.must_sync or ready.snapshot is not None:
                self.write(ready)
            else:
                for message in ready.messages:
                    self.post(message)
            self.carry_out(ready)
            if not self.writing:
                self.advance()  # now, since a membership change counts before the core hears that it is applied
        self.set_alarm()

    def advance(self) -> None:
        """The core hears that a batch is done; not before may what it applied leave the log, where the core still looks."""
        self.node.advance()
        if self.compaction_due or self.applied - self.storage.latest.index >= self.compact_every:
            self.compact()

    def write(self, ready: Ready) -> None:
        """Appends may leave before the write, everything else waits for it; then we hear that it is durable."""
        for message in ready.messages:
            if message.kind is Kind.APP:
                self.post(message)
        self.persist(Written(self.storage.hard_state, ready.entries, ready.snapshot))
        for message in ready.messages:
            if message.kind is not Kind.APP:
                self.post(message)
        self.writing = True
        self.send(self.me, Stored())

    def post(self, message: RaftMessage) -> None:
        """To a member; a snapshot is awaited for an election timeout before another one goes."""
        self.send(self.members[message.to - 1], message)
        if message.kind is Kind.SNAP:
            self.set_timer(message.to, self.now + self.election_s)

    def carry_out(self, ready: Ready) -> None:
        """What is committed becomes the machine's state, and is told; then whoever waited for that is answered."""
        if not (ready.committed_entries or ready.snapshot or ready.soft_state or ready.read_states):
            return  # most batches are only messages
        if ready.snapshot is not None:
            self.install(ready.snapshot)
        for entry in ready.committed_entries:
            self.apply(entry)
        readers = self.readers
        for state in ready.read_states:
            readers.end(state.context, state.index)
        found_leader = ready.soft_state is not None and ready.soft_state.lead != NONE
        if readers.waiting and (found_leader or not readers.context):
            self.begin_round()  # a new leader does not know what the last one was asked
        self.announce()
        self.serve_reads()

    def apply(self, entry: Entry) -> None:
        """Apply one entry; newcomers need a snapshot of the membership that it makes."""
        data, index = entry.data, entry.index
        self.applied, self.applied_term = index, entry.term
        result: Result = None
        if isinstance(data, ConfChange):
            result = str(self.node.apply_conf_change(data))
            self.compaction_due = True
        elif data:
            result = carried_out(self.machine, index, data)
            for listener in self.listeners:
                self.tell(listener, Committed(index, data))
        if self.writers.waiting:
            self.resolve(index, entry.term, result)

    def install(self, snapshot: Snapshot) -> None:
        """A leader's snapshot takes the place of our state; of what was waited for nobody here knows any more."""
        self.machine.restore(snapshot.data)
        self.applied, self.applied_term = snapshot.index, snapshot.term
        for listener in self.listeners:
            self.tell_all(listener, 0)
        for asker in self.writers.overtaken(snapshot.index):
            self.refuse(asker, "overtaken by a snapshot")

    def compact(self) -> None:
        """A snapshot of now takes the place of the log, in memory and on disk."""
        storage, index = self.storage, self.applied
        self.compaction_due = False
        if index == storage.latest.index:
            return
        snapshot = Snapshot(index, storage.term(index), self.node.raft.configuration, self.machine.snapshot())
        storage.compact(snapshot, self.keep)
        self.checkpoint(everything(storage))

    # ------------------------------------------------------------------ proposals
    @told(Propose)
    def propose(self, conversation: ConversationId, message: Propose) -> None:
        self.gather(Asker(conversation, local=True), message.command)

    @on(Submit)
    def submit(self, sender: AgentId, message: Submit) -> None:
        self.gather(Asker(sender, message.number), message.command)

    def gather(self, asker: Asker, command: Data) -> None:
        """A command enters the log now, or with others a little later."""
        if isinstance(command, ConfChange):
            self.drop(asker, command, "a change of membership is asked for by Reconfigure")
            return
        if isinstance(command, Timed):
            command = replace(command, at=self.now)
        self.writers.gathered.append((asker, command))
        if self.batch_s:
            if len(self.writers.gathered) == 1:
                self.set_timer("batch", self.now + self.batch_s)
        else:
            self.catch_up()
            self.propose_all()
            self.work()

    def propose_all(self) -> None:
        """What was gathered enters the log in one piece; only a leader can tell a client what becomes of its command."""
        gathered, raft = self.writers.take(), self.node.raft
        if raft.role is not Role.LEADER:
            for asker, _ in gathered:
                if not asker.local:
                    self.refuse(asker, "not the leader")
            gathered = [proposal for proposal in gathered if proposal[0].local]
        try:
            self.node.propose(*[command for _, command in gathered])
        except ProposalDroppedError as error:
            for asker, command in gathered:
                self.drop(asker, command, error.why)
            return
        if raft.role is Role.LEADER:
            first = raft.log.last_index() + 1 - len(gathered)
            self.writers.wait(first, raft.term, [asker for asker, _ in gathered])

    def drop(self, asker: Asker, command: Data, why: str) -> None:
        """A command was not taken."""
        if asker.local:
            self.tell(asker.to, Dropped(command, why))
        else:
            self.refuse(asker, why)

    def resolve(self, index: int, term: int, result: Result) -> None:
        """Something was applied at an index: what was awaited there, or another leader's entry in its place."""
        proposed, asker = self.writers.waiting.pop(index, (term, None))
        if asker is None:
            return
        if proposed == term:
            self.answer(asker, Reply(asker.number, result))
        else:
            self.refuse(asker, "overwritten by another leader")

    def refuse(self, asker: Asker, why: str) -> None:
        """Nothing comes of it here: who asked may know better where to ask."""
        leader = self.roster.name_of(self.node.raft.lead)
        self.answer(asker, Redirect(asker.number, "" if leader == self.me else leader, why))

    def answer(self, asker: Asker, message: Message) -> None:
        if asker.local:
            self.tell(asker.to, message)
        else:
            self.send(asker.to, message)

    # ------------------------------------------------------------------ listeners
    @told(Listen)
    def listen(self, conversation: ConversationId, message: Listen) -> None:
        self.listeners[conversation] = True
        self.tell_all(conversation, message.after)
        if self.led:
            self.tell(conversation, Leading(True, self.led))

    def tell_all(self, listener: ConversationId, after: int) -> None:
        for news in retold(self.machine, self.storage, self.applied, after):
            self.tell(listener, news)

    @told(Compact)
    def shorten(self, conversation: ConversationId, message: Compact) -> None:
        if isinstance(self.machine, Journal) and message.index <= self.applied:
            self.machine.compact(message.index, message.data)
            self.compaction_due = True
            if not self.writing:
                self.compact()
        else:
            self.ignore(message, "the state of a machine of our own, or of the future")

    def announce(self) -> None:
        """A leader leads once it has applied the first entry of its term: it knows then what all leaders before it knew."""
        raft = self.node.raft
        led = raft.term if raft.role is Role.LEADER and self.applied_term == raft.term else 0
        if led == self.led:
            return
        if self.led:
            self.publish(Deposed(self.led))
        if led:
            self.publish(Elected(led))
        for listener in self.listeners:
            if self.led:
                self.tell(listener, Leading(False, self.led))
            if led:
                self.tell(listener, Leading(True, led))
        self.led = led

    # ------------------------------------------------------------------ reads
    @told(Read)
    def read(self, conversation: ConversationId, message: Read) -> None:
        self.want_to_read(Asker(conversation, message.number, local=True))

    @on(Query)
    def query(self, sender: AgentId, message: Query) -> None:
        self.want_to_read(Asker(sender, message.number, question=message.question))

    def want_to_read(self, asker: Asker) -> None:
        self.readers.add(asker)
        if not self.readers.context:
            self.catch_up()
            self.begin_round()
            self.work()

    def begin_round(self) -> None:
        """Ask up to where to apply; asked anew where no answer comes."""
        self.node.read_index(self.readers.begin(f"{self.me}/{self.incarnation}", self.now))

    def serve_reads(self) -> None:
        """Answer who waited for what is applied now."""
        for asker in self.readers.served(self.applied):
            if asker.question is None:
                self.answer(asker, ReadAt(asker.number, self.applied))
            else:
                self.answer(asker, Reply(asker.number, answered(self.machine, asker.question)))

    # ------------------------------------------------------------------ the cluster
    @told(Reconfigure)
    def reconfigure_locally(self, conversation: ConversationId, message: Reconfigure) -> None:
        self.change_members(Asker(conversation, message.number, local=True), message)

    @on(Reconfigure)
    def reconfigure(self, sender: AgentId, message: Reconfigure) -> None:
        self.change_members(Asker(sender, message.number), message)

    def change_members(self, asker: Asker, message: Reconfigure) -> None:
        """Propose a membership, unless it makes no sense, or could not go on with those who are known to be up."""
        self.catch_up()
        raft = self.node.raft
        try:
            wanted = self.roster.configuration(message.voters, message.learners)
        except ScenarioError as error:
            self.refuse(asker, str(error))
            return
        lately = self.now - self.election_s
        up = [raft.id, *(node for node, at in self.heard.items() if at >= lately)]
        why = why_not(raft, self.roster, wanted, up)
        if why:
            self.refuse(asker, why)
        else:
            try:
                self.node.propose_conf_change(change_to(raft.configuration, wanted))
                self.writers.wait(raft.log.last_index(), raft.term, [asker])
            except ProposalDroppedError as error:
                self.refuse(asker, error.why)
        self.work()

    @told(TransferLeader)
    @on(TransferLeader)
    def hand_over(self, sender: str, message: TransferLeader) -> None:
        if message.to not in self.members:
            self.ignore(message, "to a stranger")
            return
        self.catch_up()
        self.node.transfer_leader(self.roster.id_of(message.to))
        self.work()

    def status(self) -> Status:
        """How this replica is, for people: print it."""
        return self.node.status()

    def check(self) -> None:
        log = self.node.raft.log
        assert self.storage.latest.index <= self.applied <= log.committed <= log.last_index()
        assert self.writing or not self.node.has_ready(), "something was left to do"
